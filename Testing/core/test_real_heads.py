"""The head CT model that ships, on real scans: that it runs on them is evidence, what it says of them is none.

The tilted head is one of the scans that it was trained on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medenhance.head_ct.report import HemorrhageReport
from medenhance.manifest import load_manifest
from medenhance.study import read_study
from medenhance.tasks.detect_hemorrhage import DetectHemorrhageRequest, run

pytestmark = pytest.mark.skipif(
    all(entry.task != "detect-hemorrhage" for entry in load_manifest().values()), reason="this checkout brings no model"
)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path.parent / f"{tmp_path.name}-cache"))


def looked_at(study: Path, tmp_path: Path) -> HemorrhageReport:
    return run(DetectHemorrhageRequest(study, tmp_path / "found"))


def test_a_slice_with_a_large_subdural_is_flagged(shared_data: Path, tmp_path: Path) -> None:
    report = looked_at(shared_data / "head_ct/subdural_slice_693", tmp_path)
    assert report.findings is not None
    assert report.findings.suspected
    assert any("one slice" in warning for warning in report.warnings)


def test_nothing_is_reported_in_a_tilted_head_without_blood(shared_data: Path, tmp_path: Path) -> None:
    study = shared_data / "head_ct/ge_hispeed_tilt_variable_spacing"
    report = looked_at(study, tmp_path)
    found = report.findings
    assert found is not None
    assert not found.suspected
    assert found.total.ml == 0.0
    assert len(found.slices) == len(read_study(study).array) == 28
    assert sum(one.thickness_mm for one in found.slices) > 100.0
    assert np.ptp([one.thickness_mm for one in found.slices]) > 3.0, "its gaps are unequal"
    assert not any("blood on both sides" in warning for warning in report.warnings), "its rim is beam hardening"


def test_a_head_with_shifted_values_is_refused_with_what_was_found(shared_data: Path, tmp_path: Path) -> None:
    report = looked_at(shared_data / "head_ct/slicer_cthead_64px", tmp_path)
    assert report.status == "not processed"
    assert report.findings is None
    assert any("offset by +1024 HU" in warning for warning in report.warnings)
    assert "neck" in report.reason
