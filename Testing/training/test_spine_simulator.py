"""Simulated spine ultrasound: what is said to be true about a subject is what its images show."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter

from medenhance.spine.labels import LUMP, PROCESS, RIB
from medenhance_training.data.spine.bones import Bone, draw_bones
from medenhance_training.data.spine.case import Landmark, SpineCase
from medenhance_training.data.spine.config import HABITUS, SLAB_MM, SpineConfig
from medenhance_training.data.spine.posture import LEVELS, draw_posture, true_curves
from medenhance_training.data.spine.simulate import simulate_case
from medenhance_training.data.spine.sweep import Sweep, cover

# A quarter of the pixels' side: everything is there and a subject takes a tenth of a second.
COARSE = SpineConfig(pixel_mm=0.5, missing_share=(0.0, 0.0))
WHOLE = SpineConfig(pixel_mm=0.5, habitus="average", missing_share=(0.0, 0.0), num_curves=0)


@lru_cache(maxsize=8)
def case(seed: int = 0, config: SpineConfig = COARSE) -> SpineCase:
    return simulate_case(seed, config)


def with_process(subject: SpineCase, level: str, side: str) -> Landmark:
    return next(mark for mark in subject.landmarks if (mark.level, mark.side) == (level, side))


def test_the_seed_decides_everything():
    first, again, other = case(3), simulate_case(3, COARSE), case(4)
    for name in ("projections", "clean", "noise_mask", "labels", "skin_mm"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    assert first.landmarks == again.landmarks
    assert first.curves == again.curves


def test_a_projection_has_the_size_of_the_public_one_by_default():
    assert SpineConfig().shape == (2574, 640)


@pytest.mark.parametrize("seed", range(3))
def test_noise_lies_where_the_mask_says_and_nowhere_else(seed: int):
    subject = case(seed)
    difference = np.abs(subject.projections.astype(int) - subject.clean)
    assert difference[~subject.noise_mask].max() <= 8
    assert subject.noise_mask.any()
    assert not subject.noise_mask[:, ~subject.scan].any()
    assert (subject.clean[:, subject.scan] > 0).all(), "a clean image has no gaps"
    assert (subject.projections[:, ~subject.scan] == 0).all()


def test_without_stripes_the_noisy_image_is_the_clean_one():
    subject = case(1, SpineConfig(pixel_mm=0.5, stripes=0.0))
    np.testing.assert_array_equal(subject.projections, subject.clean)
    assert not subject.noise_mask.any()


def test_slow_frames_leave_no_gap_and_fast_ones_leave_dashes_where_their_rows_differ_by_two():
    def swept(step: float) -> np.ndarray:
        row = np.arange(20, 80, step)
        slope = np.full(row.size, 0.1)
        sweep = Sweep(row, slope, np.full(row.size, 30.0), 15.0, np.zeros(row.size))
        return cover(sweep, (100, 61)).gap

    assert not swept(0.9).any()
    gap = swept(1.25)
    # A quarter of a row is lost with each frame of 1.25 rows: one gap in five rows.
    assert gap[30:70, 19:42].mean() == pytest.approx(0.2, abs=0.03)
    assert not gap[:, :15].any(), "no gap outside the strip"
    assert not (gap[1:] & gap[:-1]).any(), "each gap is one row high"


def test_curves_have_the_angles_that_were_asked_for():
    for seed in range(60):
        config = SpineConfig(num_curves=1 + seed % 2, curve_deg=(35.0, 55.0))
        posture = draw_posture(config, np.random.default_rng(seed))
        main = [c for c in true_curves(posture.tilts_deg) if 35 <= c.angle_deg <= 55]
        assert len(main) >= config.num_curves
        assert np.abs(np.diff(posture.tilts_deg)).max() < 12, "no neighbouring vertebrae differ by more"
        assert max(c.angle_deg for c in true_curves(posture.tilts_deg)) <= 60


def test_a_straight_spine_has_no_curve():
    assert case(0, WHOLE).curves == ()


def test_a_curve_is_named_after_the_side_it_bulges_to():
    for seed in range(20):
        posture = draw_posture(SpineConfig(num_curves=1, curve_deg=(40, 60)), np.random.default_rng(seed))
        largest = max(true_curves(posture.tilts_deg), key=lambda curve: curve.angle_deg)
        upper, lower = LEVELS.index(largest.upper), LEVELS.index(largest.lower)
        column = posture.column_mm[upper : lower + 1]
        chord = np.interp(posture.row_mm[upper : lower + 1], posture.row_mm[[upper, lower]], column[[0, -1]])
        # Column 0 is the patient's left: a bulge to larger columns is one to the right.
        assert largest.side == ("right" if (column - chord).mean() > 0 else "left")


def test_the_midline_is_perpendicular_to_the_levels():
    posture = draw_posture(SpineConfig(num_curves=2), np.random.default_rng(5))
    rise = np.gradient(posture.midline_column_mm, posture.midline_row_mm)
    at_levels = np.interp(posture.row_mm, posture.midline_row_mm, rise)
    np.testing.assert_allclose(-np.tan(np.radians(posture.tilts_deg)), at_levels, atol=0.03)


def test_the_line_through_a_pair_of_processes_has_the_tilt_of_its_level():
    errors = []
    for seed in range(4):
        subject = case(seed)
        for level in LEVELS[:11]:
            left, right = (with_process(subject, level, side) for side in ("left", "right"))
            line = np.degrees(np.arctan2(right.row - left.row, right.column - left.column))
            errors.append(line - subject.tilts_deg[level])
    assert np.abs(errors).mean() < 0.8
    assert abs(np.mean(errors)) < 0.3


def test_labels_show_every_landmark_that_is_present_and_no_other():
    subject = case(2, SpineConfig(pixel_mm=0.5, missing_share=(0.3, 0.3)))
    seen = 0
    for mark in subject.landmarks:
        row, column = round(mark.row), round(mark.column)
        if not mark.present:
            continue
        seen += 1
        assert subject.labels[row, column] == (LUMP if mark.side == "middle" else PROCESS)
    assert 0.4 < seen / len(subject.landmarks) < 0.95
    assert set(np.unique(subject.labels)) == {0, RIB, PROCESS, LUMP}
    assert not subject.labels[~subject.scan].any()


def test_processes_appear_with_depth_and_the_midline_is_there_throughout():
    subject = case(0, WHOLE)
    inside = binary_dilation(subject.labels > 0, iterations=8)
    around = subject.scan & ~inside
    contrast = [float(image[around].mean()) - float(image[subject.labels == PROCESS].mean()) for image in subject.clean]
    assert contrast[0] < 0.35 * contrast[4]
    assert contrast == sorted(contrast)
    for image in subject.clean:
        rows = [round(subject.landmarks[k].row) for k in range(6, 18)]
        centre = [image[r, _middle(subject, r) - 2 : _middle(subject, r) + 3].mean() for r in rows]
        assert np.mean(centre) < 0.7 * image[around].mean()


def _middle(subject: SpineCase, row: int) -> int:
    """Column of the midline: halfway between the pair of processes nearest to a row."""
    pairs = [(with_process(subject, level, "left"), with_process(subject, level, "right")) for level in LEVELS[:11]]
    left, right = min(pairs, key=lambda pair: abs((pair[0].row + pair[1].row) / 2 - row))
    return round((left.column + right.column) / 2)


def test_a_deleted_process_is_gone_from_every_depth_and_all_else_stays():
    edited = case(0, SpineConfig(pixel_mm=0.5, habitus="average", missing_share=(0.0, 0.0), num_curves=0,
                                 deleted=(("T7", "left"),)))  # fmt: skip
    whole = case(0, WHOLE)
    mark = with_process(whole, "T7", "left")
    assert mark.present
    assert not with_process(edited, "T7", "left").present
    changed = (whole.clean != edited.clean).any(axis=0)
    rows, columns = np.nonzero(changed)
    # Half a process, its soft rim and the beam.
    reach_px = 28 / 0.5
    assert np.hypot(rows - mark.row, columns - mark.column).max() < reach_px
    row, column = round(mark.row), round(mark.column)
    assert edited.labels[row, column] != PROCESS
    assert (edited.clean[1:, row, column] > whole.clean[1:, row, column]).all()


def test_a_shifted_process_moves_by_what_was_asked_and_takes_its_label_along():
    shifted = case(0, SpineConfig(pixel_mm=0.5, habitus="average", missing_share=(0.0, 0.0), num_curves=0,
                                  shifted=(("T6", "right", 5.0),)))  # fmt: skip
    before, after = (with_process(subject, "T6", "right") for subject in (case(0, WHOLE), shifted))
    assert after.row_mm - before.row_mm == pytest.approx(5.0)
    assert after.column_mm == before.column_mm
    assert after.row - before.row == pytest.approx(10.0)
    assert shifted.labels[round(after.row), round(after.column)] == PROCESS


def test_the_rib_of_a_shifted_process_comes_along_and_that_of_a_deleted_one_stays():
    def rib(config: SpineConfig) -> Bone:
        posture = draw_posture(config, np.random.default_rng(0))
        bones = draw_bones(posture, HABITUS["average"], config, np.random.default_rng(1))
        return next(bone for bone in bones if (bone.label, bone.level, bone.side) == (RIB, "T6", "right"))

    assert rib(replace(WHOLE, shifted=(("T6", "right", 5.0),))).row_mm - rib(WHOLE).row_mm == pytest.approx(5.0)
    assert rib(replace(WHOLE, deleted=(("T6", "right"),))) == rib(WHOLE)


def test_some_processes_stray_from_their_level_where_that_is_asked_for():
    strayed = case(0, replace(WHOLE, stray_share=0.5))
    pairs = zip(case(0, WHOLE).landmarks, strayed.landmarks, strict=True)
    by_mm = np.array([abs(b.row_mm - a.row_mm) for a, b in pairs if a.side != "middle"])
    assert 0.25 < (by_mm > 0).mean() < 0.75
    assert 2 < by_mm[by_mm > 0].mean() < 5
    assert by_mm.max() <= 7
    assert [mark.row_mm for mark in case(0, WHOLE).landmarks if mark.side == "middle"] == [
        mark.row_mm for mark in strayed.landmarks if mark.side == "middle"
    ]


def projected(subject: SpineCase, centre_mm: float) -> np.ndarray:
    """(R, C): mean of the volume over a slab below the skin, linear between planes."""
    assert subject.volume is not None
    step_mm = subject.spacing_mm[0]
    rows, columns = np.indices(subject.scan.shape, sparse=True)
    total = np.zeros(subject.scan.shape)
    samples = np.arange(-SLAB_MM / 2, SLAB_MM / 2 + 0.1, 0.5)
    for offset in samples:
        plane = (subject.skin_mm + centre_mm + offset) / step_mm - 0.5
        first = np.floor(plane).astype(int)
        share = plane - first
        total += subject.volume[first, rows, columns] * (1 - share) + subject.volume[first + 1, rows, columns] * share
    return total / samples.size


def test_the_projected_volume_is_the_fast_projection():
    """They share the echo, the skin's coordinates and the gaps; only the grain is drawn apart."""
    subject = simulate_case(1, SpineConfig(pixel_mm=0.8, with_volume=True, volume_depth_mm=1.0, habitus="average"))
    for k, depth in enumerate(subject.depths_mm):
        slow, fast = projected(subject, depth), subject.projections[k]
        np.testing.assert_array_equal(slow == 0, fast == 0)
        seen = fast > 0
        alike = seen & ~subject.noise_mask[k]
        difference = (slow - fast)[alike]
        assert np.corrcoef(slow[seen], fast[seen])[0, 1] > 0.96
        assert abs(difference.mean()) < 3
        # What remains is grain: it is gone once a few pixels are averaged, but where speckle is cut off at white.
        share = np.maximum(gaussian_filter(alike.astype(float), 3), 1e-6)
        smooth = gaussian_filter(np.where(alike, slow - fast, 0.0), 3) / share
        assert smooth[alike].std() < 6


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"habitus": "tall"}, "habitus"),
        ({"num_curves": 3}, "0, 1 or 2"),
        ({"pixel_mm": 0.0}, "pixel_mm"),
        ({"curve_deg": (10.0, 80.0)}, "60 degrees"),
        ({"missing_share": (0.5, 0.2)}, "missing_share"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(settings: dict, match: str):
    with pytest.raises(ValueError, match=match):
        SpineConfig(**settings)
