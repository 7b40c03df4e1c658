"""Midline shift: where the middle of the brain lies, against the plane between the hemispheres.

In each slice the inner part of the brain is compared with its own mirror image about lines beside the plane; the line
about which it is most symmetric is its middle. Likeness counts where there is something to be alike, which is where the
ventricles are, and a large shift has to be better seen than a small one. All slices at the height of the ventricles
vote together: in a single one a bleed and the ventricle on the other side may look alike. An estimate: it says nothing
where the inner part is too asymmetric, tends to see large shifts as too small, and may take one above 10 mm for one to
the other side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medenhance.head_ct.midsagittal import left_of, voxels_at
from medenhance.head_ct.report import Midsagittal
from medenhance.head_ct.slice_geometry import points_mm
from medenhance.volume import Volume

_STEP_MM = 1.0
_MAX_SHIFT_MM = 18.0  # larger ones leave nothing symmetric
_REACH_MM = 22.0  # of the ventricles and basal ganglia from the middle
_BRAIN_HU = (0.0, 60.0)
_BLUR_MM = 1.5  # takes noise away, keeps ventricles
# Of the brain's length from front to back: septum and third ventricle lie in the middle half.
_INNER = (0.27, 0.73)
# Of the brain's height from the lowest slice that shows it: below lie the temporal lobes, above no ventricles. These
# and the two below were chosen on 120 simulated scans (seeds 600000 to 600119).
_LEVELS = (0.25, 0.6)
_LEAST_LIKENESS = 0.2  # correlation of the inner brain with its mirror image, weighted by its contrast, slices' mean
_LARGE_SHIFT_COST = 0.45  # taken off the likeness at `_MAX_SHIFT_MM`, in between by the square
_LEAST_SECTION_MM = 90.0  # front to back


@dataclass(frozen=True)
class Shift:
    """A shift.

    Attributes:
        mm: Positive to the patient's left.
        slice: Where it is seen best, from the foot.
        ends: (2, 3) LPS mm: on the plane, and at the middle of the brain.
    """

    mm: float
    slice: int
    ends: np.ndarray


def midline_shift(volume: Volume, plane: Midsagittal, brain_slices: np.ndarray) -> Shift | None:
    """The shift at the height of the ventricles; None where nothing symmetric is.

    Args:
        volume: In the patient's axes, HU.
        plane: Between its hemispheres.
        brain_slices: Slices that show brain.
    """
    seen = [(int(k), one) for k in _middle(brain_slices) if (one := _of_slice(volume, plane, int(k))) is not None]
    if not seen:
        return None
    shift = _best(np.mean([one.scores for _, one in seen], axis=0))
    if shift is None:
        return None
    nearest = round(shift / _STEP_MM) + len(seen[0][1].scores) // 2
    index, best = max(seen, key=lambda one: float(one[1].scores[nearest]))
    return Shift(shift, index, np.stack([best.center, best.center + shift * np.asarray(plane.normal)]))


@dataclass(frozen=True)
class _Likeness:
    """Of one slice: of the inner brain with its mirror image, for every shift that is tried, and where that is."""

    scores: np.ndarray
    center: np.ndarray


def _best(scores: np.ndarray) -> float | None:
    """Shift in mm with the highest score between the ends; None when it is low, or lies at an end."""
    best = int(np.argmax(scores))
    if not 0 < best < len(scores) - 1 or scores[best] < _LEAST_LIKENESS:
        return None
    low, top, high = scores[best - 1 : best + 2]
    curve = low - 2 * top + high
    offset = 0.5 * (low - high) / curve if curve < 0 else 0.0
    return float((best - len(scores) // 2 + offset) * _STEP_MM)


def _middle(brain_slices: np.ndarray) -> np.ndarray:
    count = len(brain_slices)
    if count < 4:
        return brain_slices
    return brain_slices[int(_LEVELS[0] * count) : int(np.ceil(_LEVELS[1] * count))]


def _of_slice(volume: Volume, plane: Midsagittal, index: int) -> _Likeness | None:
    """Likeness in one slice; None where there is too little of a brain."""
    grid, depth = volume.grid, len(volume.array)
    across, along, middle = _axes(volume, plane, index)
    if middle is None:
        return None
    reach = _REACH_MM + _MAX_SHIFT_MM
    u = np.arange(-reach, reach + _STEP_MM / 2, _STEP_MM)
    front, back = _extent(volume, index, middle, along)
    if back - front < _LEAST_SECTION_MM:
        return None
    v = np.arange(front + _INNER[0] * (back - front), front + _INNER[1] * (back - front), _STEP_MM)
    points = middle + v[:, None, None] * along + u[None, :, None] * across
    indices = voxels_at(grid, depth, points.reshape(-1, 3))
    indices[:, 0] = index
    plane_hu = np.clip(volume.array[index], -100.0, 200.0).astype(np.float32)
    image = ndimage.map_coordinates(plane_hu, indices[:, 1:].T, order=1, mode="nearest").reshape(len(v), len(u))
    image = ndimage.gaussian_filter(np.clip(image, *_BRAIN_HU), _BLUR_MM / _STEP_MM)
    return _Likeness(_scores(image), middle + float(v.mean()) * along)


def _axes(volume: Volume, plane: Midsagittal, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Unit vectors within the slice across the plane and along it to the back, and the plane's point in the slice."""
    grid, depth = volume.grid, len(volume.array)
    normal, up = np.asarray(plane.normal), grid.slice_normal
    across = normal - (normal @ up) * up
    across /= np.linalg.norm(across)
    along = np.cross(up, across)
    head = np.argwhere(volume.array[index][::4, ::4] > -300.0) * 4.0
    if len(head) == 0:
        return across, along, None
    center = points_mm(grid, depth, np.array([[index, *head.mean(axis=0)]]))
    distance = float(left_of(plane, center)[0])
    return across, along, center[0] - distance / float(normal @ across) * across


