"""Which studies lie below a folder: what `medenhance batch` works through."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from medenhance.dicom.headers import is_dicom
from medenhance.dicom.scan import CAPTURES, find_series
from medenhance.dicom.series import DicomSeries
from medenhance.errors import Cancelled
from medenhance.failures import Failure, describe
from medenhance.image_files import image_format
from medenhance.progress import Progress, Silent, checkpoint


@dataclass(frozen=True)
class Study:
    """One thing to work on.

    Attributes:
        name: Its path below the root, with "/" between folders.
        path: Folder or file to read.
        series: SeriesInstanceUID, when the folder holds several CT series.
        files: All files that it is read from.
        problem: Why it cannot even be listed.
    """

    name: str
    path: Path
    series: str | None
    files: tuple[Path, ...]
    problem: Failure | None = None

    @property
    def is_dicom(self) -> bool:
        return image_format(self.path) is None


def find_studies(root: Path, progress: Progress) -> list[Study]:
    """Every image file, and every CT series of every folder that holds DICOM files, in alphabetical order.

    A folder with DICOM files is taken together with its subfolders, as reading takes it: an exported CD spreads one
    series over many folders.
    """
    places = sorted(_places(root))
    studies: list[Study] = []
    for index, place in enumerate(places):
        checkpoint(progress, "scan", index / len(places))
        name = PurePath(place.relative_to(root)).as_posix()
        name = root.resolve().name if name == "." else name
        studies += [_image_study(place, name)] if place.is_file() else _dicom_studies(place, name)
    progress.update("scan", 1.0)
    return studies


def _places(root: Path) -> Iterator[Path]:
    """Image files, and the topmost folders that hold DICOM files directly."""
    dicom_above: Path | None = None
    for parent, folders, names in os.walk(root, followlinks=True):
        folder = Path(parent)
        folders[:] = sorted(name for name in folders if not (name.startswith(".") or _leads_back(folder / name)))
        files = [folder / name for name in sorted(names) if not name.startswith(".")]
        yield from (file for file in files if image_format(file) is not None)
        below = dicom_above is not None and dicom_above in folder.parents
        if not below and any(_is_dicom_file(file) for file in files):
            dicom_above = folder
            yield folder


def _leads_back(folder: Path) -> bool:
    """Whether a link points to a folder that it lies in."""
    return folder.is_symlink() and folder.resolve() in folder.parent.resolve().joinpath("x").parents


def _is_dicom_file(file: Path) -> bool:
    return image_format(file) is None and file.is_file() and is_dicom(file)


def _image_study(path: Path, name: str) -> Study:
    raw = [path.with_suffix(suffix) for suffix in (".raw", ".zraw")] if image_format(path) == ".mhd" else []
    return Study(name, path, None, (path, *(file for file in raw if file.is_file())))


def _dicom_studies(folder: Path, name: str) -> list[Study]:
    """One study a CT series; a folder without any, or with a damaged file, is one study with a problem."""
    try:
        found, _ = find_series(folder, Silent())
    except Cancelled:
        raise
    except Exception as error:  # whatever a damaged file leads to must not stop the other studies
        return [Study(name, folder, None, (), describe(error))]
    stacks = [series for series in found if _is_ct_stack(series)]
    if not stacks:
        kinds = ", ".join(sorted({series.modality or "unknown" for series in found}))
        problem = Failure(
            "input-unsuitable", f"there are no CT slices here, only {kinds}.", "Take it out of the folder."
        )
        return [Study(name, folder, None, _files(found), problem)]
    if len(stacks) == 1:
        return [Study(name, folder, stacks[0].series_uid, _files(stacks))]
    return [Study(f"{name}/{series.series_uid}", folder, series.series_uid, _files([series])) for series in stacks]


def _is_ct_stack(series: DicomSeries) -> bool:
    sections = (one for one in series.slices if not one.is_localizer and one.sop_class_uid not in CAPTURES)
    return series.modality == "CT" and any(sections)


def _files(series: list[DicomSeries]) -> tuple[Path, ...]:
    return tuple(sorted({one.path for each in series for one in each.slices}))
