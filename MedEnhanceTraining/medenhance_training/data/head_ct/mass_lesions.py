"""Bleeds with a shape of their own: epidural lenses, subdural crescents, and balls in the brain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from medenhance_training.data.head_ct.fields import enlarged, inside, level_for_volume, sheet, smooth_noise
from medenhance_training.data.head_ct.interior import Interior, Made
from medenhance_training.data.head_ct.plan import Plan

# An epidural bleed stays this far from a suture, so that slices that average 5 mm of a leaning suture keep 1 mm free.
SUTURE_MARGIN_MM = 4.0
_FAR = np.float32(1e6)
# (|x|, y, z) mm of deep bleeds: putamen, thalamus, pons, cerebellum, head of the caudate.
_DEEP = ((24.0, -2.0, 9.0), (11.0, 8.0, 12.0), (2.0, 14.0, -20.0), (24.0, 52.0, -26.0), (14.0, -20.0, 17.0))
_DEEP_SHARES = (0.38, 0.27, 0.08, 0.17, 0.1)


def make_epidural(plan: Plan, interior: Interior) -> Made:
    """A lens between the inner table and the dura, on one bone plate."""
    rng = np.random.default_rng(plan.seed)
    aspect = rng.uniform(0.32, 0.55)
    radius = (2.0 * plan.volume_ml * 1000.0 / (np.pi * aspect)) ** (1.0 / 3.0)
    centre, plate = _table_place(interior, radius, rng)
    x, y, z = interior.x, interior.y, interior.z
    chord2 = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
    uneven = 1.0 + 0.12 * smooth_noise(x.shape, interior.step_mm, max(radius, 12.0), rng)
    # Depth across the lens, chord along it: s^2 + depth^2 = chord^2 near the centre.
    along2 = np.maximum(chord2 - np.maximum(interior.convexity, 0.0) ** 2, 0.0) * uneven
    room = 1.0 - along2 / (1.15 * radius) ** 2
    margin = np.minimum(interior.suture - SUTURE_MARGIN_MM, np.where(interior.plate == plate, _FAR, -_FAR))
    # The dura is held at a suture: the lens thins out towards it.
    room = np.minimum(room, margin / 6.0).astype(np.float32)
    share, thickness = _layer(interior, np.where(margin > 0, room, np.float32(-1.0)), plan.volume_ml)
    return Made(share, _texture(plan, interior, rng), thickness, centre, _ball(plan.volume_ml), rng.uniform(0.5, 1.4))


def _table_place(interior: Interior, radius: float, rng: np.random.Generator) -> tuple[tuple[float, float, float], int]:
    """A place at the inner table away from sutures, most often at the temples."""
    z_weight = np.exp(-(((interior.z - 22.0) / 25.0) ** 2)) * (interior.z > -12.0)
    near = ((np.abs(interior.depth - 1.5) < 1.5) & (interior.convexity < 3.5)) * z_weight
    wish = min(radius * 0.6, 16.0) + SUTURE_MARGIN_MM
    for fraction in (1.0, 0.7, 0.4, 0.0):
        weight = (near * (interior.suture > wish * fraction)).ravel()
        total = float(weight.sum())
        if total > 0:
            break
    k = int(np.searchsorted(np.cumsum(weight), rng.random() * total, side="right"))
    k = min(k, weight.size - 1)
    x, y, z = (float(a.ravel()[k]) for a in (interior.x, interior.y, interior.z))
    return (x, y, z), int(interior.plate.ravel()[k])


def make_subdural(plan: Plan, interior: Interior) -> Made:
    """A crescent under the inner table of one side, or a sheet along the falx or the tentorium."""
    rng = np.random.default_rng(plan.seed)
    side = 1.0 if rng.random() < 0.5 else -1.0
    if plan.stage == "acute" and plan.volume_ml < 15.0 and rng.random() < 0.2:
        return _along_falx(plan, interior, side, rng)
    x, y, z = interior.x, interior.y, interior.z
    thick = rng.uniform(0.6, 1.5) * 2.8 * plan.volume_ml ** (1.0 / 3.0)
    area = plan.volume_ml * 1000.0 / (0.55 * thick)
    ratio = rng.uniform(1.2, 2.2)
    tall = min(float(np.sqrt(area / (np.pi * ratio))), 62.0)
    long = min(area / (np.pi * tall), 105.0)
    y0, z0 = rng.uniform(-30.0, 35.0), rng.uniform(15.0, 55.0)
    uneven = smooth_noise(x.shape, interior.step_mm, 45.0, rng)
    # Along the surface: the angle about the vertical axis and the height.
    turn = np.arctan2(y, np.maximum(side * x, np.float32(1e-3)))
    middle = np.arctan2(y0, interior.half_width_mm)
    along = (turn - middle) * np.float32(74.0)
    room = 1.0 - (along / long) ** 2 - ((z - z0) / tall) ** 2 + 0.15 * uneven
    # Blood stops at the falx, and thins out towards it.
    room = np.minimum(room, (side * x - 2.0) / 8.0)
    room = np.sign(room) * np.sqrt(np.abs(room))
    share, thickness = _layer(interior, room.astype(np.float32), plan.volume_ml)
    centre = (side * interior.half_width_mm, y0, z0)
    return Made(share, _texture(plan, interior, rng), thickness, centre, _ball(plan.volume_ml), rng.uniform(0.9, 2.6))


def _along_falx(plan: Plan, interior: Interior, side: float, rng: np.random.Generator) -> Made:
    """A thin sheet on one side of the falx."""
    y0, z0 = rng.uniform(-35.0, 55.0), rng.uniform(35.0, 70.0)
    thick = rng.uniform(2.0, 3.5)
    long = np.sqrt(plan.volume_ml * 1000.0 / (0.6 * thick * np.pi))
    room = 1.0 - ((interior.y - y0) / (1.5 * long)) ** 2 - ((interior.z - z0) / (0.8 * long)) ** 2
    edge = np.sqrt(((interior.y - 18.0) / 62.0) ** 2 + ((interior.z - 8.0) / 38.0) ** 2) - 1.0
    room = np.minimum(np.minimum(room, edge * 4.0), interior.depth / 4.0).astype(np.float32)
    away = side * interior.x - 0.5
    field = np.where((room > 0.02) & (away > 0), away / np.maximum(room, 0.02), _FAR)
    away_fine, room_fine = enlarged(away), np.maximum(enlarged(room), 0.0)
    half = np.float32(interior.pixel_mm / 2)

    def share_at(level: float) -> np.ndarray:
        overlap = np.minimum(away_fine + half, np.float32(level) * room_fine) - np.maximum(away_fine - half, 0.0)
        return np.clip(overlap / (2 * half), 0.0, 1.0)

    level = _level(interior, field, plan.volume_ml)
    share, _ = _settled(share_at, level, lambda old, ratio: old * ratio, interior, plan.volume_ml)
    return Made(share, 0.0, None, (0.0, y0, z0), _ball(plan.volume_ml), 0.0)


def make_parenchymal(plan: Plan, interior: Interior) -> Made:
    """A warped ellipsoid, deep or lobar, with a rim of swollen brain."""
    rng = np.random.default_rng(plan.seed)
    radius = _ball(plan.volume_ml)
    centre = _brain_place(interior, radius, rng)
    matrix = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix()
    stretch = np.exp(rng.normal(0, 0.22, 3))
    matrix = matrix / (stretch / np.cbrt(stretch.prod()))[:, None]
    offset = [a - np.float32(c) for a, c in zip((interior.x, interior.y, interior.z), centre, strict=True)]
    rows = [sum(np.float32(matrix[i, j]) * offset[j] for j in range(3)) for i in range(3)]
    distance = np.sqrt(sum(row * row for row in rows))
    warp = smooth_noise(distance.shape, interior.step_mm, max(1.6 * radius, 8.0), rng)
    finer = smooth_noise(distance.shape, interior.step_mm, max(0.6 * radius, 6.0), rng)
    distance = distance - radius * (rng.uniform(0.08, 0.22) * warp + rng.uniform(0.0, 0.08) * finer)
    distance = np.where(interior.depth > 1.5, distance, _FAR).astype(np.float32)
    distance_fine = enlarged(np.minimum(distance, 200.0))
    within = inside(-enlarged(interior.depth - 1.0), interior.pixel_mm)
    share, level = _settled(
        lambda level: inside(distance_fine - np.float32(level), interior.pixel_mm) * within,
        _level(interior, distance, plan.volume_ml),
        # A ball's radius grows with the cube root of its volume.
        lambda old, ratio: old + (ratio ** (1.0 / 3.0) - 1.0) * max(old, 0.5 * radius), interior, plan.volume_ml,
    )  # fmt: skip
    depth_hu, reach = rng.uniform(8.0, 15.0), rng.uniform(2.5, 3.5 + 0.25 * radius)
    if plan.stage == "acute" and rng.random() < 0.3:
        depth_hu = 0.0
    rim = -depth_hu * np.exp(-np.maximum(distance_fine - level, 0.0) / reach)
    return Made(share, _texture(plan, interior, rng), None, centre, radius, rng.uniform(0.5, 1.8), rim)


def _brain_place(interior: Interior, radius: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """A deep place, or one under the cortex."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    low, high = float(interior.z.min()), float(interior.z.max())
    if rng.random() < 0.5:
        x, y, z = _DEEP[int(rng.choice(len(_DEEP), p=_DEEP_SHARES))]
        if low + 5.0 < z < high - 5.0:
            return side * x + rng.normal(0, 2), y + rng.normal(0, 3), z + rng.normal(0, 2)
    wish = max(radius * rng.uniform(0.7, 1.3), 4.0)
    weight = (np.abs(interior.depth - wish - 2.0) < 2.5) & (interior.z > -28.0) & (np.abs(interior.x) > 6.0)
    places = np.flatnonzero(weight.ravel())
    if not places.size:
        places = np.array([int(np.argmax(interior.depth))])
    k = int(rng.choice(places))
    x, y, z = (float(a.ravel()[k]) for a in (interior.x, interior.y, interior.z))
    return x, y, z


