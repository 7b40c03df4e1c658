"""Real studies in a scene, denoised by a real worker with the bundled model: the command line's HU, the input's grid.

Each is loaded as Slicer loads it, from a path with spaces, accents and Chinese characters. Of large groups a few slices
are taken; two groups are whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from mrml_samples import filled, ijkToRas, linearTransform, strangeFolder, warpTransform
from real_studies import command, copied, loaded, newVolume, onGridOf, shearedTransform

from medenhance.manifest import load_manifest
from MedEnhanceLib.Provenance import provenanceOf

pytestmark = pytest.mark.skipif(not load_manifest(), reason="this checkout brings no model")

Place = Callable[[Any], Any]


def nowhere(_node: Any) -> None:
    """No parent transform."""


def turned(node: Any) -> None:
    node.SetAndObserveTransformNodeID(linearTransform(slicer.mrmlScene, linearTransform(slicer.mrmlScene)).GetID())


def warped(node: Any) -> None:
    node.SetAndObserveTransformNodeID(warpTransform(slicer.mrmlScene).GetID())


# Series, which of its slices, and where it is put. The head was scanned with a tilted gantry at gaps of 1 to 7 mm.
SERIES = [
    ("head_ct/ge_hispeed_tilt_variable_spacing", slice(13, 16), shearedTransform),
    ("head_ct/slicer_cthead_64px", slice(None), nowhere),
    ("head_ct/subdural_slice_693", slice(None), turned),
    ("body_ct/siemens_abdomen_j2k_20slices", slice(9, 11), warped),
    ("body_ct/dcmqi_ct_3slice", slice(None), nowhere),
    ("dicom_tricky/bad_sequence.dcm", slice(None), turned),
    ("dicom_tricky/eCT_Supplemental.dcm", slice(None), nowhere),
    ("dicom_tricky/explicit_VR-UN.dcm", slice(None), nowhere),
]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """No model but those that are bundled, and the folders of no user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDENHANCE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def logic(host: Any) -> Any:
    host.openModule("MedEnhanceLowDoseCT")
    return slicer.modules.MedEnhanceLowDoseCTWidget.logic


def processed(logic: Any, node: Any) -> Any:
    """The result of `process`, which must be on the grid of the input and have changed nothing else."""
    before, matrix = slicer.util.arrayFromVolume(node).copy(), ijkToRas(node)
    output = newVolume()
    numNodes = slicer.mrmlScene.GetNumberOfNodes()
    report = logic.process(node, output)
    assert np.array_equal(ijkToRas(output), matrix)
    assert np.array_equal(ijkToRas(node), matrix)
    assert output.GetTransformNodeID() == node.GetTransformNodeID()
    assert np.array_equal(slicer.util.arrayFromVolume(node), before)
    assert not np.array_equal(slicer.util.arrayFromVolume(output), before)
    assert provenanceOf(output)["report"] == report
    assert slicer.mrmlScene.GetNumberOfNodes() - numNodes <= 1  # the result's display node
    return output


def assertSameAsCommand(study: Path, output: Any, folder: Path) -> None:
    """The command line makes the same HU of a study as lie in a node."""
    written = folder / f"{study.name} by command.nrrd"
    command("denoise-ct", study, written)
    assert np.array_equal(onGridOf(written, output), slicer.util.arrayFromVolume(output))


@pytest.mark.parametrize(("name", "slices", "put"), SERIES, ids=[name for name, *_ in SERIES])
def test_a_dicom_series_gets_the_hu_of_the_command_line_and_keeps_its_matrix(
    name: str, slices: slice, put: Place, host: Any, logic: Any, shared_data: Path, tmp_path: Path
) -> None:
    files = copied(shared_data / name, tmp_path, slices)
    node = loaded(files, host.dicomDatabase)
    put(node)
    output = processed(logic, node)
    study = files[0].parent if len(files) > 1 else files[0]
    assertSameAsCommand(study, output, tmp_path)
    # What Slicer saves of the volume, without anything of DICOM.
    saved = tmp_path / "gespeichert 保存.nrrd"
    assert slicer.util.saveNode(node, str(saved), {})
    assertSameAsCommand(saved, output, tmp_path)
    assert host.dialogs.shown == []


def test_a_volume_of_a_nifti_file_gets_the_hu_of_the_command_line(
    host: Any, logic: Any, shared_data: Path, tmp_path: Path
) -> None:
    """A low-dose CT of a PET/CT: strong noise and streaks."""
    study = strangeFolder(tmp_path) / "low dose é.nii.gz"
    whole = sitk.ReadImage(shared_data / "body_ct/sts_petct_lowdose/STS_019_CT_image.nii.gz")
    sitk.WriteImage(whole[:, :, 20:30], study)
    node = slicer.util.loadVolume(str(study), {"show": False})
    turned(node)
    assertSameAsCommand(study, processed(logic, node), tmp_path)


def test_a_slice_without_any_header_gets_the_hu_of_the_command_line(
    host: Any, logic: Any, shared_data: Path, tmp_path: Path
) -> None:
    """A real quarter-dose slice, as a script makes a volume of it."""
    raw = shared_data / "ct_lowdose/sfrc_L506_slice32_pair/L506_QD_512x512_uint16le_HUplus1024.raw"
    hu = (np.fromfile(raw, "<u2").reshape(1, 512, 512).astype(np.int32) - 1024).astype(np.int16)
    node = filled(hu, slicer.mrmlScene)
    saved = strangeFolder(tmp_path) / "slice.nrrd"
    assert slicer.util.saveNode(node, str(saved), {})
    assertSameAsCommand(saved, processed(logic, node), tmp_path)
