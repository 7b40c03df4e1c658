"""Small DICOM series for the tests of objects, and independent ways to read those."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map, get_sop_class_iod_map
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    EnhancedCTImageStorage,
    EnhancedUSVolumeStorage,
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from medenhance.dicom.objects.codes import BRAIN, HEMORRHAGE, LEFT
from medenhance.dicom.objects.content import Algorithm, Segment
from medenhance.study import read_study
from medenhance.volume import Volume

ALGORITHM = Algorithm("tiny-net", "1.2", "0a" * 32, parameters={"operating point": "balanced"})
SEGMENTS = (Segment("Lesion 1", HEMORRHAGE, region=BRAIN, side=LEFT, colour=(220, 40, 30)), Segment("2", HEMORRHAGE))
# Columns to the right, rows to the feet, frames to the front, in LPS.
CORONAL_AXES = ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, -1.0, 0.0))
GAPS_MM = (1.08, 4.22, 4.22, 7.0)
TILT = (1.0, 0.0, 0.0, 0.0, 0.9483236552, -0.3173046565)  # 18.5 degrees


def edit(folder: Path, **values: Any) -> None:
    """Set the same attributes in every file; a function gets the number of the file, None removes the attribute."""
    for index, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        for keyword, value in values.items():
            value = value(index) if callable(value) else value
            if value is None:
                del dataset[keyword]
            else:
                setattr(dataset, keyword, value)
        dataset.save_as(path)


def tilted(folder: Path) -> Volume:
    """Give a series of five slices a tilted gantry and unequal gaps, and thicker slices at its end."""
    levels = np.concatenate([[0.0], np.cumsum(GAPS_MM)])
    edit(
        folder,
        ImagePositionPatient=lambda k: [-10.5, 20.25, round(float(levels[k]) - 50, 4)],
        ImageOrientationPatient=list(TILT),
        SliceThickness=lambda k: 4 if k < 3 else 7,
    )
    return read_study(folder)


def labels_for(shape: Sequence[int], seed: int = 3) -> np.ndarray:
    """(D, H, W) uint8 of two segments and background, scattered; one slice in the middle stays empty."""
    labels = np.random.default_rng(seed).choice([0, 1, 2], p=[0.7, 0.2, 0.1], size=shape).astype(np.uint8)
    labels[len(labels) // 2] = 0
    return labels


def enhanced_ct(path: Path, array: np.ndarray, order: Sequence[int]) -> None:
    """One multi-frame file whose frame n is slice ``order[n]``, at 3.5 mm steps."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = EnhancedCTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.8.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.8", "1.2.826.0.1.3680043.8.498.8.2"
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.8.3"
    dataset.Modality, dataset.ImageType, dataset.ContentDate = (
        "CT",
        ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        "20210304",
    )
    dataset.ContentTime, dataset.SeriesNumber, dataset.InstanceNumber = "050607", 4, 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = array.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[0.6, 0.5], SliceThickness=4)]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    shared.PixelValueTransformationSequence = [_item(RescaleIntercept=0, RescaleSlope=1, RescaleType="HU")]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(PlanePositionSequence=[_item(ImagePositionPatient=[-5, 6, 3.5 * k])]) for k in order
    ]
    dataset.PixelData = array[list(order)].astype("<i2").tobytes()
    dataset.save_as(path, enforce_file_format=True)


def capture(
    path: Path,
    image: np.ndarray,
    photometric: str = "MONOCHROME2",
    *,
    regions: Sequence[tuple[float, float]] = (),
    units: int = 3,
    position: Sequence[float] | None = None,
    orientation: Sequence[float] | None = None,
) -> Path:
    """A lone ultrasound image.

    Args:
        path: New file.
        image: (H, W) uint8 or uint16 grey.
        photometric: MONOCHROME1, MONOCHROME2, or RGB for the grey as three equal colours.
        regions: Width and height of a pixel of each ultrasound region, in ``units`` (3: cm).
        units: As DICOM numbers them.
        position, orientation: In the patient, with pixels of 0.3 mm.
    """
    dataset = _header(UltrasoundImageStorage, "9")
    dataset.ImageType, dataset.InstanceNumber = ["ORIGINAL", "PRIMARY"], 1
    samples = 3 if photometric == "RGB" else 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = samples, photometric
    if samples == 3:
        dataset.PlanarConfiguration = 0
    bits = image.dtype.itemsize * 8
    dataset.Rows, dataset.Columns = image.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits, bits - 1, 0
    places = {"RegionLocationMinX0": 0, "RegionLocationMinY0": 0, "RegionLocationMaxX1": 9, "RegionLocationMaxY1": 9}
    kind = {"RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0}
    if regions:
        dataset.SequenceOfUltrasoundRegions = [
            _item(
                PhysicalUnitsXDirection=units, PhysicalUnitsYDirection=3, PhysicalDeltaX=x, PhysicalDeltaY=y,
                **places, **kind,
            )
            for x, y in regions
        ]  # fmt: skip
    if position is not None:
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = list(position), list(orientation or ())
        dataset.PixelSpacing, dataset.FrameOfReferenceUID = [0.3, 0.3], "1.2.826.0.1.3680043.8.498.9.77"
        dataset.PositionReferenceIndicator = ""
    raw = (np.repeat(image[..., None], samples, axis=2)).astype(f"<u{bits // 8}").tobytes()
    dataset.add_new("PixelData", "OW" if bits > 8 else "OB", raw)
    dataset.save_as(path, enforce_file_format=True)
    return path


def enhanced_ultrasound(path: Path, array: np.ndarray, *, in_patient: bool) -> Path:
    """An ultrasound volume: frames towards the front, rows to the feet, columns to the right, voxels of 1 mm.

    Args:
        path: New file.
        array: (D, H, W) uint8.
        in_patient: Whether its places are those of the patient (a grayscale capture), or its own (an enhanced volume).
    """
    kind = MultiFrameGrayscaleByteSecondaryCaptureImageStorage if in_patient else EnhancedUSVolumeStorage
    dataset = _header(kind, "10")
    dataset.ImageType, dataset.InstanceNumber = ["ORIGINAL", "PRIMARY"], 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = array.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.10.77"
    place, side = ("Patient", "") if in_patient else ("Volume", "Volume")
    turn = np.array(CORONAL_AXES if in_patient else np.eye(3))
    shared = _item(PixelMeasuresSequence=[_item(PixelSpacing=[1, 1], SliceThickness=1)])
    directions = _item(**{f"ImageOrientation{place}": turn[:2].ravel().tolist()})
    setattr(shared, f"PlaneOrientation{side}Sequence", [directions])
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(**{f"PlanePosition{side}Sequence": [_item(**{f"ImagePosition{place}": (k * turn[2]).tolist()})]})
        for k in range(len(array))
    ]
    dataset.add_new("PixelData", "OB", array.tobytes())
    dataset.save_as(path, enforce_file_format=True)
    return path


