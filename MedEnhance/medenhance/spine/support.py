"""Whether what an enhanced projection shows was seen by the probe: structures are looked for in all original depths.

A network may draw a process where none was seen. Such a structure stands out from its surroundings in the enhanced
image and in no original one (specification of spine ultrasound, section 8: landmarks without support in any depth).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.ndimage import binary_dilation, find_objects, label

from medenhance.measure.stripes import dash_mask, scan_area
from medenhance.spine.labels import LUMP, PROCESS
from medenhance.spine.measurement import Line, Measurement

StructureKind = Literal["thoracic process", "lumbar lump"]
_KINDS: dict[int, StructureKind] = {PROCESS: "thoracic process", LUMP: "lumbar lump"}
# A structure counts as seen where it stands out by half as much as in the enhanced image, and by more than chance: the
# means of inside and rim differ by three standard errors, for which speckle is taken as 25 pixels a grain.
_LEAST_SHARE, _ERRORS, _GRAIN_PX = 0.5, 3.0, 25.0
# The rim is a quarter of the structure's extent wide. A depth that measured less than a third of it says nothing.
_RIM_SHARE, _LEAST_MEASURED = 0.25, 1 / 3
_SMALLEST = 0.3  # of the median, as `medenhance.spine.blobs`
# da-gan-compact gives less than this to each process that it labels again after it was deleted from every depth; chosen
# on the 12 subjects of the benchmark spine-ultrasound that show it.
CONFIDENT = 0.68


@dataclass(frozen=True)
class Structure:
    """A process or lump of the enhanced segmentation.

    Attributes:
        kind: What it is.
        row: Of its centroid, pixels.
        column: Likewise.
        contrast: Mean of its rim minus its own in the enhanced image, grey levels.
        seen: The largest such contrast of the same sign in the originals, grey levels; 0 where none has any.
        supported: At least one original shows it.
        confidence: Mean probability that the network gives to its pixels; None where it is not known.
    """

    kind: StructureKind
    row: float
    column: float
    contrast: float
    seen: float
    supported: bool
    confidence: float | None = None

    @property
    def doubtful(self) -> bool:
        """No original shows it, or the network is not sure of it."""
        return not self.supported or (self.confidence is not None and self.confidence < CONFIDENT)


def structures(
    labels: np.ndarray, enhanced: np.ndarray, originals: Sequence[np.ndarray], confidence: np.ndarray | None = None
) -> tuple[Structure, ...]:
    """Look for each structure of an enhanced image in the original ones.

    Args:
        labels: (R, C) of the enhanced image, order "da-gan".
        enhanced: (R, C) grey 0 to 255.
        originals: (R, C) each, grey 0 to 255: all depths that there are, on one grid.
        confidence: (R, C) probability of each pixel's label.
    """
    scan = scan_area(enhanced)
    measured = [scan & (one > 0) & ~dash_mask(one) for one in originals]
    found = []
    for value, kind in _KINDS.items():
        numbered, count = label(labels == value, np.ones((3, 3)))
        if not count:
            continue
        sizes = np.bincount(numbered.ravel())[1:]
        for index, box in enumerate(find_objects(numbered), start=1):
            if sizes[index - 1] >= _SMALLEST * np.median(sizes):
                mask = numbered == index
                one = _structure(kind, mask, box, labels > 0, scan, enhanced, originals, measured)
                sure = None if confidence is None else float(confidence[mask].mean())
                found.append(replace(one, confidence=sure))
    return tuple(sorted(found, key=lambda one: (one.row, one.column)))


def doubtful_ends(found: Sequence[Structure], measured: Measurement) -> tuple[str, ...]:
    """Names of the end levels of curves that rest on a doubtful structure."""
    lines = [line for curve in measured.curves for line in curve.lines]
    names = [line.level for line in lines if any(one.doubtful and _belongs(one, line) for one in found)]
    return tuple(dict.fromkeys(names))


def _structure(
    kind: StructureKind,
    mask: np.ndarray,
    box: tuple[slice, slice],
    marked: np.ndarray,
    scan: np.ndarray,
    enhanced: np.ndarray,
    originals: Sequence[np.ndarray],
    measured: Sequence[np.ndarray],
) -> Structure:
    height, width = (part.stop - part.start for part in box)
    rim_px = max(2, round(_RIM_SHARE * max(height, width)))
    rows, columns = (slice(max(part.start - rim_px, 0), part.stop + rim_px) for part in box)
    inside = mask[rows, columns]
    rim = binary_dilation(inside, iterations=rim_px) & ~marked[rows, columns] & scan[rows, columns]
    contrast, _ = _contrast(enhanced[rows, columns], inside, rim)
    sign = 1.0 if contrast >= 0 else -1.0
    seen, supported = 0.0, False
    for image, known in zip(originals, measured, strict=True):
        there = inside & known[rows, columns]
        if there.sum() < _LEAST_MEASURED * inside.sum():
            continue
        own, error = _contrast(image[rows, columns], there, rim & known[rows, columns])
        seen = max(seen, sign * own)
        supported |= sign * own >= max(_LEAST_SHARE * abs(contrast), _ERRORS * error)
    places = np.argwhere(mask)
    row, column = (float(v) for v in places.mean(axis=0))
    return Structure(kind, row, column, contrast, seen, bool(supported))


def _contrast(image: np.ndarray, inside: np.ndarray, rim: np.ndarray) -> tuple[float, float]:
    """Mean of the rim minus mean inside, and the standard error of that; (0, infinity) where either is empty."""
    within, around = image[inside].astype(np.float64), image[rim].astype(np.float64)
    if not within.size or not around.size:
        return 0.0, float("inf")
    grains = [max(part.size / _GRAIN_PX, 1.0) for part in (within, around)]
    error = np.sqrt(within.var() / grains[0] + around.var() / grains[1])
    return float(around.mean() - within.mean()), float(error)


def _belongs(one: Structure, line: Line) -> bool:
    """Whether a structure lies on a line: nearer to it than a fifth of its length, about half a level."""
    (top, left), (bottom, right) = line.left, line.right
    length = float(np.hypot(bottom - top, right - left))
    across = abs((bottom - top) * (one.column - left) - (right - left) * (one.row - top)) / max(length, 1e-9)
    middle = (left + right) / 2
    return across <= length / 5 and abs(one.column - middle) <= length
