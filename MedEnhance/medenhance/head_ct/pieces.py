"""The connected pieces of a mask, each cut out of its volume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medenhance.head_ct.slice_geometry import SliceGeometry, points_mm
from medenhance.volume import Grid

MOST_LISTED = 40  # more than a table of pieces is read for
# Voxels that touch at a corner belong together: blood follows thin, oblique spaces.
TOUCHING = ndimage.generate_binary_structure(3, 3)


@dataclass(frozen=True)
class Piece:
    """A piece of a mask, or a whole one, with no more of the volume around it than it needs.

    Attributes:
        mask: (d, h, w) bool.
        corner: Slice, row, column of its first voxel in the volume.
        grid, geometry: Of the volume, in the patient's axes.
    """

    mask: np.ndarray
    corner: tuple[int, int, int]
    grid: Grid
    geometry: SliceGeometry

    @property
    def ml(self) -> float:
        """Its volume."""
        return float(np.count_nonzero(self.mask, axis=(1, 2)) @ self.voxel_ml)

    @property
    def thickness_mm(self) -> np.ndarray:
        """(d,) what each of its slices stands for."""
        return self.geometry.thickness_mm[self.corner[0] : self.corner[0] + len(self.mask)]

    @property
    def voxel_ml(self) -> np.ndarray:
        """(d,) volume of a voxel of each of its slices."""
        return self.geometry.voxel_ml[self.corner[0] : self.corner[0] + len(self.mask)]

    @property
    def areas_mm2(self) -> np.ndarray:
        """(d,) its area in each slice."""
        rows, columns = self.geometry.pixel_mm
        return np.asarray(np.count_nonzero(self.mask, axis=(1, 2)) * rows * columns)

    @property
    def largest_slice(self) -> int:
        """Slice of the volume with its largest area; the lowest of equals."""
        return self.corner[0] + int(np.argmax(self.areas_mm2))

    def points(self, indices: np.ndarray) -> np.ndarray:
        """(N, 3) LPS positions in mm of (N, 3) indices in `mask`."""
        return points_mm(self.grid, len(self.geometry.levels_mm), indices + np.asarray(self.corner, np.float64))

    def sections(self) -> Iterator[np.ndarray]:
        """(N, 3) float64 indices in `mask` of the voxels of each slice."""
        for k, section in enumerate(self.mask):
            pixels = np.argwhere(section).astype(np.float64)
            yield np.column_stack([np.full(len(pixels), float(k)), pixels])

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The part of the volume's array that `mask` stands for."""
        (k, r, c), (d, h, w) = self.corner, self.mask.shape
        return array[k : k + d, r : r + h, c : c + w]


def whole(mask: np.ndarray, grid: Grid, geometry: SliceGeometry) -> Piece:
    """All of a (D, H, W) bool mask as one piece."""
    found = ndimage.find_objects(mask.view(np.uint8)) or [None]
    return _piece(mask, found[0] or (slice(0, 0), slice(0, 0), slice(0, 0)), grid, geometry)


@dataclass(frozen=True)
class Pieces:
    """The connected pieces of a mask.

    Attributes:
        listed: The largest ones, largest first; of equals the one nearer to the foot, the front, the right.
        numbers: (D, H, W) uint16: which of them a voxel of the mask belongs to, from 1; one more than the last for all
            that are not listed.
        num_small, small_ml: Those that are not listed: how many, and their volume.
    """

    listed: tuple[Piece, ...]
    numbers: np.ndarray
    num_small: int
    small_ml: float


def pieces(mask: np.ndarray, grid: Grid, geometry: SliceGeometry, least_ml: float, most: int = MOST_LISTED) -> Pieces:
    """Part a mask into its pieces.

    The time that it takes does not grow with the number of small pieces: a speckled mask has tens of thousands.

    Args:
        mask: (D, H, W) bool, in the patient's axes.
        grid, geometry: Of its volume.
        least_ml: Pieces below are not listed.
        most: No more than this are listed.
    """
    labels, count = ndimage.label(mask, TOUCHING)
    volumes = np.zeros(count + 1)
    for plane, voxel_ml in zip(labels, geometry.voxel_ml, strict=True):
        volumes += np.bincount(plane.ravel(), minlength=count + 1) * voxel_ml
    volumes[0] = 0.0  # what is not in the mask
    large = 1 + np.flatnonzero(volumes[1:] >= least_ml)
    # Labels rise with the place of a piece's first voxel, so equal pieces stay in that order.
    large = large[np.argsort(-volumes[large], kind="stable")][:most]
    boxes = ndimage.find_objects(labels)
    listed = tuple(_piece(labels, boxes[label - 1], grid, geometry, int(label)) for label in large)
    table = np.full(count + 1, len(listed) + 1, np.uint16)
    table[0], table[large] = 0, np.arange(1, len(listed) + 1)
    small_ml = max(0.0, float(volumes.sum() - volumes[large].sum())) if count > len(listed) else 0.0
    return Pieces(listed, table[labels], count - len(listed), small_ml)


def _piece(
    labels: np.ndarray, box: tuple[slice, slice, slice], grid: Grid, geometry: SliceGeometry, number: int = 1
) -> Piece:
    depth, rows, columns = box
    corner = (depth.start, rows.start, columns.start)
    return Piece(labels[box] == number, corner, grid, geometry)
