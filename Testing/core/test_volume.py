"""A grid says where voxels lie; a volume keeps its array and grid together."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medenhance.volume import Grid, Volume

ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)
SPACINGS = st.tuples(*[st.floats(0.1, 10)] * 3)
ORIGINS = st.tuples(*[st.floats(-1000, 1000)] * 3)


def turned(angles_deg: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix().ravel().tolist())


@given(ANGLES, SPACINGS, ORIGINS)
def test_affine_maps_indices_as_simpleitk_does(angles, spacing, origin) -> None:
    grid = Grid(spacing, origin, turned(angles))
    image = sitk.Image(5, 6, 7, sitk.sitkInt16)
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction)
    expected = image.TransformIndexToPhysicalPoint((4, 2, 6))
    np.testing.assert_allclose((grid.affine @ [4, 2, 6, 1])[:3], expected, atol=1e-9)


@given(ANGLES, SPACINGS, ORIGINS)
def test_a_grid_comes_back_from_its_affine(angles, spacing, origin) -> None:
    grid = Grid(spacing, origin, turned(angles))
    again = Grid.from_affine(grid.affine)
    np.testing.assert_allclose(again.spacing_mm, grid.spacing_mm, rtol=1e-12)
    np.testing.assert_allclose(again.direction, grid.direction, atol=1e-12)
    assert again.origin_mm == grid.origin_mm


def test_an_affine_without_extent_is_refused() -> None:
    with pytest.raises(ValueError, match="zero column"):
        Grid.from_affine(np.diag([1.0, 0.0, 1.0, 1.0]))


@pytest.mark.parametrize("tilt_deg", [0.0, 12.5, 30.0])
def test_shear_is_the_gantry_tilt(tilt_deg: float) -> None:
    tilt = np.radians(tilt_deg)
    # Slices tilted about x, table moving along z.
    grid = Grid(direction=(1, 0, 0, 0, np.cos(tilt), 0, 0, np.sin(tilt), 1))
    assert grid.shear_deg == pytest.approx(tilt_deg)
    np.testing.assert_allclose(grid.slice_normal, [0, -np.sin(tilt), np.cos(tilt)], atol=1e-12)


def test_slice_positions_are_even_steps_unless_stated() -> None:
    even = Grid(spacing_mm=(1, 1, 2.5), origin_mm=(1, 2, 3))
    np.testing.assert_allclose(even.slice_positions(3), [[1, 2, 3], [1, 2, 5.5], [1, 2, 8]])
    stated = ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 5.0))
    np.testing.assert_allclose(Grid(slice_origins_mm=stated).slice_positions(3), stated)


@pytest.mark.parametrize("shape", [(4, 5), (0, 4, 5), (2, 3, 4, 5)])
def test_a_volume_has_three_axes_that_are_not_empty(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="three non-empty axes"):
        Volume(np.zeros(shape))


def test_other_voxels_must_fit_the_grid() -> None:
    volume = Volume(np.zeros((2, 3, 4)), modality="CT")
    assert volume.with_array(np.ones((2, 3, 4))).modality == "CT"
    with pytest.raises(ValueError, match="does not fit"):
        volume.with_array(np.ones((2, 4, 3)))
