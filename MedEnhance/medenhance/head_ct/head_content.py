"""Which slices show a brain within its skull, judged by the image and not by what a header says of it.

From the middle of the body's section rays are sent out in all directions. In a head they meet bone on nearly all sides,
at a distance that changes little, and what lies before it is brain. In a chest they meet lung, in a belly fat and gaps
between the ribs, in a neck or a limb bone that is much too near. A third of the ring may be missing, as after the
removal of a piece of the skull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medenhance.volume import Volume

_PIXEL_MM = 2.0  # blocks of about this size are averaged, so that noise does not count
_BODY_HU = -300.0  # above: body, table and clothes
_BONE_HU = 200.0  # averaged over a block: thin bone is 700 and more
_NUM_RAYS = 72
_MAX_RADIUS_MM = 130.0
# Distance of the inner table from the middle of a section: a newborn's smallest, an adult's largest half axis.
_RADIUS_MM = (28.0, 115.0)
_INSET_MM = 4.0  # kept from the bone, whose blur would count as something else
_SOFT_HU = (-15.0, 110.0)  # cerebrospinal fluid to clotted blood
_MEDIAN_HU = (8.0, 65.0)
_LEAST_BONE_RAYS = 0.65
_LEAST_SOFT = 0.85
_CAVITY_HU = -500.0  # air within the head: sinuses, mastoid cells, throat
MAX_SLICES = 48  # looked at, evenly spread


@dataclass(frozen=True)
class HeadContent:
    """What was seen.

    Attributes:
        slices: (N,) indices of the slices that were looked at.
        is_brain: (N,) whether each shows brain within its skull.
        cavities_mm2: (N,) area of air within the head.
        brain_hu: Median CT number within the skull; NaN without brain.
        bright_share: Share of the brain's area between `ENHANCED_HU`, away from bone.
    """

    slices: np.ndarray
    is_brain: np.ndarray
    cavities_mm2: np.ndarray
    brain_hu: float
    bright_share: float

    @property
    def brain_share(self) -> float:
        """Share of the slices that show brain, 0 to 1."""
        return float(np.mean(self.is_brain))


# Vessels and sinuses with contrast agent; clotted blood stays below 100.
ENHANCED_HU = (105.0, 300.0)


def head_content(volume: Volume) -> HeadContent:
    """Look for brain in the slices of a volume in the patient's axes, HU."""
    depth = len(volume.array)
    slices = np.unique(np.linspace(0, depth - 1, min(depth, MAX_SLICES)).round().astype(int))
    size = (volume.grid.spacing_mm[1], volume.grid.spacing_mm[0])
    found = [_slice_content(volume.array[k], size, volume.padding_below) for k in slices]
    brains = [one for one in found if one.is_brain]
    return HeadContent(
        slices=slices,
        is_brain=np.array([one.is_brain for one in found]),
        cavities_mm2=np.array([one.cavities_mm2 for one in found]),
        brain_hu=float(np.median([one.median_hu for one in brains])) if brains else float("nan"),
        bright_share=float(np.mean([one.bright_share for one in brains])) if brains else 0.0,
    )


@dataclass(frozen=True)
class _SliceContent:
    is_brain: bool = False
    cavities_mm2: float = 0.0
    median_hu: float = float("nan")
    bright_share: float = 0.0


def _slice_content(plane: np.ndarray, size_mm: tuple[float, float], padding: float | None) -> _SliceContent:
    image, rows_mm, columns_mm = _averaged(plane, size_mm, padding)
    body = _body(image)
    if not body.any():
        return _SliceContent()
    cavities = float((body & (image < _CAVITY_HU)).sum() * rows_mm * columns_mm)
    center = np.argwhere(body).mean(axis=0)
    radius = _bone_distance(image, center, rows_mm, columns_mm)
    hits = np.isfinite(radius)
    if hits.mean() < _LEAST_BONE_RAYS or not _RADIUS_MM[0] <= np.median(radius[hits]) <= _RADIUS_MM[1]:
        return _SliceContent(cavities_mm2=cavities)
    inside = image[_within(image.shape, center, _filled(radius) - _INSET_MM, rows_mm, columns_mm)]
    if inside.size == 0:
        return _SliceContent(cavities_mm2=cavities)
    soft = float(np.mean((inside > _SOFT_HU[0]) & (inside < _SOFT_HU[1])))
    bright = float(np.mean((inside > ENHANCED_HU[0]) & (inside < ENHANCED_HU[1])))
    median = float(np.median(inside))
    is_brain = soft >= _LEAST_SOFT and _MEDIAN_HU[0] <= median <= _MEDIAN_HU[1]
    return _SliceContent(is_brain, cavities, median, bright)


def _averaged(
    plane: np.ndarray, size_mm: tuple[float, float], padding: float | None
) -> tuple[np.ndarray, float, float]:
    """Means over blocks of about `_PIXEL_MM`, with the size of a block."""
    image = plane.astype(np.float32)
    image = np.maximum(image, -1000.0 if padding is None else max(-1000.0, padding))
    counts = [max(1, round(_PIXEL_MM / size)) for size in size_mm]
    rows, columns = (length - length % count for length, count in zip(image.shape, counts, strict=True))
    blocks = image[:rows, :columns].reshape(rows // counts[0], counts[0], columns // counts[1], counts[1])
    return blocks.mean(axis=(1, 3)), counts[0] * size_mm[0], counts[1] * size_mm[1]


def _body(image: np.ndarray) -> np.ndarray:
    """The largest connected section, with its holes filled."""
    labels, count = ndimage.label(image > _BODY_HU)
    if count == 0:
        return np.zeros(image.shape, bool)
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.asarray(ndimage.binary_fill_holes(labels == largest))


def _bone_distance(image: np.ndarray, center: np.ndarray, rows_mm: float, columns_mm: float) -> np.ndarray:
    """(`_NUM_RAYS`,) distance in mm at which each ray from the centre first meets bone; NaN where it meets none."""
    angles = np.arange(_NUM_RAYS) * (2 * np.pi / _NUM_RAYS)
    steps = np.arange(0.0, _MAX_RADIUS_MM, _PIXEL_MM / 2)
    rows = np.rint(center[0] + np.outer(np.sin(angles), steps) / rows_mm).astype(int)
    columns = np.rint(center[1] + np.outer(np.cos(angles), steps) / columns_mm).astype(int)
    inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
    bone = image[np.where(inside, rows, 0), np.where(inside, columns, 0)] > _BONE_HU
    met = bone & inside
    return np.where(met.any(axis=1), steps[met.argmax(axis=1)], np.nan)


def _filled(radius: np.ndarray) -> np.ndarray:
    """The distances with those of the rays that met nothing taken from their neighbours, round the circle."""
    known = np.flatnonzero(np.isfinite(radius))
    return np.asarray(np.interp(np.arange(len(radius)), known, radius[known], period=len(radius)))


def _within(
    shape: tuple[int, ...], center: np.ndarray, radius: np.ndarray, rows_mm: float, columns_mm: float
) -> np.ndarray:
    """(R, C) bool: nearer to the centre than ``radius`` in that direction."""
    down = (np.arange(shape[0])[:, None] - center[0]) * rows_mm
    right = (np.arange(shape[1])[None, :] - center[1]) * columns_mm
    angle = np.arctan2(down, right) % (2 * np.pi)
    limit = np.interp(angle, np.arange(len(radius) + 1) * (2 * np.pi / len(radius)), np.append(radius, radius[0]))
    return np.asarray(np.hypot(down, right) < limit)
