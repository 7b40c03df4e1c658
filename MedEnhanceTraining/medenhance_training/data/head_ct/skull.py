"""The skull: the cavity's shape, the vault's and the base's bone, sutures, scalp and the outline of the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medenhance_training.data.head_ct.fields import rounded_ellipsoid, smooth_noise
from medenhance_training.data.head_ct.subject import MIDDLE_MM, Subject


@dataclass(frozen=True)
class Skull:
    """Distances on the coarse grid, (P, R, C) float32, mm.

    Attributes:
        depth: From the inner table into the cavity; below 0 outside.
        convexity: Depth below the vault alone, without the skull base.
        thickness: Of the bone.
        skin: Signed distance to the skin, below 0 inside the head.
        suture: Distance to the nearest suture.
        plate: int8, the bone plate of the vault, numbered between sutures.
    """

    depth: np.ndarray
    convexity: np.ndarray
    thickness: np.ndarray
    skin: np.ndarray
    suture: np.ndarray
    plate: np.ndarray


def make_skull(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    step_mm: tuple[float, float, float],
    subject: Subject,
    rng: np.random.Generator,
) -> Skull:
    """The skull at coarse coordinates."""
    wide = smooth_noise(x.shape, step_mm, 90.0, rng)
    vault = _vault(x, y, z, subject, rng) + wide * np.float32(rng.uniform(0.5, 2.0))
    floor = (_floor(np.abs(x), y, rng) - z) * np.float32(0.75)
    canal = np.maximum(np.hypot(x, y - 32.0) - 14.0, z + 38.0)
    outside = np.minimum(np.maximum(vault, floor), canal)
    bumps = smooth_noise(x.shape, step_mm, 28.0, rng)
    thickness = subject.skull_mm * (1.0 + 0.12 * wide + 0.08 * bumps)
    # The base is thinner than the vault, but for the petrous bones, which are painted.
    thickness = np.where(floor > vault, np.float32(0.45), np.float32(1.0)) * thickness
    # Thicker at the forehead's and the occiput's middle, thin at the temples.
    thickness *= (
        1.0
        + 0.35 * np.exp(-((x / 28.0) ** 2)) * (np.abs(y) > 45)
        - 0.3 * np.exp(-(((z + 5.0) / 25.0) ** 2)) * (np.abs(x) > 50)
    )
    plate, suture = sutures(x, y, z)
    skin = _skin(x, y, z, vault + wide, thickness, subject, rng)
    return Skull(-outside, -vault, thickness.astype(np.float32), skin, suture, plate)


def _vault(x: np.ndarray, y: np.ndarray, z: np.ndarray, subject: Subject, rng: np.random.Generator) -> np.ndarray:
    """Distance along the ray from the middle to an egg that is broad at the back."""
    skew = np.float32(rng.normal(0, 0.03))
    xs = x + skew * y
    width = subject.half_width_mm * (1.0 + rng.uniform(0.03, 0.10) * np.tanh((y - 5.0) / 40.0))
    up = np.abs(z - MIDDLE_MM)
    t = up / np.where(z > MIDDLE_MM, np.float32(subject.height_mm), np.float32(subject.lower_mm))
    u, v = (xs / width) ** 2, (y / np.float32(subject.half_length_mm)) ** 2
    # Less pointed than an ellipse, as with an exponent of about 2.4.
    ratio = np.sqrt(u + v - np.float32(0.3) * u * v / (u + v + np.float32(1e-3)) + t * t * np.sqrt(t))
    rho = np.sqrt(xs * xs + y * y + up * up)
    return rho - rho / np.maximum(ratio, np.float32(1e-3))


def _floor(side: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Height of the skull base: front, middle and back fossa, with the petrous ridges between the last two."""
    roof = 8.0 * np.exp(-(((side - 30.0) / 15.0) ** 2) - ((y + 60.0) / 20.0) ** 2)
    front = rng.uniform(-6.0, 2.0) + roof - 6.0 * np.exp(-((side / 9.0) ** 2))
    front = front + 0.2 * np.maximum(y + 26.0, 0.0) ** 2
    ahead = np.where(y < -14.0, np.float32(27.0), np.float32(38.0))
    bowl = ((side - 41.0) / 28.0) ** 2 + ((y + 14.0) / ahead) ** 2
    middle = rng.uniform(-31.0, -25.0) + 22.0 * bowl * bowl
    # Narrow in front, between the petrous bones.
    bowl = (side / 62.0) ** 2 + ((y - 38.0 - 0.3 * side) / 36.0) ** 2
    back = rng.uniform(-54.0, -47.0) + 30.0 * bowl * np.sqrt(bowl)
    sella = (
        rng.uniform(-11.0, -6.0)
        + 0.1 * np.maximum(np.abs(y + 6.0) - 12.0, 0.0) ** 2
        + 0.1 * np.maximum(side - 14.0, 0.0) ** 2
    )
    # The ridge runs from (14, 6) to (60, 34).
    along = np.clip(((side - 14.0) * 46.0 + (y - 6.0) * 28.0) / (46.0**2 + 28.0**2), 0.0, 1.0)
    off = np.hypot(side - 14.0 - 46.0 * along, y - 6.0 - 28.0 * along)
    ridge = rng.uniform(6.0, 11.0) * np.exp(-((off / 7.0) ** 2)) * (0.25 + 0.75 * along)
    floor = np.minimum(np.minimum(front, middle), np.minimum(back, sella)) + ridge
    # Behind the front fossa nothing of the base is higher than the ridges.
    return np.asarray(np.where(y > -30.0, np.minimum(floor, 2.0), floor), np.float32)


