"""A result in the scene becomes a DICOM series derived from its source: valid, complete, of the same HU and place."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import slicer
from mrml_samples import ijkToRas, linearTransform, strangeFolder
from panel_driver import LIMIT_S, LowDosePanel, ctArray, nodeIds
from pydicom.dataset import Dataset, validate_file_meta
from pydicom.uid import UID, ExplicitVRLittleEndian
from real_studies import command, copied, instanceUid, loaded, newVolume, writeSeries
from stand_in_python import REPORT

from medenhance.errors import MedEnhanceError
from medenhance.manifest import load_manifest
from MedEnhanceLib.DicomSource import dicomFilesOf
from MedEnhanceLib.Provenance import setProvenance
from MedEnhanceLib.WorkerClient import RunCallbacks

# PS3.3 A.3, CT Image: what must be there with a value (type 1), and what must be there (type 2).
TYPE_1 = """
    SOPClassUID SOPInstanceUID StudyInstanceUID Modality SeriesInstanceUID FrameOfReferenceUID ImageType PixelSpacing
    ImageOrientationPatient ImagePositionPatient SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated
    BitsStored HighBit PixelRepresentation RescaleIntercept RescaleSlope PixelData
"""
TYPE_2 = """
    PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName StudyID AccessionNumber
    SeriesNumber PositionReferenceIndicator Manufacturer InstanceNumber SliceThickness KVP AcquisitionNumber
"""
KEPT = "PatientName PatientID StudyInstanceUID StudyDate FrameOfReferenceUID Modality InstanceNumber KVP"
SERIES = [
    ("head_ct/ge_hispeed_tilt_variable_spacing", slice(12, 16)),
    ("body_ct/siemens_abdomen_j2k_20slices", slice(3)),  # of which the instances have no identifier
    ("dicom_tricky/explicit_VR-UN.dcm", slice(None)),
]


def resultOf(node: Any, name: str = "CT denoised", what: str = "denoised") -> Any:
    """A volume as a run leaves it: other voxels on the grid of the input, and where they come from."""
    output = newVolume(name)
    output.Copy(node)
    output.SetName(name)
    output.SetAndObserveStorageNodeID(None)
    slicer.util.updateVolumeFromArray(output, made(slicer.util.arrayFromVolume(node)))
    setProvenance(output, REPORT, node, what)
    return output


def made(array: np.ndarray) -> np.ndarray:
    """Some whole HU that differ everywhere but outside of the reconstruction."""
    inside = array > -1000
    return np.where(inside, np.clip(array + 3 - 7 * (array % 5 == 0), -1000, 3000), array).astype(np.int16)


class Exporter:
    """The panel with a volume and its result, and a folder to export to."""

    def __init__(self, host: Any, node: Any, folder: Path) -> None:
        self.panel, self.folder, self.host = LowDosePanel(host), folder, host
        self.node, self.output = node, resultOf(node)
        self.panel.choose(node)
        self.panel.ui.outputSelector.setCurrentNode(self.output)
        self.ui = self.panel.ui

    def begin(self) -> None:
        self.host.dialogs.answer(str(self.folder))
        assert self.ui.exportButton.enabled
        self.ui.exportButton.click()

    def export(self) -> Path:
        """Press Export and wait; the folder of the series."""
        self.begin()
        self.panel.wait()
        assert self.ui.exportLabel.text.startswith("Exported to "), self.panel.status
        return Path(self.ui.exportLabel.text.removeprefix("Exported to ").removesuffix("."))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No model but those that are bundled, and the folders of no user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDENHANCE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return writeSeries(strangeFolder(tmp_path) / "DICOM", ctArray((4, 40, 48)))


@pytest.fixture
def exporter(host: Any, files: list[Path], tmp_path: Path) -> Exporter:
    folder = tmp_path / "Ausgabe é 输出"
    folder.mkdir()
    return Exporter(host, loaded(files, host.dicomDatabase), folder)


def datasets(folder: Path) -> list[Dataset]:
    """The files of a series, every element read; pydicom warns of what is wrong in it, and a warning is an error."""
    read = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    for dataset in read:
        for element in dataset.iterall():
            assert element.value is not element
    return read


def assertValid(folder: Path, sources: list[Path]) -> list[Dataset]:
    """What dciodvfy looks at in CT images, and what a derived series owes to its source, slice by slice."""
    read = datasets(folder)
    by_place = {tuple(one.ImagePositionPatient): one for one in (pydicom.dcmread(path) for path in sources)}
    assert len(read) == len(by_place)
    assert len({one.SOPInstanceUID for one in read}) == len(read)
    assert len({one.SeriesInstanceUID for one in read}) == 1
    for one in read:
        validate_file_meta(one.file_meta, enforce_standard=True)
        assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
        assert one.file_meta.MediaStorageSOPClassUID == one.SOPClassUID
        assert one.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert [name for name in TYPE_1.split() if one.get(name) in (None, "", b"")] == []
        assert [name for name in TYPE_2.split() if name not in one] == []
        assertUidsAreValid(one)
        assertPixelsAreConsistent(one)
        assertDerived(one, by_place[tuple(one.ImagePositionPatient)])
    return read


def assertUidsAreValid(one: Dataset) -> None:
    for element in one.iterall():
        if element.VR == "UI" and element.value:
            values = element.value if element.VM > 1 else [element.value]
            assert all(UID(value).is_valid for value in values), element


def assertPixelsAreConsistent(one: Dataset) -> None:
    assert (one.SamplesPerPixel, one.BitsAllocated, one.HighBit) == (1, 16, one.BitsStored - 1)
    assert one.PhotometricInterpretation == "MONOCHROME2"
    assert len(one.PixelData) == one.Rows * one.Columns * 2
    assert one.pixel_array.shape == (one.Rows, one.Columns)


def assertDerived(one: Dataset, source: Dataset) -> None:
    known = [name for name in KEPT.split() if source.get(name) not in (None, "")]
    assert [one.get(name) for name in known] == [source.get(name) for name in known]
    assert (one.PixelSpacing, one.ImageOrientationPatient) == (source.PixelSpacing, source.ImageOrientationPatient)
    assert one.SOPInstanceUID != source.SOPInstanceUID
    assert one.SeriesInstanceUID != source.SeriesInstanceUID
    if source.SOPInstanceUID:
        assertRefersTo(one, source)
    assert one.ImageType[:2] == ["DERIVED", "SECONDARY"]
    assert one.SeriesDescription.endswith("(research use only)")
    run = REPORT["run"]
    for text in (one.DerivationDescription, one.ContributingEquipmentSequence[0].ContributionDescription):
        assert run["model_id"] in text
        assert "research use only" in text.lower()
    assert run["weights_sha256"] in one.ContributingEquipmentSequence[0].SoftwareVersions
    assert one.DerivationCodeSequence[0].CodeMeaning == "Smoothing"


def assertRefersTo(one: Dataset, source: Dataset) -> None:
    image, series = one.SourceImageSequence[0], one.ReferencedSeriesSequence[0]
    assert image.ReferencedSOPClassUID == source.SOPClassUID
    assert image.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert image.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Source image for image processing operation"
    assert series.SeriesInstanceUID == source.SeriesInstanceUID


def assertOpensAgain(folder: Path, output: Any) -> None:
    """Slicer's own reader makes the same volume of a series."""
    again = loaded(sorted(folder.iterdir()))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(again), slicer.util.arrayFromVolume(output))
    np.testing.assert_allclose(ijkToRas(again), ijkToRas(output), rtol=0, atol=1e-6)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_series_is_valid_and_opens_again_in_slicer_with_the_same_hu_and_geometry(
    exporter: Exporter, files: list[Path]
) -> None:
    exporter.node.SetAndObserveTransformNodeID(linearTransform(slicer.mrmlScene).GetID())  # stays out of the series
    folder = exporter.export()
    assert folder == exporter.folder / "CT denoised"
    read = assertValid(folder, files)
    assert read[0].SeriesDescription == "Schädel 头部 denoised (research use only)"
    assert str(read[0].PatientName) == "Müller^Zoë"
    assertOpensAgain(folder, exporter.output)


