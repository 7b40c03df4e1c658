"""Finds the DICOM files below a path, groups them by series and picks the one to read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom.uid import MediaStorageDirectoryStorage

from medenhance.dicom.headers import FileHeader, is_dicom, read_header, unreadable
from medenhance.dicom.series import CAPTURES as CAPTURES
from medenhance.dicom.series import DicomSeries, SliceHeader
from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, checkpoint

MAX_NAMED = 5


def find_series(path: Path | Sequence[Path], progress: Progress) -> tuple[list[DicomSeries], tuple[str, ...]]:
    """All image series of a file, of several, or of a folder and its subfolders, and what was skipped.

    Raises:
        MedEnhanceError: input-unsuitable when there is none, input-unreadable for a damaged file.
    """
    files, path = _files_and_place(path)
    headers, strangers = [], []
    for index, file in enumerate(files):
        checkpoint(progress, "scan", index / len(files))
        header = _header_of(file)
        if header is None:
            strangers.append(file)
        else:
            headers.append(header)
    if not headers:
        raise _nothing_to_read(path, strangers)
    images = [header for header in headers if header.slices]
    broken = [header for header in headers if header.problem]
    if not images:
        for header in broken:
            assert header.problem is not None
            raise header.problem
        kinds = _counted(header.kind for header in headers)
        raise MedEnhanceError(
            "input-unsuitable", f"{path} holds no images: {kinds}.", "Give the folder of the CT slices."
        )
    others = [h for h in headers if not h.slices and not h.problem and h.sop_class_uid != MediaStorageDirectoryStorage]
    series = _grouped(images, broken)
    lost = [header for header in broken if header.series_uid not in {"", *(one.series_uid for one in series)}]
    return series, _skipped(others, strangers, lost)


def choose_series(found: list[DicomSeries], series_uid: str | None) -> tuple[DicomSeries, tuple[str, ...]]:
    """The named series, or the only one that can be meant; it is whole.

    CT goes before other modalities, and slices before localizers and screen captures.

    Raises:
        MedEnhanceError: series-ambiguous with a list of the series; input-missing when the named one is not there;
            input-unreadable when one of its files is damaged.
    """
    chosen, warnings = _chosen(found, series_uid)
    if chosen.problem is not None:
        raise chosen.problem
    return chosen, warnings


def _chosen(found: list[DicomSeries], series_uid: str | None) -> tuple[DicomSeries, tuple[str, ...]]:
    if series_uid is not None:
        named = [series for series in found if series.series_uid == series_uid]
        if not named:
            raise MedEnhanceError(
                "input-missing", f"There is no series {series_uid}; there are:\n{_listed(found)}", "Name one of these."
            )
        return named[0], ()
    candidates = [series for series in found if series.modality == "CT"] or found
    candidates = [series for series in candidates if _is_stack(series)] or candidates
    if len(candidates) > 1:
        raise MedEnhanceError(
            "series-ambiguous",
            f"There are {len(candidates)} series:\n{_listed(candidates)}",
            "Name one of them with --series UID.",
        )
    left_out = [series for series in found if series is not candidates[0]]
    if not left_out:
        return candidates[0], ()
    return candidates[0], (f"Other series were left out:\n{_listed(left_out)}",)


def _files_and_place(path: Path | Sequence[Path]) -> tuple[list[Path], Path]:
    """Every file, and what a message names as the place of all."""
    if not isinstance(path, Path):
        return list(path), path[0] if len(path) == 1 else path[0].parent
    return [path] if path.is_file() else list(files_below(path)), path


def _header_of(file: Path) -> FileHeader | None:
    """None when the file is not DICOM."""
    try:
        return read_header(file) if is_dicom(file) else None
    except OSError as error:
        raise unreadable(file, error.strerror or str(error)) from error


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in a fixed order; hidden ones are left out."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.startswith(".") and (Path(parent) / name).is_file():
                yield Path(parent) / name


def _grouped(images: list[FileHeader], broken: list[FileHeader]) -> list[DicomSeries]:
    problems = {header.series_uid: header.problem for header in reversed(broken)}
    anywhere = problems.get("")  # it does not say which series it belongs to, so any may be incomplete
    groups: dict[str, list[FileHeader]] = {}
    for header in images:
        groups.setdefault(header.series_uid, []).append(header)
    return [
        DicomSeries(
            series_uid=uid,
            study_uid=files[0].study_uid,
            modality=files[0].modality,
            description=files[0].description,
            slices=tuple(one for file in files for one in file.slices),
            problem=problems.get(uid, anywhere),
        )
        for uid, files in groups.items()
    ]


def _is_stack(series: DicomSeries) -> bool:
    return any(_is_section(one) for one in series.slices)


def _is_section(one: SliceHeader) -> bool:
    return not one.is_localizer and not one.is_capture


def _listed(series: list[DicomSeries]) -> str:
    lines = (f'  {s.series_uid}  {s.modality}  "{s.description}"  {len(s.slices)} slices' for s in series)
    return "\n".join(lines)


def _skipped(others: list[FileHeader], strangers: list[Path], lost: list[FileHeader]) -> tuple[str, ...]:
    warnings = []
    if others:
        warnings.append(f"DICOM files without an image were skipped: {_counted(h.kind for h in others)}.")
    if strangers:
        warnings.append(f"Files that are not DICOM were skipped: {_names(strangers)}.")
    if lost:
        warnings.append(f"Damaged files of other series were skipped: {_names([h.path for h in lost])}.")
    return tuple(warnings)


def _names(paths: list[Path]) -> str:
    names = ", ".join(path.name for path in paths[:MAX_NAMED])
    return names + (f" and {len(paths) - MAX_NAMED} more" if len(paths) > MAX_NAMED else "")


def _counted(kinds: Iterator[str]) -> str:
    return ", ".join(f"{count} x {kind}" for kind, count in Counter(kinds).most_common())


def _nothing_to_read(path: Path, strangers: list[Path]) -> MedEnhanceError:
    hint = "Give a folder of DICOM slices, a DICOM file, or a .nrrd, .mha, .mhd, .nii or .nii.gz file."
    if path.is_file():
        return MedEnhanceError("input-unsuitable", f"{path.name} is not a DICOM file.", hint)
    if not strangers:
        return MedEnhanceError("input-missing", f"The folder {path} is empty.", hint)
    kinds = _counted(file.suffix.lower() or "no suffix" for file in strangers)
    message = f"{path} holds no DICOM files ({kinds})."
    if any(file.suffix.lower() in (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp") for file in strangers):
        message += " Pictures hold no voxel size, position or HU scale."
    return MedEnhanceError("input-unsuitable", message, hint)
