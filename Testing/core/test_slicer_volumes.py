"""Real DICOM studies as Slicer holds them: denoised to the same HU, and exported as the series that they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medenhance.errors import MedEnhanceError
from medenhance.manifest import load_manifest
from medenhance.provenance import Provenance
from medenhance.study import read_study
from medenhance.tasks.denoise_ct import DenoiseRequest
from medenhance.tasks.denoise_ct import run as denoise
from medenhance.tasks.export_dicom import ExportRequest, run

MADE = Provenance("redcnn-compact", "1.0.0", "ab" * 32, 1.0, "fp32")
GROUPS = [
    "head_ct/ge_hispeed_tilt_variable_spacing",
    "head_ct/slicer_cthead_64px",
    "head_ct/subdural_slice_693",
    "body_ct/siemens_abdomen_j2k_20slices",
    "body_ct/dcmqi_ct_3slice",
    "dicom_tricky/bad_sequence.dcm",
    "dicom_tricky/eCT_Supplemental.dcm",
    "dicom_tricky/explicit_VR-UN.dcm",
]
# Of few slices; both with padding, the second with 32-bit voxels in Slicer.
FEW_SLICES = ["head_ct/subdural_slice_693", "body_ct/dcmqi_ct_3slice"]


def saved_by_slicer(files: list[Path], path: Path) -> Path:
    """What Slicer saves of the volume that it makes of DICOM files."""
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(files[0]))
    for file in files:
        storage.AddFileName(str(file))
    storage.SetSingleFile(False)
    storage.SetUseOrientationFromFile(True)
    assert storage.ReadData(node)
    storage.ResetFileNameList()
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    return path


def source_files(group: Path) -> list[Path]:
    """The files in the order of the slices, as Slicer's DICOM module lists them."""
    series = read_study(group).series
    assert series is not None
    return list(dict.fromkeys(one.path for one in series.slices))


@pytest.mark.parametrize("name", GROUPS)
def test_what_slicer_saves_of_a_series_is_exported_as_that_series(name: str, shared_data: Path, tmp_path: Path) -> None:
    before = read_study(shared_data / name)
    files = source_files(shared_data / name)
    volume = saved_by_slicer(files, tmp_path / "volume.nrrd")
    assert np.array_equal(read_study(volume).array, before.array)
    assert run(ExportRequest(volume, tuple(files), tmp_path / "out", MADE)) == ()
    after = read_study(tmp_path / "out")
    assert after.grid == before.grid
    assert np.array_equal(after.array, before.array)


def test_files_in_disorder_of_which_slicer_makes_another_volume_are_refused(shared_data: Path, tmp_path: Path) -> None:
    first, second, third = source_files(shared_data / "body_ct/dcmqi_ct_3slice")
    volume = saved_by_slicer([first, third, second], tmp_path / "volume.nrrd")
    with pytest.raises(MedEnhanceError, match="1 mm away"):
        run(ExportRequest(volume, (first, second, third), tmp_path / "out", MADE))
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not load_manifest(), reason="this checkout brings no model")
@pytest.mark.parametrize("name", FEW_SLICES)
def test_a_study_is_denoised_to_the_same_hu_as_dicom_and_as_what_slicer_saves(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path / "cache"))
    files = source_files(shared_data / name)
    volume = saved_by_slicer(files, tmp_path / "volume.nrrd")
    made = denoise(DenoiseRequest(volume, tmp_path / "out.nrrd"))
    denoise(DenoiseRequest(shared_data / name, tmp_path / "direct"))
    before, after = read_study(shared_data / name).array, read_study(tmp_path / "direct").array
    assert not np.array_equal(after, before)
    assert np.array_equal(read_study(tmp_path / "out.nrrd").array, after)
    run(ExportRequest(tmp_path / "out.nrrd", tuple(files), tmp_path / "exported", Provenance.of_run(made.run)))
    for direct in sorted((tmp_path / "direct").iterdir()):
        assert (tmp_path / "exported" / direct.name).read_bytes() == direct.read_bytes()
