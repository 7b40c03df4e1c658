"""What is measured of a bleed: size, shape, sides, midline, evidence, priority."""

from __future__ import annotations

from dataclasses import replace

import head_samples as samples
import numpy as np
import pytest

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.evidence import agreement, concurrence, disagreements, top_slices
from medenhance.head_ct.head_content import head_content
from medenhance.head_ct.measurement import measure
from medenhance.head_ct.midline import midline_shift
from medenhance.head_ct.midsagittal import left_of, midsagittal
from medenhance.head_ct.orientation import turned
from medenhance.head_ct.pieces import Piece, whole
from medenhance.head_ct.priority import PriorityThresholds, growth, priority
from medenhance.head_ct.report import Growth, MidlineShift, Midsagittal, SliceEvidence
from medenhance.head_ct.shape import abc2, irregularity, max_diameter_mm, surface_cm2
from medenhance.head_ct.slice_geometry import slice_geometry
from medenhance.volume import Grid, Volume

FINE = Grid((0.5, 0.5, 2.0), (-30.0, -30.0, -40.0))


def ellipsoid(*half_mm: float, grid: Grid = FINE) -> Piece:
    """An ellipsoid with these half axes up, back, left."""
    k, j, i = np.ogrid[-20:21, -60:61, -60:61]
    mask = (k * 2.0 / half_mm[0]) ** 2 + (j * 0.5 / half_mm[1]) ** 2 + (i * 0.5 / half_mm[2]) ** 2 < 1
    return whole(mask, grid, slice_geometry(grid, 41))


def test_abc2_of_an_ellipsoid_is_what_a_reader_measures() -> None:
    piece = ellipsoid(18.0, 12.0, 25.0)
    found = abc2(piece, 7)
    assert found is not None
    assert found.a_mm == pytest.approx(50.0, abs=1.0)
    assert found.b_mm == pytest.approx(24.0, abs=1.0)
    # Slices whose area is 75 % of the largest count in full, down to 25 % by half: 2 mm each.
    levels = np.arange(-9, 10) * 2.0
    share = 1 - (levels / 18.0) ** 2
    c_mm = 2.0 * (np.sum(share >= 0.75) + 0.5 * np.sum((share < 0.75) & (share >= 0.25)))
    assert found.c_mm == pytest.approx(c_mm, abs=2.0)
    assert found.ml == pytest.approx(found.a_mm * found.b_mm * found.c_mm / 2000)
    assert found.irregular_ml == pytest.approx(found.a_mm * found.b_mm * found.c_mm / 3000)
    assert found.difference_ml == pytest.approx(found.ml - piece.ml)
    assert found.slice_index == 7
    assert abs(found.a_ends_mm[0][0] - found.a_ends_mm[1][0]) == pytest.approx(49.5, abs=1.0)


def test_c_counts_unequal_slices_with_their_own_thickness() -> None:
    levels = np.array([0.0, 1.0, 2.0, 12.0, 22.0])
    grid = Grid((1.0, 1.0, 5.5), slice_origins_mm=tuple((0.0, 0.0, float(z)) for z in levels))
    mask = np.zeros((5, 20, 20), bool)
    mask[0, 5:8, 5:15] = True  # 30: 0.3 of the largest: half
    mask[1, 5:15, 5:15] = True  # 100: full
    mask[2, 5:13, 5:15] = True  # 80: full
    mask[3, 5:7, 5:15] = True  # 20: not at all
    found = abc2(whole(mask, grid, slice_geometry(grid, 5)), 0)
    assert found is not None
    assert found.c_mm == pytest.approx(0.5 * 1.0 + 1.0 * 1.0 + 1.0 * 5.5)


def test_a_single_row_of_voxels_has_no_abc2() -> None:
    mask = np.zeros((3, 9, 9), bool)
    mask[1, 4, 2:7] = True
    assert abc2(whole(mask, Grid(), slice_geometry(Grid(), 3)), 0) is None


def test_a_ball_is_regular_and_a_plate_is_not() -> None:
    round_one, flat = ellipsoid(20.0, 20.0, 20.0), ellipsoid(20.0, 2.0, 28.0)
    assert surface_cm2(round_one) == pytest.approx(4 * np.pi * 2.0**2, rel=0.03)
    assert irregularity(round_one.ml, surface_cm2(round_one)) == pytest.approx(1.0, abs=0.03)
    assert (irregularity(flat.ml, surface_cm2(flat)) or 0) > 1.5
    assert irregularity(0.05, 1.0) is None


