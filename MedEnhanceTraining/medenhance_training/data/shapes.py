"""Solids that a phantom is made of, as signed distances: anti-aliasing then needs no second rendering.

Frame: millimetres, x to the patient's left (columns), y to the back (rows), z to the head; the origin is the middle of
the image. Distances are exact for tubes and half-spaces and right to first order near the surface of ellipsoids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Point = tuple[float, float, float]
# xmin, xmax, ymin, ymax in mm.
Bounds = tuple[float, float, float, float]


class Solid(Protocol):
    """Anything with an inside."""

    def distance(self, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
        """(H, W) mm: below 0 inside; ``x`` is (1, W), ``y`` (H, 1), in mm, in the plane at height ``z``."""

    def bounds(self, z: float) -> Bounds | None:
        """A rectangle that holds its cut with the plane at ``z``, or None when they do not meet."""


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, turned in the axial plane, that may be boxy and wavy as organs are.

    Attributes:
        centre: mm.
        semi_axes: mm, before it is turned; the third may be infinite, which makes a cylinder.
        angle: Turn in the axial plane, radians.
        power: 2 for an ellipse, above for a boxier outline.
        waves: (order, amplitude, phase) of undulations of the outline, the amplitude as a share of the radius.
    """

    centre: Point
    semi_axes: Point
    angle: float = 0.0
    power: float = 2.0
    waves: tuple[tuple[int, float, float], ...] = ()

    def distance(self, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
        u, v = self._own(x, y)
        a, b, c = self.semi_axes
        height = ((z - self.centre[2]) / c) ** 2
        flat = np.abs(u / a) ** self.power + np.abs(v / b) ** self.power
        radius = np.maximum(flat ** (1 / self.power), 1e-6)
        level = np.sqrt(radius**2 + height)
        if self.waves:
            phi = np.arctan2(v / b, u / a)
            level = level / (1.0 + sum(size * np.cos(k * phi + phase) for k, size, phase in self.waves))
        slope = radius ** (1 - self.power) * np.hypot(
            np.abs(u / a) ** (self.power - 1) / a, np.abs(v / b) ** (self.power - 1) / b
        )
        slope = slope * radius / np.maximum(level, 1e-6)
        return (level - 1.0) / np.maximum(slope, 1e-3 / max(a, b))

    def bounds(self, z: float) -> Bounds | None:
        a, b, c = self.semi_axes
        swell = 1.0 + sum(abs(size) for _, size, _ in self.waves)
        if abs(z - self.centre[2]) >= c * swell:
            return None
        # A boxy outline reaches further along its diagonals than an ellipse does.
        reach = swell * max(a, b) * 2 ** max(0.0, 0.5 - 1 / self.power)
        cx, cy, _ = self.centre
        return cx - reach, cx + reach, cy - reach, cy + reach

    def scaled(self, by_mm: float) -> Ellipsoid:
        """The same outline, moved outwards by about ``by_mm`` (inwards when negative)."""
        a, b, c = (max(axis + by_mm, 0.5) for axis in self.semi_axes)
        return Ellipsoid(self.centre, (a, b, c), self.angle, self.power, self.waves)

    def _own(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dx, dy = x - self.centre[0], y - self.centre[1]
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return dx * cosine + dy * sine, dy * cosine - dx * sine


@dataclass(frozen=True)
class Tube:
    """A round tube with round ends: a stretch of vessel, a catheter, a calcified rim.

    Attributes:
        start: mm.
        end: mm.
        radius_mm: Its radius.
    """

    start: Point
    end: Point
    radius_mm: float

    def distance(self, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
        start, along = np.asarray(self.start), np.subtract(self.end, self.start)
        dx, dy, dz = x - start[0], y - start[1], z - start[2]
        share = (dx * along[0] + dy * along[1] + dz * along[2]) / max(float(along @ along), 1e-9)
        share = np.clip(share, 0.0, 1.0)
        gap = (dx - share * along[0]) ** 2 + (dy - share * along[1]) ** 2 + (dz - share * along[2]) ** 2
        return np.sqrt(gap) - self.radius_mm

    def bounds(self, z: float) -> Bounds | None:
        low, high = np.minimum(self.start, self.end) - self.radius_mm, np.maximum(self.start, self.end) + self.radius_mm
        if not low[2] <= z <= high[2]:
            return None
        return float(low[0]), float(high[0]), float(low[1]), float(high[1])


@dataclass(frozen=True)
class HalfSpace:
    """All that lies in front of (smaller y than) a coronal plane, or behind it: a fluid level.

    Attributes:
        y_mm: Where the plane lies.
        front: Which side is inside.
    """

    y_mm: float
    front: bool = True

    def distance(self, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:  # noqa: ARG002 - a plane of constant y
        side = y - self.y_mm if self.front else self.y_mm - y
        return np.broadcast_to(side, np.broadcast_shapes(x.shape, y.shape))

    def bounds(self, z: float) -> Bounds | None:  # noqa: ARG002 - the same at every height
        return (-np.inf, np.inf, -np.inf, self.y_mm) if self.front else (-np.inf, np.inf, self.y_mm, np.inf)


@dataclass(frozen=True)
class Common:
    """What several solids share, less what lies in others.

    Attributes:
        of: The solids.
        without: Solids that are cut away.
    """

    of: tuple[Solid, ...]
    without: tuple[Solid, ...] = ()

    def distance(self, x: np.ndarray, y: np.ndarray, z: float) -> np.ndarray:
        inside = [solid.distance(x, y, z) for solid in self.of]
        outside = [-solid.distance(x, y, z) for solid in self.without if solid.bounds(z) is not None]
        return np.maximum.reduce([np.asarray(d) for d in inside + outside])

    def bounds(self, z: float) -> Bounds | None:
        return _overlap(solid.bounds(z) for solid in self.of)


def _overlap(rectangles: Iterable[Bounds | None]) -> Bounds | None:
    common = (-np.inf, np.inf, -np.inf, np.inf)
    for rectangle in rectangles:
        if rectangle is None:
            return None
        common = (
            max(common[0], rectangle[0]),
            min(common[1], rectangle[1]),
            max(common[2], rectangle[2]),
            min(common[3], rectangle[3]),
        )
    return None if common[0] >= common[1] or common[2] >= common[3] else common
