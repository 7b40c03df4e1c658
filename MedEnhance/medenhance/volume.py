"""A volume and where it lies in the patient.

Axis order is D, H, W (= K, J, I: slice, row, column) in every array of this project. World coordinates are LPS
millimetres (DICOM's and ITK's frame: x to the patient's left, y to the back, z to the head). Slicer's RAS frame exists
only in the Slicer layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from medenhance.dicom.series import DicomSeries

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Grid:
    """The voxel grid of a volume, held exactly as its file states it.

    Attributes:
        spacing_mm: Distance of neighbouring voxels along I (columns), J (rows), K (slices).
        origin_mm: LPS position of the centre of voxel (i, j, k) = (0, 0, 0).
        direction: 3x3 row-major matrix whose columns are the unit vectors of I, J, K in LPS. K is not orthogonal to I
            and J in a series with a tilted gantry.
        slice_origins_mm: LPS position of the first voxel of every slice, when the slices do not lie at equal steps
            (unequal gaps, missing slices); then `spacing_mm[2]` and the K column are those of the mean step.
        spacing_known: False when the file holds no spacing and 1 mm stands in for it.
    """

    spacing_mm: Vector = (1.0, 1.0, 1.0)
    origin_mm: Vector = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    slice_origins_mm: tuple[Vector, ...] | None = None
    spacing_known: bool = True

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) float64: maps homogeneous (i, j, k, 1) to LPS millimetres."""
        affine: np.ndarray = np.eye(4)
        affine[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing_mm)
        affine[:3, 3] = self.origin_mm
        return affine

    @property
    def slice_normal(self) -> np.ndarray:
        """(3,) float64 unit vector across the slices: I x J."""
        matrix = np.reshape(self.direction, (3, 3))
        normal = np.cross(matrix[:, 0], matrix[:, 1])
        return np.asarray(normal / np.linalg.norm(normal))

    @property
    def shear_deg(self) -> float:
        """Angle between the slice axis K and the normal of the slices; the gantry tilt of a tilted series."""
        axis = np.reshape(self.direction, (3, 3))[:, 2]
        across = abs(float(axis @ self.slice_normal))
        along = float(np.linalg.norm(np.cross(axis, self.slice_normal)))
        return float(np.degrees(np.arctan2(along, across)))

    def slice_positions(self, num_slices: int) -> np.ndarray:
        """(num_slices, 3) float64: the LPS position in mm of the first voxel of every slice."""
        if self.slice_origins_mm is not None:
            return np.asarray(self.slice_origins_mm, dtype=np.float64)
        positions: np.ndarray = np.asarray(self.origin_mm) + np.arange(num_slices)[:, None] * self.affine[:3, 2]
        return positions

    @classmethod
    def from_affine(cls, affine: np.ndarray) -> Grid:
        """The grid of a (4, 4) matrix from (i, j, k, 1) to LPS millimetres."""
        columns = np.asarray(affine, dtype=np.float64)[:3, :3]
        spacing = np.linalg.norm(columns, axis=0)
        if not np.all(spacing > 0):
            raise ValueError(f"an affine with a zero column has no spacing: {columns.tolist()}")
        return cls(
            spacing_mm=_vector(spacing),
            origin_mm=_vector(np.asarray(affine)[:3, 3]),
            direction=tuple((columns / spacing).ravel().tolist()),
        )


@dataclass(frozen=True)
class Volume:
    """A scalar volume in physical units.

    Attributes:
        array: (D, H, W), HU for CT, grey values otherwise. float32 from DICOM; the file's own type from other formats.
        grid: Where the voxels lie.
        modality: DICOM modality ("CT", "MR", ...), or None when the format does not say.
        padding_below: Values at or below this (same unit as `array`) mark voxels outside the reconstruction; they mean
            nothing, are passed through unchanged and are left out of measurements. None when there are none.
        series: The DICOM series that it was read from, needed to write a derived series.
        warnings: What a user should know about the input, one sentence each.
        file_dtype: Voxel type of the file that it was read from, in which a result is written; for DICOM the smallest
            one that holds its values exactly. None: that of `array`.
    """

    array: np.ndarray
    grid: Grid = field(default_factory=Grid)
    modality: str | None = None
    padding_below: float | None = None
    series: DicomSeries | None = None
    warnings: tuple[str, ...] = ()
    file_dtype: np.dtype | None = None

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or 0 in self.array.shape:
            raise ValueError(f"a volume has three non-empty axes (D, H, W), not shape {self.array.shape}")

    def with_array(self, array: np.ndarray) -> Volume:
        """The same volume with other voxel values."""
        if array.shape != self.array.shape:
            raise ValueError(f"shape {array.shape} does not fit the grid of shape {self.array.shape}")
        return replace(self, array=array)


def _vector(values: np.ndarray) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
