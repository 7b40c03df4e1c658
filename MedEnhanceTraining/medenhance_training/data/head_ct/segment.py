"""The inside of a real skull from its HU: cavity, ventricles, fluid, and where they lie in head coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_fill_holes,
    binary_opening,
    distance_transform_edt,
    gaussian_filter,
    label,
)

from medenhance.errors import MedEnhanceError
from medenhance.volume import Volume
from medenhance_training.data.head_ct.interior import Interior
from medenhance_training.data.head_ct.skull import sutures

BONE_HU = 250.0
# Brain, blood and fluid with their noise.
_SOFT_HU = (-25.0, 110.0)
# The cavity's vertex in head coordinates, as in simulated heads.
_VERTEX_MM = 88.0
_LEAST_ML = 300.0


@dataclass(frozen=True)
class Segmented:
    """A real head as the bleeds see it.

    Attributes:
        interior: Of the cavity's box; planes are the slices.
        box: The fine box: slices, rows, columns of the volume.
        ventricle: (D, R, C) float32, of the box.
        fluid: (D, R, C) float32: sulci and cisterns.
        toward: Sign of a column's and a row's step along x and y.
        slice_ml: (D, 1, 1) float32: of a voxel of each slice.
        origin_mm: LPS of the origin of head coordinates.
    """

    interior: Interior
    box: tuple[slice, slice, slice]
    ventricle: np.ndarray
    fluid: np.ndarray
    toward: tuple[float, float]
    slice_ml: np.ndarray
    origin_mm: np.ndarray


def segment_head(volume: Volume) -> Segmented:
    """Find the cavity of an axial head CT.

    Raises:
        MedEnhanceError: The slices are not axial, or no closed skull with a brain in it is found.
    """
    pixel = volume.grid.spacing_mm[0]
    matrix = np.reshape(volume.grid.direction, (3, 3))
    if abs(matrix[0, 0]) < 0.8 or abs(matrix[1, 1]) < 0.8 or abs(volume.grid.spacing_mm[1] - pixel) > 1e-3:
        raise MedEnhanceError("input-unsuitable", "Bleeds are put into axial slices of square pixels alone.")
    hu = np.asarray(volume.array, np.float32)
    positions = volume.grid.slice_positions(len(hu))
    gaps = (
        np.abs(np.gradient(positions @ volume.grid.slice_normal))
        if len(hu) > 1
        else np.array([volume.grid.spacing_mm[2]])
    )
    smooth = gaussian_filter(hu, (0, 1.0 / pixel, 1.0 / pixel))
    cavity = _cavity(smooth, pixel, gaps)
    box = _even_box(cavity)
    x, y, z, origin = _head_coordinates(volume, positions, cavity, box)
    part, near = smooth[box], cavity[box]
    step = (float(gaps.mean()), 2 * pixel, 2 * pixel)
    depth = _depth(near[:, ::2, ::2] & near[:, 1::2, 1::2], step)
    plate, suture = sutures(x, y, z)
    slice_ml = (gaps[box[0]] * pixel**2 / 1000.0).astype(np.float32)[:, None, None]
    half_width = float(np.percentile(np.abs(x[depth > 0]), 99.5))
    interior = Interior(x, y, z, depth, depth, suture, plate, step, slice_ml, half_width)
    ventricle = _ventricle(part, near, interior)
    fluid = np.clip((20.0 - part) / 12.0, 0.0, 1.0) * near * (ventricle < 0.5)
    signs = float(np.sign(matrix[0, 0])), float(np.sign(matrix[1, 1]))
    return Segmented(interior, box, ventricle, fluid.astype(np.float32), signs, slice_ml, origin)


def _cavity(smooth: np.ndarray, pixel_mm: float, gaps_mm: np.ndarray) -> np.ndarray:
    """(D, H, W) bool: soft tissue that bone encloses, its largest connected part."""
    soft = (smooth > _SOFT_HU[0]) & (smooth < _SOFT_HU[1])
    reach = max(1, round(3.0 / pixel_mm))
    disk = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach
    enclosed = np.zeros_like(soft)
    for k, slice_hu in enumerate(smooth):
        bone = binary_closing(np.pad(slice_hu > BONE_HU, reach), disk)[reach:-reach, reach:-reach]
        candidate = binary_fill_holes(bone) & soft[k]
        # The opening cuts the bridges to orbits and neck.
        enclosed[k] = binary_dilation(binary_opening(candidate, disk, iterations=2), disk) & candidate
    parts, count = label(enclosed)
    if count == 0:
        raise MedEnhanceError("input-unsuitable", "No closed skull was found in the scan.")
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    cavity = parts == int(sizes.argmax())
    volume_ml = float((cavity.sum(axis=(1, 2)) * gaps_mm).sum()) * pixel_mm**2 / 1000.0
    if volume_ml < _LEAST_ML:
        raise MedEnhanceError("input-unsuitable", f"The largest space in the skull holds {volume_ml:.0f} mL only.")
    return np.asarray(np.stack([binary_fill_holes(s) for s in cavity]))


def _even_box(mask: np.ndarray) -> tuple[slice, slice, slice]:
    d, r, c = (np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))

    def even(found: np.ndarray, size: int) -> slice:
        first, last = max(0, int(found[0]) - 2), min(size, int(found[-1]) + 3)
        return slice(first, last - (last - first) % 2)

    return slice(int(d[0]), int(d[-1]) + 1), even(r, mask.shape[1]), even(c, mask.shape[2])


def _head_coordinates(
    volume: Volume, positions: np.ndarray, cavity: np.ndarray, box: tuple[slice, slice, slice]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, z on the box's coarse grid and the LPS of their origin: the middle of the cavity, 88 mm below its top."""
    matrix = np.reshape(volume.grid.direction, (3, 3))
    pixel = volume.grid.spacing_mm[0]
    rows = (np.arange(box[1].start, box[1].stop, 2) + 0.5) * pixel
    columns = (np.arange(box[2].start, box[2].stop, 2) + 0.5) * pixel
    x, y, z = (
        positions[box[0], k][:, None, None] + rows[:, None] * matrix[k, 1] + columns[None, :] * matrix[k, 0]
        for k in range(3)
    )
    inside = cavity[box][:, ::2, ::2]
    # The upper half alone: the base is not symmetric from front to back.
    upper = inside & (z > np.median(z[inside]))
    origin = np.array([
        (x[upper].min() + x[upper].max()) / 2, (y[upper].min() + y[upper].max()) / 2, z[inside].max() - _VERTEX_MM,
    ])  # fmt: skip
    x, y, z = (np.asarray(a - o, np.float32) for a, o in zip((x, y, z), origin, strict=True))
    return x, y, z, origin


