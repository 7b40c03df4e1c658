"""Figures of a haemorrhage detector on scans whose truth is known, and the calibration that is fitted to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from tiny_heads import GRID, SHAPE, Knowing, scan, scans

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import Calibration
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.prediction import HeadPrediction
from medenhance.volume import Grid, Volume
from medenhance_training.calibrating import POINTS, choose_mask_rule, fit_calibration, fit_temperature, volume_spread
from medenhance_training.data.head_ct.config import PRESETS
from medenhance_training.data.head_held_out import HeldOutHeads, held_out_scan
from medenhance_training.data.head_source import CALIBRATION_SCANS, TEST_SCANS, VALIDATION_SCANS
from medenhance_training.head_evaluation import (
    MASK_RULES,
    MaskFigures,
    ScanFigures,
    SliceFigures,
    evaluate_heads,
    masks_figures,
    measure_scan,
)
from medenhance_training.head_lesions import lesion_volumes, voxel_ul

TILTED = Grid((2.0, 2.0, 5.0), direction=(1, 0, 0, 0, 1, -np.sin(np.radians(20)), 0, 0, np.cos(np.radians(20))))


def test_a_perfect_mask_has_perfect_figures() -> None:
    found = measure_scan(Knowing(), scan(1, 2))
    assert (found.has_blood, found.logit, found.voxel_ul) == (True, 2.0, pytest.approx(20.0))
    assert found.mask == MaskFigures(MaskRule(0.5), 1.0, pytest.approx(2 * 36 * 20.0))
    assert found.labelled_ml == pytest.approx(1.44)
    assert [one.dice for one in found.slices] == [None, None, 1.0, 1.0, None, None]
    assert all(one.concurs for one in found.slices)
    (lesion,) = found.lesions
    assert (lesion.subtype, lesion.error_ml) == ("intraparenchymal", pytest.approx(0.0))


def test_a_mask_with_a_rim_has_the_dice_of_its_voxels() -> None:
    found = measure_scan(Knowing(rim=1), scan(1, 5))
    assert found.mask.dice == pytest.approx(2 * 72 / (72 + 84))
    assert found.mask.predicted_ul == pytest.approx(84 * 20.0)
    assert found.lesions[0].predicted_ml == pytest.approx(1.68)


def test_a_normal_scan_has_no_dice_and_all_of_its_mask_is_false() -> None:
    found = measure_scan(Knowing(speck=True), scan(1))
    assert found.mask.dice is None
    assert found.mask.predicted_ul == pytest.approx(20.0), "one voxel of 2 x 2 x 5 mm"
    assert [one.concurs for one in found.slices] == [False, True, True, True, True, True]
    assert found.lesions == ()


def test_a_slice_disagrees_when_head_and_mask_round_to_different_answers() -> None:
    assert SliceFigures(True, 0.5, 0.5, 1.0, 0.0).concurs
    assert not SliceFigures(True, 0.49, 0.5, 1.0, 0.0).concurs
    assert not SliceFigures(True, 0.9, 0.1, 0.0, 0.0).concurs


def test_the_calibration_s_threshold_makes_the_mask() -> None:
    strict = Knowing(calibration=Calibration(1.0, 0.0, (), MaskRule(0.9)))
    found = measure_scan(strict, scan(1, 2))
    assert (found.mask.rule.threshold, found.mask.dice, found.mask.predicted_ul) == (0.9, 0.0, 0.0)
    assert [one.dice for one in found.masks if one.rule == MaskRule(0.8)] == [1.0]


def test_the_figures_of_every_rule_are_those_of_its_mask() -> None:
    rng = np.random.default_rng(3)
    probability = gaussian_filter(rng.random((6, 30, 30)), 1.2)
    probability = (probability - probability.min()) / np.ptp(probability)
    truth = gaussian_filter(rng.random(probability.shape), 2.0) > 0.5
    sizes = rng.uniform(1.0, 3.0, len(truth))
    for labelled in (truth, np.zeros_like(truth)):
        figures = list(masks_figures(probability, labelled, sizes, MASK_RULES))
        assert [one.rule for one in figures] == list(MASK_RULES)
        for one in figures:
            mask = one.rule.mask(probability)
            expected = 2 * (mask & labelled).sum() / (mask.sum() + labelled.sum()) if labelled.any() else None
            assert one.dice == (None if expected is None else pytest.approx(expected))
            assert one.predicted_ul == pytest.approx((mask.sum(axis=(1, 2)) * sizes).sum())
    assert len({one.predicted_ul for one in figures}) > 20, "the rules differ on this map"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_volume_in_microlitres_does_not_depend_on_the_order_of_the_axes(order: tuple[int, int, int]) -> None:
    mask = np.random.default_rng(0).random(SHAPE) < 0.1
    grid = GRID
    affine = grid.affine.copy()
    # Array axis k belongs to column 2 - k of the matrix.
    affine[:3, :3] = affine[:3, [2 - order[2 - k] for k in range(3)]]
    turned = mask.transpose(order)
    here, there = (
        next(masks_figures(one.astype(float), np.zeros(one.shape, bool), voxel_ul(at, len(one)), [MaskRule(0.5)]))
        for one, at in ((mask, grid), (turned, Grid.from_affine(affine)))
    )
    assert here.predicted_ul == pytest.approx(mask.sum() * 20.0)
    assert there.predicted_ul == pytest.approx(here.predicted_ul)


def test_a_tilted_stack_is_thinner_than_its_slice_axis_and_unequal_gaps_count_as_they_are() -> None:
    assert voxel_ul(TILTED, 6) == pytest.approx(20.0 * np.cos(np.radians(20)))
    heights = (0.0, 2.0, 4.0, 10.0)
    uneven = Grid((1.0, 1.0, 10 / 3), slice_origins_mm=tuple((0.0, 0.0, z) for z in heights))
    assert voxel_ul(uneven, 4) == pytest.approx([2.0, 2.0, 4.0, 6.0])
    down = replace(uneven, slice_origins_mm=tuple(reversed(uneven.slice_origins_mm or ())))
    assert voxel_ul(down, 4) == pytest.approx([6.0, 4.0, 2.0, 2.0])


def test_every_bleed_gets_what_touches_it_and_the_nearest_gets_what_touches_two() -> None:
    subtypes = np.zeros((1, 10, 20), np.uint8)
    subtypes[0, 4:6, 2:6], subtypes[0, 4:6, 12:16] = 2, 5
    predicted = np.zeros(subtypes.shape, bool)
    predicted[0, 4:6, 2:16] = True  # a bridge of 2 x 6 voxels between both
    predicted[0, 9, 18:] = True  # and a piece that touches nothing
    found = {one.subtype: one for one in lesion_volumes(predicted, subtypes, np.array([1000.0]))}
    assert {name: (one.true_ml, one.predicted_ml) for name, one in found.items()} == {
        "intraparenchymal": (8.0, 14.0),
        "subdural": (8.0, 14.0),
    }
    missed = list(lesion_volumes(np.zeros_like(predicted), subtypes, np.array([1000.0])))
    assert [one.predicted_ml for one in missed] == [0.0, 0.0]
    assert not list(lesion_volumes(predicted, np.zeros_like(subtypes), np.array([1000.0])))


def test_temperature_and_bias_are_those_of_the_highest_likelihood() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 4, 4000)
    labels = rng.random(4000) < 1 / (1 + np.exp(-(logits / 2.5 - 0.7)))
    temperature, bias = fit_temperature(logits, labels)
    assert (temperature, bias) == (pytest.approx(2.5, rel=0.1), pytest.approx(-0.7, abs=0.1))
    fitted = LogisticRegression(penalty=None).fit(logits[:, None], labels)
    assert temperature == pytest.approx(1 / fitted.coef_[0, 0], rel=0.01)
    assert bias == pytest.approx(fitted.intercept_[0], abs=0.01)


def test_scans_that_are_separated_entirely_still_have_a_finite_calibration() -> None:
    temperature, bias = fit_temperature(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    assert 0.05 < temperature < 50
    assert abs(bias) < 5


@pytest.mark.parametrize(
    ("logits", "labels", "said"),
    [([1.0, 2.0], [True, True], "both kinds"), ([5.0, 4.0, 1.0, 0.0], [False, False, True, True], "does not mean")],
)
def test_what_cannot_be_calibrated_is_refused(logits: list[float], labels: list[bool], said: str) -> None:
    with pytest.raises(MedEnhanceError, match=said):
        fit_temperature(np.array(logits), np.array(labels))


def test_a_fitted_calibration_keeps_its_promises_on_its_own_scans() -> None:
    detector = Knowing(noise=2.5, seed=4)
    varied = [replace(s, volume=s.volume.with_array(s.volume.array + s.seed / 1000)) for s in scans(90)]
    (figures,) = evaluate_heads([detector], varied, 90)
    found = fit_calibration(figures, "90 tiny scans")
    assert [point.name for point in found.operating_points] == list(POINTS)
    sensitive, specific = (found.operating_point(name) for name in ("sensitive", "specific"))
    assert sensitive.sensitivity >= 0.95
    assert specific.specificity >= 0.95
    assert sensitive.threshold < specific.threshold
    for point in found.operating_points:
        called = np.array([found.probability(one.logit) >= point.threshold for one in figures])
        blood = np.array([one.has_blood for one in figures])
        assert point.sensitivity == pytest.approx(called[blood].mean())
        assert point.specificity == pytest.approx(1 - called[~blood].mean())
        assert point.measured_on == "90 tiny scans"


def masks(measured: dict[MaskRule, tuple[float, float]]) -> list:
    """A scan with blood and one without, with (Dice, false volume) of some rules and empty masks by all others."""
    (one, other), _ = evaluate_heads([Knowing(), Knowing()], [scan(0, 1), scan(1)], 2)
    found = [measured.get(rule, (0.0, 0.0)) for rule in MASK_RULES]
    blood = tuple(replace(m, dice=dice) for m, (dice, _) in zip(one.masks, found, strict=True))
    normal = tuple(replace(m, predicted_ul=false) for m, (_, false) in zip(other.masks, found, strict=True))
    return [replace(one, masks=blood), replace(other, masks=normal)]


def test_the_mask_rule_has_the_best_dice_of_those_that_leave_normal_scans_alone() -> None:
    low, middle, high = MaskRule(0.3), MaskRule(0.6), MaskRule(0.9)
    pieces = MaskRule(0.3, 0.99)
    measured = {low: (0.9, 500.0), middle: (0.7, 19.0), high: (0.6, 5.0)}
    assert choose_mask_rule(masks(measured)) == middle
    assert choose_mask_rule(masks({**measured, pieces: (0.8, 12.0)})) == pieces
    assert choose_mask_rule(masks({low: (0.9, 30.0), high: (0.9, 25.0)})) == high, "the least false one of all"
    assert choose_mask_rule(masks({low: (0.32, 9e3), middle: (0.2, 3e3)})) == middle, "an empty mask is no choice"


def test_one_normal_scan_of_fifty_does_not_decide_the_mask() -> None:
    low, high = MaskRule(0.3), MaskRule(0.9)
    blood, normal = masks({low: (0.7, 0.0), high: (0.4, 0.0)})
    _, wrong = masks({low: (0.7, 9000.0), high: (0.4, 0.0)})
    assert choose_mask_rule([blood, *[normal] * 49, wrong]) == low
    assert choose_mask_rule([blood, *[normal] * 48, wrong, wrong]) == high


def test_the_spread_of_volumes_holds_eight_of_ten_true_ones() -> None:
    rule = MaskRule(0.3)
    k = MASK_RULES.index(rule)
    blood, normal = masks({rule: (0.7, 4_000.0)})

    def seen(mask_ml: float, multiple: float) -> ScanFigures:
        figures = tuple(replace(m, predicted_ul=1000.0 * mask_ml) if n == k else m for n, m in enumerate(blood.masks))
        return replace(blood, masks=figures, volume_ml=mask_ml * multiple)

    multiples = np.linspace(0.5, 2.5, 41)
    scans_with_masks = [seen(10.0 * one, one) for one in multiples]
    others = [seen(0.9, 50.0), normal]  # a mask too small to say anything, and a false one
    found = volume_spread([*scans_with_masks, *others], rule, "41 scans")
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.7), pytest.approx(2.3))
    inside = (multiples >= found.low) & (multiples <= found.high)
    assert inside.mean() == pytest.approx(found.share, abs=0.03)
    assert volume_spread(scans_with_masks[:19], rule, "19 scans") is None


def test_held_out_seeds_are_those_of_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str]] = []
    monkeypatch.setattr(
        "medenhance_training.data.head_held_out.held_out_scan",
        lambda seed, config: asked.append((seed, config.preset)) or (config.prevalence,),
    )
    heads = HeldOutHeads(scans=4, shifted=3, calibration=2, prevalence=0.2)
    drawn = [
        *heads.for_calibration(),
        *(s for name in ("like training", "noise", "geometry", "contrast") for s in heads.test(name)),
    ]  # type: ignore[arg-type]
    assert all(prevalence == 0.2 for (prevalence,) in drawn)  # type: ignore[misc]
    seeds = [seed for seed, _ in asked]
    assert len(set(seeds)) == len(seeds) == 15
    assert [preset for _, preset in asked[:2]] == ["balanced", "balanced"]
    assert [preset for _, preset in asked[3::3]] == ["balanced", "shift_noise", "shift_geometry", "shift_contrast"]
    assert VALIDATION_SCANS < CALIBRATION_SCANS <= min(seeds) < TEST_SCANS <= seeds[2]


def test_a_kept_scan_comes_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "balanced", replace(PRESETS["balanced"], size_px=64, slice_mm=(10.0, 10.0)))
    heads = HeldOutHeads(scans=2, shifted=2, calibration=1, prevalence=0.99, cache=tmp_path)
    (first,) = heads.for_calibration()
    (path,) = tmp_path.iterdir()
    before = path.stat().st_mtime_ns
    (again,) = heads.for_calibration()
    assert path.stat().st_mtime_ns == before, "read, not simulated"
    fresh = held_out_scan(CALIBRATION_SCANS, replace(PRESETS["balanced"], prevalence=0.99))
    for one in (first, again):
        assert np.array_equal(one.volume.array, fresh.volume.array)
        assert np.array_equal(one.subtypes, fresh.subtypes)
        assert one.volume.grid == fresh.volume.grid
        assert (one.seed, one.volume_ml, one.present, one.look_alikes) == (
            fresh.seed, fresh.volume_ml, fresh.present, fresh.look_alikes,
        )  # fmt: skip


@pytest.mark.parametrize("settings", [{"scans": 1}, {"shifted": 0}, {"prevalence": 0.0}, {"calibration": -1}])
def test_sets_that_are_none_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(MedEnhanceError, match=r"no sets|one kind"):
        HeldOutHeads(**settings)  # type: ignore[arg-type]


def test_a_detector_runs_on_the_volume_alone() -> None:
    seen: list[Volume] = []

    class Watching(Knowing):
        def predict(self, volume: Volume) -> HeadPrediction:
            seen.append(volume)
            return super().predict(volume)

    one = scan(1, 2)
    evaluate_heads([Watching(), Watching()], [one], 1)
    assert seen == [one.volume, one.volume]
