"""Millilitres come from where slices lie, whatever way a file stores them."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import head_samples as samples
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.orientation import turned
from medenhance.head_ct.pieces import pieces, whole
from medenhance.head_ct.slice_geometry import points_mm, slice_geometry
from medenhance.head_ct.thin_slices import slabs_of
from medenhance.head_ct.volumes import volume_figure, volume_ml
from medenhance.study import read_study
from medenhance.volume import Grid, Volume

ORDERS = list(permutations(range(3)))


@pytest.mark.parametrize("axes", ORDERS)
@given(flips=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_turning_finds_the_same_voxels_at_the_same_places(
    axes: tuple[int, int, int], flips: tuple[bool, bool, bool]
) -> None:
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    straight = Volume(array, Grid((0.7, 0.9, 5.0), (3.0, -4.0, 11.0)))
    other = samples.laid(straight, axes, flips)
    found = turned(other)
    assert np.array_equal(found.volume.array, array)
    assert np.allclose(found.volume.grid.affine, straight.grid.affine)
    assert np.array_equal(found.back(found.volume.array), other.array)


def test_turning_keeps_unequal_gaps_and_says_the_own_index() -> None:
    origins = tuple((0.0, 0.0, -z) for z in (0.0, 3.0, 4.0, 11.0))
    grid = Grid((1.0, 1.0, 11 / 3), origins[0], (1, 0, 0, 0, 1, 0, 0, 0, -1), origins)
    found = turned(Volume(np.arange(4.0).reshape(4, 1, 1) * np.ones((4, 5, 6)), grid))
    assert found.volume.array[:, 0, 0].tolist() == [3.0, 2.0, 1.0, 0.0]
    assert [point[2] for point in found.volume.grid.slice_origins_mm or ()] == [-11.0, -4.0, -3.0, 0.0]
    assert [found.own_index(k) for k in range(4)] == [3, 2, 1, 0]
    assert slice_geometry(found.volume.grid, 4).gaps_mm.tolist() == [7.0, 1.0, 3.0]


def test_an_oblique_reformat_is_refused() -> None:
    turn = np.radians(44.0)
    direction = (np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1)
    with pytest.raises(MedEnhanceError, match="44 degrees away"):
        turned(Volume(np.zeros((3, 4, 5)), Grid(direction=direction)))


def test_a_slice_stands_for_the_way_half_to_its_neighbours() -> None:
    origins = tuple((0.0, 0.0, z) for z in (0.0, 4.0, 5.0, 12.0))
    geometry = slice_geometry(Grid((0.5, 2.0, 4.0), origins[0], slice_origins_mm=origins), 4)
    assert geometry.thickness_mm.tolist() == [4.0, 2.5, 4.0, 7.0]
    assert geometry.voxel_ml.tolist() == [0.004, 0.0025, 0.004, 0.007]
    assert geometry.covered_mm == 12.0 + 2.0 + 3.5


def test_the_thickness_of_one_slice_is_what_it_states() -> None:
    assert slice_geometry(Grid((0.5, 0.5, 5.0)), 1).thickness_mm.tolist() == [5.0]


def test_a_tilted_gantry_makes_slices_thinner_than_their_step() -> None:
    tilt = np.radians(20.0)
    direction = (1, 0, 0, 0, np.cos(tilt), 0, 0, -np.sin(tilt), 1)
    geometry = slice_geometry(Grid((1.0, 1.0, 5.0), direction=direction), 3)
    assert geometry.thickness_mm == pytest.approx(5.0 * np.cos(tilt))
    assert geometry.tilt_deg == pytest.approx(20.0)


def test_points_follow_unequal_gaps() -> None:
    origins = tuple((1.0, 2.0, z) for z in (0.0, 4.0, 5.0))
    grid = Grid((0.5, 2.0, 2.5), origins[0], slice_origins_mm=origins)
    found = points_mm(grid, 3, np.array([[0.5, 1.0, 2.0], [2.0, 0.0, 0.0]]))
    assert found.tolist() == [[2.0, 4.0, 2.0], [1.0, 2.0, 5.0]]


@given(
    cuts=st.lists(st.floats(1.0, 7.0), min_size=30, max_size=30),
    tilt_deg=st.floats(-20, 20),
)
def test_a_ball_has_its_volume_on_any_slices(cuts: list[float], tilt_deg: float) -> None:
    """A ball of 20 mm is 33.5 mL; slices of up to 7 mm, unequal gaps and tilt change that by their own error alone."""
    levels = np.cumsum(cuts) - np.sum(cuts) / 2
    levels = levels[np.abs(levels) < 40]
    tilt = np.radians(tilt_deg)
    rows, normal = np.array([0, np.cos(tilt), -np.sin(tilt)]), np.array([0, np.sin(tilt), np.cos(tilt)])
    origins = [np.array([-30.0, 0, 0]) - 30.0 * rows + np.array([0, 0, level / normal[2]]) for level in levels]
    direction = (1, 0, 0, 0, rows[1], 0, 0, rows[2], 1)
    grid = Grid((1.0, 1.0, 4.0), tuple(origins[0]), direction, tuple(tuple(point) for point in origins))
    indices = np.stack(np.meshgrid(range(len(levels)), range(61), range(61), indexing="ij"), -1).reshape(-1, 3)
    inside = np.linalg.norm(points_mm(grid, len(levels), indices.astype(float)), axis=1) < 20
    mask = inside.reshape(len(levels), 61, 61)
    assert volume_ml(mask, slice_geometry(grid, len(levels))) == pytest.approx(33.51, rel=0.12)


def test_the_range_of_a_volume_is_half_a_voxel_of_border() -> None:
    mask = np.zeros((5, 7, 7), bool)
    mask[1:4, 2:5, 2:5] = True
    figure = volume_figure(whole(mask, Grid((1.0, 1.0, 10.0)), slice_geometry(Grid((1.0, 1.0, 10.0)), 5)))
    assert figure.ml == pytest.approx(0.27)
    assert figure.low_ml == pytest.approx(0.27 - 0.26 / 2)  # all voxels but the middle one
    assert figure.high_ml == pytest.approx(0.27 + 6 * 9 * 0.01 / 2)


def test_the_range_of_one_slice_knows_nothing_of_above_and_below() -> None:
    mask = np.zeros((1, 7, 7), bool)
    mask[0, 2:5, 2:5] = True
    figure = volume_figure(whole(mask, Grid((1.0, 1.0, 10.0)), slice_geometry(Grid((1.0, 1.0, 10.0)), 1)))
    assert (figure.low_ml, figure.high_ml) == (pytest.approx(0.09 - 0.04), pytest.approx(0.09 + 0.06))


def test_pieces_come_largest_first_by_millilitres_not_by_voxels() -> None:
    origins = tuple((0.0, 0.0, z) for z in (0.0, 1.0, 2.0, 12.0, 22.0))
    grid = Grid((1.0, 1.0, 5.5), origins[0], slice_origins_mm=origins)
    mask = np.zeros((5, 9, 9), bool)
    mask[0, 0:3, 0:3] = True  # nine voxels of 1 mm
    mask[4, 5:7, 5:7] = True  # four of 10 mm
    found = pieces(mask, grid, slice_geometry(grid, 5), 0.0)
    assert [round(one.ml, 6) for one in found.listed] == [0.04, 0.009]
    assert (found.numbers[4, 5, 5], found.numbers[0, 0, 0], found.numbers[2, 4, 4]) == (1, 2, 0)


def test_voxels_that_touch_at_a_corner_are_one_piece() -> None:
    mask = np.zeros((2, 4, 4), bool)
    mask[0, 1, 1] = mask[1, 2, 2] = True
    assert len(pieces(mask, Grid(), slice_geometry(Grid(), 2), 0.0).listed) == 1


def test_a_speckled_mask_is_counted_not_listed() -> None:
    mask = np.zeros((4, 300, 300), bool)
    mask[::2, ::2, ::2] = True
    mask[0, 0:3, 0:3] = True
    found = pieces(mask, Grid(), slice_geometry(Grid(), 4), 0.005, most=1)
    assert [one.ml for one in found.listed] == [pytest.approx(0.009)]
    assert found.num_small == 2 * 150 * 150 - 4
    assert found.small_ml == pytest.approx(found.num_small * 0.001)
    assert found.numbers.max() == 2


def test_thin_slices_become_slabs_and_come_back() -> None:
    grid = Grid((1.0, 1.0, 0.6))
    array = np.random.default_rng(0).normal(30, 5, (100, 4, 5))
    slabs = slabs_of(slice_geometry(grid, 100))
    assert slabs is not None
    assert slabs.count == 12
    thick = slabs.averaged(Volume(array, grid))
    assert np.allclose(slice_geometry(thick.grid, 12).gaps_mm, 5.0, atol=0.35)
    for slab in range(12):
        assert np.allclose(thick.array[slab], array[slabs.members(slab)].mean(axis=0), atol=1e-4)
    ramp = slabs.spread(np.broadcast_to(slabs.middles_mm[:, None, None], (12, 4, 5)).astype(np.float32))
    assert np.allclose(ramp[5:95, 0, 0], slabs.levels_mm[5:95], atol=1e-3)
    assert slabs.spread(np.ones((12, 4, 5), np.float32)).shape == (100, 4, 5)


@pytest.mark.parametrize(("step_mm", "count"), [(2.6, 40), (5.0, 30), (0.6, 8)])
def test_slices_that_are_thick_or_few_stay_as_they_are(step_mm: float, count: int) -> None:
    assert slabs_of(slice_geometry(Grid((1.0, 1.0, step_mm)), count)) is None


def test_the_real_tilted_head_with_unequal_gaps_has_its_physical_volume(shared_data: Path) -> None:
    volume = read_study(shared_data / "head_ct/ge_hispeed_tilt_variable_spacing")
    found = turned(volume)
    geometry = slice_geometry(found.volume.grid, 28)
    # Table positions 4.22 and 7.38 mm apart, seen along the normal of slices tilted by 18.5 degrees.
    assert geometry.gaps_mm[:13] == pytest.approx(4.0, abs=0.01)
    assert geometry.gaps_mm[13] == pytest.approx(1.08, abs=0.01)
    assert geometry.gaps_mm[14:] == pytest.approx(7.0, abs=0.01)
    mask = np.zeros((28, 512, 512), bool)
    mask[:, 200:300, 200:300] = True
    area_mm2 = (100 * 0.4882812) ** 2
    expected = area_mm2 * (13 * 4.0019 + 1.0811 + 13 * 6.9986 + (4.0019 + 6.9986) / 2) / 1000
    assert volume_ml(mask, geometry) == pytest.approx(expected, rel=1e-4)
    straight = np.prod(volume.grid.spacing_mm) / 1000 * mask.sum()  # what equal steps along the table would say
    assert volume_ml(mask, geometry) < 0.96 * straight
