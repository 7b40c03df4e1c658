"""Blood in fluid spaces: it fills the ventricles from their lowest part, and sulci and cisterns from where it began."""

from __future__ import annotations

import numpy as np

from medenhance_training.data.head_ct.fields import enlarged, inside, level_for_volume, smooth_noise
from medenhance_training.data.head_ct.interior import Interior, Made
from medenhance_training.data.head_ct.plan import Plan

# (|x|, y, z) mm where aneurysms bleed: suprasellar, Sylvian, interhemispheric in front, before the pons.
_CISTERNS = ((3.0, -6.0, -2.0), (38.0, 0.0, 4.0), (1.0, -40.0, 15.0), (0.0, 2.0, -16.0))


def make_ventricular(plan: Plan, interior: Interior, ventricle: np.ndarray) -> Made:
    """Blood in the ventricles.

    Args:
        plan: What to make.
        interior: The cavity.
        ventricle: (P, 2R, 2C) float32, share of ventricle in each fine voxel.
    """
    rng = np.random.default_rng(plan.seed)
    x, y, z = interior.x, interior.y, interior.z
    noise = smooth_noise(x.shape, interior.step_mm, 18.0, rng)
    if rng.random() < 0.65:
        # A level: the patient lies on the back, blood sinks to the occipital horns.
        field = -y + rng.uniform(0.0, 0.2) * z + rng.uniform(-0.4, 0.4) * x + 1.5 * noise
    else:
        # A cast that grows from one place.
        seed = np.array([rng.choice([-1.0, 1.0]) * rng.uniform(4.0, 24.0), rng.uniform(-25.0, 40.0), 20.0])
        field = np.sqrt((x - seed[0]) ** 2 + (y - seed[1]) ** 2 + (z - seed[2]) ** 2) + 4.0 * noise
    share = _filled(field, ventricle, interior, plan.volume_ml, min_share=0.05)
    texture = enlarged((rng.uniform(1.0, 4.0) * noise).astype(np.float32))
    return Made(share, texture, None, (0.0, 30.0, 20.0), 0.0, 0.0)


def make_subarachnoid(plan: Plan, interior: Interior, fluid: np.ndarray) -> Made:
    """Blood in sulci and cisterns.

    Args:
        plan: What to make.
        interior: The cavity.
        fluid: (P, 2R, 2C) float32, share of subarachnoid fluid in each fine voxel.
    """
    rng = np.random.default_rng(plan.seed)
    x, y, z = interior.x, interior.y, interior.z
    seed = _start(interior, fluid, rng)
    noise = smooth_noise(x.shape, interior.step_mm, 22.0, rng)
    distance = np.sqrt((x - seed[0]) ** 2 + (y - seed[1]) ** 2 + (1.4 * (z - seed[2])) ** 2)
    field = distance * (1.0 + 0.2 * np.clip(noise, -2, 2))
    share = _filled(field, fluid, interior, plan.volume_ml, min_share=0.15)
    return Made(share, 0.0, None, (float(seed[0]), float(seed[1]), float(seed[2])), 0.0, 0.0)


def _start(interior: Interior, fluid: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A cistern (aneurysm) or a sulcus of the convexity (trauma)."""
    if rng.random() < 0.45:
        seed = np.array(_CISTERNS[int(rng.integers(len(_CISTERNS)))])
        if interior.z.min() + 4.0 < seed[2]:
            return seed * np.array([rng.choice([-1.0, 1.0]), 1.0, 1.0])
    sulcal = (fluid[:, ::2, ::2] > 0.5) & (interior.depth > 3.0) & (interior.depth < 16.0) & (interior.z > 0.0)
    places = np.flatnonzero(sulcal.ravel())
    if not places.size:
        places = np.flatnonzero((fluid[:, ::2, ::2] > 0.1).ravel())
    k = int(rng.choice(places)) if places.size else int(np.argmax(interior.depth))
    return np.array([a.ravel()[k] for a in (interior.x, interior.y, interior.z)], dtype=np.float64)


def _filled(field: np.ndarray, space: np.ndarray, interior: Interior, volume_ml: float, min_share: float) -> np.ndarray:
    """The part of a space below the level of a coarse field that holds the volume."""
    fine = enlarged(field.astype(np.float32))
    room = np.where(space > min_share, space, np.float32(0.0))
    level = level_for_volume(fine, room * interior.voxel_ml, volume_ml)
    if not np.isfinite(level):
        return np.zeros_like(room)
    return np.asarray(room * inside(fine - np.float32(level), interior.pixel_mm), np.float32)
