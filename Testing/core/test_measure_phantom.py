"""The report on a phantom scan, on a phantom whose resolution, noise and contrast are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from medenhance.measure.phantom import PhantomReport, phantom_report
from medenhance.measure.task_transfer import Insert

INSERTS = (Insert("strong", 32.0, 32.0, 6.0), Insert("weak", 32.0, 96.0, 6.0, contrast_hu=10.0))


def _scans(num: int, with_inserts: bool, noise_sd: float = 12.0, seed: int = 0) -> np.ndarray:
    rows, columns = np.indices((64, 128))
    clean = np.zeros((64, 128))
    for insert, contrast in zip(INSERTS, (300.0, 10.0), strict=True):
        clean[np.hypot(rows - insert.row, columns - insert.column) < insert.radius_mm] = contrast * with_inserts
    noise = np.random.default_rng(seed + with_inserts).normal(size=(num, *clean.shape))
    return gaussian_filter(clean, 0.8) + noise_sd * noise


@pytest.fixture(scope="module")
def report() -> PhantomReport:
    return phantom_report(_scans(48, True), _scans(48, False), INSERTS, (1.0, 1.0))


def test_each_insert_has_its_figures(report: PhantomReport) -> None:
    strong, weak = report.inserts
    assert strong.transfer.contrast_hu == pytest.approx(300.0, rel=0.02)
    assert strong.transfer.f50 == pytest.approx(np.sqrt(np.log(2.0) / 2.0) / np.pi / 0.8, rel=0.08)
    assert weak.noise_power.noise_sd_hu == pytest.approx(12.0, rel=0.02)
    assert weak.noise_power.num_regions == 48
    assert weak.hotelling is not None
    assert weak.hotelling.auc > 0.95


def test_a_weak_insert_borrows_the_transfer_of_the_clearest_and_says_so(report: PhantomReport) -> None:
    strong, weak = report.inserts
    assert strong.notes == ()
    assert any("clearest" in note for note in weak.notes)
    # In white noise d' is the root of the energy of the blurred disk over the SD, for both observers.
    disk = _scans(1, True, noise_sd=0.0)[0, :, 64:]
    expected = np.sqrt(np.sum(disk**2)) / 12.0
    assert weak.npw_detectability == pytest.approx(expected, rel=0.05)
    assert weak.hotelling is not None
    assert weak.hotelling.detectability == pytest.approx(expected, rel=0.2)


def test_with_few_scans_the_hotelling_observer_is_left_out_with_a_reason() -> None:
    found = phantom_report(_scans(6, True), _scans(6, False), INSERTS[:1], (1.0, 1.0)).inserts[0]
    assert found.hotelling is None
    assert any("needs 40 scans" in note for note in found.notes)
    assert found.npw_detectability > 0
    # The mean of six scans that is taken away takes a sixth of the variance with it.
    assert found.noise_power.noise_sd_hu == pytest.approx(12.0, rel=0.03)


def test_the_report_is_json(report: PhantomReport) -> None:
    value = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert value["inserts"][1]["insert"]["name"] == "weak"
    assert "Research use only" in value["notice"]


def test_detectability_grows_with_dose_on_simulated_scans(shared_data: Path) -> None:
    inserts = [
        Insert("14 HU", 94.5, 160.5, 2.0, 14.0),
        Insert("7 HU", 94.8, 94.8, 3.5, 7.0),
        Insert("3 HU", 160.4, 160.4, 7.5, 3.0),
    ]
    by_dose = []
    for dose in ("010", "055", "100"):
        folder = shared_data / "ct_lowdose" / "lcd_phantom_simulated" / "fbp" / f"dose_{dose}"
        present, absent = (
            np.stack([np.fromfile(f, "<i2").reshape(256, 256) - 1000.0 for f in sorted((folder / kind).glob("*.raw"))])
            for kind in ("signal_present", "signal_absent")
        )
        by_dose.append([i.npw_detectability for i in phantom_report(present, absent, inserts, (1.0, 1.0)).inserts])
    assert np.all(np.diff(by_dose, axis=0) > 0)


@pytest.mark.parametrize(
    ("present", "absent", "inserts", "match"),
    [
        (np.zeros((2, 64, 64)), np.zeros((2, 64, 65)), INSERTS, "one slice size"),
        (np.zeros((2, 64, 64)), np.zeros((1, 64, 64)), INSERTS, "two without"),
        (np.zeros((2, 64, 64)), np.zeros((2, 64, 64)), (), "no insert"),
        (np.zeros((2, 64, 64)), np.zeros((2, 64, 64)), (Insert("a", 32, 32, 9.0),), "no contrast"),
        (np.tile(100.0 * np.eye(30), (2, 1, 1)), np.zeros((2, 30, 30)), (Insert("a", 15, 15, 4.0),), "32 x 32"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    present: np.ndarray, absent: np.ndarray, inserts: tuple[Insert, ...], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        phantom_report(present, absent, inserts, (1.0, 1.0))
