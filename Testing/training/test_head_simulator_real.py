"""Bleeds in a real head CT, and simulated scans beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from medenhance.errors import MedEnhanceError
from medenhance.study import read_study
from medenhance.volume import Volume
from medenhance_training.data.head_ct.case import SUBTYPE_IDS, SUBTYPES, HeadCase
from medenhance_training.data.head_ct.comparison import comparison_table, measures
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.insert import insert_lesions
from medenhance_training.data.head_ct.plan import Plan
from medenhance_training.data.head_ct.segment import segment_head
from medenhance_training.data.head_ct.simulate import simulate_head

PLANS = {
    "epidural": Plan("epidural", 25.0, 58.0, "acute", 3),
    "intraparenchymal": Plan("intraparenchymal", 20.0, 55.0, "acute", 3),
    "intraventricular": Plan("intraventricular", 8.0, 50.0, "acute", 3),
    "subarachnoid": Plan("subarachnoid", 2.0, 48.0, "acute", 3),
    "subdural": Plan("subdural", 60.0, 55.0, "acute", 3),
}


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Volume:
    whole = read_study(shared_data / "head_ct" / "ge_hispeed_tilt_variable_spacing")
    # Every second pixel: a quarter of the time.
    grid = whole.grid
    spacing = (2 * grid.spacing_mm[0], 2 * grid.spacing_mm[1], grid.spacing_mm[2])
    small = type(grid)(spacing, grid.origin_mm, grid.direction, grid.slice_origins_mm)
    return Volume(whole.array[:, ::2, ::2], small, modality="CT")


@pytest.fixture(scope="module")
def inserted(real: Volume) -> dict[str, HeadCase]:
    return {subtype: insert_lesions(real, 0, plans=(PLANS[subtype],)) for subtype in SUBTYPES}


def test_the_cavity_of_a_real_head_is_found(real: Volume) -> None:
    head = segment_head(real)
    volume = 4.0 * float((head.interior.voxel_ml * (head.interior.depth > 0)).sum())
    # The scan's lowest slices, whose skull is open, are left out.
    assert 1000.0 < volume < 1700.0
    assert 60.0 < head.interior.half_width_mm < 80.0
    assert 10.0 < float((head.ventricle * head.slice_ml).sum()) < 80.0
    hu = np.asarray(real.array)[head.box]
    assert np.median(hu[head.ventricle > 0.5]) < 18.0


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_bleed_in_a_real_scan_has_the_volume_and_density_asked_for(
    inserted: dict[str, HeadCase], subtype: str
) -> None:
    case, plan = inserted[subtype], PLANS[subtype]
    (lesion,) = case.lesions
    assert lesion.volume_ml == pytest.approx(plan.volume_ml, rel=0.1)
    assert lesion.mean_hu == pytest.approx(plan.mean_hu, abs=6.0)
    assert set(np.unique(case.subtypes)) == {0, SUBTYPE_IDS[subtype]}


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_nothing_outside_the_brain_changes(inserted: dict[str, HeadCase], real: Volume, subtype: str) -> None:
    case = inserted[subtype]
    changed = np.abs(case.hu - real.array) > 1.0
    assert changed.any()
    assert case.hu.shape == real.array.shape
    assert case.grid == real.grid
    near = binary_dilation(case.cavity, np.ones((1, 3, 3), bool), iterations=3)
    assert not (changed & ~near).any()
    assert case.mask[case.cavity].sum() > 0.95 * case.mask.sum()


@pytest.mark.parametrize("stage", ["acute", "chronic"])
def test_bone_stays_where_it_is_when_a_large_bleed_pushes_the_brain(real: Volume, stage: str) -> None:
    plan = Plan("subdural", 110.0, 55.0 if stage == "acute" else 20.0, stage, 3)
    case = insert_lesions(real, 0, plans=(plan,))
    assert case.mask.sum() > 0
    assert not ((case.hu > 150.0) & (real.array < 140.0)).any()
    bone = np.asarray(real.array) > 150.0
    np.testing.assert_array_equal(case.hu[bone], np.asarray(real.array, np.float32)[bone])


def test_kinds_lie_where_they_belong_in_a_real_head(inserted: dict[str, HeadCase], real: Volume) -> None:
    assert not (inserted["epidural"].mask & inserted["epidural"].sutures).any()
    ventricular = inserted["intraventricular"]
    assert (ventricular.mask & ventricular.ventricles).sum() > 0.95 * ventricular.mask.sum()
    subarachnoid = inserted["subarachnoid"]
    assert np.median(real.array[subarachnoid.mask]) < 22.0


def test_the_noise_of_the_scan_lies_on_the_blood_too(inserted: dict[str, HeadCase], real: Volume) -> None:
    case = inserted["intraparenchymal"]
    inner = case.mask & ~binary_dilation(~case.mask, np.ones((1, 3, 3), bool), iterations=4)
    noise = np.diff(case.hu, axis=2)[inner[:, :, :-1] & inner[:, :, 1:]]
    brain = case.cavity & ~binary_dilation(case.mask, np.ones((1, 3, 3), bool), iterations=4)
    theirs = np.diff(np.asarray(real.array, np.float32), axis=2)[brain[:, :, :-1] & brain[:, :, 1:]]
    assert np.median(np.abs(noise)) > 0.4 * np.median(np.abs(theirs))


def test_a_large_bleed_shifts_the_real_midline_to_the_other_side(inserted: dict[str, HeadCase]) -> None:
    case = inserted["subdural"]
    (lesion,) = case.lesions
    assert abs(case.midline_shift_mm) > 2.0
    assert np.sign(case.midline_shift_mm) == -np.sign(lesion.centroid_mm[0] - _middle_x(case))


def test_a_scan_without_a_skull_is_refused() -> None:
    with pytest.raises(MedEnhanceError, match="closed skull"):
        segment_head(Volume(np.full((4, 64, 64), 30.0, np.float32), modality="CT"))
    sagittal = Volume(np.zeros((4, 64, 64), np.float32)).grid
    turned = type(sagittal)(direction=(0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    with pytest.raises(MedEnhanceError, match="axial"):
        segment_head(Volume(np.zeros((4, 64, 64), np.float32), turned))


def test_the_real_brain_lies_within_or_near_the_range_of_the_simulated_ones(real: Volume) -> None:
    config = HeadConfig(size_px=192, prevalence=0.0)
    simulated = [simulate_head(seed, config).volume for seed in range(5)]
    print("\n" + comparison_table(real, simulated))
    theirs, ours = measures(real), [measures(volume) for volume in simulated]
    margins = {"brain HU, median": 3.0, "noise sd, HU": 1.0, "cavity, mL": 200.0, "cavity width, mm": 5.0}
    for name, margin in margins.items():
        drawn = [one[name] for one in ours]
        assert min(drawn) - margin <= theirs[name] <= max(drawn) + margin, name


def _middle_x(case: HeadCase) -> float:
    columns = np.flatnonzero(case.cavity.any(axis=(0, 1)))
    return case.grid.origin_mm[0] + float(columns[[0, -1]].mean()) * case.grid.spacing_mm[0]