def _layer(interior: Interior, room: np.ndarray, volume_ml: float) -> tuple[np.ndarray, np.ndarray]:
    """Share and thickness of a layer on the inner table that is `room` times a level thick."""
    depth = interior.convexity
    field = np.where(
        (room > 0.02) & (interior.depth > 0), depth / np.maximum(room, np.float32(0.02)), np.float32(np.inf)
    )
    level = _level(interior, field, volume_ml)
    room_fine = np.maximum(enlarged(room), 0.0)
    depth_fine, within = enlarged(depth), inside(-enlarged(interior.depth), interior.pixel_mm)
    half = np.float32(interior.pixel_mm / 2)
    lower, upper = np.maximum(depth_fine - half, 0.0), depth_fine + half

    def share_at(level: float) -> np.ndarray:
        # How much of the voxel's own depths lies within the layer.
        overlap = np.minimum(upper, np.float32(level) * room_fine) - lower
        return np.clip(overlap / (2 * half), 0.0, 1.0) * within

    share, level = _settled(share_at, level, lambda old, ratio: old * ratio, interior, volume_ml)
    return share, (np.float32(level) * np.maximum(room, 0.0)).astype(np.float32)


def _settled(
    share_at: Callable[[float], np.ndarray],
    level: float,
    next_level: Callable[[float, float], float],
    interior: Interior,
    volume_ml: float,
) -> tuple[np.ndarray, float]:
    """The level, begun on the coarse grid, at which the fine shares hold the volume within 3 %.

    Args:
        share_at: Shares at a level.
        level: To begin with.
        next_level: From a level and the factor by which the volume has to grow.
        interior: The cavity.
        volume_ml: To reach.
    """
    share = share_at(level)
    for _ in range(6):
        ratio = volume_ml / max(float((share * interior.voxel_ml).sum()), 1e-3)
        if abs(ratio - 1.0) < 0.03 or not np.isfinite(level):
            break
        level = next_level(level, float(np.clip(ratio, 0.4, 2.5)))
        share = share_at(level)
    return share, level


