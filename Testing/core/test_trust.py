"""The trust report: figures on a study of known noise and bias, warnings, and odd studies that it must survive."""

from __future__ import annotations

import json
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from medenhance.manifest import TrustedRange
from medenhance.measure.study import sampled_slices
from medenhance.measure.tissue import AIR, BONE, FAT, LUNG, SOFT, TISSUES
from medenhance.measure.trust import RunFacts, TrustReport, trust_report
from medenhance.volume import Grid

RUN = RunFacts("tiny", "1.0.0", "ab" * 32, "cpu", "bf16", 1.0, 2.5, None)
CARD = TrustedRange(noise_sd_hu=(5.0, 60.0), spacing_mm=(0.5, 1.0), max_abs_bias_hu=1.0, max_residual_structure=0.05)
GRID = Grid(spacing_mm=(0.7, 0.8, 2.5), origin_mm=(-90.0, -100.0, 30.0))
SD_BEFORE, SD_AFTER = 30.0, 10.0


def _body(side: int = 224) -> np.ndarray:
    """(H, W) HU: fat under the skin, flesh with vessels, two lungs, a spine, in air."""
    y, x = (np.indices((side, side)) - side / 2) / (side / 2)
    image = np.full((side, side), -1000.0, dtype=np.float32)
    image[np.hypot(x, y) < 0.93] = -100.0
    image[np.hypot(x, y) < 0.78] = 60.0
    image[np.hypot(np.abs(x) - 0.42, y + 0.25) < 0.24] = -850.0
    image[np.hypot(x, y - 0.45) < 0.12] = 600.0
    for n in range(12):
        image[np.hypot(x + 0.5 - 0.09 * n, y - 0.1) < 0.03] = 160.0
    return gaussian_filter(image, 0.7)


def _noise(shape: tuple[int, ...], sd: float, seed: int) -> np.ndarray:
    """Noise with the grain of CT."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), (0, 0.6, 0.6))
    return (sd * noise / noise.std()).astype(np.float32)


def _study(depth: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A noisy study and what a denoiser makes of it that removes two thirds of the noise and nothing else."""
    noise = _noise((depth, 224, 224), SD_BEFORE, seed=1)
    return _body() + noise, _body() + noise * np.float32(SD_AFTER / SD_BEFORE)


def _report(before: np.ndarray, after: np.ndarray, grid: Grid = GRID, padding: float | None = None) -> TrustReport:
    return trust_report(before, after, grid, padding_below=padding, trusted=CARD, run=RUN)


@pytest.fixture(scope="module")
def study() -> tuple[np.ndarray, np.ndarray]:
    return _study()


@pytest.fixture(scope="module")
def report(study: tuple[np.ndarray, np.ndarray]) -> TrustReport:
    return _report(*study)


@pytest.mark.parametrize("tissue", [AIR, LUNG, FAT, SOFT], ids=lambda t: t.name)
def test_the_noise_of_each_tissue_is_found_before_and_after(report: TrustReport, tissue) -> None:
    row = report.row(tissue)
    assert row.noise_sd_before_hu == pytest.approx(SD_BEFORE, rel=0.12)
    assert row.noise_sd_after_hu == pytest.approx(SD_AFTER, rel=0.12)


def test_removing_noise_alone_is_no_bias_and_no_structure_and_gives_no_warning(report: TrustReport) -> None:
    for row in report.tissues:
        assert row.bias_hu is not None
        assert row.bias_standard_error_hu is not None
        assert abs(row.bias_hu) < max(0.2, 3.0 * row.bias_standard_error_hu)
    assert report.residual_structure == pytest.approx(0.0, abs=0.02)
    assert report.warnings == ()


def test_the_noise_power_falls_by_the_square_of_the_noise(report: TrustReport) -> None:
    before, after = report.noise_power_before, report.noise_power_after
    assert before is not None
    assert after is not None
    assert np.divide(after.power, before.power) == pytest.approx((SD_AFTER / SD_BEFORE) ** 2, rel=0.05)
    assert before.noise_sd_hu == pytest.approx(SD_BEFORE, rel=0.1)
    assert before.unit == "mm^-1"
    assert before.peak_frequency == pytest.approx(after.peak_frequency)


