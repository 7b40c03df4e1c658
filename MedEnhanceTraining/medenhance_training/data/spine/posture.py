"""The shape of a simulated spine: each level's place and tilt, with curves of known angle.

Tilts are drawn, and the midline is their integral, so the angles are exact: between two end levels the tilt runs
monotonically from one extreme to the other, and the midline is everywhere perpendicular to the levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medenhance.spine.curves import LEAST_CURVE_DEG, alternating_extremes
from medenhance_training.data.spine.case import Curve
from medenhance_training.data.spine.config import SpineConfig

THORACIC_LEVELS = tuple(f"T{n}" for n in range(2, 13))
LUMBAR_LEVELS = ("L1", "L2", "L3", "L4", "L5", "S1")
LEVELS = THORACIC_LEVELS + LUMBAR_LEVELS
# Distances of neighbouring levels: 144 px in the thorax and 142 below, median of the public image, at 0.2 mm.
THORACIC_STEP_MM, LUMBAR_STEP_MM = 28.0, 28.0
# Adolescents to adults; 1 is the person of the public image.
BODY_SCALE = (0.88, 1.0)
_STEP_MM = 0.5
# Mean change of tilt a level that a curve may have; at its steepest it then stays below the 12 degrees a level that the
# specification (section 6.3, step 6) takes for an error.
_STEEPEST_DEG = 9.0
# Levels that a curve spans at least; above or below a shorter rest of the spine stays nearly straight.
_SHORTEST_CURVE = 3
# The probe is 78 mm wide and the image 128: a spine that strays by more than 55 mm leaves it. Six ways keep 95 % below.
_NUM_WAYS = 6


@dataclass(frozen=True)
class Posture:
    """A spine.

    Attributes:
        scale: Body size; 1 is the person of the public image.
        tilts_deg: (17,), positive where the patient's right is lower.
        row_mm: (17,), of each level's centre, from the image's upper edge.
        column_mm: (17,), likewise, from its left edge.
        midline_row_mm: (n,) rising, beyond the levels at both ends.
        midline_column_mm: (n,), the midline at these rows.
    """

    scale: float
    tilts_deg: np.ndarray
    row_mm: np.ndarray
    column_mm: np.ndarray
    midline_row_mm: np.ndarray
    midline_column_mm: np.ndarray

    def midline_at(self, row_mm: np.ndarray) -> np.ndarray:
        """Column of the midline, mm, at rows in mm; straight beyond its ends."""
        return np.interp(row_mm, self.midline_row_mm, self.midline_column_mm)

    def level_index_at(self, row_mm: np.ndarray) -> np.ndarray:
        """Which level a row belongs to, as a fraction: 0 is T2, 16 is S1."""
        return np.interp(row_mm, self.row_mm, np.arange(len(LEVELS)))


def draw_posture(config: SpineConfig, rng: np.random.Generator) -> Posture:
    """A spine with main curves within the configuration's range."""
    scale = float(rng.uniform(*BODY_SCALE))
    steps = np.array([THORACIC_STEP_MM] * (len(THORACIC_LEVELS) - 1) + [LUMBAR_STEP_MM] * len(LUMBAR_LEVELS))
    arcs = np.concatenate([[0.0], np.cumsum(steps * rng.uniform(0.94, 1.06, steps.size))]) * scale
    margin = 3 * THORACIC_STEP_MM
    arc = np.arange(-margin, arcs[-1] + margin, _STEP_MM)
    inside = (arc >= 0) & (arc <= arcs[-1])
    tilt = _balanced_tilt(config, np.interp(arc, arcs, np.arange(len(LEVELS))), inside, rng)
    row, column = np.cumsum(np.cos(tilt)) * _STEP_MM, -np.cumsum(np.sin(tilt)) * _STEP_MM
    row += config.field_mm[0] / 2 - (row[inside].min() + row[inside].max()) / 2 + rng.normal(0, 3)
    column += config.field_mm[1] / 2 - (column[inside].min() + column[inside].max()) / 2 + rng.normal(0, 2)
    at_tilt, at_row, at_column = (np.interp(arcs, arc, values) for values in (np.degrees(tilt), row, column))
    return Posture(scale, at_tilt, at_row, at_column, row, column)


def true_curves(tilts_deg: Sequence[float] | np.ndarray, names: Sequence[str] = LEVELS) -> tuple[Curve, ...]:
    """Curves of 5 degrees or more between neighbouring extremes of the tilts, the first and the last level included."""
    tilts = np.asarray(tilts_deg, float)
    ends = alternating_extremes(tilts)
    curves = []
    for upper, lower in pairwise(ends):
        angle = float(tilts[lower] - tilts[upper])
        if abs(angle) >= LEAST_CURVE_DEG:
            # The midline runs to the right above where the patient's left is lower, and comes back below.
            curves.append(Curve(names[upper], names[lower], abs(angle), "right" if angle > 0 else "left"))
    return tuple(curves)


def _balanced_tilt(config: SpineConfig, level: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) radians at level numbers `level`: of some ways to place the drawn curves, the one that strays least.

    A standing subject is balanced: a constant turn takes the head over the sacrum, but for a few mm.
    """
    number = int(rng.choice(3, p=(0.1, 0.5, 0.4))) if config.num_curves is None else config.num_curves
    angles = rng.uniform(*config.curve_deg, number)
    lean = rng.normal(0, 0.01)
    ways = []
    for _ in range(_NUM_WAYS):
        tilt = np.radians(_between(*_tilt_nodes(angles, rng), level))
        ways.append(tilt - tilt[inside].mean() + lean)
    return min(ways, key=lambda tilt: float(np.ptp(np.cumsum(np.sin(tilt[inside])))))


def _tilt_nodes(angles: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Levels (as numbers) where the tilt is extreme, both ends included, and the tilts there in degrees."""
    number, last = angles.size, len(LEVELS) - 1
    if number == 0:
        return np.array([0.0, last]), np.zeros(2)
    spans = np.maximum(rng.integers(5, 8, number), np.ceil(angles / _STEEPEST_DEG)).astype(int)
    start = int(rng.integers(1, last - spans.sum()))
    nodes = np.concatenate([[start], start + np.cumsum(spans)])
    if number == 1:
        share = rng.uniform(0.4, 0.6)
        tilts = np.array([angles[0] * share, -angles[0] * (1 - share)])
    else:
        middle = rng.uniform(0.4, 0.6) * angles.min()
        tilts = np.array([angles[0] - middle, -middle, angles[1] - middle])
    # Compensation: above and below its curves a spine leans back, or it would leave the body.
    levels = np.array([nodes[0], last - nodes[-1]])
    most = np.where(levels < _SHORTEST_CURVE, 0.8 * LEAST_CURVE_DEG, levels * _STEEPEST_DEG)
    back = np.minimum(np.abs(tilts[[0, -1]]) * rng.uniform(1.0, 1.7, 2), most)
    ends = tilts[[0, -1]] - np.sign(tilts[[0, -1]]) * back
    return np.array([0, *nodes, last], float), rng.choice((-1.0, 1.0)) * np.array([ends[0], *tilts, ends[1]])


def _between(nodes: np.ndarray, tilts: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Monotone steps from node to node, steeper in the middle: the mean of a straight line and a half cosine."""
    upper = np.clip(np.searchsorted(nodes, level, side="right") - 1, 0, len(nodes) - 2)
    share = np.clip((level - nodes[upper]) / (nodes[upper + 1] - nodes[upper]), 0, 1)
    smooth = (share + (1 - np.cos(np.pi * share)) / 2) / 2
    return tilts[upper] + (tilts[upper + 1] - tilts[upper]) * smooth
