"""Finding the parts of a data set below the folder that a user named, and reading its tables and volumes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, checkpoint

Item = TypeVar("Item")

# A set is unpacked into a folder of its own, or into one inside of that: deeper is another set's.
_DEPTH = 2
_VOLUMES = (".nii", ".nii.gz")


@dataclass(frozen=True)
class VolumeFacts:
    """What the header of a volume says.

    Attributes:
        shape: (D, H, W), D being the last axis of the file.
        spacing_mm: Of columns, rows and slices.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]


def existing(root: Path) -> Path:
    """The root, if it is a folder.

    Raises:
        MedEnhanceError: input-missing otherwise.
    """
    if not root.is_dir():
        raise MedEnhanceError("input-missing", f"{root} is not a folder.", "Give the folder of the data set.")
    return root


def folders_named(root: Path, names: Iterable[str]) -> Iterator[Path]:
    """Folders of these names (any case), the root's own first, then those below; none inside of another found one."""
    wanted = {name.lower() for name in names}
    layer = [root]
    for _ in range(_DEPTH + 1):
        inner = [path for folder in layer for path in _visible(folder) if path.is_dir()]
        yield from (path for path in inner if path.name.lower() in wanted)
        layer = [path for path in inner if path.name.lower() not in wanted]


def folder_named(root: Path, *names: str) -> Path | None:
    """The first folder of these names, or None."""
    return next(folders_named(root, names), None)


def file_named(root: Path, *names: str) -> Path | None:
    """The first file of these names (any case) in the root or up to two folders below, or None."""
    wanted = {name.lower() for name in names}
    layer = [root]
    for _ in range(_DEPTH + 1):
        inside = [path for folder in layer for path in _visible(folder)]
        for path in inside:
            if path.is_file() and path.name.lower() in wanted:
                return path
        layer = [path for path in inside if path.is_dir()]
    return None


def archives(root: Path) -> list[str]:
    """Archives that were not unpacked, for a message that explains an empty folder."""
    suffixes = (".zip", ".tar", ".tgz", ".tar.gz", ".rar", ".7z")
    return [path.name for path in _visible(root) if path.name.lower().endswith(suffixes)]


def no_layout(root: Path, name: str, wanted: str) -> MedEnhanceError:
    """The error of a folder that holds none of the layouts of a set."""
    packed = archives(root)
    hint = f"Unpack {', '.join(packed[:3])} first." if packed else f"It should hold {wanted}."
    return MedEnhanceError("input-missing", f"{root} holds no {name}.", hint)


def volumes(folder: Path) -> dict[str, Path]:
    """The NIfTI files of a folder by their names without suffix, in the order of their names."""
    return {stem(path): path for path in _visible(folder) if path.is_file() and _is_volume(path)}


def stem(path: Path) -> str:
    """The name of a NIfTI file without its suffix, and without nnU-Net's channel number."""
    name = path.name[: -len(".nii.gz")] if path.name.lower().endswith(".nii.gz") else path.stem
    return name.removesuffix("_0000")


def table(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a CSV by column, without spaces around names and cells.

    Raises:
        MedEnhanceError: input-unreadable when it cannot be read or a column is missing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MedEnhanceError("input-unreadable", f"{path} cannot be read: {error}.") from error
    rows = [
        {str(key).strip(): (cell or "").strip() for key, cell in row.items() if key is not None}
        for row in csv.DictReader(text)
    ]
    missing = sorted(set(columns) - set(rows[0] if rows else ()))
    if missing:
        raise MedEnhanceError("input-unreadable", f"{path} has no column {', '.join(missing)}.")
    return rows


def told(items: Iterable[Item], count: int, progress: Progress) -> Iterator[Item]:
    """The items, with a word about each; whoever listens may cancel."""
    for n, item in enumerate(items):
        checkpoint(progress, "scan", n / count)
        yield item


def facts_of(path: Path) -> VolumeFacts:
    """Shape and spacing from the header of a volume.

    Raises:
        MedEnhanceError: input-unreadable.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise MedEnhanceError("input-unreadable", f"{path} cannot be read.", "Is it whole?") from error
    width, height, depth = (int(n) for n in (*reader.GetSize(), 1)[:3])
    x, y, z = (float(v) for v in (*reader.GetSpacing(), 1.0)[:3])
    return VolumeFacts((depth, height, width), (x, y, z))


def read_labels(path: Path) -> np.ndarray:
    """(D, H, W) of a label map.

    Raises:
        MedEnhanceError: input-unreadable.
    """
    try:
        return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
    except RuntimeError as error:
        raise MedEnhanceError("input-unreadable", f"{path} cannot be read.", "Is it whole?") from error


def below(path: Path, root: Path) -> str:
    """The path from the root, with forward slashes."""
    return path.relative_to(root).as_posix()


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _is_volume(path: Path) -> bool:
    return path.name.lower().endswith(_VOLUMES)