def sutures(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the plate (int8) and distance to the nearest suture (mm) under the vault.

    The coronal suture leans from the pterion up and back, the lambdoid lies behind, the sagittal joins them, and the
    squamous suture arches over the temporal bone.
    """
    side = np.abs(x)
    coronal = (y + 30.0 - 0.28 * (z - 20.0)) * np.float32(0.96)
    lambdoid = y - 58.0 - 0.1 * (z - 40.0)
    arch = z - 34.0 + 16.0 * ((y - 8.0) / 30.0) ** 2
    parietal = (coronal > 0) & (lambdoid < 0)
    temporal = parietal & (arch < 0) & (side > 30.0)
    distance = np.minimum(np.abs(coronal), np.abs(lambdoid))
    distance = np.where(parietal, np.minimum(distance, side), distance)
    distance = np.where(parietal & (side > 30.0), np.minimum(distance, np.abs(arch) * np.float32(0.8)), distance)
    left = (x > 0).astype(np.int8)
    plate = np.where(parietal, 2 + left + 2 * temporal, np.where(coronal <= 0, 0, 1))
    return plate.astype(np.int8), distance.astype(np.float32)


def _skin(
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    vault: np.ndarray,
    thickness: np.ndarray,
    subject: Subject,
    rng: np.random.Generator,
) -> np.ndarray:
    """Scalp over the vault, joined to the face and the neck."""
    scalp = subject.scalp_mm + 1.5 + 4.0 * np.exp(-(((z + 5.0) / 30.0) ** 2)) * (np.abs(x) > 40)
    # The head rests on its back, which flattens the scalp there.
    scalp = scalp * np.where(y > 60.0, np.float32(0.8), np.float32(1.0))
    head = vault - thickness - scalp
    face = rounded_ellipsoid(x, y, z, (0.0, -36.0, -48.0), (64.0, 62.0, rng.uniform(52.0, 62.0)))
    nose = rounded_ellipsoid(x, y, z, (0.0, -98.0, -38.0), (13.0, 20.0, 22.0))
    neck = np.maximum(np.hypot(x / 1.15, y - 18.0) - rng.uniform(54.0, 64.0), z + 20.0)
    lower = np.minimum(np.minimum(face, nose), neck)
    # Rounded union (polynomial, 12 mm wide).
    blend = np.clip(0.5 + (head - lower) / 24.0, 0.0, 1.0)
    return np.asarray(head + (lower - head) * blend - 12.0 * blend * (1.0 - blend), np.float32)
