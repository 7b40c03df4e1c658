"""Ventricles, basal cisterns, deep grey matter and tentorium on the coarse grid, from head coordinates in mm."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from medenhance_training.data.head_ct.fields import inside, rounded_ellipsoid, sheet
from medenhance_training.data.head_ct.subject import Subject

# (side, y, z, radius) mm along one lateral ventricle: frontal horn, body, atrium, occipital horn; and from the atrium
# into the temporal horn.
_BODY = (
    (15.0, -37.0, 14.0, 3.2),
    (9.5, -24.0, 19.0, 5.2),
    (9.5, 4.0, 28.0, 4.8),
    (23.0, 33.0, 21.0, 6.6),
    (22.0, 57.0, 13.0, 2.6),
)
_TEMPORAL = ((23.0, 33.0, 19.0, 5.5), (33.0, 18.0, -2.0, 2.6), (29.0, -6.0, -11.0, 1.6))


def ventricle_distance(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, wobble: np.ndarray, subject: Subject, rng: np.random.Generator
) -> np.ndarray:
    """(P, R, C) float32: signed distance to the ventricles' wall, below 0 inside."""
    uneven = rng.normal(0, 0.1)
    side = np.abs(x) + 0.4 * wobble
    factor = np.float32(subject.ventricle) * (1.0 + np.float32(uneven) * np.sign(x))
    distance = np.full(x.shape, 50.0, np.float32)
    for path in (_BODY, _TEMPORAL):
        for start, end in pairwise(path):
            distance = np.minimum(distance, _capsule(side, y, z, start, end, factor))
    # The septum: a thin wall between the sides.
    distance = np.maximum(distance + 0.5 * wobble, np.float32(0.7) - np.abs(x))
    w = subject.ventricle
    third = rounded_ellipsoid(x, y, z, (0.0, -3.0, 11.0), (1.0 + 2.0 * w, 11.0, 8.0))
    fourth = rounded_ellipsoid(x, y, z, (0.0, 38.0, -24.0), (4.0 + 3.5 * w, 3.0 + 1.5 * w, 9.0))
    # The vermis bulges into it from behind, so that it is a crescent in most people.
    size = rng.uniform(0.5, 1.2)
    vermis = rounded_ellipsoid(x, y, z, (0.0, 43.0 + rng.normal(0, 1.0), -28.0), (5.0 * size, 5.5 * size, 9.0 * size))
    fourth = np.maximum(fourth, -vermis)
    return np.asarray(np.minimum(distance, np.minimum(third, fourth)), np.float32)


def _capsule(
    side: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    start: tuple[float, ...],
    end: tuple[float, ...],
    factor: np.ndarray,
) -> np.ndarray:
    """Distance to a segment less a radius that changes along it."""
    dx, dy, dz = (e - s for s, e in zip(start[:3], end[:3], strict=True))
    px, py, pz = side - start[0], y - start[1], z - start[2]
    t = np.clip((px * dx + py * dy + pz * dz) * (1.0 / (dx * dx + dy * dy + dz * dz)), 0.0, 1.0)
    px -= t * dx
    py -= t * dy
    pz -= t * dz
    return np.sqrt(px * px + py * py + pz * pz) - (start[3] + (end[3] - start[3]) * t) * factor


def tentorium(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height above the tentorium (mm across it), and how far inside its borders a place lies (above 0 within)."""
    side = np.abs(x)
    roof = 17.0 - 0.32 * (y - 22.0) - 0.40 * side
    ridge = y - 8.0 - 0.55 * side
    notch = np.hypot(x, (y - 12.0) * 0.7) - 17.0
    return ((z - roof) * np.float32(0.87)).astype(np.float32), np.minimum(ridge, notch).astype(np.float32)


def basal_csf(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    wobble: np.ndarray,
    width_mm: float,
    subject: Subject,
    gap: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(P, R, C) float32 share of fluid in the basal cisterns and Sylvian fissures."""
    side = np.abs(x)
    size = (0.5 + 0.8 * subject.atrophy + 0.25 * rng.random()) * gap
    axis = 11.0 - 0.35 * (z - 2.0)
    stem_radius = np.clip(14.0 - 0.012 * (z + 15.0) ** 2 + 0.06 * z, 6.0, 15.0)
    around = np.abs(np.hypot(x, (y - axis) * 1.1) - stem_radius - 1.5 + 1.2 * wobble)
    stem = sheet(around, np.where((z > -46.0) & (z < 8.0), 1.7 * size, 0.0), width_mm)
    # Behind the stem below the tentorium the cerebellum touches it.
    stem = np.where((y > axis + 4.0) & (z < -4.0), np.float32(0.0), stem)
    pools = np.minimum(
        rounded_ellipsoid(side, y, z, (3.0, -7.0, -2.0), (9.0, 9.0, 5.5)),
        np.minimum(
            rounded_ellipsoid(x, y, z, (0.0, 27.0, 8.0), (11.0, 4.0, 6.0)),
            rounded_ellipsoid(x, y, z, (0.0, 68.0, -42.0), (14.0, 9.0, 9.0)),
        ),
    )
    pools = inside(pools + 4.0 * (1.0 - size), width_mm)
    insula = np.abs(side + 2.5 * wobble - 38.0 - 0.15 * (z - 10.0) + 0.004 * (y - 2.0) ** 2)
    within = np.minimum(np.minimum(y + 22.0, 24.0 - y), np.minimum(z + 1.0, 24.0 - z))
    sylvian = sheet(insula, np.clip(within * 0.15, 0.0, 1.0) * 2.0 * size, width_mm)
    lips = np.abs(z - 4.0 - 0.3 * y - 4.0 * wobble) * np.float32(0.9)
    opening = np.minimum(np.minimum(y + 26.0, 34.0 - y), side - 37.0)
    lips_fluid = sheet(lips, np.clip(opening * 0.2, 0.0, 1.0) * 1.3 * size, width_mm)
    return np.maximum(np.maximum(stem, pools), np.maximum(sylvian, lips_fluid)).astype(np.float32, copy=False)


def deep_grey(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(P, R, C) float32 share of grey matter in thalamus, lentiform nucleus, caudate and brainstem."""
    side = np.abs(x)
    distance = np.minimum(
        np.minimum(
            rounded_ellipsoid(side, y, z, (10.5, 8.0, 12.0), (8.5, 15.0, 9.0)),
            rounded_ellipsoid(side - 0.25 * (y + 4.0), y, z, (24.0, -4.0, 9.0), (6.5, 18.0, 10.0)),
        ),
        rounded_ellipsoid(side, y, z, (14.5, -18.0, 17.0), (4.0, 9.0, 12.0)),
    )
    # The insula's cortex, and the brainstem, which is mixed.
    insula = rounded_ellipsoid(side, y, z, (35.5, 0.0, 10.0), (2.0, 22.0, 13.0))
    stem = inside(np.maximum(np.hypot(x, y - 14.0) - 14.0, z - 10.0), 4.0) * np.float32(0.45)
    return np.maximum(inside(np.minimum(distance, insula), 2.5), stem).astype(np.float32, copy=False)
