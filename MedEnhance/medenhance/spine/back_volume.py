"""Turning a volume so that its axes are head to feet, the patient's left to right, and skin to front.

A reconstruction from tracked ultrasound lies in the frame of a reference sensor or of a region of interest, not in
that of the patient (spec section 5.2, step 1): which way its axes run is stated by the user, and what the echoes say
about it is checked, since it always gets darker away from the skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, map_coordinates

from medenhance.errors import MedEnhanceError
from medenhance.spine.projection import BackFrame
from medenhance.spine.roi import Roi
from medenhance.volume import Grid, Volume

# LPS unit vectors of the six directions.
DIRECTIONS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
_WANTED = "IRA"  # what rows, columns and depth of the turned volume run to
_OPPOSITE = {"I": "S", "S": "I", "R": "L", "L": "R", "A": "P", "P": "A"}
# How far towards one end the echoes lie, of half the extent. The real phantom has 0.40 along depth and below 0.05
# along the other two.
_CLEARLY = 0.15
_ROW_CHUNK = 64
AXES_HINT = (
    "Name the directions that the columns, rows and slices of the file run to, such as --axes RIA (right, feet, "
    "front), or give the region of interest of Slicer with --roi."
)


@dataclass(frozen=True)
class BackVolume:
    """A volume that faces its back.

    Attributes:
        array: (R, C, Z) float32: to the feet, to the patient's right, to the front.
        filled: (R, C, Z) bool: voxels that some frame of the sweep reached.
        frame: Where it lies.
    """

    array: np.ndarray
    filled: np.ndarray
    frame: BackFrame


def turned(volume: Volume, axes: str | None = None, filled: np.ndarray | None = None) -> BackVolume:
    """Turn a volume by exchanging and reversing its axes; no voxel is interpolated.

    Args:
        volume: Grey values; 0 where nothing was scanned.
        axes: Three of the letters L R P A S I: what I (columns), J (rows) and K (slices) run to. None takes the
            directions of the file for those of the patient.
        filled: (D, H, W) bool: voxels with data; found from the zeros by default.

    Raises:
        MedEnhanceError: bad-option for axes that are none, or that mirror the patient.
    """
    letters = _checked_axes(axes) if axes is not None else file_axes(volume.grid)
    _refuse_mirrored(letters, volume.grid, given=axes is not None)
    order = [next(i for i, letter in enumerate(letters) if letter in (to, _OPPOSITE[to])) for to in _WANTED]
    reverse = [letters[i] != to for i, to in zip(order, _WANTED, strict=True)]
    array = np.ascontiguousarray(_rearranged(volume.array, order, reverse), np.float32)
    known = filled_voxels(array) if filled is None else np.ascontiguousarray(_rearranged(filled, order, reverse))
    return BackVolume(array, known, _frame(volume, order, reverse))


def resampled(volume: Volume, roi: Roi, pixel_mm: float | None = None) -> BackVolume:
    """Cut a box out of a volume, by linear interpolation.

    Args:
        volume: Grey values; 0 where nothing was scanned.
        roi: The box.
        pixel_mm: Distance of the new voxels; that of the volume's finest axis by default.

    Raises:
        MedEnhanceError: input-unsuitable when the box lies outside the volume.
    """
    step = pixel_mm or min(volume.grid.spacing_mm)
    right, front, head = roi.axes.T
    axes = np.stack([-head, right, front], axis=1)
    extent = np.array([roi.size_mm[2], roi.size_mm[0], roi.size_mm[1]])
    shape = tuple(np.maximum(np.round(extent / step).astype(int), 1).tolist())
    corner = np.asarray(roi.center_mm) - axes @ ((np.array(shape) - 1) * step / 2)
    frame = BackFrame((float(corner[0]), float(corner[1]), float(corner[2])), axes, (step, step, step))
    array = np.empty(shape, np.float32)
    data = (volume.array > 0).astype(np.float32)
    for first in range(0, shape[0], _ROW_CHUNK):
        rows = slice(first, min(first + _ROW_CHUNK, shape[0]))
        at = _voxels(volume.grid, frame, np.arange(rows.start, rows.stop), shape)
        share = map_coordinates(data, at, order=1, cval=0.0, prefilter=False)
        value = map_coordinates(volume.array, at, order=1, cval=0.0, output=np.float32, prefilter=False)
        array[rows] = np.where(share >= 0.5, value / np.maximum(share, 0.5), 0)
    known = filled_voxels(array)
    if not known.any():
        raise MedEnhanceError("input-unsuitable", "The region of interest lies outside the scan.", "Move the box.")
    return BackVolume(array, known, frame)


def filled_voxels(array: np.ndarray) -> np.ndarray:
    """Which voxels a sweep reached; a reconstruction holds 0 in all others (spec section 5.2, step 2).

    A gap between two frames is a sheet of zeros across the rows: zero to both sides, and with data within three rows
    both above and below. Other zeros between data of one column are shadow, and are kept.

    Args:
        array: (R, C, Z).

    Returns:
        (R, C, Z) bool.
    """
    data = array > 0
    lonely = ~binary_dilation(data, np.ones((1, 5, 1)))
    above, below = (_shifted_any(data, steps) for steps in ((1, 2, 3), (-1, -2, -3)))
    inside = np.maximum.accumulate(data, axis=2) & np.maximum.accumulate(data[:, :, ::-1], axis=2)[:, :, ::-1]
    return np.asarray((inside & ~(lonely & above & below)) | data)


def _shifted_any(data: np.ndarray, steps: tuple[int, ...]) -> np.ndarray:
    """Whether there are data so many rows away."""
    found = np.zeros_like(data)
    for step in steps:
        if step > 0:
            found[step:] |= data[:-step]
        else:
            found[:step] |= data[-step:]
    return found


def file_axes(grid: Grid) -> str:
    """Three letters: what I, J and K of a file run to, if its frame is the patient's."""
    matrix = np.reshape(grid.direction, (3, 3))
    names = list(DIRECTIONS)
    nearest = [int(np.argmax(np.array(list(DIRECTIONS.values())) @ matrix[:, i])) for i in range(3)]
    letters = "".join(names[i] for i in nearest)
    if {frozenset((letter, _OPPOSITE[letter])) for letter in letters} != _ALL_AXES:
        raise MedEnhanceError("input-unsuitable", "The axes of this file run halfway between the patient's.", AXES_HINT)
    return letters