@pytest.mark.parametrize(("name", "slices"), SERIES, ids=[name for name, _ in SERIES])
def test_a_real_series_becomes_a_valid_one(
    name: str, slices: slice, host: Any, shared_data: Path, tmp_path: Path
) -> None:
    sources = copied(shared_data / name, tmp_path, slices)
    database = host.dicomDatabase if all(map(instanceUid, sources)) else None
    exporter = Exporter(host, loaded(sources, database), tmp_path)
    folder = exporter.export()
    assertValid(folder, sources)
    assertOpensAgain(folder, exporter.output)


@pytest.mark.skipif(not load_manifest(), reason="this checkout brings no model")
def test_apply_and_export_give_the_very_files_of_the_command_line(host: Any, shared_data: Path, tmp_path: Path) -> None:
    """Dragged into Slicer: its storage node knows the files."""
    sources = copied(shared_data / "body_ct/dcmqi_ct_3slice", tmp_path, slice(2))
    panel = LowDosePanel(host)
    panel.choose(loaded(sources))
    panel.apply()
    host.dialogs.answer(str(tmp_path))
    panel.ui.exportButton.click()
    panel.wait()
    command("denoise-ct", sources[0].parent, tmp_path / "by command")
    exported = tmp_path / panel.parameters.outputVolume.GetName()
    assert contents(exported) == contents(tmp_path / "by command")


