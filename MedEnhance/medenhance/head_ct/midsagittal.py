"""The plane between the hemispheres, and how far the middle of the brain lies from it.

The plane is the one about which the head is most like its mirror image; the skull says most of it, so that a bleed
which pushes the brain aside does not move the plane. All in LPS millimetres of a volume in the patient's axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage, optimize

from medenhance.head_ct.report import Midsagittal
from medenhance.head_ct.slice_geometry import points_mm
from medenhance.volume import Grid, Vector, Volume

# What is compared: from soft tissue to bone, of which no more than this, so that thick bone does not say all.
_SEEN_HU = (-150.0, 450.0)
_HEAD_HU = -300.0
_BLOCK_MM = 3.0
_MAX_POINTS, _SEARCH_POINTS = 8_000, 2_000  # compared at the end, and while many planes are tried
# Heads lie turned by up to 10 degrees (spec 7.1), and beside the middle of the table.
_TURNS_DEG = np.arange(-20.0, 21.0, 5.0)
_OFFSETS_MM = np.arange(-16.0, 17.0, 4.0)
_FIRST_STEPS = (4.0, 4.0, 4.0)  # mm, degrees, degrees: half a step of the search
# A head with its mirror image; below, the plane is not to be trusted. Measured on D1: 0.93; on a neck: under 0.8.
LEAST_SYMMETRY = 0.75
_LEAST_SHARE = 0.5  # of the points must have a mirror image within the scan


@dataclass(frozen=True)
class _Head:
    """Blocks of the head: values as the mirror finds them, and the points that are compared."""

    values: np.ndarray
    grid: Grid
    points: np.ndarray
    seen: np.ndarray
    middle: np.ndarray

    def thinned(self, count: int) -> _Head:
        """The same with about `count` evenly chosen points."""
        step = max(1, len(self.points) // count)
        return replace(self, points=self.points[::step], seen=self.seen[::step])


def midsagittal(volume: Volume, brain_slices: np.ndarray) -> Midsagittal | None:
    """Find the plane.

    Args:
        volume: In the patient's axes, HU.
        brain_slices: Indices of slices that show brain; the rest of a face is less symmetric.

    Returns:
        None when the head is too unlike its mirror image.
    """
    head = _blocks(volume, brain_slices)
    if len(head.points) < 100:
        return None
    starts = [(offset, turn, 0.0) for turn in _TURNS_DEG for offset in _OFFSETS_MM]
    some = head.thinned(_SEARCH_POINTS)
    begin = min(starts, key=lambda plane: _unlikeness(np.asarray(plane), some))
    free = 3 if len(volume.array) > 1 else 2  # one slice says nothing about a roll
    simplex = np.vstack([np.zeros(free), np.diag(_FIRST_STEPS[:free])]) + begin[:free]
    best = optimize.minimize(
        lambda plane: _unlikeness(np.append(plane, np.zeros(3 - free)), head),
        begin[:free],
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 0.05, "fatol": 1e-5, "maxfev": 200},
    )
    symmetry = 1.0 - float(best.fun)
    if symmetry < LEAST_SYMMETRY:
        return None
    point, normal = _plane(np.append(best.x, np.zeros(3 - free)), head.middle)
    return Midsagittal(_vector(point), _vector(normal), symmetry)


def left_of(plane: Midsagittal, points: np.ndarray) -> np.ndarray:
    """(N,) distance in mm of (N, 3) points from the plane, positive on the patient's left."""
    return np.asarray((points - np.asarray(plane.point_mm)) @ np.asarray(plane.normal))


