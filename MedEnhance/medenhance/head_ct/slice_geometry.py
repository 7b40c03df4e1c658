"""What each slice of a stack stands for, when gaps are unequal, slices overlap or the gantry was tilted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medenhance.volume import Grid, Vector


@dataclass(frozen=True)
class SliceGeometry:
    """Of a stack in the patient's axes.

    Attributes:
        levels_mm: (D,) position of each slice along the slice normal, rising from foot to head.
        thickness_mm: (D,) what each slice stands for: from half way to the neighbour below to half way to that above.
            The first and the last one reach out as far as they reach in; a lone slice has its stated thickness.
        pixel_mm: Distance of rows, of columns.
        tilt_deg: Angle between the slice axis and the slice normal.
    """

    levels_mm: np.ndarray
    thickness_mm: np.ndarray
    pixel_mm: tuple[float, float]
    tilt_deg: float

    @property
    def gaps_mm(self) -> np.ndarray:
        """(D - 1,) distances of neighbouring slices along the normal."""
        return np.asarray(np.diff(self.levels_mm))

    @property
    def voxel_ml(self) -> np.ndarray:
        """(D,) volume of a voxel of each slice."""
        rows, columns = self.pixel_mm
        return np.asarray(self.thickness_mm * rows * columns / 1000.0)

    @property
    def covered_mm(self) -> float:
        """From the foot end of the first to the head end of the last slice."""
        return float(self.levels_mm[-1] - self.levels_mm[0] + (self.thickness_mm[0] + self.thickness_mm[-1]) / 2)


def slice_geometry(grid: Grid, num_slices: int) -> SliceGeometry:
    """The geometry of a stack of ``num_slices`` slices that run from foot to head."""
    levels = grid.slice_positions(num_slices) @ grid.slice_normal
    if num_slices == 1:
        thickness = np.array([grid.spacing_mm[2]])
    else:
        gaps = np.diff(levels)
        thickness = (np.concatenate([gaps[:1], gaps]) + np.concatenate([gaps, gaps[-1:]])) / 2
    return SliceGeometry(levels, thickness, (grid.spacing_mm[1], grid.spacing_mm[0]), grid.shear_deg)


def points_mm(grid: Grid, num_slices: int, indices: np.ndarray) -> np.ndarray:
    """(N, 3) LPS positions of voxels.

    Args:
        grid: Of the volume.
        num_slices: Its number of slices.
        indices: (N, 3) slice, row, column; fractions allowed for row and column, and for the slice between slices.
    """
    positions = grid.slice_positions(num_slices)
    slices = np.arange(num_slices)
    first = np.stack([np.interp(indices[:, 0], slices, positions[:, axis]) for axis in range(3)], axis=1)
    return np.asarray(first + indices[:, 1:2] * grid.affine[:3, 1] + indices[:, 2:3] * grid.affine[:3, 0])


def slice_center_mm(grid: Grid, shape: tuple[int, ...], index: int) -> Vector:
    """LPS centre of a slice of a volume of ``shape``."""
    middle = np.array([[index, (shape[1] - 1) / 2, (shape[2] - 1) / 2]])
    x, y, z = points_mm(grid, shape[0], middle)[0].tolist()
    return x, y, z
