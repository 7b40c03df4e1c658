"""`medenhance-train simulate head-ct`: scans as folders and DICOM series, insertion, comparison."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.study import read_study
from medenhance_training.__main__ import main
from medenhance_training.commands.simulate_head import SimulateHeadCt, simulate_head_ct
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.simulate import simulate_head

CONFIG = HeadConfig(size_px=64, prevalence=1.0)


def voxels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_scans_are_written_as_they_were_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["simulate", "head-ct", str(tmp_path), "--cases", "2", "--seed", "7", "--size-px", "64"]
    assert main([*words, "--prevalence", "1"]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "case_00007"), str(tmp_path / "case_00008")]
    case, folder = simulate_head(8, CONFIG), tmp_path / "case_00008"
    np.testing.assert_array_equal(voxels(folder / "ct.nrrd"), case.hu)
    np.testing.assert_array_equal(voxels(folder / "subtypes.nrrd"), case.subtypes)
    np.testing.assert_array_equal(voxels(folder / "ventricles.nrrd"), case.ventricles)
    truth = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    assert truth["volumes_ml"] == case.volumes_ml
    assert truth["midline_shift_mm"] == case.midline_shift_mm
    assert truth["slice_labels"] == case.slice_labels.astype(int).tolist()
    assert [lesion["subtype"] for lesion in truth["lesions"]] == [lesion.subtype for lesion in case.lesions]
    assert truth["has_hemorrhage"] is True
    assert "research use only" in truth["note"]


def test_the_dicom_series_is_the_same_scan_in_the_same_place(tmp_path: Path) -> None:
    simulate_head_ct(SimulateHeadCt(tmp_path, seed=8, size_px=64, prevalence=1.0, dicom=True))
    case, folder = simulate_head(8, CONFIG), tmp_path / "case_00008" / "dicom"
    volume = read_study(folder)
    np.testing.assert_array_equal(volume.array, case.hu)
    np.testing.assert_allclose(
        volume.grid.slice_positions(len(case.hu)), case.grid.slice_positions(len(case.hu)), atol=2e-3
    )
    np.testing.assert_allclose(volume.grid.spacing_mm[:2], case.grid.spacing_mm[:2], rtol=1e-6)
    assert volume.grid.shear_deg == pytest.approx(case.grid.shear_deg, abs=0.01)
    assert volume.modality == "CT"
    first = pydicom.dcmread(folder / "0001.dcm")
    assert "research use only" in first.ImageComments
    assert first.PatientAge == f"{int(case.age_years):03d}Y"
    assert first.GantryDetectorTilt == pytest.approx(case.grid.shear_deg, abs=0.01)


def test_presets_and_subtypes_can_be_chosen(tmp_path: Path) -> None:
    options = SimulateHeadCt(tmp_path, preset="shift_noise", prevalence=1.0, subtypes=("epidural",), size_px=64)
    simulate_head_ct(options)
    truth = json.loads((tmp_path / "case_00000" / "case.json").read_text(encoding="utf-8"))
    assert truth["preset"] == "shift_noise"
    assert {lesion["subtype"] for lesion in truth["lesions"]} == {"epidural"}


def test_bleeds_go_into_a_scan_and_scans_beside_it(tmp_path: Path) -> None:
    """A simulated scan without a bleed stands in for a real one."""
    simulate_head_ct(SimulateHeadCt(tmp_path / "plain", seed=1, size_px=96, prevalence=0.0, dicom=True))
    scan = tmp_path / "plain" / "case_00001" / "dicom"
    lines = simulate_head_ct(
        SimulateHeadCt(tmp_path / "bled", seed=2, subtypes=("subdural",), insert=scan, compare=scan)
    )
    folder = tmp_path / "bled" / "case_00002"
    truth = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    assert (truth["age_years"], truth["has_hemorrhage"]) == (None, True)
    assert voxels(folder / "ct.nrrd").shape == read_study(scan).array.shape
    assert lines[0] == str(folder)
    assert "noise sd" in lines[1]
    assert len(lines[1].splitlines()) == 11


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (SimulateHeadCt(), "bad-option"),
        (SimulateHeadCt(Path("x"), cases=0), "bad-option"),
        (SimulateHeadCt(Path("x"), size_px=63), "bad-option"),
        (SimulateHeadCt(Path("x"), prevalence=2.0), "bad-option"),
        (SimulateHeadCt(compare=Path("nowhere")), "input-missing"),
    ],
)
def test_what_makes_no_sense_is_refused(args: SimulateHeadCt, kind: str) -> None:
    with pytest.raises(MedEnhanceError) as caught:
        simulate_head_ct(args)
    assert caught.value.kind == kind
