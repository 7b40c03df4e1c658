"""Size and shape of one piece of a mask in space: surface, irregularity, longest diameter, ABC/2."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from medenhance.head_ct.pieces import Piece
from medenhance.head_ct.report import Abc2
from medenhance.volume import Vector

# Weights of a slice by its share of the largest area (spec section 8): from these shares on, 1 and 0.5, else 0.
_FULL, _HALF = 0.75, 0.25
# Below this a surface of a few voxels says nothing about a shape.
LEAST_FOR_IRREGULARITY_ML = 0.1
_MAX_POINTS = 3000  # more than this are first cut down to their convex hull
# A smooth ball counted by the faces of its voxels has 1.5 times its true surface, whatever the size of the voxels: the
# mean of |cos| over all directions is one half, for each of three axes.
_FACES_OVER_SURFACE = 1.5


def surface_cm2(piece: Piece) -> float:
    """Area of the border: that of the voxels' faces, over what they count too much for a smooth body."""
    rows, columns = piece.geometry.pixel_mm
    part, thickness = np.pad(piece.mask, 1).astype(np.int8), np.pad(piece.thickness_mm, 1)
    caps = np.count_nonzero(np.diff(part, axis=0)) * rows * columns
    fronts = float(np.count_nonzero(np.diff(part, axis=1), axis=(1, 2)) @ thickness) * columns
    sides = float(np.count_nonzero(np.diff(part, axis=2), axis=(1, 2)) @ thickness) * rows
    return (caps + fronts + sides) / _FACES_OVER_SURFACE / 100.0


def irregularity(ml: float, surface: float) -> float | None:
    """Surface over that of a ball of the same volume; None for what is too small.

    Args:
        ml: Volume.
        surface: In cm^2.
    """
    if ml < LEAST_FOR_IRREGULARITY_ML:
        return None
    return surface / float(np.cbrt(36 * np.pi * ml**2))


def max_diameter_mm(piece: Piece) -> float:
    """Longest distance between the middles of two voxels of the piece, in space."""
    points = _hull(piece.points(_row_ends(piece.mask)))
    return float(cdist(points, points).max())


def _row_ends(mask: np.ndarray) -> np.ndarray:
    """(N, 3) float64 indices of the first and last voxel of every row; the convex hull has no other corners."""
    slices, rows = np.nonzero(mask.any(axis=2))
    first, last = mask[slices, rows].argmax(axis=1), mask.shape[2] - 1 - mask[slices, rows, ::-1].argmax(axis=1)
    ends = [np.column_stack([slices, rows, column]) for column in (first, last)]
    found: np.ndarray = np.unique(np.concatenate(ends), axis=0).astype(np.float64)
    return found


def abc2(piece: Piece, own_index: int) -> Abc2 | None:
    """A x B x C / 2 of one piece; None when its largest section is a single row of voxels, which has no B.

    Args:
        piece: Of a mask.
        own_index: Its `largest_slice` in the study's own order.
    """
    areas, thickness = piece.areas_mm2, piece.thickness_mm
    largest, scale = int(np.argmax(areas)), np.asarray(piece.geometry.pixel_mm)
    ends, a_mm, b_mm = _diameters(np.argwhere(piece.mask[largest]) * scale, scale)
    if b_mm <= 0:
        return None
    weights = np.where(areas >= _FULL * areas.max(), 1.0, np.where(areas >= _HALF * areas.max(), 0.5, 0.0))
    c_mm = float(weights @ thickness)
    half = a_mm * b_mm * c_mm / 2000.0
    indices = np.column_stack([np.full(2, float(largest)), ends / scale])
    first, last = (_vector(point) for point in piece.points(indices))
    return Abc2(a_mm, b_mm, c_mm, half, half * 2 / 3, half - piece.ml, own_index, (first, last))


def _diameters(points: np.ndarray, pixel_mm: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Both ends of the longest diameter, its length and the extent across it, from the outer edges of the pixels."""
    hull = _hull(points)
    distance = cdist(hull, hull)
    one, other = np.unravel_index(int(np.argmax(distance)), distance.shape)
    ends = hull[[one, other]]
    length = float(distance[one, other])
    along = (ends[1] - ends[0]) / length if length > 0 else np.array([0.0, 1.0])
    across = np.array([-along[1], along[0]])
    extent = float(np.ptp(points @ across))
    if length <= 0 or extent <= 0:
        return ends, length, 0.0
    # From middle to middle of pixels a length is one pixel short.
    return ends, length + float(np.abs(along) @ pixel_mm), extent + float(np.abs(across) @ pixel_mm)


def _hull(points: np.ndarray) -> np.ndarray:
    """Corners of the convex hull; all points where there are few, or where they lie in a plane."""
    if len(points) <= 4:
        return points
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points if len(points) <= _MAX_POINTS else _extremes(points)


def _extremes(points: np.ndarray) -> np.ndarray:
    """Corners of the hull within the plane that the points lie in."""
    middle = points.mean(axis=0)
    axes = np.linalg.svd(points - middle, full_matrices=False)[2]
    flat = (points - middle) @ axes[:2].T
    try:
        return np.asarray(points[ConvexHull(flat).vertices])
    except QhullError:  # they lie on a line
        order = np.argsort(flat[:, 0])
        return np.asarray(points[order[[0, -1]]])


def _vector(point: np.ndarray) -> Vector:
    x, y, z = (float(v) for v in point)
    return x, y, z
