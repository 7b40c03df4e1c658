"""Everything outside the cavity: the vault with its diploe, scalp, muscle and fat, and what `skull_base` paints."""

from __future__ import annotations

import numpy as np

from medenhance_training.data.head_ct.fields import enlarged, inside, sheet, smooth_noise
from medenhance_training.data.head_ct.skull import Skull
from medenhance_training.data.head_ct.skull_base import AIR_HU, FAT_HU, paint_base
from medenhance_training.data.head_ct.subject import Subject

MUSCLE_HU, SKIN_HU = 55.0, 40.0
TABLE_HU = 1200.0
# Thickness of the inner and the outer table, of the skin, and half the width of a suture, mm.
_TABLE_MM, _SKIN_MM, _SUTURE_MM = 1.6, 1.6, 0.35


def make_head(
    coordinates: tuple[np.ndarray, np.ndarray, np.ndarray], skull: Skull, step_mm: tuple[float, float, float],
    subject: Subject, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """(P, 2R, 2C) float32 HU of the head on the fine grid, its cavity filled with bone."""
    pixel = step_mm[1] / 2
    clumps = smooth_noise(skull.depth.shape, step_mm, 26.0, rng)
    grain = smooth_noise(skull.depth.shape, step_mm, 6.0, rng)
    skin, depth, thickness = enlarged(skull.skin), enlarged(skull.depth), enlarged(skull.thickness)
    hu = np.full(skin.shape, AIR_HU, np.float32)
    tissue = enlarged(_soft_tissue(coordinates, skull, clumps, step_mm[1], rng))
    tissue += (SKIN_HU - tissue) * inside(-skin - np.float32(_SKIN_MM), pixel)
    hu += (tissue - hu) * inside(skin, pixel)
    middle = np.abs(depth + np.float32(0.5) * thickness)
    spongy = sheet(middle, np.maximum(0.5 * thickness - np.float32(_TABLE_MM), 0.0), pixel)
    density = TABLE_HU + (subject.diploe_hu - TABLE_HU) * spongy
    # Sutures are no bone: they show as darker lines.
    density -= 700.0 * sheet(enlarged(skull.suture), _SUTURE_MM, pixel)
    density += enlarged(40.0 * grain)
    hu += (density - hu) * inside(-depth - thickness, pixel)
    paint_base(hu, coordinates, skull, clumps, grain, rng)
    return hu


def _soft_tissue(
    coordinates: tuple[np.ndarray, np.ndarray, np.ndarray], skull: Skull, clumps: np.ndarray, width_mm: float,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Coarse HU: fat under the skin, muscle deeper at the temples and the neck, with planes of fat in it."""
    x, y, z = coordinates
    below_skin = -skull.skin
    muscle_zone = (z < 25.0) & ((np.abs(x) > 50.0) | (z < -5.0)) & ((y > -55.0) | (z < -40.0))
    fat_mm = np.where(muscle_zone, np.float32(3.5), np.float32(30.0)) * (1.0 + 0.3 * clumps)
    fat = inside(below_skin - fat_mm, width_mm)
    planes = sheet(np.abs(clumps) * np.float32(8.0), rng.uniform(0.3, 1.0), width_mm) * (below_skin > 4.0)
    return np.asarray(MUSCLE_HU + (FAT_HU - MUSCLE_HU) * np.maximum(fat, planes), np.float32)
