"""The 3D volume of a subject: planes of the echo, bent along the skin, with speckle and the sweep's gaps."""

from __future__ import annotations

import numpy as np

from medenhance_training.data.spine.config import DEPTH_STEP_MM, NUM_DEPTHS, SLAB_MM, SpineConfig
from medenhance_training.data.spine.echo import Echo, grid_of
from medenhance_training.data.spine.fields import enlarge, smooth_field
from medenhance_training.data.spine.projections import UNSTEADY_GRAIN
from medenhance_training.data.spine.sweep import Coverage, Sweep

# Layers above the laminae: coupling gel, then skin and fat; grey levels.
_GEL_GREY = 12.0
_SKIN_ECHO_GREY, _SKIN_ECHO_MM = 60.0, 1.2
_FAT_MM, _FAT_GREY = 6.0, -45.0
_SPECKLE_GREY = 22.0


def make_volume(
    echo: Echo,
    skin_mm: np.ndarray,
    sweep: Sweep,
    coverage: Coverage,
    config: SpineConfig,
    rng: np.random.Generator,
) -> np.ndarray:
    """Render a volume that reaches below the deepest slab.

    Args:
        echo: The subject.
        skin_mm: (R, C), depth of the skin below the first plane.
        sweep: Fast frames have more speckle.
        coverage: Where frames are; everywhere else the volume is 0.
        config: Gives the spacing.
        rng: Source of the speckle.

    Returns:
        (D, R, C) uint8; 0 says that nothing was measured there.
    """
    shape, pixel_mm, depth_mm = config.shape, config.pixel_mm, config.volume_depth_mm
    step = grid_of(shape, pixel_mm)[2]
    deepest = echo.habitus.lamina_mm + DEPTH_STEP_MM * (NUM_DEPTHS // 2) + SLAB_MM / 2
    num_planes = int(np.ceil((float(skin_mm.max()) + deepest) / depth_mm)) + 1
    below = _BelowSkin(echo, shape, step, depth_mm)
    volume = np.zeros((num_planes, *shape), np.uint8)
    seen = coverage.scan & ~coverage.gap
    unsteady = sweep.unsteadiness[np.maximum(coverage.frame, 0)].astype(np.float32)
    strength = np.float32(_SPECKLE_GREY) * (1 + np.float32(UNSTEADY_GRAIN) * unsteady)
    for k in range(num_planes):
        grey = below.at((k + 0.5) * depth_mm - skin_mm)
        grey += smooth_field(shape, (0.0, 1.0), rng) * strength * np.sqrt(np.maximum(grey, 0) / 128)
        volume[k] = np.where(seen, np.clip(grey + np.float32(0.5), 1, 255), 0)
    return volume


class _BelowSkin:
    """Grey at any depth below the skin, from planes that are made once and dropped when they are passed."""

    def __init__(self, echo: Echo, shape: tuple[int, int], step: int, spacing_mm: float) -> None:
        self._echo, self._shape, self._step, self._spacing_mm = echo, shape, step, spacing_mm
        self._planes: dict[int, np.ndarray] = {}

    def at(self, depth_mm: np.ndarray) -> np.ndarray:
        """(R, C) float32 grey at (R, C) depths in mm, linear between planes; gel above the skin."""
        place = np.maximum(depth_mm / np.float32(self._spacing_mm), 0)
        first = place.astype(np.int32)
        grey = np.zeros(self._shape, np.float32)
        low, high = int(first.min()), int(first.max())
        for number in range(low, high + 1):
            share = 1 - np.abs(place - number)
            # Every pixel lies between two planes; the others have no share.
            np.maximum(share, 0, out=share)
            grey += share * self._plane(number)
        grey += np.maximum(1 - np.abs(place - (high + 1)), 0) * self._plane(high + 1)
        for number in [n for n in self._planes if n < low]:
            del self._planes[number]
        return np.where(depth_mm < 0, np.float32(_GEL_GREY), grey)

    def _plane(self, number: int) -> np.ndarray:
        if number not in self._planes:
            depth = number * self._spacing_mm
            grey = self._echo.plane(depth) + _skin_layers(depth)
            self._planes[number] = enlarge(np.clip(grey, 0, 255), self._shape, (self._step, self._step))
        return self._planes[number]


def _skin_layers(depth_mm: float) -> np.float32:
    """Grey added by the skin's own echo and taken by fat below it."""
    skin = _SKIN_ECHO_GREY * np.exp(-0.5 * (depth_mm / _SKIN_ECHO_MM) ** 2)
    return np.float32(skin + _FAT_GREY * (_SKIN_ECHO_MM < depth_mm < _FAT_MM))