def test_the_longest_diameter_goes_through_space() -> None:
    mask = np.zeros((5, 9, 9), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = True
    grid = Grid((3.0, 4.0, 12.0))
    assert max_diameter_mm(whole(mask, grid, slice_geometry(grid, 5))) == pytest.approx(2 * 13.0)


@pytest.mark.parametrize(("turn_deg", "offset_mm"), [(0.0, 0.0), (9.0, 6.0), (-12.0, -10.0)])
def test_the_plane_between_the_hemispheres_is_found_in_a_turned_head(turn_deg: float, offset_mm: float) -> None:
    volume = posed(samples.head_array(), turn_deg, offset_mm)
    plane = found_plane(volume)
    normal = np.array([np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg)), 0.0])
    assert np.degrees(np.arccos(min(1.0, normal @ plane.normal))) < 1.5
    middle = np.array([[offset_mm, 0.0, 0.0]])
    assert left_of(plane, middle)[0] == pytest.approx(0.0, abs=1.0)
    assert plane.symmetry > 0.9


def test_a_bleed_does_not_move_the_plane_and_is_on_its_side() -> None:
    volume, blood = samples.bleeding_head((10.0, 10.0, 34.0), 20.0)
    found = turned(volume)
    measured = measure(blood, None, found, slice_geometry(volume.grid, len(blood)))
    assert measured.midsagittal is not None
    assert measured.midsagittal.normal[0] > 0.999
    (piece,) = measured.components
    assert piece.side == "left"
    assert (measured.left_ml, measured.right_ml) == (pytest.approx(piece.volume.ml), 0.0)
    assert piece.volume.ml == pytest.approx(4 / 3 * np.pi * 2.0**3, rel=0.05)
    assert piece.center_mm == pytest.approx((34.0, 10.0, 10.0), abs=1.0)
    assert piece.mean_hu == pytest.approx(samples.BLOOD_HU, abs=1.0)
    assert piece.max_diameter_mm == pytest.approx(38.0, abs=2.0)
    assert measured.numbers[blood].tolist() == [1] * int(blood.sum())


def test_blood_on_both_sides_belongs_to_neither() -> None:
    volume, blood = samples.bleeding_head((10.0, 10.0, 3.0), 14.0)
    measured = measure(blood, None, turned(volume), slice_geometry(volume.grid, len(blood)))
    assert measured.components[0].side == "midline"
    assert (measured.left_ml or 0) > (measured.right_ml or 0) > 0.25 * measured.total.ml


def test_small_pieces_are_counted_and_not_listed() -> None:
    volume, blood = samples.bleeding_head()
    blood[3, 50, 50] = blood[5, 40, 60] = True  # 0.02 mL each
    measured = measure(blood, None, turned(volume), slice_geometry(volume.grid, len(blood)))
    assert (len(measured.components), measured.num_small) == (1, 2)
    assert measured.small_ml == pytest.approx(0.04)
    assert measured.numbers[3, 50, 50] == 2


@pytest.mark.parametrize("shift_mm", [-8.0, 0.0, 6.0])
def test_shifted_ventricles_are_measured_against_the_skull(shift_mm: float) -> None:
    volume = Volume(samples.head_array(shift_mm=shift_mm), samples.head_grid(), "CT")
    found = midline_shift(volume, found_plane(volume), brain(volume))
    assert found is not None
    assert found.mm == pytest.approx(shift_mm, abs=1.2)
    assert found.ends[1] - found.ends[0] == pytest.approx([found.mm, 0.0, 0.0], abs=0.3)


def test_one_slice_that_is_alike_elsewhere_does_not_decide_the_midline_shift() -> None:
    up, back, left = samples.coordinates()
    array = samples.head_array()
    within = (array > -50) & (array < 100)
    misleading = np.abs(up - 10) < 3
    spots = (np.abs(left - 9) - 10) ** 2 + (back % 20 - 10) ** 2 < 30
    drawn = np.where(spots, samples.CSF_HU, samples.BRAIN_HU)
    noisy = array + np.random.default_rng(3).normal(0, 25, array.shape)
    array = np.where(within, np.where(misleading, drawn, noisy), array).astype(np.float32)
    volume = Volume(array, samples.head_grid(), "CT")
    found = midline_shift(volume, found_plane(volume), brain(volume))
    assert found is not None
    assert found.mm == pytest.approx(0.0, abs=1.5)


