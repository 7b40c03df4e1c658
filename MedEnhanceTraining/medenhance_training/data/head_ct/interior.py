"""The inside of a skull, simulated or real, as the bleeds see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interior:
    """Coarse arrays of the cavity's box, (P, R, C) float32; mm.

    Attributes:
        x, y, z: Head coordinates.
        depth: From the inner table; below 0 outside the cavity.
        convexity: Depth below the vault alone; the skull base does not count.
        suture: Distance to the nearest suture.
        plate: int8, number of the bone plate.
        step_mm: Distance of coarse voxels.
        voxel_ml: (P, 1, 1) float32: of a fine voxel, of which a coarse one holds four.
        half_width_mm: Of the cavity.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    depth: np.ndarray
    convexity: np.ndarray
    suture: np.ndarray
    plate: np.ndarray
    step_mm: tuple[float, float, float]
    voxel_ml: np.ndarray
    half_width_mm: float

    @property
    def shape_fine(self) -> tuple[int, int, int]:
        """Of the fine grid."""
        planes, rows, columns = self.depth.shape
        return planes, 2 * rows, 2 * columns

    @property
    def pixel_mm(self) -> float:
        """Side of a fine pixel."""
        return self.step_mm[1] / 2


@dataclass(frozen=True)
class Made:
    """A bleed's shape.

    Attributes:
        share: (P, 2R, 2C) float32: share of each fine voxel that is blood, 0 to 1.
        texture_hu: float32, of the same shape or 0: what its density adds to its mean.
        thickness: (P, R, C) float32 or None: how thick the bleed lies on the brain, coarse, mm; None for one inside it.
        centre_mm: Head coordinates of where it started.
        radius_mm: Of a ball of its volume.
        push: Strength of its mass effect.
        rim_hu: Density of the swollen brain about it, 0 or below, and
        rim_mm: how far that reaches.
    """

    share: np.ndarray
    texture_hu: np.ndarray | float
    thickness: np.ndarray | None
    centre_mm: tuple[float, float, float]
    radius_mm: float
    push: float
    rim: np.ndarray | None = None