def _level(interior: Interior, field: np.ndarray, volume_ml: float) -> float:
    field = np.where(field >= _FAR, np.inf, field)
    voxel = np.broadcast_to(4.0 * interior.voxel_ml, field.shape)
    return level_for_volume(field, voxel, volume_ml)


def _ball(volume_ml: float) -> float:
    return float((volume_ml * 1000.0 * 0.75 / np.pi) ** (1.0 / 3.0))


def _texture(plan: Plan, interior: Interior, rng: np.random.Generator) -> np.ndarray:
    """HU about the mean: clots are uneven, old bleeds have membranes and levels, whose dense part lies behind."""
    noise = smooth_noise(interior.depth.shape, interior.step_mm, 16.0, rng)
    texture = rng.uniform(1.0, 4.0) * noise
    if plan.stage == "mixed" or (plan.stage == "chronic" and rng.random() < 0.4):
        border = float(rng.normal(0, 25))
        texture = texture + rng.uniform(7.0, 16.0) * np.tanh((interior.y - border + 2.0 * noise) / 3.0)
    fine = enlarged(texture.astype(np.float32))
    if plan.stage == "chronic":
        walls = smooth_noise(interior.depth.shape, interior.step_mm, 28.0, rng)
        fine += rng.uniform(5.0, 25.0) * sheet(np.abs(enlarged(walls)) * 9.0, 1.0, interior.pixel_mm)
    return fine
