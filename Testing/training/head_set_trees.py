"""Small folders in the layouts of the public head CT sets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

KINDS = ("any", "epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")


def write_volume(path: Path, array: np.ndarray, spacing: tuple[float, float, float] = (0.5, 0.5, 5.0)) -> Path:
    """(D, H, W) as NIfTI."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def blank(depth: int = 4, side: int = 6) -> np.ndarray:
    return np.zeros((depth, side, side), np.int16)


def drawn(label: int, slices: Iterable[int] = (1, 2), depth: int = 4) -> np.ndarray:
    """A mask with a block of this label on these slices."""
    mask = blank(depth).astype(np.uint8)
    for k in slices:
        mask[k, 2:4, 2:4] = label
    return mask


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def write_dicom(
    path: Path,
    z: float,
    *,
    patient: str = "p1",
    series: str = "s1",
    thickness: float = 5.0,
    intercept: float = -1024,
    bits: int = 16,
    cut_off: bool = False,
    size: int = 8,
    **changes: object,
) -> Path:
    """One slice; the series belongs to the patient."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
    dataset.PatientID, dataset.Modality = patient, "CT"
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[patient])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[patient, series])
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [-20.0, 5.0, z], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.4, 0.5], thickness
    dataset.Rows = dataset.Columns = size
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, bits, bits - 1, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, intercept
    dataset.PixelData = np.full((size, size), 1060, np.uint16).tobytes()
    for name, value in changes.items():
        setattr(dataset, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    if cut_off:
        path.write_bytes(path.read_bytes()[: -size * size])
    return path


def rsna(root: Path, slices: Mapping[str, tuple[str, float, Iterable[str]]], folder: str = "stage_2_train") -> Path:
    """RSNA 2019: slice -> patient (whose one series it is in), height, kinds of blood; and the table."""
    rows = []
    for name, (patient, z, kinds) in slices.items():
        write_dicom(root / folder / f"{name}.dcm", z, patient=patient)
        rows += [(f"{name}_{kind}", int(kind in kinds)) for kind in KINDS]
    write_table(root / f"{folder}.csv", ("ID", "Label"), rows)
    return root


def physionet(root: Path, patients: Mapping[int, Mapping[int, str]], depth: int = 4) -> Path:
    """PhysioNet CT-ICH: patient -> slice from 1 -> column of its blood; masks are 0 and 255."""
    columns = ("Intraventricular", "Intraparenchymal", "Subarachnoid", "Epidural", "Subdural")
    rows = []
    for patient, blood in patients.items():
        write_volume(root / "ct_scans" / f"{patient:03d}.nii", blank(depth))
        write_volume(root / "masks" / f"{patient:03d}.nii", drawn(255, (k - 1 for k in blood), depth))
        for k in range(1, depth + 1):
            kind = blood.get(k)
            rows.append([patient, k, *(int(c == kind) for c in columns), int(kind is None), 0])
    names = ("PatientNumber", "SliceNumber", *columns, "No_Hemorrhage", "Fracture_Yes_No")
    write_table(root / "hemorrhage_diagnosis_raw_ct.csv", names, rows)
    return root


def cq500_reads(path: Path, scans: Mapping[int, Mapping[str, tuple[int, int, int]]]) -> Path:
    """reads.csv: scan -> column -> votes of the three readers; others are 0."""
    columns = ("ICH", "IPH", "IVH", "SDH", "EDH", "SAH", "ChronicBleed", "Fracture", "MassEffect", "MidlineShift")
    names = [f"R{r}:{column}" for r in (1, 2, 3) for column in columns]
    rows = [
        [f"CQ500-CT-{n}", "B1", *(votes.get(column, (0, 0, 0))[r] for r in range(3) for column in columns)]
        for n, votes in scans.items()
    ]
    return write_table(path, ("name", "Category", *names), rows)
