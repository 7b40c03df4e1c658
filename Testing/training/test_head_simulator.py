"""Simulated head CT: its truth holds, its bleeds lie where their kind lies, its look is that of a head CT."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from medenhance_training.data.head_ct.case import SUBTYPE_IDS, SUBTYPES, HeadCase
from medenhance_training.data.head_ct.cisterns import ventricle_distance
from medenhance_training.data.head_ct.config import PRESETS, SHIFTS, HeadConfig
from medenhance_training.data.head_ct.fields import enlarged, inside, level_for_volume, sheet, smooth_noise
from medenhance_training.data.head_ct.plan import OBSERVED, Plan, draw_plan, draw_plans, told_apart
from medenhance_training.data.head_ct.simulate import _settled, simulate_head
from medenhance_training.data.head_ct.subject import draw_subject

# Small, upright and without artefacts: what a test measures is then the bleed's.
QUIET = HeadConfig(
    size_px=112, prevalence=0.0, tilt_deg=(0.0, 0.0), turn_deg=0.0, noise_hu=(1.0, 1.0), motion_share=0.0,
    negatives=0.0, cupping_hu=(3.0, 3.0), gain=(1.0, 1.0), offset_hu=(0.0, 0.0),
)  # fmt: skip
VOLUME_ML = {
    "epidural": 20.0, "intraparenchymal": 12.0, "intraventricular": 6.0, "subarachnoid": 2.5, "subdural": 40.0,
}  # fmt: skip
HU = {"epidural": 60.0, "intraparenchymal": 55.0, "intraventricular": 48.0, "subarachnoid": 42.0, "subdural": 55.0}


def with_bleed(subtype: str, seed: int = 5, stage: str = "acute") -> HeadCase:
    plan = Plan(subtype, VOLUME_ML[subtype], HU[subtype], stage, seed)
    return simulate_head(3, QUIET, (plan,))


@pytest.fixture(scope="module")
def cases() -> dict[str, HeadCase]:
    return {subtype: with_bleed(subtype) for subtype in SUBTYPES}


@pytest.fixture(scope="module")
def normal() -> HeadCase:
    return simulate_head(3, QUIET)


def test_a_case_depends_on_its_seed_and_configuration_alone() -> None:
    config = HeadConfig(size_px=64, prevalence=1.0)
    first, again, other = (simulate_head(seed, config) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.hu, again.hu)
    np.testing.assert_array_equal(first.subtypes, again.subtypes)
    assert first.lesions == again.lesions
    assert first.hu.shape != other.hu.shape or not np.array_equal(first.hu, other.hu)


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_the_volume_is_the_one_asked_for(cases: dict[str, HeadCase], subtype: str) -> None:
    (lesion,) = cases[subtype].lesions
    assert lesion.volume_ml == pytest.approx(VOLUME_ML[subtype], rel=0.1)
    assert cases[subtype].volumes_ml[subtype] == lesion.volume_ml
    assert sum(cases[subtype].volumes_ml.values()) == lesion.volume_ml


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_the_labelled_voxels_hold_about_that_volume(cases: dict[str, HeadCase], subtype: str) -> None:
    case = cases[subtype]
    labelled = case.mask.sum() * np.prod(case.grid.spacing_mm) / 1000.0
    # Thin sheets in thick slices are labelled coarsely, as by a reader.
    assert labelled == pytest.approx(VOLUME_ML[subtype], rel=0.5 if subtype == "subarachnoid" else 0.25)
    assert set(np.unique(case.subtypes)) == {0, SUBTYPE_IDS[subtype]}
    np.testing.assert_array_equal(case.slice_labels, case.mask.any(axis=(1, 2)))
    assert case.is_positive


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_the_blood_is_as_dense_as_planned_and_denser_than_before(
    cases: dict[str, HeadCase], normal: HeadCase, subtype: str
) -> None:
    case = cases[subtype]
    (lesion,) = case.lesions
    # The kernel carries some of it away, and beside bone some in.
    assert lesion.mean_hu == pytest.approx(HU[subtype], abs=8.0)
    if case.hu.shape == normal.hu.shape:
        centre = binary_dilation(case.mask) & case.mask & (case.hu < 100)
        assert np.median(case.hu[centre]) > np.median(normal.hu[centre]) + 10.0


def contrast_hu(case: HeadCase) -> float:
    """Mean of a bleed away from bone, less the median of the brain beside it."""
    bone = binary_dilation(case.hu > 200.0, np.ones((1, 5, 5), bool))
    beside = binary_dilation(case.mask, np.ones((1, 5, 5), bool)) & ~binary_dilation(
        case.mask, np.ones((1, 3, 3), bool)
    )
    brain = beside & case.cavity & ~bone & (case.hu > 15.0)
    return float(case.hu[case.mask & ~bone].mean() - np.median(case.hu[brain]))


@pytest.mark.parametrize("stage", ["subacute", "chronic"])
def test_a_bleed_as_dense_as_brain_is_made_denser_or_an_old_one_thinner(stage: str) -> None:
    plain = simulate_head(3, replace(QUIET, least_contrast_hu=0.0), (Plan("subdural", 40.0, 33.0, stage, 5),))
    alike = 33.0 - contrast_hu(plain)  # what this plan needs for the density of brain
    plan = Plan("subdural", 40.0, alike, stage, 5)
    unseen = simulate_head(3, replace(QUIET, least_contrast_hu=0.0), (plan,))
    faint = simulate_head(3, replace(QUIET, least_contrast_hu=6.0), (plan,))
    np.testing.assert_array_equal(unseen.subtypes, faint.subtypes)
    assert abs(contrast_hu(unseen)) < 2.0
    apart = -contrast_hu(faint) if stage == "chronic" else contrast_hu(faint)
    assert 4.0 < apart < 14.0


def test_mixed_presets_keep_the_contrast_that_was_asked_for() -> None:
    config = replace(PRESETS["external_shift"], size_px=64, least_contrast_hu=0.0)
    assert {_settled(config, seed).least_contrast_hu for seed in range(4)} == {0.0}


def test_densities_far_from_the_brain_stay_as_drawn() -> None:
    for mean in (23.0, 47.0):
        plan = Plan("subdural", 20.0, mean, "acute", 5)
        assert told_apart(plan, 35.0, 4.0) is plan
    near = Plan("subdural", 20.0, 36.0, "acute", 5)
    assert told_apart(near, float("nan"), 4.0) is near  # nothing to differ from
    assert 39.0 <= told_apart(near, 35.0, 4.0).mean_hu <= 43.0


def test_an_epidural_bleed_stays_between_sutures_and_the_bone_and_is_a_lens(cases: dict[str, HeadCase]) -> None:
    for seed in (5, 6, 7):
        case = with_bleed("epidural", seed)
        assert not (case.mask & case.sutures).any()
        assert case.mask[case.cavity].sum() > 0.97 * case.mask.sum()
        # It lies on the inner table: its slices' bleeds touch the cavity's border.
        border = binary_dilation(~case.cavity, np.ones((1, 3, 3), bool), iterations=3)
        touched = [bool((case.mask[k] & border[k]).any()) for k in np.flatnonzero(case.slice_labels)]
        assert np.mean(touched) > 0.7


def test_a_subdural_bleed_crosses_sutures_but_not_the_midline() -> None:
    crossed = []
    # So large that nothing but the falx ends it.
    for seed in (1, 2, 3):
        case = simulate_head(3, QUIET, (Plan("subdural", 200.0, 55.0, "acute", seed),))
        crossed.append(bool((case.mask & case.sutures).any()))
        x = _lps_x(case)
        sides = np.sign(x[case.mask & (np.abs(x) > 6.0)])
        assert abs(sides.mean()) == 1.0
    assert any(crossed)


def test_a_subdural_bleed_is_longer_than_thick_and_an_epidural_one_rounder(cases: dict[str, HeadCase]) -> None:
    def length_to_area(case: HeadCase) -> float:
        k = int(case.mask.sum(axis=(1, 2)).argmax())
        rows, columns = np.nonzero(case.mask[k])
        spread = np.linalg.eigvalsh(np.cov(np.stack([rows, columns])))
        return float(np.sqrt(spread[1] / spread[0]))

    assert length_to_area(cases["subdural"]) > length_to_area(cases["epidural"])


def test_ventricular_blood_lies_in_the_ventricles(cases: dict[str, HeadCase]) -> None:
    case = cases["intraventricular"]
    near = binary_dilation(case.ventricles, np.ones((1, 3, 3), bool))
    assert (case.mask & near).sum() > 0.95 * case.mask.sum()


def test_subarachnoid_blood_lies_in_fluid(cases: dict[str, HeadCase], normal: HeadCase) -> None:
    case = cases["subarachnoid"]
    assert case.hu.shape == normal.hu.shape
    within = case.mask & case.cavity & ~binary_dilation(~case.cavity, np.ones((1, 3, 3), bool), iterations=2)
    assert within.any()
    assert not (case.mask & case.ventricles).any()
    # So much that it fills all fluid but the ventricles.
    full = simulate_head(3, QUIET, (Plan("subarachnoid", 500.0, 42.0, "acute", 1),))
    assert full.mask.sum() > 10 * case.mask.sum()
    assert (full.mask & full.ventricles).sum() < 0.05 * full.ventricles.sum()
    # The same place without blood is darker than brain.
    assert normal.hu[within].mean() < np.median(normal.hu[normal.cavity]) - 3.0


def test_a_bleed_on_the_left_pushes_the_midline_to_the_right() -> None:
    for seed in (1, 2, 3):
        case = with_bleed("subdural", seed)
        x = _lps_x(case)[case.mask].mean()
        assert abs(case.midline_shift_mm) > 1.0
        assert np.sign(case.midline_shift_mm) == -np.sign(x)
    assert simulate_head(3, QUIET).midline_shift_mm == 0.0


def test_the_shift_can_be_seen_in_the_image() -> None:
    """The ventricles lie to the side by about the shift."""
    plan = Plan("subdural", 90.0, 55.0, "acute", 2)
    case, still = simulate_head(3, QUIET, (plan,)), simulate_head(3, QUIET)
    # Frontal horns: the front half of the ventricles above the skull base.
    moved = _horn_middle(case) - _horn_middle(still)
    assert abs(case.midline_shift_mm) > 3.0
    assert moved == pytest.approx(case.midline_shift_mm, abs=0.5 * abs(case.midline_shift_mm))


def test_a_negative_scan_has_no_bleed_and_a_normal_look(normal: HeadCase) -> None:
    assert not normal.is_positive
    assert normal.lesions == ()
    assert normal.hu.dtype == np.float32
    assert normal.hu.min() >= -1024
    brain = normal.hu[normal.cavity & (normal.hu < 100)]
    assert 24.0 < np.median(brain) < 46.0
    assert (normal.hu[normal.ventricles] < 25.0).mean() > 0.7
    assert (normal.hu > 700.0).mean() > 0.02
    assert np.median(normal.hu[:, :3]) < -900.0


def test_the_sella_stands_in_the_middle_of_the_skull_base(normal: HeadCase) -> None:
    case = simulate_head(3, replace(QUIET, negatives=1.0))
    assert "sella" in case.hard_negatives
    assert "sella" not in normal.hard_negatives
    low = slice(0, len(case.hu) // 2)
    added = ((case.hu > 300.0) & (normal.hu < 150.0) & case.cavity)[low]
    x = _lps_x(case)[low][added]
    assert (np.abs(x) < 18.0).mean() > 0.8
    assert x.min() < -4.0
    assert x.max() > 4.0
    assert (np.abs(x) < 3.0).any()  # the back joins the two sides


def test_the_fourth_ventricle_is_a_crescent_that_is_open_behind() -> None:
    """Where the vermis bulges into it from behind, its middle is thinner from front to back than its sides."""
    subject = draw_subject(HeadConfig(), np.random.default_rng(0))
    z, y, x = (
        a.astype(np.float32)
        for a in np.meshgrid([-28.0], np.arange(28, 50, 0.25), np.arange(-12, 12.5, 0.5), indexing="ij")
    )
    for seed in range(5):
        distance = ventricle_distance(x, y, z, np.zeros_like(x), subject, np.random.default_rng(seed))
        inside_it = distance[0] < 0
        middle = inside_it[:, x[0, 0] == 0.0].sum()
        assert 0 < middle < inside_it.sum(axis=0).max()


def test_look_alikes_are_bright_and_unlabelled() -> None:
    plain = simulate_head(3, QUIET)
    case = simulate_head(3, replace(QUIET, negatives=50.0))
    assert {"pineal-calcification", "meningioma", "falx-calcification", "catheter"} <= set(case.hard_negatives)
    assert not case.is_positive
    # All else is drawn apart and the same: the difference is the look-alikes.
    assert (case.hu - plain.hu > 30.0).sum() > 30
    assert (case.hu - plain.hu < -10.0).sum() > 30


def test_the_grid_holds_tilt_and_unequal_gaps() -> None:
    config = HeadConfig(size_px=64, prevalence=0.0, tilt_deg=(18.0, 18.0), unequal_gaps=1.0)
    tilted = next(case for case in (simulate_head(seed, config) for seed in range(6)) if case.grid.shear_deg > 1)
    assert tilted.grid.shear_deg == pytest.approx(18.0)
    gaps = np.diff(tilted.grid.slice_positions(len(tilted.hu))[:, 2])
    assert gaps.max() > 1.25 * gaps.min()


def test_volumes_of_a_tilted_scan_count_its_slices_as_close_as_they_lie() -> None:
    tilted = replace(QUIET, tilt_deg=(25.0, 25.0), unequal_gaps=0.0)
    plan = Plan("intraparenchymal", 30.0, 60.0, "acute", 5)
    case = next(case for case in (simulate_head(seed, tilted, (plan,)) for seed in range(6)) if case.grid.shear_deg > 1)
    voxel_ml = np.prod(case.grid.spacing_mm) * np.cos(np.radians(25.0)) / 1000.0
    assert case.mask.sum() * voxel_ml == pytest.approx(case.volumes_ml["intraparenchymal"], rel=0.04)


def test_every_preset_makes_scans_and_the_shifted_ones_differ() -> None:
    assert set(SHIFTS) < set(PRESETS)
    noise = {}
    for name, preset in PRESETS.items():
        case = simulate_head(1, replace(preset, size_px=64, prevalence=0.0))
        assert case.preset == name
        flat = case.hu[:, 2:10, 2:10]
        noise[name] = float(flat.std())
    assert noise["shift_noise"] > noise["balanced"]


def test_prevalence_is_kept() -> None:
    positive = [bool(draw_plans(PRESETS["natural"], np.random.default_rng(k))) for k in range(600)]
    assert np.mean(positive) == pytest.approx(0.15, abs=0.05)
    chosen = HeadConfig(prevalence=1.0, subtypes=("epidural",))
    assert {plan.subtype for k in range(20) for plan in draw_plans(chosen, np.random.default_rng(k))} == {"epidural"}


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_volume_and_density_are_drawn_from_the_observed_distributions(subtype: str) -> None:
    config, rng, observed = HeadConfig(chronic_share=0.0), np.random.default_rng(0), OBSERVED[subtype]
    plans = [draw_plan(subtype, config, rng) for _ in range(3000)]
    low, middle, high = np.percentile([plan.volume_ml for plan in plans], (5, 50, 95))
    np.testing.assert_allclose((low, middle, high), (observed.low_ml, observed.median_ml, observed.high_ml), rtol=0.15)
    densities = [plan.mean_hu for plan in plans]
    assert np.mean(densities) == pytest.approx(observed.mean_hu, abs=1.5)
    np.testing.assert_allclose(np.percentile(densities, (5, 95)), (observed.low_hu, observed.high_hu), atol=3.5)


def test_old_subdural_bleeds_are_darker_than_brain() -> None:
    plans = [draw_plan("subdural", HeadConfig(chronic_share=1.0), np.random.default_rng(k)) for k in range(50)]
    assert {plan.stage for plan in plans} == {"chronic"}
    assert max(plan.mean_hu for plan in plans) <= 27.0


@pytest.mark.parametrize(
    "wrong",
    [{"prevalence": 1.5}, {"subtypes": ("tumour",)}, {"subtypes": ()}, {"size_px": 65}, {"slice_mm": (0.1, 5.0)}],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"not|are among"):
        HeadConfig(**wrong)


def test_enlarging_keeps_a_plane_as_it_is() -> None:
    rows, columns = np.mgrid[:6, :8].astype(np.float32)
    fine = enlarged((2 * rows - 3 * columns)[None])
    assert fine.shape == (1, 12, 16)
    place = (np.arange(12) + 0.5) / 2 - 0.5, (np.arange(16) + 0.5) / 2 - 0.5
    exact = 2 * place[0][:, None] - 3 * place[1][None]
    np.testing.assert_allclose(fine[0, 1:-1, 1:-1], exact[1:-1, 1:-1], atol=1e-5)


def test_soft_edges_and_sheets_hold_their_area() -> None:
    x = np.arange(-10, 10, 0.5, dtype=np.float32)
    assert 0.5 * inside(np.abs(x) - 3.3, 0.5).sum() == pytest.approx(6.6, abs=0.3)
    for half in (0.1, 0.4, 2.2):
        assert 0.5 * sheet(np.abs(x), half, 0.5).sum() == pytest.approx(2 * half, rel=0.05)


def test_a_level_holds_its_volume() -> None:
    field = np.random.default_rng(0).random((20, 20, 20))
    field[0] = np.inf
    level = level_for_volume(field, np.full(field.shape, 0.01), 20.0)
    assert (field <= level).sum() * 0.01 == pytest.approx(20.0, abs=0.011)
    assert level_for_volume(field, np.zeros(field.shape), 1.0) == float("-inf")


def test_noise_has_its_wavelength() -> None:
    fine, coarse = (smooth_noise((30, 40, 40), (1.0, 1.0, 1.0), w, np.random.default_rng(0)) for w in (8.0, 40.0))
    assert fine.std() == pytest.approx(1.0, abs=1e-3)
    assert np.abs(np.diff(fine, axis=2)).mean() > 3 * np.abs(np.diff(coarse, axis=2)).mean()


def _lps_x(case: HeadCase) -> np.ndarray:
    """(D, H, W) LPS x of every voxel; the simulated head's middle is within 5 mm of 0."""
    columns = case.grid.origin_mm[0] + np.arange(case.hu.shape[2]) * case.grid.spacing_mm[0]
    middle = columns[np.flatnonzero(case.cavity.any(axis=(0, 1)))]
    return np.broadcast_to(columns - middle.mean(), case.hu.shape)


def _horn_middle(case: HeadCase) -> float:
    """LPS x of the middle between the frontal horns' outer walls, in the slice with most ventricle."""
    k = int(case.ventricles.sum(axis=(1, 2)).argmax())
    rows = np.flatnonzero(case.ventricles[k].any(axis=1))
    front = case.ventricles[k, rows[0] : rows[0] + max(2, len(rows) // 4)]
    columns = np.flatnonzero(front.any(axis=0))
    return float(columns[[0, -1]].mean() * case.grid.spacing_mm[0])
