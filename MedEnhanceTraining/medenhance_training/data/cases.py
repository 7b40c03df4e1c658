"""From a study or a paired scan to an index entry, and from the entry to the arrays that training draws from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medenhance.dicom.headers import read_header
from medenhance.dicom.values import read_slice
from medenhance.errors import MedEnhanceError
from medenhance.study import read_study
from medenhance_training.data.bank import NormalSlice, TrainingSlice, recorded_slice
from medenhance_training.data.index import Case, IndexedFile, indexed_file
from medenhance_training.data.studies import AIR_HU, RANGE_HU, normal_slices, slice_thickness_mm


def study_case(
    path: Path, root: Path, source: str, licence: str, patient_id: str = "", series_uid: str | None = None
) -> Case:
    """The index entry of a CT study of normal dose.

    Args:
        path: Anything that `read_study` reads, below ``root``.
        root: The index's folder.
        source: Name of the data set.
        licence: Licence of the images.
        patient_id: Whose study it is; by default every study is a patient of its own.
        series_uid: Which series, when the study holds several.

    Raises:
        MedEnhanceError: The study cannot be read or is no CT of a body with square pixels.
    """
    volume = read_study(path, series_uid)
    first = normal_slices(volume)[0]
    name = path.resolve().relative_to(root.resolve()).as_posix()
    files = sorted({one.path for one in volume.series.slices}) if volume.series is not None else [path]
    return Case(
        id=f"{source}/{name}" + (f"#{series_uid}" if series_uid else ""),
        patient_id=f"{source}/{patient_id or name}",
        source=source,
        licence=licence,
        spacing_mm=first.spacing_mm,
        slice_mm=slice_thickness_mm(volume, first.slice_mm),
        kernel="",
        dose=1.0,
        normal=tuple(indexed_file(file, root) for file in files),
        study=name,
        series_uid=volume.series.series_uid if volume.series is not None else "",
    )


def load_normal(case: Case, root: Path) -> list[NormalSlice]:
    """The normal-dose slices of a case, whose weights add up to 1.

    Raises:
        MedEnhanceError: A file is missing or cannot be read.
    """
    if case.study:
        return normal_slices(read_study(root / case.study, case.series_uid or None))
    weight = 1.0 / len(case.normal)
    return [NormalSlice(_hu(root, file), case.spacing_mm, case.slice_mm or 1.0, weight) for file in case.normal]


def load_pairs(case: Case, root: Path) -> list[TrainingSlice]:
    """The pairs of a case, whose weights add up to 1.

    Raises:
        MedEnhanceError: The case has none, or a file is missing or cannot be read.
    """
    if not case.is_paired:
        raise MedEnhanceError("input-unsuitable", f"{case.id} has no low-dose slices.", "Simulate them.")
    weight = 1.0 / len(case.normal)
    both = zip(case.normal, case.low, strict=True)
    return [recorded_slice(_hu(root, normal), _hu(root, low), weight) for normal, low in both]


def _hu(root: Path, file: IndexedFile) -> np.ndarray:
    """(H, W) float32, HU, with padding as air."""
    path = root / file.path
    if not path.is_file():
        raise MedEnhanceError("input-missing", f"{path} is in the index but not there.", "Make the index anew.")
    hu = read_slice(read_header(path).slices[0])
    return np.clip(np.where(hu < RANGE_HU[0], np.float32(AIR_HU), hu), *RANGE_HU)
