"""NIfTI-1 single files (.nii, .nii.gz), read and written with the geometry that the header holds, in double precision.

ITK rounds NIfTI orientations to single precision at every pass and forces sheared grids (tilted gantry) to be
orthogonal; here a header that was read is written back the same.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.volume import Grid

HEADER_SIZE = 348
DATA_OFFSET = 352
TYPES = {
    "int8": 256,
    "uint8": 2,
    "int16": 4,
    "uint16": 512,
    "int32": 8,
    "uint32": 768,
    "int64": 1024,
    "uint64": 1280,
    "float32": 16,
    "float64": 64,
}
MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SHEAR_TOLERANCE = 1e-4  # single precision leaves about 1e-7; a gantry tilt of 0.01 degrees is 2e-4


@dataclass(frozen=True)
class NiftiHeader:
    """What is needed of a NIfTI-1 header.

    Attributes:
        shape: (D, H, W).
        dtype: Stored voxel type with its byte order.
        offset: First byte of the voxels.
        slope, intercept: Map stored to true values; (1, 0) when the header names none.
        grid: LPS geometry.
        warnings: What is odd about the geometry.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float
    grid: Grid
    warnings: tuple[str, ...]


def read_nifti(path: Path) -> tuple[np.ndarray, NiftiHeader]:
    """The (D, H, W) array of true values, and the header.

    Raises:
        MedEnhanceError: input-unreadable, input-unsuitable.
    """
    try:
        with _open(path) as file:
            header = parse_header(file.read(HEADER_SIZE), path.name)
            file.seek(header.offset)
            stored = _read_voxels(file, header)
            while file.read(1 << 20):  # to the end, where gzip checks its sum
                pass
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise _unreadable(path.name, str(error) or type(error).__name__) from error
    return _true_values(stored, header), header


def parse_header(raw: bytes, name: str) -> NiftiHeader:
    """Read the 348 bytes of a NIfTI-1 header.

    Raises:
        MedEnhanceError: input-unreadable, input-unsuitable.
    """
    order = _byte_order(raw, name)
    dim = struct.unpack_from(f"{order}8h", raw, 40)
    code, _ = struct.unpack_from(f"{order}2h", raw, 70)
    offset, slope, intercept = struct.unpack_from(f"{order}3f", raw, 108)
    types = {number: dtype for dtype, number in TYPES.items()}
    if code not in types:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{name} holds NIfTI data type {code}, not one number a voxel.",
            "Colour, complex and vector images are not supported.",
        )
    grid, warnings = _grid(raw, order, name)
    return NiftiHeader(
        shape=_shape(dim, name),
        dtype=np.dtype(order + np.dtype(types[code]).str[1:]),
        offset=max(int(offset), DATA_OFFSET),
        slope=slope if slope and np.isfinite(slope) else 1.0,
        intercept=intercept if slope and np.isfinite(slope) else 0.0,
        grid=grid,
        warnings=warnings,
    )


def nifti_header(shape: tuple[int, ...], dtype: np.dtype, grid: Grid, description: str) -> bytes:
    """The 352 bytes before the voxels.

    Both forms are marked valid, except where only one gives the grid back exactly: a sheared grid has no qform, and a
    grid that came from a qform is not always that of a sform in single precision.
    """
    depth, height, width = shape
    affine = RAS_TO_LPS @ grid.affine
    raw = bytearray(DATA_OFFSET)
    struct.pack_into("<i", raw, 0, HEADER_SIZE)
    struct.pack_into("<8h", raw, 40, 3, width, height, depth, 1, 1, 1, 1)
    struct.pack_into("<2h", raw, 70, TYPES[dtype.name], dtype.itemsize * 8)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    rotation = affine[:3, :3] / spacing
    qfac = -1.0 if np.linalg.det(rotation) < 0 else 1.0
    struct.pack_into("<8f", raw, 76, qfac, *spacing, 0, 0, 0, 0)
    struct.pack_into("<3f", raw, 108, DATA_OFFSET, 1.0, 0.0)
    raw[123] = 2  # millimetres
    raw[148 : 148 + 79] = description.encode("ascii", "replace")[:79].ljust(79, b"\0")
    rotation[:, 2] *= qfac
    struct.pack_into("<6f", raw, 256, *_quaternion(rotation), *affine[:3, 3])
    struct.pack_into("<12f", raw, 280, *affine[:3].ravel())
    raw[344:348] = b"n+1\0"
    struct.pack_into("<2h", raw, 252, *_valid_forms(raw, spacing, grid))
    return bytes(raw)


def _valid_forms(raw: bytearray, spacing_mm: np.ndarray, grid: Grid) -> tuple[int, int]:
    """Codes of qform and sform: 1 (scanner) for those that say where the voxels lie, 0 for the others."""
    if is_sheared(grid):
        return 0, 1
    stored_spacing = np.array([struct.unpack_from("<f", raw, 76)[0], *spacing_mm.astype(np.float32)], np.float64)
    by_qform = Grid.from_affine(RAS_TO_LPS @ _qform(raw, "<", stored_spacing))
    by_sform = Grid.from_affine(RAS_TO_LPS @ _sform(raw, "<"))
    return (1, 0) if by_qform == grid != by_sform else (1, 1)


