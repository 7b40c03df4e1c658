"""The headers of NRRD and MetaImage files, written so that reading gives the same geometry back.

SimpleITK writes these formats too, but only from a whole copy of the voxels, and its NRRD geometry drifts by a unit in
the last place at every round trip.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from medenhance.volume import Grid

NRRD_TYPES = {
    "int8": "int8",
    "uint8": "uint8",
    "int16": "int16",
    "uint16": "uint16",
    "int32": "int32",
    "uint32": "uint32",
    "int64": "int64",
    "uint64": "uint64",
    "float32": "float",
    "float64": "double",
}
META_TYPES = {
    "int8": "MET_CHAR",
    "uint8": "MET_UCHAR",
    "int16": "MET_SHORT",
    "uint16": "MET_USHORT",
    "int32": "MET_INT",
    "uint32": "MET_UINT",
    "int64": "MET_LONG_LONG",
    "uint64": "MET_ULONG_LONG",
    "float32": "MET_FLOAT",
    "float64": "MET_DOUBLE",
}


def nrrd_header(shape: tuple[int, ...], dtype: np.dtype, grid: Grid, notes: dict[str, str]) -> bytes:
    """The header of an uncompressed little-endian NRRD file; the voxels follow it.

    Args:
        shape: (D, H, W).
        dtype: Voxel type.
        grid: Where the voxels lie.
        notes: Key-value pairs to store; keys hold no colon.
    """
    depth, height, width = shape
    matrix = np.reshape(grid.direction, (3, 3))
    axes = [_readable_axis(matrix[:, i], grid.spacing_mm[i]) for i in range(3)]
    lines = [
        "NRRD0005",
        f"type: {NRRD_TYPES[dtype.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {width} {height} {depth}",
        f"space directions: {' '.join(_vector_text(axis) for axis in axes)}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: raw",
        f"space origin: {_vector_text(np.asarray(grid.origin_mm))}",
        *(f"{key}:={_escaped(value)}" for key, value in notes.items()),
    ]
    return ("\n".join(lines) + "\n\n").encode("utf-8")


def meta_header(shape: tuple[int, ...], dtype: np.dtype, grid: Grid, notes: dict[str, str], data_file: str) -> bytes:
    """The header of an uncompressed little-endian MetaImage (.mha, .mhd).

    Args:
        shape: (D, H, W).
        dtype: Voxel type.
        grid: Where the voxels lie.
        notes: Fields to store; keys hold no blank.
        data_file: "LOCAL" when the voxels follow the header, else the name of the file that holds them.
    """
    depth, height, width = shape
    # MetaImage stores the direction by columns: the unit vectors of I, J, K one after the other.
    matrix = np.reshape(grid.direction, (3, 3)).T.ravel()
    lines = [
        "ObjectType = Image",
        *(f"{key} = {' '.join(value.split())}" for key, value in notes.items()),
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = False",
        f"TransformMatrix = {_numbers(matrix)}",
        f"Offset = {_numbers(np.asarray(grid.origin_mm))}",
        "CenterOfRotation = 0 0 0",
        f"ElementSpacing = {_numbers(np.asarray(grid.spacing_mm))}",
        f"DimSize = {width} {height} {depth}",
        f"ElementType = {META_TYPES[dtype.name]}",
        f"ElementDataFile = {data_file}",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _readable_axis(unit: np.ndarray, spacing_mm: float) -> np.ndarray:
    """The vector that a NRRD reader splits into exactly this spacing and direction, if there is one.

    NRRD stores their product. Readers (teem's nrrdSpacingCalculate, in ITK) take the spacing as the vector's norm and
    multiply the vector with its reciprocal, which rounds; so the product itself mostly reads back one unit in the last
    place off. The right vector, where it exists, is among the product's neighbours.
    """
    nearest = unit * spacing_mm
    steps = [[value] if value == 0 else _neighbours(value) for value in nearest]
    for candidate in product(*steps):
        norm = _norm(candidate)
        if norm == spacing_mm and all(c * (1.0 / norm) == u for c, u in zip(candidate, unit, strict=True)):
            return np.asarray(candidate)
    return np.asarray(nearest)


def _neighbours(value: float) -> list[float]:
    return [value, float(np.nextafter(value, np.inf)), float(np.nextafter(value, -np.inf))]


def _norm(vector: tuple[float, ...]) -> float:
    x, y, z = vector
    return float(np.sqrt(x * x + y * y + z * z))


def _vector_text(vector: np.ndarray) -> str:
    return f"({','.join(repr(float(v)) for v in vector)})"


def _numbers(values: np.ndarray) -> str:
    return " ".join(repr(float(v)) for v in values)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
