"""A simulated subject from a seed: `simulate_case`.

The fast path makes the five projections without a volume: the mean echo of each slab on the coarse grid of `echo`, a
grain of rows and pixels on top, and the gaps of `sweep`. The volume, where it is asked for, is the same echo, plane by
plane, bent along the skin, with speckle and the same gaps.
"""

from __future__ import annotations

import numpy as np

from medenhance_training.data.spine.bones import draw_bones, landmarks_of, paint_labels
from medenhance_training.data.spine.case import SpineCase
from medenhance_training.data.spine.config import (
    DEPTH_STEP_MM,
    HABITUS,
    HABITUS_SHARES,
    NUM_DEPTHS,
    SLAB_MM,
    Habitus,
    SpineConfig,
)
from medenhance_training.data.spine.echo import draw_echo, grid_of, skin_depth
from medenhance_training.data.spine.posture import LEVELS, draw_posture, true_curves
from medenhance_training.data.spine.projections import project
from medenhance_training.data.spine.sweep import cover, draw_sweep
from medenhance_training.data.spine.volume import make_volume

# What is drawn apart from what: a change of one leaves the others bit for bit as they were.
_POSTURE, _BONES, _ECHO, _SWEEP, _SKIN, _GRAIN, _HABITUS, _SPECKLE = range(8)


def simulate_case(seed: int, config: SpineConfig | None = None) -> SpineCase:
    """A subject, decided by the seed and the configuration alone.

    Args:
        seed: Of the subject, 0 or more.
        config: What may be drawn; the default draws everything and makes no volume.
    """
    config = config or SpineConfig()
    shape, pixel_mm = config.shape, config.pixel_mm
    habitus = _draw_habitus(config, _rng(seed, _HABITUS))
    posture = draw_posture(config, _rng(seed, _POSTURE))
    bones = draw_bones(posture, habitus, config, _rng(seed, _BONES))
    midline_px = posture.midline_at((np.arange(shape[0]) + 0.5) * pixel_mm) / pixel_mm - 0.5
    sweep = draw_sweep(shape, pixel_mm, midline_px, config.stripes, _rng(seed, _SWEEP))
    coverage = cover(sweep, shape)
    scan_rows_mm = float(sweep.row[0] * pixel_mm), float(sweep.row[-1] * pixel_mm)
    echo = draw_echo(posture, bones, habitus, scan_rows_mm, grid_of(shape, pixel_mm)[:2], (seed, _ECHO))
    depths = slab_centres(habitus)
    noisy, clean, mask = project(echo, sweep, coverage, depths, pixel_mm, _rng(seed, _GRAIN))
    skin = skin_depth(shape, pixel_mm, _rng(seed, _SKIN))
    volume, spacing = None, (SLAB_MM, pixel_mm, pixel_mm)
    if config.with_volume:
        volume = make_volume(echo, skin, sweep, coverage, config, _rng(seed, _SPECKLE))
        spacing = (config.volume_depth_mm, pixel_mm, pixel_mm)
    labels = paint_labels(bones, shape, pixel_mm) * coverage.scan
    tilts = {level: float(tilt) for level, tilt in zip(LEVELS, posture.tilts_deg, strict=True)}
    return SpineCase(
        seed, pixel_mm, habitus.name, depths, noisy, clean, mask,
        labels, coverage.scan, landmarks_of(bones, coverage.scan, pixel_mm), tilts, true_curves(posture.tilts_deg),
        skin, volume, spacing,
    )  # fmt: skip


def slab_centres(habitus: Habitus) -> tuple[float, ...]:
    """Depths of the five slabs below the skin, mm: about the laminae's (specification, section 5.2, step 5)."""
    return tuple(habitus.lamina_mm + DEPTH_STEP_MM * (k - NUM_DEPTHS // 2) for k in range(NUM_DEPTHS))


def _draw_habitus(config: SpineConfig, rng: np.random.Generator) -> Habitus:
    drawn = str(rng.choice(list(HABITUS_SHARES), p=list(HABITUS_SHARES.values())))
    return HABITUS[config.habitus or drawn]


def _rng(seed: int, part: int) -> np.random.Generator:
    return np.random.default_rng([seed, part])