def _blocks(volume: Volume, brain_slices: np.ndarray) -> _Head:
    counts = [max(1, round(_BLOCK_MM / volume.grid.spacing_mm[axis])) for axis in (1, 0)]
    rows, columns = (n - n % count for n, count in zip(volume.array.shape[1:], counts, strict=True))
    values = np.stack([_block_means(plane[:rows, :columns], counts) for plane in volume.array])
    corner = np.array([[0.0, (counts[0] - 1) / 2, (counts[1] - 1) / 2]])
    first, block = points_mm(volume.grid, len(volume.array), np.vstack([0 * corner, corner]))
    grid = _coarse(volume.grid, len(values), counts, block - first)
    head = np.zeros(values.shape, bool)
    for k in brain_slices:
        head[k] = ndimage.binary_fill_holes(_largest(values[k] > _HEAD_HU))
    indices = np.argwhere(head).astype(np.float64)
    points = points_mm(grid, len(values), indices)
    seen = np.clip(values, *_SEEN_HU)
    middle = points.mean(axis=0) if len(points) else np.zeros(3)
    return _Head(seen, grid, points, seen[tuple(indices.astype(int).T)], middle).thinned(_MAX_POINTS)


def _block_means(plane: np.ndarray, counts: list[int]) -> np.ndarray:
    height, width = plane.shape
    blocks = plane.astype(np.float32).reshape(height // counts[0], counts[0], width // counts[1], counts[1])
    return np.asarray(blocks.mean(axis=(1, 3)))


def _coarse(grid: Grid, num_slices: int, counts: list[int], shift: np.ndarray) -> Grid:
    """The grid of the blocks; `shift` leads from the middle of the first voxel to that of the first block."""
    positions = grid.slice_positions(num_slices) + shift
    origins = tuple(_vector(point) for point in positions)
    columns, rows, between = grid.spacing_mm
    return Grid((columns * counts[1], rows * counts[0], between), origins[0], grid.direction, origins)


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask)
    return mask if count == 0 else np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def _plane(parameters: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Point and unit normal from an offset in mm, a turn about z and a roll about y in degrees."""
    offset, (turn, roll) = float(parameters[0]), np.radians(parameters[1:])
    normal = np.array([np.cos(turn) * np.cos(roll), np.sin(turn) * np.cos(roll), np.sin(roll)])
    return middle + offset * normal, normal


def _unlikeness(parameters: np.ndarray, head: _Head) -> float:
    """1 minus the correlation of the head with its mirror image."""
    point, normal = _plane(parameters, head.middle)
    mirrored = head.points - 2 * ((head.points - point) @ normal)[:, None] * normal
    indices = voxels_at(head.grid, len(head.values), mirrored)
    inside = np.all((indices >= 0) & (indices <= np.array(head.values.shape) - 1), axis=1)
    if inside.mean() < _LEAST_SHARE:
        return 2.0
    other = ndimage.map_coordinates(head.values, indices[inside].T, order=1, mode="nearest")
    return 1.0 - _correlation(head.seen[inside], other)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / size if size > 0 else 0.0


def voxels_at(grid: Grid, num_slices: int, points: np.ndarray) -> np.ndarray:
    """(N, 3) slice, row, column, with fractions, of (N, 3) LPS points; beyond the outer slices: outside by as much."""
    positions = grid.slice_positions(num_slices)
    levels = positions @ grid.slice_normal
    level = points @ grid.slice_normal
    if num_slices == 1:
        where = (level - levels[0]) / max(grid.spacing_mm[2], 1e-6)
        where[np.abs(where) <= 0.5] = 0.0
        first = np.broadcast_to(positions[0], points.shape)
    else:
        slices = np.arange(num_slices)
        where = np.interp(level, levels, slices)
        where = np.where(level < levels[0] - 1e-3, -1.0, np.where(level > levels[-1] + 1e-3, float(num_slices), where))
        first = np.stack([np.interp(level, levels, positions[:, axis]) for axis in range(3)], axis=1)
    matrix = np.reshape(grid.direction, (3, 3))
    away = points - first
    rows, columns = away @ matrix[:, 1] / grid.spacing_mm[1], away @ matrix[:, 0] / grid.spacing_mm[0]
    return np.column_stack([where, rows, columns])


def _vector(point: np.ndarray) -> Vector:
    x, y, z = (float(v) for v in point)
    return x, y, z
