"""Writes a picture that was made from a series, such as a projection of a volume, as a DICOM secondary capture."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import SecondaryCaptureImageStorage
from pydicom.valuerep import DSfloat

from medenhance.dicom.derivation import Derivation, describe, identifier
from medenhance.dicom.headers import tolerant_reading
from medenhance.dicom.series import DicomSeries
from medenhance.dicom.source_header import (
    add_required_elements,
    as_single_frame,
    remove_stale_elements,
    source_headers,
)
from medenhance.dicom.write import write_dataset
from medenhance.volume import Grid

# What says how the frames of the source lie or were made; the picture lies elsewhere.
_OF_THE_FRAMES = (
    "ImagePositionPatient ImageOrientationPatient PixelSpacing SliceThickness SpacingBetweenSlices SliceLocation "
    "SequenceOfUltrasoundRegions RescaleSlope RescaleIntercept RescaleType WindowCenter WindowWidth VOILUTFunction "
    "FrameTime FrameTimeVector NumberOfFrames UltrasoundAcquisitionGeometry ImagePositionVolume ImageOrientationVolume "
    "VolumeFrameOfReferenceUID VolumeToTableMappingMatrix VolumeToTransducerMappingMatrix ApexPosition "
    "TransducerGeometryCodeSequence DimensionOrganizationType FrameOfReferenceUID"
)


def write_capture(
    image: np.ndarray, grid: Grid, source: DicomSeries, path: Path, derivation: Derivation
) -> tuple[str, ...]:
    """Write one grey picture.

    Args:
        image: (H, W) uint8.
        grid: Where it lies; its place is stated when the source's frames lie in the patient.
        source: What it was made from.
        path: New .dcm file, in a folder that is there.
        derivation: How.

    Returns:
        What a user should know about the output, one sentence each.
    """
    first = source.slices[0]
    ((_, whole),) = source_headers((first,))
    with tolerant_reading():
        dataset, malformed = as_single_frame(whole, first)
        remove_stale_elements(dataset)
        describe(dataset, first, source, derivation)
        dataset.SOPClassUID, dataset.ConversionType = SecondaryCaptureImageStorage, "WSD"
        dataset.PatientOrientation = None  # a secondary capture has to have it, its place notwithstanding
        for keyword in _OF_THE_FRAMES.split():
            if keyword in dataset and not (keyword == "FrameOfReferenceUID" and first.is_in_patient):
                delattr(dataset, keyword)
        _refer_to_all(dataset, source)
        _place(dataset, grid, in_patient=first.is_in_patient)
        add_required_elements(dataset, source.series_uid)
        digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
        dataset.SeriesInstanceUID = identifier("capture", source.series_uid, derivation.fingerprint, digest)
        dataset.SOPInstanceUID = identifier("captured", source.series_uid, derivation.fingerprint, digest)
        dataset.InstanceNumber = 1
        _set_pixels(dataset, image)
        malformed += write_dataset(dataset, path)
    left_out = ", ".join(sorted(set(malformed)))
    return (f"Malformed header elements of the source were left out: {left_out}.",) if malformed else ()


def _refer_to_all(dataset: Dataset, source: DicomSeries) -> None:
    """Name every instance that the picture was made from; no pixel of it lies where one of theirs does."""
    (example,) = dataset.SourceImageSequence
    if "ReferencedFrameNumber" in example:
        del example.ReferencedFrameNumber
    example.SpatialLocationsPreserved = "NO"
    references = {}
    for one in source.slices:
        item = Dataset(example)
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.sop_class_uid, one.sop_instance_uid
        references[one.sop_instance_uid] = item
    dataset.SourceImageSequence = Sequence(references.values())


def _place(dataset: Dataset, grid: Grid, *, in_patient: bool) -> None:
    between_columns, between_rows, thickness = grid.spacing_mm
    dataset.PixelSpacing = [DSfloat(between_rows, auto_format=True), DSfloat(between_columns, auto_format=True)]
    if in_patient:
        axes = np.reshape(grid.direction, (3, 3))[:, :2].T.ravel()
        dataset.ImagePositionPatient = [DSfloat(float(value), auto_format=True) for value in grid.origin_mm]
        dataset.ImageOrientationPatient = [DSfloat(float(value), auto_format=True) for value in axes]
        dataset.SliceThickness = DSfloat(thickness, auto_format=True)


def _set_pixels(dataset: Dataset, image: np.ndarray) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = image.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    raw = np.asarray(image, np.uint8).tobytes()
    dataset.add_new("PixelData", "OB", raw + b"\0" * (len(raw) % 2))
