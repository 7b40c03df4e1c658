"""What a measurement of the curves of a spine is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Side = Literal["left", "right"]
Kind = Literal["thoracic", "(thoraco)lumbar"]
Evidence = Literal["pair", "left process", "right process", "lump", "none"]


@dataclass(frozen=True)
class Line:
    """A line across the spine that a person may drag.

    Attributes:
        level: Name of its level.
        left: (row, column) of its end at the smaller column, the patient's left.
        right: (row, column) of its other end.
    """

    level: str
    left: tuple[float, float]
    right: tuple[float, float]

    def tilt_deg(self, spacing_mm: tuple[float, float]) -> float:
        """Its tilt; positive when its right end is nearer to the feet."""
        dy = (self.right[0] - self.left[0]) * spacing_mm[0]
        dx = (self.right[1] - self.left[1]) * spacing_mm[1]
        return float(np.degrees(np.arctan2(dy, dx)))


@dataclass(frozen=True)
class LevelTilt:
    """A level and how it is tilted.

    Attributes:
        name: Assumed, such as "T9".
        row: Where it crosses the midline, in pixels.
        column: Likewise.
        tilt_deg: Of the smooth curve; positive when the patient's right side is nearer to the feet.
        interval_deg: 95 % interval of `tilt_deg`.
        own_deg: Tilt of the level's own line, when a pair or a lump was found.
        evidence: What was found of it.
        unlikely: It differs from its neighbour by more than 12 degrees in its own line.
    """

    name: str
    row: float
    column: float
    tilt_deg: float
    interval_deg: tuple[float, float]
    own_deg: float | None
    evidence: Evidence
    unlikely: bool


@dataclass(frozen=True)
class Curve:
    """A curve of the spine.

    Attributes:
        upper: Name of its upper end level.
        lower: Name of its lower end level.
        apex: Name of the level farthest from the straight line between them.
        angle_deg: Its ultrasound curve angle, at least 0.
        interval_deg: 95 % interval of the angle.
        side: The patient's side to which it is convex.
        kind: By its apex.
        lines: Of the upper and the lower end level; the angle is the one between them.
        supported: Something was found of both end levels.
    """

    upper: str
    lower: str
    apex: str
    angle_deg: float
    interval_deg: tuple[float, float]
    side: Side
    kind: Kind
    lines: tuple[Line, Line]
    supported: bool


@dataclass(frozen=True)
class Measurement:
    """The curves of one image.

    Attributes:
        curves: Those of at least 5 degrees, from head to feet.
        largest: The one of the largest angle, also when that is below 5 degrees and hence no curve.
        levels: From head to feet.
        level_spacing_mm: Typical distance of thoracic levels.
        dropped: How many structures of the segmentation fitted nowhere.
        notes: What a user should know, one sentence each.
    """

    curves: tuple[Curve, ...]
    largest: Curve
    levels: tuple[LevelTilt, ...]
    level_spacing_mm: float
    dropped: int
    notes: tuple[str, ...]


def mirrored(found: Measurement, width: int) -> Measurement:
    """The measurement of the mirror image."""
    return replace(
        found,
        curves=tuple(_mirrored_curve(curve, width) for curve in found.curves),
        largest=_mirrored_curve(found.largest, width),
        levels=tuple(_mirrored_level(level, width) for level in found.levels),
    )


def _mirrored_curve(curve: Curve, width: int) -> Curve:
    upper, lower = (_mirrored_line(line, width) for line in curve.lines)
    return replace(curve, side="left" if curve.side == "right" else "right", lines=(upper, lower))


def _mirrored_line(line: Line, width: int) -> Line:
    (left_row, left), (right_row, right) = line.left, line.right
    return Line(line.level, (right_row, width - 1 - right), (left_row, width - 1 - left))


def _mirrored_level(level: LevelTilt, width: int) -> LevelTilt:
    low, high = level.interval_deg
    swapped: dict[str, Evidence] = {
        "left process": "right process",
        "right process": "left process",
    }
    return replace(
        level,
        column=width - 1 - level.column,
        tilt_deg=-level.tilt_deg,
        interval_deg=(-high, -low),
        own_deg=None if level.own_deg is None else -level.own_deg,
        evidence=swapped.get(level.evidence, level.evidence),
    )
