"""How bleeds push the brain, and the midline shift that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medenhance_training.data.head_ct.brain import Places
from medenhance_training.data.head_ct.interior import Interior, Made

# Where the septum pellucidum belongs: rows and heights, mm.
_SEPTUM_Y_MM, _SEPTUM_Z_MM = (-24.0, 4.0), (14.0, 26.0)


@dataclass(frozen=True)
class Effect:
    """What bleeds do to the tissue of the coarse grid.

    Attributes:
        places: Where the tissue at each voxel belongs.
        shift_mm: How far the septum pellucidum lies to the left of where it belongs.
    """

    places: Places
    shift_mm: float


def apply_mass_effect(interior: Interior, bleeds: list[Made]) -> Effect:
    """Push the tissue out of the bleeds' way; nothing moves at the skull."""
    x, y, z = interior.x, interior.y, interior.z
    move = [np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)]
    fullness = np.zeros_like(x)
    depth = interior.depth.copy()
    for bleed in bleeds:
        if bleed.thickness is not None:
            depth = np.minimum(depth, interior.convexity - bleed.thickness)
            _push_aside(interior, bleed, move)
        elif bleed.push > 0:
            _push_out(interior, bleed, move)
        _fill(interior, bleed, fullness)
    places = Places(x - move[0], y - move[1], z - move[2], depth, np.minimum(fullness, 0.95))
    return Effect(places, _shift(interior, move[0]))


def _push_out(interior: Interior, bleed: Made, move: list[np.ndarray]) -> None:
    """Tissue moves away from a ball that took its place: r0^3 = r^3 - k R^3, less near the skull."""
    offset = [a - np.float32(c) for a, c in zip((interior.x, interior.y, interior.z), bleed.centre_mm, strict=True)]
    radius = np.sqrt(sum(o * o for o in offset)) + np.float32(1e-3)
    old = np.cbrt(np.maximum(radius**3 - np.float32(bleed.push * bleed.radius_mm**3), (0.2 * radius) ** 3))
    fade = np.clip(interior.depth / 22.0, 0.0, 1.0) * (radius - old) / radius
    for axis in range(3):
        move[axis] += fade * offset[axis]


def _push_aside(interior: Interior, bleed: Made, move: list[np.ndarray]) -> None:
    """Tissue moves from a layer's side to the other, most beneath it and not at all at the far skull."""
    assert bleed.thickness is not None
    side = -1.0 if bleed.centre_mm[0] < 0 else 1.0
    thickest = float(np.percentile(bleed.thickness[bleed.thickness > 0.5], 90)) if (bleed.thickness > 0.5).any() else 0
    spread = np.exp(
        -(((interior.y - bleed.centre_mm[1]) / 55.0) ** 2) - ((interior.z - bleed.centre_mm[2]) / 45.0) ** 2
    )
    # 0 at the far skull, 1 under the bleed.
    across = np.clip(0.5 + 0.5 * side * interior.x / interior.half_width_mm, 0.0, 1.0)
    fade = np.clip(interior.depth / 12.0, 0.0, 1.0)
    move[0] -= np.float32(side * bleed.push * thickest) * spread * across * fade


def _fill(interior: Interior, bleed: Made, fullness: np.ndarray) -> None:
    """Fluid spaces close near a large bleed, and on its whole side when it is very large."""
    volume = 4.19 * bleed.radius_mm**3 / 1000.0
    if volume < 1.0:
        return
    near = sum(
        ((a - np.float32(c)) / np.float32(24.0 + 1.4 * bleed.radius_mm)) ** 2
        for a, c in zip((interior.x, interior.y, interior.z), bleed.centre_mm, strict=True)
    )
    np.maximum(fullness, np.float32(min(1.0, volume / 25.0)) * np.exp(-near), out=fullness)


def _shift(interior: Interior, move: np.ndarray) -> float:
    """Largest sideways move of what belongs in the midline at the septum's place."""
    y, z = interior.y, interior.z
    near = (y > _SEPTUM_Y_MM[0]) & (y < _SEPTUM_Y_MM[1]) & (z > _SEPTUM_Z_MM[0]) & (z < _SEPTUM_Z_MM[1])
    near &= np.abs(interior.x - move) < interior.step_mm[1]
    if not near.any():
        return 0.0
    moves = move[near]
    return float(np.percentile(moves, 98) if moves.mean() > 0 else np.percentile(moves, 2))