def check_direction(back: BackVolume) -> None:
    """Refuse a volume whose echoes do not get weaker away from where its skin is supposed to be.

    Raises:
        MedEnhanceError: input-unsuitable; empty volume, or a wrong orientation with the direction that would fit.
    """
    if not (back.array[back.filled] > 0).any():
        raise MedEnhanceError(
            "input-unsuitable", "The volume is empty: all of its voxels are 0.", "Choose another one."
        )
    lean = [_lean(back, axis) for axis in range(3)]
    if lean[2] <= -_CLEARLY or (abs(lean[2]) >= max(abs(lean[0]), abs(lean[1])) and lean[2] < _CLEARLY):
        return
    strongest = int(np.argmax(np.abs(lean)))
    to = ("feet", "right", "front")[strongest] if lean[strongest] < 0 else ("head", "left", "back")[strongest]
    raise MedEnhanceError(
        "input-unsuitable",
        f"The volume is oriented wrongly: its echoes get weaker towards the patient's {to}, not towards the front, as "
        "they do below the skin.",
        AXES_HINT,
    )


def _checked_axes(axes: str) -> str:
    letters = axes.upper()
    if len(letters) != 3 or {frozenset((one, _OPPOSITE.get(one, one))) for one in letters} != _ALL_AXES:
        message = f"{axes!r} is no orientation: one of L and R, one of A and P and one of S and I are needed."
        raise MedEnhanceError("bad-option", message, AXES_HINT)
    return letters


_ALL_AXES = {frozenset("LR"), frozenset("AP"), frozenset("SI")}


def _refuse_mirrored(letters: str, grid: Grid, *, given: bool) -> None:
    claimed = np.linalg.det(np.array([DIRECTIONS[letter] for letter in letters], float).T)
    if claimed * np.linalg.det(np.reshape(grid.direction, (3, 3))) > 0:
        return
    what = f"The orientation {letters} mirrors the patient" if given else "The axes of this file mirror the patient"
    message = f"{what}: left would be taken for right."
    raise MedEnhanceError("bad-option" if given else "input-unsuitable", message, AXES_HINT)


def _rearranged(array: np.ndarray, order: list[int], reverse: list[bool]) -> np.ndarray:
    moved = array.transpose([2 - i for i in order])  # array axes are K, J, I
    return moved[tuple(slice(None, None, -1 if flip else 1) for flip in reverse)]


def _frame(volume: Volume, order: list[int], reverse: list[bool]) -> BackFrame:
    affine, sizes = volume.grid.affine, volume.array.shape[::-1]
    sign = np.where(reverse, -1.0, 1.0)
    start = np.zeros(4)
    start[3] = 1.0
    for i, flip in zip(order, reverse, strict=True):
        start[i] = sizes[i] - 1 if flip else 0
    x, y, z = (float(v) for v in (affine @ start)[:3])
    direction = np.reshape(volume.grid.direction, (3, 3))[:, order] * sign
    a, b, c = (volume.grid.spacing_mm[i] for i in order)
    return BackFrame((x, y, z), direction, (a, b, c))


def _voxels(grid: Grid, frame: BackFrame, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(3, n, C, Z): K, J, I of the voxels of some rows of a frame."""
    step = np.asarray(frame.spacing_mm)
    places = np.stack(np.meshgrid(rows, np.arange(shape[1]), np.arange(shape[2]), indexing="ij"))
    world = np.asarray(frame.origin_mm)[:, None] + frame.axes @ (places.reshape(3, -1) * step[:, None])
    inverse = np.linalg.inv(grid.affine)
    ijk = inverse[:3, :3] @ world + inverse[:3, 3:]
    return np.asarray(ijk[::-1].reshape(places.shape))


def _lean(back: BackVolume, axis: int) -> float:
    """How far the echoes lie towards the end of an axis, against the scanned voxels; of half the extent."""
    others = tuple(i for i in range(3) if i != axis)
    place = np.arange(back.array.shape[axis], dtype=np.float64)
    known = back.filled.sum(axis=others, dtype=np.float64)
    echo = np.where(back.filled, back.array, 0).sum(axis=others, dtype=np.float64)
    middle = float(place @ known / known.sum())
    spread = float(np.sqrt(((place - middle) ** 2) @ known / known.sum())) * np.sqrt(3)
    return float((place @ echo / echo.sum() - middle) / max(spread, 0.5))
