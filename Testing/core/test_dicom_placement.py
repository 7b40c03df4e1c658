"""A volume is put in the order of its DICOM series when it lies on its grid, and refused when it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medenhance.dicom.placement import placed
from medenhance.errors import MedEnhanceError
from medenhance.volume import Grid

SHAPE = (4, 3, 5)
ARRAY = np.arange(60).reshape(SHAPE)
# Oblique, with odd spacing, and sheared as by a tilted gantry.
COLUMNS = np.array([[0.71, 0.05, 0.3], [-0.06, 0.83, 0.9], [0.11, 0.21, 2.9]])
AFFINE = np.vstack([np.column_stack([COLUMNS, [-120.25, 33.5, 801.0]]), [0, 0, 0, 1]])
SERIES = Grid.from_affine(AFFINE)


def reversed_axes(steps: tuple[int, int, int]) -> tuple[np.ndarray, Grid]:
    """The same voxels in the same places, stored the other way round along the axes (D, H, W) where a step is -1."""
    turn = np.eye(4)
    for axis, step in enumerate(reversed(steps)):
        if step == -1:
            turn[axis, axis], turn[axis, 3] = -1, SHAPE[2 - axis] - 1
    return ARRAY[:: steps[0], :: steps[1], :: steps[2]], Grid.from_affine(AFFINE @ turn)


def moved(grid: Grid, by_mm: float) -> Grid:
    x, y, z = grid.origin_mm
    return replace(grid, origin_mm=(x + by_mm, y, z))


@given(st.tuples(*[st.sampled_from([1, -1])] * 3))
def test_reversed_axes_are_put_right(steps: tuple[int, int, int]) -> None:
    array, grid = reversed_axes(steps)
    assert np.array_equal(placed(array, grid, SHAPE, SERIES), ARRAY)


def test_a_hair_of_a_millimetre_is_rounding_and_more_is_another_place() -> None:
    assert np.array_equal(placed(ARRAY, moved(SERIES, 0.0009), SHAPE, SERIES), ARRAY)
    with pytest.raises(MedEnhanceError, match=r"0\.0011 mm away") as caught:
        placed(ARRAY, moved(SERIES, 0.0011), SHAPE, SERIES)
    assert caught.value.kind == "input-unsuitable"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_another_spacing_along_any_axis_is_refused(axis: int) -> None:
    spacing = list(SERIES.spacing_mm)
    spacing[axis] *= 1.01
    with pytest.raises(MedEnhanceError, match="away"):
        placed(ARRAY, replace(SERIES, spacing_mm=tuple(spacing)), SHAPE, SERIES)


def test_turned_axes_are_refused_even_when_the_shape_is_the_same() -> None:
    cube = np.zeros((3, 3, 3))
    turned = Grid.from_affine(AFFINE[:, [1, 0, 2, 3]])
    with pytest.raises(MedEnhanceError, match="away"):
        placed(cube, turned, cube.shape, SERIES)


def test_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(MedEnhanceError, match="4 slices of 3 x 5, its DICOM series 4 slices of 6 x 5"):
        placed(ARRAY, SERIES, (4, 6, 5), SERIES)


def test_the_distance_of_slices_does_not_matter_where_there_is_one() -> None:
    thick = replace(SERIES, spacing_mm=(*SERIES.spacing_mm[:2], 20.0))
    assert np.array_equal(placed(ARRAY[:1], thick, (1, 3, 5), SERIES), ARRAY[:1])


@pytest.fixture
def uneven() -> Grid:
    """The same first and last slice, the others not at equal steps."""
    first, step = np.asarray(SERIES.origin_mm), SERIES.affine[:3, 2]
    origins = tuple(tuple(map(float, first + share * step)) for share in (0.0, 0.4, 2.2, 3.0))
    return replace(SERIES, slice_origins_mm=origins)


@pytest.mark.parametrize("steps", [(1, 1, 1), (-1, 1, -1)])
def test_unequal_gaps_are_matched_by_the_mean_step(uneven: Grid, steps: tuple[int, int, int]) -> None:
    array, grid = reversed_axes(steps)
    assert np.array_equal(placed(array, grid, SHAPE, uneven), ARRAY)


def test_unequal_gaps_that_the_file_states_are_matched_slice_by_slice(uneven: Grid) -> None:
    assert np.array_equal(placed(ARRAY, uneven, SHAPE, uneven), ARRAY)
    first, second, *others = uneven.slice_origins_mm or ()
    shifted = replace(uneven, slice_origins_mm=(first, (second[0] + 0.5, *second[1:]), *others))
    with pytest.raises(MedEnhanceError, match=r"0\.5 mm away"):
        placed(ARRAY, shifted, SHAPE, uneven)


def test_unequal_gaps_do_not_excuse_another_place(uneven: Grid) -> None:
    with pytest.raises(MedEnhanceError, match="away"):
        placed(ARRAY, moved(SERIES, 0.01), SHAPE, uneven)