def test_a_brain_without_any_likeness_has_no_midline_shift() -> None:
    array = samples.head_array()
    noise = np.random.default_rng(1).uniform(0, 60, array.shape)
    inside = (array > -50) & (array < 120)
    volume = Volume(np.where(inside, noise, array).astype(np.float32), samples.head_grid(), "CT")
    plane = Midsagittal((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), 0.9)
    assert midline_shift(volume, plane, np.arange(6, 18)) is None


def test_slices_agree_where_probability_and_mask_do() -> None:
    assert agreement(0.7, True) == "both"
    assert agreement(0.2, False) == "neither"
    assert agreement(0.2, True) == "mask only"
    assert agreement(0.5, False) == "probability only"


def test_concurrence_disagreements_and_top_slices_of_a_hand_made_scan() -> None:
    slices = [evidence(0, 0.9, 200), evidence(1, 0.1, 0), evidence(2, 0.8, 0), evidence(3, 0.3, 40),
              evidence(4, 0.2, 90), evidence(5, 0.9, 300)]  # fmt: skip
    assert concurrence(slices) == pytest.approx(3 / 6)
    assert disagreements(slices) == (3, 4, 2)  # what the mask alone shows comes first
    assert top_slices(slices, 3) == (5, 0, 2)


def test_the_class_follows_the_limits() -> None:
    limits = PriorityThresholds()
    shift = MidlineShift(7.0, "right", 3, ((0, 0, 0), (7, 0, 0)))
    assert priority(False, 0.0, None, None, False, limits)[0] == "routine"
    assert priority(False, 2.0, None, None, True, limits)[0] == "review"
    assert priority(True, 2.0, None, None, False, limits)[0] == "review"
    assert priority(True, 30.0, None, None, False, limits)[0] == "critical"
    assert priority(True, 2.0, shift, None, False, limits)[0] == "critical"
    assert priority(True, 2.0, replace(shift, mm=4.0), None, False, limits)[0] == "review"
    assert priority(False, 40.0, shift, None, True, limits)[0] == "review"  # it is not flagged
    assert priority(True, 2.0, None, Growth(1.0, 1.0, 1.0, True), False, limits)[0] == "critical"
    assert priority(True, 12.0, None, None, False, PriorityThresholds(critical_ml=10.0))[0] == "critical"
    with pytest.raises(MedEnhanceError, match="critical_ml has to be above 0"):
        PriorityThresholds(critical_ml=0.0).check()


def test_growth_is_a_third_or_six_millilitres() -> None:
    limits = PriorityThresholds()
    assert growth(12.9, 10.0, limits) == Growth(10.0, pytest.approx(2.9), pytest.approx(0.29), False)
    assert growth(13.4, 10.0, limits).expanded
    assert growth(46.0, 40.0, limits).expanded
    assert growth(5.0, 0.0, limits) == Growth(0.0, 5.0, None, False)


def evidence(index: int, probability: float, area_mm2: float) -> SliceEvidence:
    agreed = agreement(probability, area_mm2 > 0)
    return SliceEvidence(index, index + 1, (0.0, 0.0, 0.0), 5.0, probability, area_mm2, agreed)


def posed(array: np.ndarray, turn_deg: float, offset_mm: float) -> Volume:
    """The drawn head, turned about its long axis and moved to its left."""
    turn = np.radians(turn_deg)
    across, along = np.array([np.cos(turn), np.sin(turn), 0.0]), np.array([-np.sin(turn), np.cos(turn), 0.0])
    first = np.array([offset_mm, 0.0, -57.5]) - 95.0 * across - 103.0 * along
    direction = tuple(np.stack([across, along, [0.0, 0.0, 1.0]], axis=1).ravel().tolist())
    return Volume(array, samples.head_grid(origin_mm=tuple(first.tolist()), direction=direction), "CT")


def brain(volume: Volume) -> np.ndarray:
    content = head_content(volume)
    return content.slices[content.is_brain]


def found_plane(volume: Volume) -> Midsagittal:
    plane = midsagittal(volume, brain(volume))
    assert plane is not None
    return plane
