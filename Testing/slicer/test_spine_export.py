"""Segmentations of a projection as DICOM segmentations of the ultrasound image that it was loaded from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import slicer
from panel_driver import LIMIT_S
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid
from spine_driver import SpinePanel
from test_spine_measure import addBackImage, drawnLabels, edited, withSegmentations

from medenhance_host import Host

FILE = "segmentation.dcm"


@pytest.fixture
def panel(host: Host) -> SpinePanel:
    return SpinePanel(host, withTinyModel=False)


def writeImage(image: Any, path: Path) -> pydicom.Dataset:
    """The projection as a scanner's picture: grey, of no place."""
    pixels = slicer.util.arrayFromVolume(image)[0]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UltrasoundImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = UltrasoundImageStorage, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = "Back^Test", "B1", "", ""
    made.StudyDate, made.StudyTime, made.StudyID, made.AccessionNumber = "20260102", "101500", "1", ""
    made.ReferringPhysicianName, made.Manufacturer, made.Modality = "", "None", "US"
    made.SeriesNumber, made.InstanceNumber, made.PatientOrientation = 1, 1, ""
    made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelData = 7, pixels.tobytes()
    made.save_as(path, enforce_file_format=True)
    return made


@pytest.fixture
def fromDicom(panel: SpinePanel, tmp_path: Path) -> tuple[Any, Any, pydicom.Dataset]:
    """A projection of a DICOM file, its segmentation, and the file; the folder for exports is tmp_path."""
    image = addBackImage()
    image.SetIJKToRASDirections(-1, 0, 0, 0, -1, 0, 0, 0, 1)  # as Slicer places a picture without a place
    source = writeImage(image, tmp_path / "us é.dcm")
    image.SetAttribute("DICOM.instanceUIDs", source.SOPInstanceUID)
    panel.host.dicomDatabase[source.SOPInstanceUID] = str(tmp_path / "us é.dcm")
    image, node = withSegmentations(panel, image)
    return image, node, source


def exported(panel: SpinePanel, button: Any, folder: Path) -> pydicom.Dataset:
    panel.host.dialogs.answer(str(folder))
    button.click()
    panel.host.waitFor(lambda: not panel.isRunning, LIMIT_S)
    assert "Exported to" in panel.ui.statusLabel.text, panel.ui.statusLabel.text
    [path] = folder.glob(f"* segments*/{FILE}")
    return highdicom.seg.segread(path)


def labelsIn(found: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Values 1, 2, 3 for rib, process, lump."""
    values = {"Rib": 1, "Thoracic transverse process": 2, "Lumbar lump": 3}
    labels = np.zeros(shape, np.uint8)
    frames = found.pixel_array.reshape(-1, *shape)
    for frame, groups in zip(frames, found.PerFrameFunctionalGroupsSequence, strict=True):
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        label = found.get_segment_description(number).segment_label
        labels[frame != 0] = next(value for name, value in values.items() if name.lower() == label.lower())
    return labels


def test_the_segmentation_of_the_original_refers_to_its_image(
    panel: SpinePanel, fromDicom: tuple[Any, Any, pydicom.Dataset], tmp_path: Path
) -> None:
    _image, _node, source = fromDicom
    found = exported(panel, panel.ui.exportOriginalButton, tmp_path)
    assert found.Modality == "SEG"
    assert (found.PatientID, found.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    assert source.SOPInstanceUID in str(found)
    assert "esearch use only" in str(found)
    expected = drawnLabels(30.0)[0]
    assert np.array_equal(labelsIn(found, expected.shape), expected)
    assert "edited" not in str(found).lower()


def test_what_was_edited_is_exported_and_said(
    panel: SpinePanel, fromDicom: tuple[Any, Any, pydicom.Dataset], tmp_path: Path
) -> None:
    image, node, _source = fromDicom
    edited(node, image, drawnLabels(50.0))
    found = exported(panel, panel.ui.exportOriginalButton, tmp_path)
    expected = drawnLabels(50.0)[0]
    assert np.array_equal(labelsIn(found, expected.shape), expected)
    assert "edited" in str(found).lower()


def test_a_segment_of_no_known_class_stops_the_export_in_words(
    panel: SpinePanel, fromDicom: tuple[Any, Any, pydicom.Dataset], tmp_path: Path
) -> None:
    _image, node, _source = fromDicom
    node.GetSegmentation().AddEmptySegment("mine", "What is this")
    panel.host.dialogs.answer(str(tmp_path))
    panel.ui.exportOriginalButton.click()
    assert "What is this" in panel.ui.statusLabel.text
    assert not panel.isRunning
    assert [path.name for path in tmp_path.iterdir()] == ["us é.dcm"]


def test_without_a_dicom_source_the_panel_says_so(panel: SpinePanel) -> None:
    withSegmentations(panel)
    panel.ui.exportEnhancedButton.click()
    assert "does not come from DICOM" in panel.ui.exportLabel.text
