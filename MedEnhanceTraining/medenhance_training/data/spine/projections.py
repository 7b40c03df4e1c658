"""The five projections of a subject and their clean twins, without a volume."""

from __future__ import annotations

import numpy as np

from medenhance_training.data.spine.config import SLAB_MM
from medenhance_training.data.spine.echo import Echo, grid_of
from medenhance_training.data.spine.fields import enlarge, smooth_field
from medenhance_training.data.spine.sweep import Coverage, Sweep

# A slab is averaged over planes this far apart: half of its surfaces' sharpness would be lost beyond.
_PLANE_STEP_MM = 2.0
# Standard deviation of the grain where grey is 128, in grey levels: of whole rows, and of pixels.
_ROW_GREY, _PIXEL_GREY = 8.6, 4.5
# A row's grain keeps its sign over about this many columns.
_ROW_GRAIN_COLUMNS = 2.2
_VISIBLE_GREY = 8
# How much coarser the rows' grain is in a frame of unsteadiness 1.
UNSTEADY_GRAIN = 3.0


def project(
    echo: Echo,
    sweep: Sweep,
    coverage: Coverage,
    depths_mm: tuple[float, ...],
    pixel_mm: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Project slabs.

    Args:
        echo: What is projected.
        sweep: Frames; fast ones have a coarser grain.
        coverage: Which frame each pixel shows.
        depths_mm: Centres of the slabs.
        pixel_mm: Side of a pixel.
        rng: Source of the grain.

    Returns:
        Noisy and clean grey, both (K, R, C) uint8, and where they differ, (K, R, C) bool.
    """
    shape = coverage.scan.shape
    step = grid_of(shape, pixel_mm)[2]
    first, second = (_row_grain(sweep.num_frames, shape[1], rng) for _ in range(2))
    uneven = _unevenness(echo.shape, shape, step, rng)
    pixels = smooth_field(shape, (1.6, 1.3), rng) * np.float32(_PIXEL_GREY)
    frame = np.where(coverage.scan, coverage.frame, 0)
    flat = frame * np.int32(shape[1]) + np.arange(shape[1], dtype=np.int32)
    clean = np.empty((len(depths_mm), *shape), np.uint8)
    noisy, mask = np.empty_like(clean), np.zeros(clean.shape, bool)
    fast = np.flatnonzero(((sweep.unsteadiness[frame] > 0) & coverage.scan).any(axis=1))
    planes = _SlabPlanes(echo)
    for k, depth in enumerate(depths_mm):
        grey = enlarge(planes.slab(depth), shape, (step, step))
        turn = 0.4 * k
        grain = (first * np.float32(np.cos(turn)) + second * np.float32(np.sin(turn))).ravel()[flat]
        grain *= uneven
        room = _room(grey)
        base = grey + pixels * room
        clean[k] = _quantised(base + grain * room, coverage.scan)
        noisy[k] = clean[k]
        if fast.size:
            worse = 1 + UNSTEADY_GRAIN * sweep.unsteadiness[frame[fast]].astype(np.float32)
            noisy[k][fast] = _quantised(base[fast] + grain[fast] * worse * room[fast], coverage.scan[fast])
        mask[k] = np.abs(noisy[k].astype(np.int16) - clean[k]) > _VISIBLE_GREY
    noisy[:, coverage.gap] = 0
    return noisy, clean, mask | coverage.gap


class _SlabPlanes:
    """Planes of an echo, each made once: neighbouring slabs share most of theirs."""

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._planes: dict[float, np.ndarray] = {}

    def slab(self, depth_mm: float) -> np.ndarray:
        """(r, c) float32 grey: the mean over the slab about a depth."""
        half = SLAB_MM / 2 - _PLANE_STEP_MM / 2
        depths = np.arange(depth_mm - half, depth_mm + half + 1e-6, _PLANE_STEP_MM).round(3).tolist()
        for depth in depths:
            if depth not in self._planes:
                self._planes[depth] = self._echo.plane(depth)
        return np.asarray(np.mean([self._planes[depth] for depth in depths], axis=0, dtype=np.float32))


def _row_grain(num_frames: int, num_columns: int, rng: np.random.Generator) -> np.ndarray:
    """(N, C) float32: a line of grain for each frame, independent of its neighbours as pose and speckle are."""
    return smooth_field((num_frames, num_columns), (0.0, _ROW_GRAIN_COLUMNS), rng) * np.float32(_ROW_GREY)


def _unevenness(coarse: tuple[int, int], shape: tuple[int, int], step: int, rng: np.random.Generator) -> np.ndarray:
    """(R, C) float32 about 1: regions where rows agree less, as in the public image."""
    return enlarge(np.exp(0.35 * smooth_field(coarse, (12.0, 12.0), rng) - 0.06), shape, (step, step))


def _room(grey: np.ndarray) -> np.ndarray:
    """How much grain a grey level shows: 1 at 128, more above as in the public image, none where white is cut off."""
    level = np.clip(grey, 0, 255)
    return (np.float32(0.25) + np.float32(0.75 / 128) * level) * np.minimum(np.float32(5.1) - level / 50, 1)


def _quantised(grey: np.ndarray, scan: np.ndarray) -> np.ndarray:
    """Grey of 1 to 255 inside the scan, 0 outside: 0 says that nothing was measured."""
    return np.where(scan, np.clip(grey + np.float32(0.5), 1, 255), 0).astype(np.uint8)
