"""Curves from the tilts of all levels: alternating extremes, and between each two of them one curve."""

from __future__ import annotations

import numpy as np

# A difference of tilts below this is no curve (spec section 6.3, step 7).
LEAST_CURVE_DEG = 5.0


def alternating_extremes(tilts_deg: np.ndarray, least_deg: float = LEAST_CURVE_DEG) -> list[int]:
    """Indices of the levels at which the tilt turns, the outermost included.

    Neighbouring extremes differ by at least `least_deg`. Where no two levels do, the most and the least tilted one are
    given, so that there are always two of them.

    Args:
        tilts_deg: (N,) with N at least 2, from head to feet.
        least_deg: How large a turn has to be to count.
    """
    extremes = _turns(tilts_deg, least_deg)
    if len(extremes) >= 2:
        return extremes
    if np.ptp(tilts_deg) == 0:
        return [0, len(tilts_deg) - 1]
    return sorted((int(np.argmax(tilts_deg)), int(np.argmin(tilts_deg))))


def apex_between(x: np.ndarray, y: np.ndarray, upper: int, lower: int) -> int:
    """The level that lies farthest from the straight line between two end levels.

    Args:
        x: (N,) of the midline at each level.
        y: (N,) likewise, same unit.
        upper: Index of the upper end level.
        lower: Index of the lower one.
    """
    dx, dy = x[lower] - x[upper], y[lower] - y[upper]
    inside = np.arange(upper, lower + 1)
    away = np.abs((x[inside] - x[upper]) * dy - (y[inside] - y[upper]) * dx)
    return int(inside[np.argmax(away)])


def _turns(tilts: np.ndarray, least: float) -> list[int]:
    """The extremes that remain after the smallest turns have been taken out, two by two inside, one by one outside."""
    changes = np.sign(np.diff(tilts))
    inner = [i for i in range(1, len(tilts) - 1) if changes[i - 1] * changes[i] < 0]
    extremes = [0, *inner, len(tilts) - 1]
    while len(extremes) >= 2:
        spans = np.abs(np.diff(tilts[extremes]))
        smallest = int(np.argmin(spans))
        if spans[smallest] >= least:
            break
        if smallest in (0, len(spans) - 1):
            del extremes[0 if smallest == 0 else -1]
        else:
            del extremes[smallest : smallest + 2]
    return extremes
