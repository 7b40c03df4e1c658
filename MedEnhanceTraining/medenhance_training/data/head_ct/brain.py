"""What lies inside the skull: brain with cortex and sulci, ventricles, cisterns, falx, tentorium and sinuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medenhance_training.data.head_ct.cisterns import basal_csf, deep_grey, tentorium, ventricle_distance
from medenhance_training.data.head_ct.fields import BandNoise, enlarged, inside, sheet, smooth_noise
from medenhance_training.data.head_ct.subject import Subject

# Mean distance of neighbouring sulci is half of this.
GYRUS_WAVELENGTH_MM = 23.0
CORTEX_MM = 3.0
SULCUS_DEPTH_MM = 19.0


@dataclass(frozen=True)
class Places:
    """Where the tissue now at each coarse voxel of the cavity's box belongs, (P, R, C) float32, mm.

    Attributes:
        x, y, z: Head coordinates before any bleed pushed it.
        depth: From the inner table or from what bleed lies on the brain.
        fullness: 0 to 1: how far a bleed nearby has closed the fluid spaces.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    depth: np.ndarray
    fullness: np.ndarray


@dataclass(frozen=True)
class Brain:
    """The cavity's content on the fine grid of its box, (P, R, C) float32.

    Attributes:
        hu: Without any bleed.
        fluid: Share of subarachnoid fluid, 0 to 1.
        ventricle: Share of ventricle.
        midline_mm: How far right (below 0) or left of the midline the tissue belongs.
    """

    hu: np.ndarray
    fluid: np.ndarray
    ventricle: np.ndarray
    midline_mm: np.ndarray


def make_brain(places: Places, step_mm: tuple[float, float, float], subject: Subject) -> Brain:
    """Fill the cavity.

    Args:
        places: From the coarse grid.
        step_mm: Of the coarse grid.
        subject: Whose.
    """
    rng = np.random.default_rng([subject.noise_seed, 1])
    pixel = step_mm[1] / 2
    x, y, z = places.x, places.y, places.z
    wobble = smooth_noise(x.shape, step_mm, 40.0, rng)
    patchy = smooth_noise(x.shape, step_mm, 30.0, rng)
    tent, tent_gate = tentorium(x, y, z)
    below_tent = (tent < 0) & (tent_gate > -5.0)
    gap = 1.0 - places.fullness
    brain_depth = places.depth - subject.fluid_mm * gap * np.clip(0.4 + 0.8 * patchy + _front_gap(y, z), 0.0, 3.0)
    deep_enough = enlarged(brain_depth)
    fluid = inside(deep_enough, pixel)

    ventricle = inside(enlarged(ventricle_distance(x, y, z, wobble, subject, rng)), pixel)
    sulci, ribbon = _sulci(places, brain_depth, patchy, below_tent, pixel, subject, gap, rng)
    fluid = np.maximum(fluid, sulci)
    middle = enlarged(x)
    fissure, falx, ribbon = _falx(y, z, tent, middle, ribbon, pixel, subject, gap, patchy, rng)
    fluid = np.maximum(fluid, fissure)
    fluid = np.maximum(fluid, enlarged(basal_csf(x, y, z, wobble, step_mm[1], subject, gap, rng)))
    fluid = np.minimum(fluid, 1.0 - ventricle)

    grey = np.maximum(inside(np.minimum(ribbon, deep_enough) - CORTEX_MM, pixel * 1.5), enlarged(deep_grey(x, y, z)))
    fluid = np.maximum(fluid, enlarged(_folia(places, below_tent, rng)))
    cerebellum = enlarged(np.where(below_tent, np.float32(0.55) + 0.3 * np.tanh(2 * patchy), 0.0).astype(np.float32))
    grey = np.maximum(grey, cerebellum)
    hu = subject.white_hu + (subject.grey_hu - subject.white_hu) * grey
    hu += enlarged(_disease(x, y, z, patchy, subject, step_mm, rng))
    hu += (subject.csf_hu - hu) * np.maximum(fluid, ventricle)
    membrane = sheet(np.abs(enlarged(tent)), enlarged(np.minimum(tent_gate * 0.2, rng.uniform(0.3, 0.9))), pixel)
    hu += (subject.dura_hu - hu) * np.maximum(falx, membrane)
    hu += (subject.vessel_hu - hu) * enlarged(_sinuses(x, y, z, places.depth, step_mm[1], rng))
    # Neither bone nor blood on the brain is fluid.
    fluid *= inside(-enlarged(places.depth), pixel)
    return Brain(hu, fluid, ventricle, middle)


