"""Small folders of DICOM slices in the layouts of the public paired data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def write_slice(
    path: Path,
    z: float,
    *,
    patient: str = "L067",
    value: int = 1064,
    number: int | None = 1,
    series: str = "full",
    description: str = "",
    kernel: str | None = "B30f",
    thickness: float = 3.0,
    spacing: float = 0.7,
    orientation: tuple[float, ...] = AXIAL,
    x: float = -20.0,
    modality: str = "CT",
    size: int = 24,
) -> Path:
    """One slice whose stored values are ``value`` with a soft-tissue square in the middle."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    dataset.PatientID, dataset.Modality, dataset.SeriesDescription = patient, modality, description
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[patient])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[patient, series])
    dataset.InstanceNumber, dataset.ImageType = number, ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [x, 5.0, z], list(orientation)
    dataset.PixelSpacing, dataset.SliceThickness = [spacing, spacing], thickness
    if kernel is not None:
        dataset.ConvolutionKernel = kernel
    dataset.Rows = dataset.Columns = size
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    pixels = np.full((size, size), 24, np.uint16)
    pixels[4:-4, 4:-4] = value
    dataset.PixelData = pixels.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def write_series(folder: Path, names: list[str], heights: list[float], **options: object) -> list[Path]:
    """Slices under these names at these heights, numbered from 1; slice k's tissue is 1064 + k."""
    return [
        write_slice(folder / name, z, number=k + 1, value=1064 + k, **options)  # type: ignore[arg-type]
        for k, (name, z) in enumerate(zip(names, heights, strict=True))
    ]
