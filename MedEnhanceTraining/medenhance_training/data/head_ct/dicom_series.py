"""A simulated scan as a DICOM series, with its tilt and its slices' true positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from medenhance.dicom.derivation import identifier
from medenhance.dicom.write import write_dataset
from medenhance.files import replacing
from medenhance_training.data.head_ct.case import HeadCase

NOTE = "Simulated. Not a patient; research use only."


def write_series(case: HeadCase, folder: Path) -> tuple[Path, ...]:
    """Write one file a slice, `0001.dcm` first from the foot, into a folder that is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    positions = case.grid.slice_positions(len(case.hu))
    paths = []
    for k, position in enumerate(positions):
        dataset = _header(case)
        dataset.InstanceNumber = k + 1
        dataset.SOPInstanceUID = identifier("head-ct", case.preset, str(case.seed), str(k))
        dataset.ImagePositionPatient = [f"{v:.6g}" for v in position]
        dataset.SliceLocation = f"{position[2]:.6g}"
        dataset.PixelData = np.rint(case.hu[k]).astype("<i2").tobytes()
        path = folder / f"{k + 1:04d}.dcm"
        with replacing(path) as temporary:
            write_dataset(dataset, temporary)
        paths.append(path)
    return tuple(paths)


def _header(case: HeadCase) -> Dataset:
    """What all slices share."""
    dataset, grid = Dataset(), case.grid
    name = f"SIM-{case.preset.upper().replace('_', '-')}-{case.seed:05d}"
    dataset.SOPClassUID = CTImageStorage
    dataset.StudyInstanceUID = identifier("head-ct study", case.preset, str(case.seed))
    dataset.SeriesInstanceUID = identifier("head-ct series", case.preset, str(case.seed))
    dataset.FrameOfReferenceUID = identifier("head-ct frame", case.preset, str(case.seed))
    dataset.PatientName = dataset.PatientID = name
    dataset.PatientBirthDate = dataset.PatientSex = ""
    if np.isfinite(case.age_years):
        dataset.PatientAge = f"{int(case.age_years):03d}Y"
    dataset.StudyDate = dataset.StudyTime = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.StudyID, dataset.SeriesNumber, dataset.Modality = "1", 1, "CT"
    dataset.Manufacturer, dataset.ManufacturerModelName = "MedEnhance", "head CT simulator"
    dataset.SeriesDescription, dataset.ImageComments = "Simulated head CT", NOTE
    dataset.BodyPartExamined, dataset.PatientPosition, dataset.PositionReferenceIndicator = "HEAD", "HFS", ""
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.KVP, dataset.AcquisitionNumber, dataset.ConvolutionKernel = "120", 1, "SIMULATED"
    direction = np.reshape(grid.direction, (3, 3))
    dataset.ImageOrientationPatient = [f"{v:.8f}" for v in (*direction[:, 0], *direction[:, 1])]
    dataset.GantryDetectorTilt = f"{np.degrees(np.arcsin(-direction[2, 1])):.4g}"
    dataset.PixelSpacing = [f"{grid.spacing_mm[1]:.8g}", f"{grid.spacing_mm[0]:.8g}"]
    dataset.SliceThickness = f"{grid.spacing_mm[2]:.6g}"
    dataset.Rows, dataset.Columns = case.hu.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "HU"
    dataset.WindowCenter, dataset.WindowWidth = "40", "80"
    return dataset