def is_sheared(grid: Grid) -> bool:
    """Whether the axes are not at right angles, beyond what single precision explains."""
    matrix = np.reshape(grid.direction, (3, 3))
    return bool(np.abs(matrix.T @ matrix - np.eye(3)).max() > SHEAR_TOLERANCE)


def _open(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _byte_order(raw: bytes, name: str) -> str:
    if len(raw) < HEADER_SIZE:
        raise _unreadable(name, f"only {len(raw)} bytes")
    orders = [order for order in "<>" if struct.unpack_from(f"{order}i", raw, 0)[0] == HEADER_SIZE]
    if not orders or raw[344:348] != b"n+1\0":
        raise MedEnhanceError(
            "input-unreadable",
            f"{name} is not a NIfTI-1 single file (it begins with {raw[:4]!r} and is marked {raw[344:348]!r}).",
            "NIfTI-2 files and pairs of .hdr and .img are not supported: convert it to .nii.gz or .nrrd.",
        )
    return orders[0]


def _shape(dim: tuple[int, ...], name: str) -> tuple[int, int, int]:
    num_axes = dim[0]
    sizes = list(dim[1 : 1 + max(num_axes, 0)]) + [1] * max(0, 3 - num_axes)
    if not 1 <= num_axes <= 7 or min(sizes) < 1:
        raise _unreadable(name, f"its sizes are {dim}")
    if any(size > 1 for size in sizes[3:]):
        raise MedEnhanceError(
            "input-unsuitable",
            f"{name} has {num_axes} axes of sizes {tuple(sizes)}; a volume has three.",
            "Split a time series or a vector image into single volumes.",
        )
    return sizes[2], sizes[1], sizes[0]


def _grid(raw: bytes, order: str, name: str) -> tuple[Grid, tuple[str, ...]]:
    """The sform where there is one (it can hold a shear), else the qform, else the voxel sizes alone."""
    pixdim = np.array(struct.unpack_from(f"{order}8f", raw, 76), dtype=np.float64)
    qform_code, sform_code = struct.unpack_from(f"{order}2h", raw, 252)
    unit = MM_PER_UNIT.get(raw[123] & 7, 1.0)
    sform, qform = _sform(raw, order), _qform(raw, order, pixdim)
    warnings: tuple[str, ...] = ()
    if sform_code > 0:
        affine = sform
        if qform_code > 0 and np.abs(sform - qform).max() > 1e-2 * np.abs(pixdim[1:4]).max():
            warnings = (f"The two positions that {name} states (sform, qform) differ; the sform is used.",)
    elif qform_code > 0:
        affine = qform
    else:
        affine = RAS_TO_LPS @ np.diag([*np.abs(pixdim[1:4]), 1.0])
        warnings = (f"{name} states no orientation; its axes are taken as left, posterior and superior.",)
    affine = np.diag([unit, unit, unit, 1.0]) @ RAS_TO_LPS @ affine
    if not np.isfinite(affine).all() or np.linalg.det(affine) == 0:
        raise _unreadable(name, f"its voxel axes are {affine[:3, :3].tolist()} mm")
    return Grid.from_affine(affine), warnings


def _sform(raw: bytes | bytearray, order: str) -> np.ndarray:
    return np.vstack([np.reshape(struct.unpack_from(f"{order}12f", raw, 280), (3, 4)), [0, 0, 0, 1]]).astype(np.float64)


def _qform(raw: bytes | bytearray, order: str, pixdim: np.ndarray) -> np.ndarray:
    """NIfTI-1 standard, method 2: quaternion (a, b, c, d) with a >= 0, then voxel sizes; pixdim[0] flips K."""
    b, c, d, x, y, z = struct.unpack_from(f"{order}6f", raw, 256)
    a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    qfac = -1.0 if pixdim[0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * (pixdim[1:4] * [1.0, 1.0, qfac])
    affine[:3, 3] = x, y, z
    return affine


def _quaternion(rotation: np.ndarray) -> tuple[float, float, float]:
    """(b, c, d) of a proper rotation matrix, with a >= 0."""
    from scipy.spatial.transform import Rotation

    b, c, d, a = Rotation.from_matrix(rotation).as_quat()
    sign = -1.0 if a < 0 else 1.0
    return float(sign * b), float(sign * c), float(sign * d)


def _read_voxels(file: BinaryIO, header: NiftiHeader) -> np.ndarray:
    stored = np.empty(header.shape, header.dtype)
    for index, plane in enumerate(stored):
        num_read = file.readinto(memoryview(plane).cast("B"))  # type: ignore[attr-defined]
        if num_read != plane.nbytes:
            raise EOFError(f"it ends in slice {index + 1} of {len(stored)}")
    return stored


def _true_values(stored: np.ndarray, header: NiftiHeader) -> np.ndarray:
    if (header.slope, header.intercept) != (1.0, 0.0):
        true = np.empty(stored.shape, np.float32)
        np.multiply(stored, np.float32(header.slope), out=true, casting="unsafe")
        true += np.float32(header.intercept)
        return true
    if stored.dtype.isnative:
        return stored
    return stored.astype(stored.dtype.newbyteorder("="))


def _unreadable(name: str, reason: str) -> MedEnhanceError:
    return MedEnhanceError(
        "input-unreadable",
        f"{name} cannot be read as NIfTI: {reason}.",
        "The file is damaged; copy or export it again.",
    )
