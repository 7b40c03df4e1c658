"""What the structures of each level say about the midline and its tilt, as observations with their uncertainty."""

from __future__ import annotations

import numpy as np

from medenhance.spine.levels import Level, Levels
from medenhance.spine.tilt_curve import Observations

# Standard deviations up to a common factor that the fit finds. A process's centroid scatters by about 1 mm of 26 mm.
_PROCESS_SD = 0.04
# The middle of a pair is off the midline by more than its two centroids scatter (rotated and lopsided vertebrae): less
# weight (spec section 6.3, step 6), and a lone process counts less than a pair. Smaller ones would take 0.05 degrees
# more off the error on synthetic spines, whose lines stand upright on the midline, and add it where they do not.
_MIDDLE_SD = 0.045
_LONE_SD = 0.055
_LUMP_SD = 0.05
_LUMP_AXIS_SD = np.radians(2.0)
# A rounder lump has no axis (spec section 6.3, step 5).
_LEAST_ELONGATION = 1.3
_CUT_FACTOR = 2.0


def observations(levels: Levels, half: np.ndarray, slopes: np.ndarray) -> Observations:
    """The observations of all levels that were found.

    Args:
        levels: What was found.
        half: (L,) half the distance of a pair at each level, in levels.
        slopes: (L,) slope of the midline at each level, from an earlier fit: a lone process is moved to the middle
            along its level's line, and a line's uncertainty grows with its tilt.
    """
    rows: list[tuple[float, float, float, bool]] = []
    for level, w, slope in zip(levels.levels, half, slopes, strict=True):
        rows += _of_level(level, levels.unit_mm, float(w), float(slope))
    y, value, sd, is_slope = (np.array(column) for column in zip(*rows, strict=True))
    return Observations(y, value, sd, is_slope.astype(bool))


def line_of(level: Level) -> float | None:
    """Slope dx/dy of the midline that the level's own line says; None without a line."""
    if level.left is not None and level.right is not None:
        dx, dy = level.right.x_mm - level.left.x_mm, level.right.y_mm - level.left.y_mm
        return -dy / dx
    if level.lump is not None and level.lump.elongation >= _LEAST_ELONGATION and abs(level.lump.axis_deg) < 60:
        return float(np.tan(np.radians(level.lump.axis_deg)))
    return None


def half_widths(levels: Levels) -> np.ndarray:
    """(L,) half the distance of a pair at each level, in levels: a straight line through the pairs that were found."""
    found = [
        (level.y, np.hypot(level.right.x_mm - level.left.x_mm, level.right.y_mm - level.left.y_mm) / 2 / levels.unit_mm)
        for level in levels.levels
        if level.left is not None and level.right is not None
    ]
    y = np.array([level.y for level in levels.levels])
    if len(found) < 4:
        return np.full(len(y), levels.half_width_mm / levels.unit_mm)
    places, widths = np.array(found).T
    centre, median = float(np.median(places)), float(np.median(widths))
    # Theil-Sen: a false pair turns no line.
    i, j = np.triu_indices(len(places), 1)
    slope = float(np.median((widths[j] - widths[i]) / (places[j] - places[i])))
    return np.asarray(np.clip(median + slope * (y - centre), 0.6 * median, 1.5 * median))


def _of_level(level: Level, unit: float, half: float, slope: float) -> list[tuple[float, float, float, bool]]:
    """(y, value, sd, is slope) of what one level says; lengths in levels."""
    blobs = [blob for blob in (level.left, level.right, level.lump) if blob is not None]
    factor = _CUT_FACTOR if any(blob.cut for blob in blobs) else 1.0
    line = line_of(level)
    if level.left is not None and level.right is not None and line is not None:
        x = (level.left.x_mm + level.right.x_mm) / 2 / unit
        y = (level.left.y_mm + level.right.y_mm) / 2 / unit
        # d(tan t) = (1 + tan^2 t) dt, and dt = sqrt(2) sd / (2 half).
        sd = _PROCESS_SD * np.sqrt(2) / (2 * half) * (1 + slope**2)
        return [(y, line, factor * sd, True), (y, x, factor * _MIDDLE_SD, False)]
    if level.lump is not None:
        x, y = level.lump.x_mm / unit, level.lump.y_mm / unit
        rows = [(y, x, factor * _LUMP_SD, False)]
        if line is not None:
            rows.append((y, line, factor * _LUMP_AXIS_SD * (1 + slope**2), True))
        return rows
    rows = []
    tilt = np.arctan(slope)
    for blob, side in ((level.left, -1), (level.right, 1)):
        if blob is not None:
            y, x = blob.y_mm / unit + side * half * np.sin(tilt), blob.x_mm / unit - side * half * np.cos(tilt)
            rows.append((y, x, factor * _LONE_SD, False))
    return rows