def _extent(volume: Volume, index: int, middle: np.ndarray, along: np.ndarray) -> tuple[float, float]:
    """Where the inner table lies in front of and behind ``middle`` on the plane, in mm along it."""
    reach = np.arange(0.0, 130.0, _STEP_MM)
    ends = []
    for sense in (-1.0, 1.0):
        points = middle + sense * reach[:, None] * along
        where = voxels_at(volume.grid, len(volume.array), points)[:, 1:]
        values = ndimage.map_coordinates(volume.array[index].astype(np.float32), where.T, order=1, mode="nearest")
        bone = np.flatnonzero(ndimage.uniform_filter1d(values, 3) > 250.0)
        ends.append(sense * (reach[bone[0]] if bone.size else 0.0))
    return ends[0], ends[1]


def _scores(image: np.ndarray) -> np.ndarray:
    """Likeness of an image with its mirror image, for every shift from -`_MAX_SHIFT_MM` to `_MAX_SHIFT_MM`."""
    half, most = round(_REACH_MM / _STEP_MM), round(_MAX_SHIFT_MM / _STEP_MM)
    center, shifts = image.shape[1] // 2, np.arange(-most, most + 1)
    likeness, contrast = np.array([_likeness(image, center + shift, half) for shift in shifts]).T
    return np.asarray(likeness * contrast / max(contrast.max(), 1e-6) - _LARGE_SHIFT_COST * (shifts / most) ** 2)


def _likeness(image: np.ndarray, column: int, half: int) -> tuple[float, float]:
    """Correlation of both sides of a column, and their contrast."""
    right, left = image[:, column - half : column][:, ::-1], image[:, column + 1 : column + 1 + half]
    one, other = left - left.mean(), right - right.mean()
    contrast = float(np.sqrt(one.std() * other.std()))
    return (float((one * other).mean()) / contrast**2 if contrast > 0 else 0.0), contrast
