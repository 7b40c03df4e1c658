"""Slices of a DICOM set: what the headers say, in the order from the feet to the head, with what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from medenhance.dicom.headers import is_dicom, read_dataset, tolerant_reading

# Above this intercept, CT numbers of air do not fit into unsigned pixels of 12 bits: they have wrapped around.
_LOWEST_INTERCEPT = -100.0
_WRAP_BITS = 12
# Two slices nearer than this are the same place.
_SAME_MM = 0.01
# Gaps that differ by more are no rounding of positions.
_UNEQUAL_MM = 0.1


@dataclass(frozen=True)
class HeadSlice:
    """One single-frame CT slice.

    Attributes:
        path: The file.
        patient_id, series_uid: As the header states them.
        height_mm: Along the slice normal, rising to the head.
        spacing_mm: Distance of columns, of rows.
        thickness_mm: 0 where not stated.
        shape: (H, W).
        wrapped: Unsigned pixels of 12 bits whose CT numbers below zero have wrapped around.
    """

    path: Path
    patient_id: str
    series_uid: str
    height_mm: float
    spacing_mm: tuple[float, float]
    thickness_mm: float
    shape: tuple[int, int]
    wrapped: bool


def read_slice(path: Path) -> HeadSlice | str:
    """The slice in a file, or why it cannot be used."""
    with tolerant_reading():
        try:
            if not is_dicom(path):
                return "no DICOM file"
            dataset = read_dataset(path)
            return _problem(dataset, path) or _slice(dataset, path)
        except Exception as error:  # pydicom lets anything through that a malformed value can cause
            return f"damaged: {type(error).__name__}: {error}"


def ordered(slices: Iterable[HeadSlice]) -> tuple[list[HeadSlice], list[str]]:
    """From the feet to the head, with what should be known of the stack; of slices at one place the first is kept."""
    rising = sorted(slices, key=lambda one: (one.height_mm, one.path.name))
    kept = [one for n, one in enumerate(rising) if n == 0 or one.height_mm - rising[n - 1].height_mm > _SAME_MM]
    notes = []
    if len(kept) < len(rising):
        notes.append(f"{len(rising) - len(kept)} slices stood where another one does")
    gaps = np.diff([one.height_mm for one in kept])
    if len(gaps) and np.ptp(gaps) > _UNEQUAL_MM:
        notes.append(f"unequal gaps, {gaps.min():.2f} to {gaps.max():.2f} mm")
    wrapped = sum(one.wrapped for one in kept)
    if wrapped:
        notes.append(f"{wrapped} slices with unsigned 12-bit pixels that wrapped around: see unwrapped()")
    return kept, notes


def spacing_of(slices: Sequence[HeadSlice]) -> tuple[float, float, float]:
    """Of columns, rows and slices; the thickness where there is a single slice."""
    gaps = np.diff([one.height_mm for one in slices])
    between = float(np.median(gaps)) if len(gaps) else slices[0].thickness_mm
    return (*slices[0].spacing_mm, between)


def unwrapped(stored: np.ndarray) -> np.ndarray:
    """CT numbers, HU, of stored values whose negative ones wrapped around 4096 (RSNA 2019, `HeadSlice.wrapped`).

    Air of -1000 HU is stored as 3096: what lies above the range of CT numbers, -1000 to 3095 HU, is 4096 too high.
    """
    shifted = stored.astype(np.int32) + 1000
    return np.where(shifted >= 2**_WRAP_BITS, shifted - 2**_WRAP_BITS, shifted).astype(np.float32) - 1000.0


def _problem(dataset: Dataset, path: Path) -> str:
    if str(dataset.get("Modality") or "CT") != "CT" or "Rows" not in dataset:
        return f"no CT image but modality {dataset.get('Modality')}"
    if "LOCALIZER" in (dataset.get("ImageType") or []):
        return "a localizer"
    needed = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SeriesInstanceUID")
    missing = [key for key in needed if not dataset.get(key)]
    if missing:
        return f"it states no {', '.join(missing)}"
    if not dataset.file_meta.get("TransferSyntaxUID", "").is_compressed:
        whole = int(dataset.Rows) * int(dataset.Columns) * int(dataset.BitsAllocated) // 8
        if path.stat().st_size < whole:
            return f"cut off: {path.stat().st_size} bytes hold no image of {whole}"
    return ""


def _slice(dataset: Dataset, path: Path) -> HeadSlice:
    row, column = np.reshape([float(v) for v in dataset.ImageOrientationPatient], (2, 3))
    height = float(np.dot([float(v) for v in dataset.ImagePositionPatient], np.cross(row, column)))
    rows, columns = (float(v) for v in dataset.PixelSpacing)
    return HeadSlice(
        path=path,
        patient_id=str(dataset.get("PatientID") or ""),
        series_uid=str(dataset.SeriesInstanceUID),
        height_mm=height,
        spacing_mm=(columns, rows),
        thickness_mm=float(dataset.get("SliceThickness") or 0.0),
        shape=(int(dataset.Rows), int(dataset.Columns)),
        wrapped=_wraps(dataset),
    )


def _wraps(dataset: Dataset) -> bool:
    unsigned = int(dataset.get("PixelRepresentation") or 0) == 0
    bits = int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0)
    return unsigned and bits == _WRAP_BITS and float(dataset.get("RescaleIntercept") or 0.0) > _LOWEST_INTERCEPT