def test_a_shift_of_one_tissue_is_found_there_and_only_there(study: tuple[np.ndarray, np.ndarray]) -> None:
    before, after = study
    fat = (_body() > -140) & (_body() < -60)
    found = _report(before, after + np.where(fat, np.float32(4.0), np.float32(0.0)))
    assert found.row(FAT).bias_hu == pytest.approx(4.0, abs=0.6)
    assert found.row(SOFT).bias_hu == pytest.approx(0.0, abs=0.2)
    assert [w for w in found.warnings if "fat" in w and "+" in w and "allows 1 HU" in w]
    assert len(found.warnings) == 1


def test_a_blurred_output_is_warned_of(study: tuple[np.ndarray, np.ndarray]) -> None:
    before, _ = study
    found = _report(before, gaussian_filter(before, (0, 1.5, 1.5)))
    assert found.residual_structure is not None
    assert found.residual_structure > 0.1
    assert any("Anatomy may have been removed" in w for w in found.warnings)


def test_an_untouched_study_has_lost_nothing(study: tuple[np.ndarray, np.ndarray]) -> None:
    before, _ = study
    found = _report(before, before)
    assert (found.residual_structure, found.row(SOFT).bias_hu) == (0.0, 0.0)
    assert found.row(SOFT).noise_sd_after_hu == found.row(SOFT).noise_sd_before_hu


def test_noise_and_spacing_outside_the_card_are_warned_of(study: tuple[np.ndarray, np.ndarray]) -> None:
    before, after = study
    narrow = replace(CARD, noise_sd_hu=(5.0, 20.0), spacing_mm=(0.75, 0.9))
    found = trust_report(before, after, GRID, padding_below=None, trusted=narrow, run=RUN)
    assert any("noise of the input" in w and "5 to 20 HU" in w for w in found.warnings)
    assert any("0.70 x 0.80 mm" in w for w in found.warnings)
    assert found.promised == narrow


def test_an_unknown_spacing_is_warned_of_and_frequencies_are_per_pixel(study: tuple[np.ndarray, np.ndarray]) -> None:
    found = _report(*study, grid=replace(GRID, spacing_known=False))
    assert found.spacing_mm is None
    assert found.noise_power_before is not None
    assert found.noise_power_before.unit == "px^-1"
    assert any("pixel size is unknown" in w for w in found.warnings)


def test_without_a_card_nothing_is_judged(study: tuple[np.ndarray, np.ndarray]) -> None:
    before, _ = study
    blurred = gaussian_filter(before, (0, 2.0, 2.0)) + 50.0
    assert trust_report(before, blurred, GRID, padding_below=None, trusted=None, run=RUN).warnings == ()


def test_the_report_is_json_and_the_same_each_time(study: tuple[np.ndarray, np.ndarray], report: TrustReport) -> None:
    text = json.dumps(report.to_json(), allow_nan=False)
    value = json.loads(text)
    assert value["run"]["model_id"] == "tiny"
    assert [row["tissue"] for row in value["tissues"]] == [t.name for t in TISSUES]
    assert "Research use only" in value["notice"]
    assert json.dumps(_report(*study).to_json(), allow_nan=False) == text


def test_whole_numbers_are_measured_as_floats_are(study: tuple[np.ndarray, np.ndarray], report: TrustReport) -> None:
    before, after = (np.rint(x).astype(np.int16) for x in study)
    found = _report(before, after)
    assert found.row(SOFT).noise_sd_after_hu == pytest.approx(report.row(SOFT).noise_sd_after_hu, rel=0.01)
    assert found.residual_structure == pytest.approx(report.residual_structure, abs=0.01)


def test_noise_cut_off_at_the_lowest_number_is_noted_and_not_judged(study: tuple[np.ndarray, np.ndarray]) -> None:
    before = np.maximum(study[0], np.float32(-1024.0))
    found = _report(before, np.broadcast_to(_body(), before.shape), padding=-1024.0)
    air = found.row(AIR)
    assert air.cut_off
    assert air.note == "noise is cut off at the lowest CT number"
    assert air.bias_hu is not None
    assert air.bias_hu < -1.0
    assert found.warnings == ()
    assert not found.row(SOFT).cut_off