class TestRefused:
    """In plain words, and nothing is written."""

    def test_a_volume_without_a_dicom_source(self, host: Any, tmp_path: Path) -> None:
        exporter = Exporter(host, slicer.util.addVolumeFromArray(ctArray()), tmp_path)
        exporter.ui.exportButton.click()
        assert "does not come from DICOM" in exporter.ui.exportLabel.text
        assert "save the result as NRRD" in exporter.ui.exportLabel.text
        assert not exporter.panel.isRunning
        assert (host.dialogs.shown, list(tmp_path.iterdir())) == ([], [])

    def test_a_source_of_which_a_file_is_gone(self, exporter: Exporter, files: list[Path]) -> None:
        files[1].unlink()
        exporter.ui.exportButton.click()
        assert "does not come from DICOM" in exporter.ui.exportLabel.text

    def test_a_volume_that_was_moved_since(self, exporter: Exporter) -> None:
        exporter.output.SetOrigin(1.0, 2.0, 3.0)
        exporter.begin()
        exporter.panel.wait()
        assert "does not lie on its DICOM series" in exporter.panel.status
        assert "neither resampled, cropped nor moved" in exporter.panel.status
        assert list(exporter.folder.iterdir()) == []

    def test_a_folder_that_is_not_empty(self, exporter: Exporter, files: list[Path]) -> None:
        (exporter.folder / "mine.txt").write_text("mine", encoding="utf-8")
        failures = []
        callbacks = RunCallbacks(failed=failures.append)
        exporter.panel.logic.exportDicom(exporter.output, list(map(str, files)), exporter.folder, callbacks)
        exporter.host.waitFor(lambda: bool(failures), LIMIT_S)
        assert (failures[0].kind, "not empty" in failures[0].message) == ("output-refused", True)
        assert [path.name for path in exporter.folder.iterdir()] == ["mine.txt"]

    def test_a_volume_that_is_no_result(self, exporter: Exporter, files: list[Path]) -> None:
        with pytest.raises(MedEnhanceError, match="no result of MedEnhance"):
            exporter.panel.logic.exportDicom(
                exporter.node, list(map(str, files)), exporter.folder / "new", RunCallbacks()
            )
        assert not exporter.panel.logic.isRunning

    def test_nobody_names_a_folder(self, exporter: Exporter) -> None:
        exporter.host.dialogs.answer(None)
        exporter.ui.exportButton.click()
        assert not exporter.panel.isRunning


def test_a_series_that_is_there_is_never_overwritten(exporter: Exporter) -> None:
    first = exporter.export()
    before = contents(first)
    assert exporter.export() == exporter.folder / "CT denoised 2"
    assert contents(first) == before
    assert contents(exporter.folder / "CT denoised 2") == before


def test_a_name_of_any_length_and_script_is_a_folder(exporter: Exporter) -> None:
    exporter.output.SetName("头部/CT: <é> " * 40)
    assert len(datasets(exporter.export())) == 4


@pytest.mark.parametrize("stage", ["at once", "start", "scan", "write"])
def test_a_cancelled_export_leaves_nothing_and_the_next_one_works(stage: str, exporter: Exporter) -> None:
    ids, pressed = nodeIds(), []
    told = exporter.panel.widget.controls.progress

    def progress(name: str, fraction: float, etaS: float | None) -> None:
        told(name, fraction, etaS)
        if name == stage and not pressed:
            pressed.append(name)
            exporter.panel.press()

    exporter.panel.widget.controls.progress = progress
    exporter.begin()
    if stage == "at once":
        exporter.panel.press()
    exporter.panel.wait()
    exporter.panel.widget.controls.progress = told
    assert exporter.panel.status.startswith("Cancelled")
    assert list(exporter.folder.iterdir()) == []
    assert list(Path(slicer.app.temporaryPath).iterdir()) == []
    assert nodeIds() == ids
    exporter.export()


def test_what_was_removed_is_exported_under_a_name_of_its_own(exporter: Exporter, files: list[Path]) -> None:
    removed = resultOf(exporter.node, "removed", "removed")
    done: list[dict[str, Any]] = []
    sources = dicomFilesOf(exporter.node, slicer.dicomDatabase)
    assert sources == list(map(str, files))
    folder = exporter.folder / "removed"
    exporter.panel.logic.exportDicom(removed, sources, folder, RunCallbacks(finished=done.append))
    exporter.host.waitFor(lambda: bool(done), LIMIT_S)
    assert {one.SeriesDescription.split(" ", 2)[2] for one in datasets(folder)} == {
        "removed by denoising (research use only)"
    }


class TestDatabase:
    """Slicer's DICOM database lists the series when that is asked for."""

    @pytest.fixture
    def imported(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What the database was told of; a stand-in for Slicer's DICOMLib."""
        told: list[str] = []
        library = types.ModuleType("DICOMLib")
        library.DICOMUtils = types.SimpleNamespace(importDicom=lambda folder: told.append(folder) or True)
        monkeypatch.setitem(sys.modules, "DICOMLib", library)
        return told

    def test_only_on_request(self, exporter: Exporter, imported: list[str]) -> None:
        exporter.export()
        assert imported == []
        exporter.ui.addToDatabaseCheckBox.click()
        second = exporter.export()
        assert imported == [str(second)]

    def test_a_closed_database_is_told(
        self, exporter: Exporter, imported: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slicer.dicomDatabase, "isOpen", False, raising=False)
        exporter.ui.addToDatabaseCheckBox.click()
        folder = exporter.export()
        assert imported == []
        assert "not in the DICOM database" in exporter.panel.status
        assert len(contents(folder)) == 4
