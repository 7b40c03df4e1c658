"""A first midline of the spine, found for all levels at once: the path with processes on both sides and none on it."""

from __future__ import annotations

import numpy as np

from medenhance.spine.blobs import Blob

# All lengths in this file are in units of the square root of a process's area (14 mm in the phantom of spec 7.1), so
# that nothing depends on the size of a pixel or of the patient.
_STEP = 0.2
# Half the distance of a pair: 1.6 in that phantom, 1.5 to 1.9 in the one real image (spec section 5.3).
_HALF_WIDTHS = np.arange(1.0, 2.7, 0.2)
_TOLERANCE = 0.5
_STEEPEST = 1.0  # columns a row: 45 degrees
_ROUGHNESS = 0.02


def first_midline(processes: list[Blob], lumps: list[Blob]) -> tuple[np.ndarray, np.ndarray, float]:
    """Find the midline coarsely.

    Args:
        processes: Thoracic transverse processes of both sides, at least two.
        lumps: Lumbar lumps, which lie on the midline.

    Returns:
        Its y in mm, its x in mm, and half the distance between the processes of a pair in mm.
    """
    unit = float(np.sqrt(np.median([blob.area_mm2 for blob in processes])))
    points = np.array([[blob.x_mm, blob.y_mm] for blob in processes]) / unit
    middles = np.array([[blob.x_mm, blob.y_mm] for blob in lumps]).reshape(-1, 2) / unit
    everything = np.concatenate([points, middles])
    low, high = everything.min(axis=0), everything.max(axis=0)
    centre = (low[0] + high[0]) / 2
    half = np.ceil(((high[0] - low[0]) / 2 + _HALF_WIDTHS[-1]) / _STEP)
    x = centre + np.arange(-half, half + 1) * _STEP
    y = np.arange(low[1], high[1] + 2 * _STEP, _STEP)
    found = [(*_best_path(_merit(points, middles, x, y, float(width))), width) for width in _HALF_WIDTHS]
    path, _, width = max(found, key=lambda one: one[1])
    return y * unit, x[path] * unit, float(width) * unit


def _merit(points: np.ndarray, middles: np.ndarray, x: np.ndarray, y: np.ndarray, width: float) -> np.ndarray:
    """(rows, columns): how well the midline would pass there, from processes and lumps at about that height."""
    merit = np.zeros((len(y), len(x)))
    for px, py in points:
        aside = np.abs(x - px)
        gain = np.exp(-0.5 * ((aside - width) / _TOLERANCE) ** 2) - (aside < width - 2 * _TOLERANCE)
        merit += np.exp(-0.5 * ((y - py) / 0.4) ** 2)[:, None] * gain
    for px, py in middles:
        merit += np.exp(-0.5 * ((y - py) / 0.4) ** 2)[:, None] * 2 * np.exp(-0.5 * ((x - px) / _TOLERANCE) ** 2)
    return merit


def _best_path(merit: np.ndarray) -> tuple[np.ndarray, float]:
    """The path from the first to the last row with the largest sum of merit (Viterbi), and that sum."""
    reach = round(_STEEPEST)
    total, came_from = merit[0].copy(), np.zeros(merit.shape, np.int64)
    for row in range(1, len(merit)):
        padded = np.pad(total, reach, constant_values=-np.inf)
        options = np.stack([padded[k : k + len(total)] - _ROUGHNESS * abs(k - reach) for k in range(2 * reach + 1)])
        came_from[row] = np.argmax(options, axis=0)
        total = options.max(axis=0) + merit[row]
    path = np.empty(len(merit), np.int64)
    path[-1] = int(np.argmax(total))
    for row in range(len(merit) - 1, 0, -1):
        path[row - 1] = path[row] + came_from[row][path[row]] - reach
    return path, float(total.max())
