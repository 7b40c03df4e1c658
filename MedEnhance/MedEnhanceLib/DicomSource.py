"""Finds the DICOM files that a volume was loaded from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_PREAMBLE_BYTES, _MAGIC = 128, b"DICM"
_FIRST_ELEMENTS = (b"\x02\x00\x00\x00", b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00")


def dicomFilesOf(volumeNode: Any, database: Any = None) -> list[str]:
    """The files of a volume's DICOM source, in the order of its slices where that is known.

    First the instances that Slicer's DICOM module noted on the node, looked up in the database; then, for a volume that
    was dragged into Slicer, the files of its storage node.

    Args:
        volumeNode: Any volume.
        database: `slicer.dicomDatabase` or the like: its `fileForInstance(uid)` gives a path, or "".

    Returns:
        Paths; empty when there is no DICOM source, or when a part of it is gone.
    """
    return _ofDatabase(volumeNode, database) or _ofStorage(volumeNode)


def _ofDatabase(volumeNode: Any, database: Any) -> list[str]:
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    if database is None or not uids:
        return []
    # Frames of one file share its instance.
    files = [database.fileForInstance(uid) or "" for uid in dict.fromkeys(uids)]
    return _allThere(files)


def _ofStorage(volumeNode: Any) -> list[str]:
    storage = volumeNode.GetStorageNode()
    if storage is None:
        return []
    listed = [storage.GetNthFileName(n) for n in range(storage.GetNumberOfFileNames())]
    names = dict.fromkeys(name for name in [storage.GetFileName(), *listed] if name)
    files = [storage.GetFullNameFromNthFileName(listed.index(name)) if name in listed else name for name in names]
    return _allThere(files) if all(_isDicom(Path(file)) for file in files) else []


def _allThere(files: list[str]) -> list[str]:
    """The paths, or none of them when one is missing: half a series is no source."""
    return files if all(file and Path(file).is_file() for file in files) else []


def _isDicom(path: Path) -> bool:
    """Whether a file starts as DICOM does; files of old scanners start with their first element, of group 2 or 8."""
    try:
        with path.open("rb") as file:
            start = file.read(_PREAMBLE_BYTES + len(_MAGIC))
    except OSError:
        return False
    return start[_PREAMBLE_BYTES:] == _MAGIC or start[:4] in _FIRST_ELEMENTS
