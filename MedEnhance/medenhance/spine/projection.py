"""Coronal projections of the back, and the way from their pixels back into the patient.

Row 0 is the head end and column 0 the patient's left, as seen from behind (spec section 9); depth counts from the skin
towards the front. World coordinates are LPS millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from medenhance.volume import Grid, Vector


@dataclass(frozen=True)
class Projection:
    """One coronal image.

    Attributes:
        image: (R, C) float32, grey 0 to 255; 0 outside the scan.
        spacing_mm: Of rows and columns; None when it is not known, and then no angle is measured.
        depth_mm: Of the middle of its slab below the skin; None when it is not known.
        name: Of the file or slab that it comes from.
    """

    image: np.ndarray
    spacing_mm: tuple[float, float] | None
    depth_mm: float | None
    name: str

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or 0 in self.image.shape:
            raise ValueError(f"a projection has two axes (R, C), not shape {self.image.shape}")


@dataclass(frozen=True)
class BackFrame:
    """The grid of a volume that was turned to face its back: axes are row, column and depth.

    Attributes:
        origin_mm: LPS position of the centre of the first voxel.
        axes: (3, 3) float64 whose columns are the LPS unit vectors along rows (to the feet), columns (to the patient's
            right) and depth (to the front).
        spacing_mm: Along these three.
    """

    origin_mm: Vector
    axes: np.ndarray
    spacing_mm: Vector

    def to_lps(self, row: float, column: float, depth_mm: float) -> np.ndarray:
        """(3,) mm of a place in pixels and in mm from the first plane."""
        steps = np.array([row * self.spacing_mm[0], column * self.spacing_mm[1], depth_mm])
        return np.asarray(np.asarray(self.origin_mm) + self.axes @ steps)

    def from_lps(self, point_mm: np.ndarray) -> tuple[float, float, float]:
        """Row, column and mm from the first plane of a place."""
        row, column, depth = np.linalg.solve(self.axes, np.asarray(point_mm) - np.asarray(self.origin_mm))
        return float(row / self.spacing_mm[0]), float(column / self.spacing_mm[1]), float(depth)


@dataclass(frozen=True)
class ProjectionSet:
    """Projections at several depths on one grid, superficial first.

    Attributes:
        projections: One a depth.
        scan: (R, C) bool: pixels with data in at least one of them.
        skin_mm: (R, C) float32: depth of the skin below the first plane of `frame`.
        frame: Of the volume that was projected.
        thickness_mm: Of every slab.
        lamina_mm: Depth of the laminae below the skin that the slabs were scaled to; None when depths were given or
            nothing was found.
        notes: What a user should know, one sentence each.
    """

    projections: tuple[Projection, ...]
    scan: np.ndarray
    skin_mm: np.ndarray
    frame: BackFrame
    thickness_mm: float
    lamina_mm: float | None
    notes: tuple[str, ...]

    @property
    def depths_mm(self) -> tuple[float, ...]:
        """Of the middles of the slabs below the skin."""
        return tuple(float(one.depth_mm or 0.0) for one in self.projections)

    def to_lps(self, row: float, column: float, depth_index: int) -> np.ndarray:
        """(3,) mm: where a place on a projection lies in the patient, in the middle of its slab.

        Args:
            row: Pixels, fractions allowed.
            column: Likewise.
            depth_index: Of the projection.
        """
        return self.frame.to_lps(row, column, self.skin_at(row, column) + self.depths_mm[depth_index])

    def from_lps(self, point_mm: np.ndarray) -> tuple[float, float, float]:
        """Row, column and mm below the skin of a place in the patient."""
        row, column, depth = self.frame.from_lps(point_mm)
        return row, column, depth - self.skin_at(row, column)

    def skin_at(self, row: float, column: float) -> float:
        """Depth of the skin below the first plane, interpolated; beyond the image that of its border."""
        return float(map_coordinates(self.skin_mm, [[row], [column]], order=1, mode="nearest")[0])

    def grid(self, depth_index: int) -> Grid:
        """The grid of one projection as a volume of one flat slice, at the mean depth of its slab."""
        depth = float(self.skin_mm[self.scan].mean()) + self.depths_mm[depth_index]
        row, column, deep = self.frame.axes.T
        x, y, z = (float(v) for v in self.frame.to_lps(0, 0, depth))
        return Grid(
            spacing_mm=(self.frame.spacing_mm[1], self.frame.spacing_mm[0], self.thickness_mm),
            origin_mm=(x, y, z),
            direction=tuple(np.stack([column, row, deep], axis=1).ravel().tolist()),
        )