def test_padding_does_not_change_the_figures_of_what_it_surrounds(study: tuple[np.ndarray, np.ndarray]) -> None:
    before, after = (x.copy() for x in study)
    outside = np.hypot(*(np.indices((224, 224)) - 111.5)) > 108
    before[:, outside], after[:, outside] = -3024.0, 77.0
    found = _report(before, after, padding=-2000.0)
    for row in (found.row(FAT), found.row(SOFT)):
        assert row.bias_hu is not None
        assert row.bias_standard_error_hu is not None
        assert abs(row.bias_hu) < 4.0 * row.bias_standard_error_hu < 2.0
        assert row.noise_sd_after_hu == pytest.approx(SD_AFTER, rel=0.12)


@pytest.mark.parametrize(
    ("volume", "says"),
    [
        (np.full((1, 64, 64), -1000.0, dtype=np.float32), "no homogeneous regions of soft tissue"),
        (np.full((3, 5, 7), 40, dtype=np.int16), "no homogeneous regions of soft tissue"),
        (np.full((2, 64, 64), np.nan, dtype=np.float32), "no homogeneous regions of soft tissue"),
        (40.0 + _noise((1, 64, 64), 20.0, seed=3), "too few structures"),
    ],
    ids=["air", "tiny", "nan", "flat"],
)
def test_what_cannot_be_measured_is_said_and_nothing_fails(volume: np.ndarray, says: str) -> None:
    found = _report(volume, volume)
    assert any(says in w for w in found.warnings)
    json.dumps(found.to_json(), allow_nan=False)
    missing = [row for row in found.tissues if row.noise_sd_before_hu is None]
    assert all(row.note for row in missing)
    if found.noise_power_before is None:
        assert found.noise_power_note


def test_a_single_slice_and_a_64_pixel_image_are_measured() -> None:
    before = 40.0 + _noise((1, 64, 64), 20.0, seed=3)
    found = _report(before, before * np.float32(0.5) + np.float32(20.0))
    assert found.row(SOFT).noise_sd_before_hu == pytest.approx(20.0, rel=0.15)
    assert found.row(SOFT).noise_sd_after_hu == pytest.approx(10.0, rel=0.15)
    assert found.measured_slices == (0,)


def test_volumes_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        _report(np.zeros((2, 8, 8)), np.zeros((2, 8, 9)))


@pytest.mark.parametrize("depth", [1, 2, 15, 16, 17, 60, 600])
def test_slices_are_spread_evenly_over_the_study(depth: int) -> None:
    found = sampled_slices(depth)
    assert len(found) == len(set(found)) == min(depth, 16)
    assert max(np.diff((-1, *found, depth))) <= depth / 16 + 2


def test_memory_and_time_do_not_grow_with_the_study(study: tuple[np.ndarray, np.ndarray]) -> None:
    before, after = (np.ascontiguousarray(x[:1, 80:176, 80:176]) for x in study)
    peaks = []
    for depth in (20, 400):
        longer = [np.broadcast_to(x, (depth, *x.shape[1:])) for x in (before, after)]
        tracemalloc.start()
        began = time.perf_counter()
        _report(*longer)
        assert time.perf_counter() - began < 20.0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_texture_that_passes_for_noise_is_noted() -> None:
    before, after = _study(depth=2)
    texture = np.random.default_rng(5).normal(0.0, 150.0, before.shape) * (_body() > 560)
    found = _report(*((x + texture).astype(np.float32) for x in (before, after)))
    assert found.row(BONE).noise_sd_before_hu == pytest.approx(153.0, rel=0.15)
    assert found.row(BONE).note == "not only noise: the texture of the tissue is in it"


def test_bone_where_nothing_is_homogeneous_has_a_bias_but_no_noise() -> None:
    before, after = _study(depth=2)
    rng = np.random.default_rng(4)
    trabeculae = gaussian_filter(rng.normal(size=(224, 224)), 2.0) * 2500.0
    bone = _body() > 500
    found = _report(*(x + np.where(bone, trabeculae, 0.0).astype(np.float32) for x in (before, after)))
    row = found.row(BONE)
    assert row.noise_sd_before_hu is None
    assert row.note == "no homogeneous region"
    assert row.bias_hu is not None
