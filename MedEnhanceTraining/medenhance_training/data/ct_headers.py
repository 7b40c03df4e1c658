"""The CT slices below a folder, found by what the files are and not by how they are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from medenhance.dicom.headers import is_dicom, read_dataset, tolerant_reading
from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.volume import Vector


@dataclass(frozen=True)
class CtHeader:
    """What pairing needs to know of one single-frame CT slice.

    Attributes:
        path: The file.
        patient_id, series_uid, description, kernel: As the header states them; "" when it does not.
        instance_number: None when not stated.
        position_mm: LPS position of the first pixel.
        orientation: Unit vectors along a row and down a column, LPS.
        spacing_mm: Distance between rows, between columns.
        thickness_mm: Slice thickness; 0 when not stated.
        shape: (H, W).
    """

    path: Path
    patient_id: str
    series_uid: str
    description: str
    kernel: str
    instance_number: int | None
    position_mm: Vector
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]
    thickness_mm: float
    shape: tuple[int, int]

    @property
    def height_mm(self) -> float:
        """Position along the slice normal."""
        row, column = np.reshape(self.orientation, (2, 3))
        return float(np.dot(self.position_mm, np.cross(row, column)))


@dataclass(frozen=True)
class Skipped:
    """A file that was not used, and why."""

    path: Path
    reason: str


def find_ct_slices(
    root: Path, enter: Callable[[Path], bool] | None = None, progress: Progress | None = None
) -> tuple[list[CtHeader], list[Skipped]]:
    """Read the header of every CT slice in a folder and its subfolders.

    Args:
        root: The folder.
        enter: Whether to look into a subfolder; into all by default.
        progress: Told how far it is.

    Returns:
        The slices in the order of their paths, and the DICOM files that are none or cannot be read. Files that are not
        DICOM are left out silently: data sets hold tables, licences and previews.

    Raises:
        MedEnhanceError: input-missing when there is no such folder or no CT slice in it.
    """
    if not root.is_dir():
        raise MedEnhanceError("input-missing", f"{root} is not a folder.", "Give the data set's folder.")
    found: list[CtHeader] = []
    skipped: list[Skipped] = []
    files, progress = list(_files(root, enter)), progress or Silent()
    for i, path in enumerate(files):
        checkpoint(progress, "scan", i / len(files))
        if is_dicom(path):
            header = _read(path)
            (skipped if isinstance(header, Skipped) else found).append(header)  # type: ignore[arg-type]
    if not found:
        raise MedEnhanceError(
            "input-missing",
            f"{root} holds no CT slices ({len(files)} files looked at, {len(skipped)} of them other DICOM files).",
            "Give the folder that holds the patients' folders.",
        )
    return found, skipped


def _files(folder: Path, enter: Callable[[Path], bool] | None) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if enter is None or enter(path):
                yield from _files(path, enter)
        elif path.is_file() and not path.name.startswith("."):
            yield path


def _read(path: Path) -> CtHeader | Skipped:
    with tolerant_reading():
        try:
            dataset = read_dataset(path)
            reason = _unsuitable(dataset)
            return Skipped(path, reason) if reason else _header(dataset, path)
        except Exception as error:  # pydicom lets anything through that a malformed value can cause
            return Skipped(path, f"damaged: {type(error).__name__}: {error}")


def _unsuitable(dataset: Dataset) -> str:
    modality = str(dataset.get("Modality") or "unknown")
    if modality != "CT" or "Rows" not in dataset:
        return f"no CT image but modality {modality}"
    if "LOCALIZER" in (dataset.get("ImageType") or []):
        return "a localizer"
    missing = [k for k in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing") if not dataset.get(k)]
    return f"it states no {', '.join(missing)}" if missing else ""


def _header(dataset: Dataset, path: Path) -> CtHeader:
    x, y, z = (float(v) for v in dataset.ImagePositionPatient)
    rows, columns = (float(v) for v in dataset.PixelSpacing)
    number, kernel = dataset.get("InstanceNumber"), dataset.get("ConvolutionKernel")
    return CtHeader(
        path=path,
        patient_id=str(dataset.get("PatientID") or ""),
        series_uid=str(dataset.get("SeriesInstanceUID") or ""),
        description=str(dataset.get("SeriesDescription") or ""),
        kernel=kernel if isinstance(kernel, str) else "/".join(kernel or ()),
        instance_number=None if number is None else int(number),
        position_mm=(x, y, z),
        orientation=tuple(float(v) for v in dataset.ImageOrientationPatient),
        spacing_mm=(rows, columns),
        thickness_mm=float(dataset.get("SliceThickness") or 0.0),
        shape=(int(dataset.Rows), int(dataset.Columns)),
    )