def _header(sop_class: str, number: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    uid = f"1.2.826.0.1.3680043.8.498.{number}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = f"{uid}.1.1"
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = f"{uid}.1", uid
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Test^Two", "8", "", "F"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20200102", "030405", "1", ""
    dataset.ReferringPhysicianName, dataset.Manufacturer, dataset.SeriesNumber = "", "Test", 3
    dataset.Modality, dataset.SeriesDescription, dataset.BodyPartExamined = "US", "back", "SPINE"
    return dataset


def frames(segmentation: Dataset) -> dict[tuple[int, str, int], tuple[np.ndarray, tuple[float, ...]]]:
    """Mask and position of every frame by segment, UID of its source image and frame of that, as pydicom reads it."""
    found = {}
    pixels = segmentation.pixel_array.reshape(-1, segmentation.Rows, segmentation.Columns)
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    for mask, item in zip(pixels, segmentation.PerFrameFunctionalGroupsSequence, strict=True):
        identified = (item if "SegmentIdentificationSequence" in item else shared).SegmentIdentificationSequence[0]
        (source,) = item.DerivationImageSequence[0].SourceImageSequence
        place = item.PlanePositionSequence[0].ImagePositionPatient if "PlanePositionSequence" in item else ()
        key = (int(identified.ReferencedSegmentNumber), str(source.ReferencedSOPInstanceUID))
        found[(*key, int(source.get("ReferencedFrameNumber", 1)))] = mask, tuple(map(float, place))
    return found


def assert_holds(segmentation: Dataset, labels: np.ndarray, volume: Volume) -> None:
    """Every voxel of a label map is in the segmentation, with the image and the place that it belongs to."""
    found = frames(segmentation)
    assert volume.series is not None
    positions = volume.grid.slice_positions(len(labels))
    for k, one in enumerate(volume.series.slices):
        for number in range(1, len(segmentation.SegmentSequence) + 1):
            wanted = labels[k] == number
            held = found.pop((number, one.sop_instance_uid, one.frame + 1), None)
            if held is None:
                assert not wanted.any()
                continue
            np.testing.assert_array_equal(held[0].astype(bool), wanted)
            if held[1]:
                np.testing.assert_allclose(held[1], positions[k], atol=1e-6)
    assert not found


def faults(path: Path) -> list[str]:
    """What dciodvfy, David Clunie's validator, finds wrong; nothing when it is not installed.

    What is wrong with the patient was taken over from the source and is left out.
    """
    program = shutil.which("dciodvfy")
    if program is None:
        return []
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.startswith("Error") and "Module=<Patient>" not in line]


def missing(dataset: Dataset) -> list[str]:
    """Attributes of type 1 and 2 at the top of mandatory modules that are absent, or empty where they may not be.

    The module of a report's content lists what depends on the kind of each item and is left out.
    """
    lacking = []
    for module in get_iod_module_map()[get_sop_class_iod_map()[dataset.SOPClassUID]]:
        for attribute in get_module_attribute_map()[module["key"]] if _is_plain(module) else ():
            keyword, needed = attribute["keyword"], attribute["type"]
            if attribute["path"] or needed not in ("1", "2"):
                continue
            if keyword not in dataset or (needed == "1" and dataset[keyword].is_empty):
                lacking.append(f"{module['key']}: {keyword}")
    return lacking


def _is_plain(module: dict[str, str]) -> bool:
    return module["usage"] == "M" and module["key"] != "sr-document-content"


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