def _front_gap(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """More fluid over the front of the convexity, as in most people past 50."""
    return 0.6 * np.clip(-y / 60.0, 0.0, 1.0) * np.clip((z - 10.0) / 40.0, 0.0, 1.0)


def _sulci(
    places: Places,
    brain_depth: np.ndarray,
    patchy: np.ndarray,
    below_tent: np.ndarray,
    pixel: float,
    subject: Subject,
    gap: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Share of sulcal fluid, and the distance to the nearest sulcus, both on the fine grid."""
    x, y, z = places.x, places.y, places.z
    noise = BandNoise(GYRUS_WAVELENGTH_MM * rng.uniform(0.9, 1.15), rng)
    # Most of the depth is undone before the field is read: sheets then stand upright on the surface.
    radius = np.sqrt(x * x + y * y + (z - 10.0) ** 2) + np.float32(10.0)
    pull = 1.0 + np.float32(0.8) * np.clip(brain_depth, 0.0, 25.0) / radius
    signed = enlarged(noise.at(z * pull, y * pull, x * pull)) * np.float32(noise.distance_mm)
    distance = np.abs(signed)
    reach = SULCUS_DEPTH_MM * np.clip(1.0 + 0.35 * patchy, 0.4, 1.8)
    half = subject.sulcus_mm * gap * np.clip(1.0 + 0.4 * patchy, 0.2, 2.2) * (1.0 - brain_depth / reach)
    half = np.where(below_tent, np.float32(-1.0), half)
    half_fine = enlarged(half)
    past = enlarged(np.maximum(brain_depth - reach, 0.0) + 20.0 * below_tent)
    fluid = np.where(half_fine > 0, sheet(distance, np.maximum(half_fine, 0.0), pixel), np.float32(0.0))
    return fluid, distance - np.maximum(half_fine, 0.0) + past


def _folia(places: Places, below_tent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Share of fluid between the leaves of the cerebellum on the coarse grid: faint, for slices blur them."""
    share = np.zeros(below_tent.shape, np.float32)
    # The leaves stand closer from front to back than along the other axes.
    z, y, x = (axis[below_tent] for axis in (places.z, places.y, places.x))
    if z.size:
        noise = BandNoise(14.0, rng)
        share[below_tent] = rng.uniform(0.1, 0.45) * inside(np.abs(noise.at(0.7 * z, 1.4 * y, 0.6 * x)) - 0.2, 0.3)
    return share


def _falx(
    y: np.ndarray,
    z: np.ndarray,
    tent: np.ndarray,
    middle: np.ndarray,
    ribbon: np.ndarray,
    pixel: float,
    subject: Subject,
    gap: np.ndarray,
    patchy: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interhemispheric fluid, falx, and the distance to the cortex's surface with the fissure's walls."""
    away = np.abs(middle)
    # The callosum and what lies under it join the hemispheres inside this ellipse of the midline's plane.
    ellipse = np.sqrt(((y - 4.0) / 45.0) ** 2 + ((z - 12.0) / 25.0) ** 2) - 1.0
    open_mm = np.minimum(ellipse * 30.0, np.minimum(tent + 2.0, z + 8.0))
    width = subject.fluid_mm * (0.35 + 0.5 * np.clip(-y / 50.0, 0.0, 1.0)) + 0.5
    half = np.minimum(open_mm * 0.4, width * gap * np.clip(0.8 + 0.6 * patchy, 0.15, 2.0))
    half_fine = enlarged(half)
    fissure = np.where(half_fine > 0, sheet(away, np.maximum(half_fine, 0.0), pixel), np.float32(0.0))
    # The falx is narrow in front and reaches the callosum behind.
    edge = np.sqrt(((y - 18.0) / 62.0) ** 2 + ((z - 8.0) / 38.0) ** 2) - 1.0
    thickness = np.minimum(np.minimum(edge * 15.0, tent + 1.0) * 0.4, rng.uniform(0.25, 0.65))
    thick_fine = enlarged(np.minimum(thickness, z * 0.1))
    falx = np.where(thick_fine > 0, sheet(away, np.maximum(thick_fine, 0.0), pixel), np.float32(0.0))
    wall = away - np.maximum(half_fine, 0.0) + np.where(half_fine > 0, np.float32(0.0), np.float32(50.0))
    return fissure, falx, np.minimum(ribbon, wall)


def _disease(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    patchy: np.ndarray,
    subject: Subject,
    step_mm: tuple[float, float, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """HU to add on the coarse grid: uneven tissue, and the white matter's thinning near the ventricles with age."""
    uneven = rng.uniform(0.6, 2.0) * smooth_noise(x.shape, step_mm, 30.0, rng)
    uneven += rng.uniform(0.5, 1.5) * smooth_noise(x.shape, step_mm, 12.0, rng)
    side = np.abs(x)
    near = np.exp(-(((side - 17.0 - 0.2 * np.abs(y)) / 13.0) ** 2)) * np.exp(-(((z - 28.0) / 16.0) ** 2))
    near *= np.exp(-((np.maximum(np.abs(y) - 45.0, 0.0) / 12.0) ** 2))
    load = max(0.0, subject.atrophy - 0.15) * rng.uniform(0.0, 16.0)
    return np.asarray(uneven - load * near * np.clip(0.8 + 0.5 * patchy, 0, 2), np.float32)


def _sinuses(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, depth: np.ndarray, width_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """Share of venous sinus on the coarse grid: sagittal under the vault's middle, transverse behind, straight."""
    radius = rng.uniform(2.5, 4.5)
    top = (y > 0) | (z > 40)
    sagittal = np.where(top & (z > -2.0), 0.7 * np.abs(x) + np.maximum(depth, 0.0) - radius, np.float32(9.0))
    level = z + 4.0 + 0.06 * np.abs(x)
    transverse = np.where(y > 25.0, np.hypot(level, np.maximum(depth - 1.5, 0.0)) - rng.uniform(2.0, 4.0), 9.0)
    return inside(np.minimum(sagittal, transverse).astype(np.float32), width_mm)