def _depth(cavity: np.ndarray, step_mm: tuple[float, float, float]) -> np.ndarray:
    """(P, R, C) float32: distance to the cavity's border, below 0 outside; the scan's ends are no border."""
    padded = np.pad(cavity, ((1, 1), (0, 0), (0, 0)), mode="edge")
    within = distance_transform_edt(padded, step_mm)[1:-1]
    outside = distance_transform_edt(~padded, step_mm)[1:-1]
    return np.asarray(np.where(cavity, within - step_mm[1] / 2, -outside + step_mm[1] / 2), np.float32)


def _ventricle(smooth: np.ndarray, cavity: np.ndarray, interior: Interior) -> np.ndarray:
    """(D, R, C) float32: fluid in the brain's middle, in parts large enough to be ventricle."""
    central = ((interior.x / 32.0) ** 2 + ((interior.y - 6.0) / 58.0) ** 2 + ((interior.z - 18.0) / 28.0) ** 2) < 1.0
    central &= interior.depth > 14.0
    deep = np.repeat(np.repeat(central, 2, axis=1), 2, axis=2) & cavity
    softer = gaussian_filter(smooth, (0, 1.0, 1.0))
    parts, _ = label(deep & (softer < 17.0))
    sizes = np.bincount(parts.ravel()) * float(interior.voxel_ml.mean())
    sizes[0] = 0.0
    return np.asarray((sizes > 0.3)[parts], np.float32)
