"""Finds out how the voxels of an image file lie on the grid of a DICOM series, and puts them in its order."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.volume import Grid

SAME_PLACE_MM = 1e-3
_HINT = "Give a volume on the grid of its DICOM series: neither resampled, cropped nor moved since it was loaded."


def placed(array: np.ndarray, grid: Grid, shape: tuple[int, int, int], series_grid: Grid) -> np.ndarray:
    """A view of ``array`` in the order of the series: some of its axes may be reversed, nothing else may differ.

    Every voxel has to lie within 0.001 mm of its place in the series. A series whose slices do not lie at equal steps
    (unequal gaps, missing slices) has no such file format: programs such as 3D Slicer store it at the mean step. Such a
    volume is accepted when the number of slices, every place within a slice, and the places of the first and the last
    slice are those of the series; its slice k is then slice k of the series. It must come straight from the series:
    slices that were interpolated to equal steps look the same here. So do slices that a program mixed up between the
    first and the last, because it read the files in disorder: places are compared, never voxel values.

    Args:
        array: (D, H, W).
        grid: Of the array.
        shape: D, H, W of the series.
        series_grid: Of the series.

    Raises:
        MedEnhanceError: input-unsuitable; the volume lies on another grid.
    """
    if array.shape != shape:
        found, wanted = (f"{d} slices of {h} x {w}" for d, h, w in (array.shape, shape))
        raise MedEnhanceError("input-unsuitable", f"The volume has {found}, its DICOM series {wanted}.", _HINT)
    corners = _slice_corners(grid, shape)
    targets = [_slice_corners(one, shape) for one in (series_grid, replace(series_grid, slice_origins_mm=None))]
    distances = {}
    for steps in product((1, -1), repeat=3):
        turned = corners[:: steps[0], :: steps[1], :: steps[2]]
        distances[steps] = min(float(np.linalg.norm(turned - target, axis=-1).max()) for target in targets)
    # The first of equally good ones: an axis of one voxel is never reversed.
    best = min(distances, key=lambda steps: distances[steps])
    if not distances[best] <= SAME_PLACE_MM:
        message = f"The volume does not lie on its DICOM series: some of its voxels are {distances[best]:.4g} mm away."
        raise MedEnhanceError("input-unsuitable", message, _HINT)
    return array[:: best[0], :: best[1], :: best[2]]


def _slice_corners(grid: Grid, shape: tuple[int, int, int]) -> np.ndarray:
    """(D, 2, 2, 3) LPS positions in mm of the corner voxels of every slice."""
    num_slices, rows, columns = shape
    down = np.array([0, rows - 1])[:, None, None] * grid.affine[:3, 1]
    along = np.array([0, columns - 1])[:, None] * grid.affine[:3, 0]
    return np.asarray(grid.slice_positions(num_slices)[:, None, None, :] + down + along)
