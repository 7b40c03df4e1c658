"""Volumes in raw NRRD files, written and read a little at a time, so that Slicer's window stays live meanwhile.

Both directions are generators of the fraction done; a step takes a few milliseconds. The matrix is written with every
digit, so that reading gives the same numbers back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import vtk
from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError

if TYPE_CHECKING:
    import numpy as np

# Fresh memory and a slow disk both take about 2 ms for so much.
CHUNK_BYTES = 1 << 20
MODALITY_KEY = "MedEnhance_modality"  # the core's name for it, in medenhance.image_files
_LONGEST_HEADER = 1 << 20


def writeSteps(
    array: np.ndarray, ijkToRas: Sequence[Sequence[float]], path: str | Path, modality: str | None
) -> Iterator[float]:
    """Write a volume; the file appears whole, or not at all when the generator is closed before its end.

    Args:
        array: (K, J, I), any integer or floating type of 8 to 64 bit.
        ijkToRas: 4 x 4, from voxel indices to RAS millimetres.
        path: The file; its folder is made if needed.
        modality: DICOM modality; None when unknown.

    Yields:
        The fraction that is written.

    Raises:
        MedEnhanceError: disk-full, output-refused.
    """
    import numpy as np

    from medenhance.files import replacing

    header = _header(array, ijkToRas, modality)
    # A volume node's voxels are contiguous and little-endian already, so that nothing is copied here.
    voxels = np.ascontiguousarray(array).reshape(-1)
    voxels = voxels.astype(voxels.dtype.newbyteorder("<"), copy=False).view(np.uint8)
    with replacing(Path(path)) as temporary, temporary.open("wb") as file:
        file.write(header)
        for start in range(0, voxels.size, CHUNK_BYTES):
            file.write(voxels[start : start + CHUNK_BYTES].data)
            yield min(1.0, (start + CHUNK_BYTES) / voxels.size)


def readSteps(path: str | Path) -> Iterator[float]:
    """Read the voxels of a file as `writeSteps` and the worker write it.

    Args:
        path: Uncompressed NRRD.

    Yields:
        The fraction that is read.

    Returns:
        (K, J, I) array in memory of a vtkDataArray, which a volume node can take over without a copy.

    Raises:
        MedEnhanceError: input-unreadable: damaged, cut off, or another kind of file.
        OSError: Not there.
    """
    with Path(path).open("rb") as file:
        shape, typeName = _readHeader(file, Path(path).name)
        array = newVoxels(shape, typeName)
        target = memoryview(array.reshape(-1)).cast("B")
        if Path(path).stat().st_size - file.tell() != len(target):
            raise _unreadable(Path(path).name, _("it holds more or fewer voxels than it says"))
        done = 0
        while done < len(target):
            count = file.readinto(target[done : done + CHUNK_BYTES])
            if not count:
                raise _unreadable(Path(path).name, _("it ends early"))
            done += count
            yield done / len(target)
    return array


def newVoxels(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array of this shape and numpy type, not filled, in memory of a vtkDataArray that lives as long as it does."""
    import numpy as np
    from vtk.util.numpy_support import get_vtk_array_type, vtk_to_numpy

    scalars = vtk.vtkDataArray.CreateDataArray(get_vtk_array_type(np.dtype(dtype)))
    scalars.SetNumberOfValues(math.prod(shape))
    return vtk_to_numpy(scalars).reshape(shape)


def _header(array: np.ndarray, ijkToRas: Sequence[Sequence[float]], modality: str | None) -> bytes:
    from medenhance.image_headers import NRRD_TYPES

    if array.dtype.name not in NRRD_TYPES or array.ndim != 3:
        message = _("A volume of type {type} cannot be handed over.").format(type=array.dtype.name)
        raise MedEnhanceError("input-unsuitable", message, _("Cast the volume to a whole-number type."))
    vectors = [_lps([ijkToRas[row][column] for row in range(3)]) for column in range(4)]
    lines = [
        "NRRD0005",
        f"type: {NRRD_TYPES[array.dtype.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {array.shape[2]} {array.shape[1]} {array.shape[0]}",
        f"space directions: {' '.join(vectors[:3])}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: raw",
        f"space origin: {vectors[3]}",
        *([f"{MODALITY_KEY}:={modality}"] if modality else []),
    ]
    return ("\n".join(lines) + "\n\n").encode("utf-8")


def _lps(vector: Sequence[float]) -> str:
    right, anterior, superior = (float(value) for value in vector)
    # Subtracted, not negated: that writes 0.0 and not -0.0.
    return f"({0.0 - right!r},{0.0 - anterior!r},{superior!r})"


def _readHeader(file: BinaryIO, name: str) -> tuple[tuple[int, int, int], str]:
    """Shape (K, J, I) and numpy type; the file is then at its first voxel."""
    from medenhance.image_headers import NRRD_TYPES

    fields = _fields(file, name)
    expected = {"dimension": "3", "encoding": "raw", "endian": "little"}
    wrong = [f"{key}: {fields.get(key)}" for key, value in expected.items() if fields.get(key) != value]
    typeName = next((ours for ours, theirs in NRRD_TYPES.items() if theirs == fields.get("type")), None)
    try:
        columns, rows, slices = (int(size) for size in fields["sizes"].split())
    except (KeyError, ValueError):
        wrong.append(f"sizes: {fields.get('sizes')}")
    if wrong or typeName is None:
        raise _unreadable(name, ", ".join(wrong) or f"type: {fields.get('type')}")
    return (slices, rows, columns), typeName


def _fields(file: BinaryIO, name: str) -> dict[str, str]:
    if not file.readline(16).startswith(b"NRRD"):
        raise _unreadable(name, _("it is no NRRD file"))
    fields = {}
    while file.tell() < _LONGEST_HEADER:
        line = file.readline(_LONGEST_HEADER)
        if line in (b"\n", b"\r\n"):
            return fields
        key, _colon, value = line.decode("utf-8", errors="replace").partition(":")
        fields[key] = value.strip()
        if not line:
            break
    raise _unreadable(name, _("its header does not end"))


def _unreadable(name: str, reason: str) -> MedEnhanceError:
    message = _("{name} cannot be read: {reason}.").format(name=name, reason=reason)
    return MedEnhanceError("input-unreadable", message, _("Run it again; if that fails too, restart Slicer."))
