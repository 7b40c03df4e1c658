"""A subject: sizes of the head, age and what it does to the brain, densities of tissue."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medenhance_training.data.head_ct.config import HeadConfig

# The middle of the cavity's ellipsoid above the head's origin.
MIDDLE_MM = 12.0
# Volume of the ventricles whose width has the factor 1, measured; it grows with the factor's square.
VENTRICLES_ML = 20.0


@dataclass(frozen=True)
class Subject:
    """What is fixed about a head before any bleed.

    Attributes:
        age_years: 16 to 95.
        half_width_mm, half_length_mm, height_mm: Of the cavity above the skull base.
        lower_mm: How far the cavity's ellipsoid reaches below its middle.
        skull_mm: Mean thickness of the vault.
        diploe_hu: Density between the tables.
        scalp_mm: Thickness, without skin.
        atrophy: 0 (full brain) to 1 (marked).
        fluid_mm: Thickness of the fluid over the convexity.
        sulcus_mm: Half width of the sulci at the surface.
        ventricle: Factor of the ventricles' width.
        grey_hu, white_hu, csf_hu, dura_hu, vessel_hu: Tissue.
        noise_seed: Of the subject's random fields.
    """

    age_years: float
    half_width_mm: float
    half_length_mm: float
    height_mm: float
    lower_mm: float
    skull_mm: float
    diploe_hu: float
    scalp_mm: float
    atrophy: float
    fluid_mm: float
    sulcus_mm: float
    ventricle: float
    grey_hu: float
    white_hu: float
    csf_hu: float
    dura_hu: float
    vessel_hu: float
    noise_seed: int

    @property
    def top_mm(self) -> float:
        """Height of the scalp's top."""
        return MIDDLE_MM + self.height_mm + self.skull_mm + self.scalp_mm


def draw_subject(config: HeadConfig, rng: np.random.Generator) -> Subject:
    """A subject of any adult age."""
    age = float(np.clip(rng.normal(58, 20), 16, 95))
    # Sulci and ventricles widen after 50, and differ at every age.
    atrophy = float(np.clip(0.1 + max(0.0, age - 45.0) / 65.0 + rng.normal(0, 0.16), 0, 1))
    size = rng.normal(1.0, 0.03)
    grey = rng.uniform(*config.grey_hu)
    csf = float(np.clip(rng.normal(8.0, 3.0), 2, 15))
    return Subject(
        age_years=age,
        half_width_mm=size * rng.normal(69.0, 2.8),
        half_length_mm=size * rng.normal(84.0, 3.0),
        height_mm=size * rng.normal(76.0, 3.0),
        lower_mm=66.0 * size,
        skull_mm=float(np.clip(rng.normal(6.5, 1.2), 4.5, 10.0)),
        diploe_hu=rng.uniform(450.0, 850.0),
        scalp_mm=rng.uniform(2.5, 8.0),
        atrophy=atrophy,
        fluid_mm=0.2 + 2.2 * atrophy * rng.uniform(0.4, 1.3),
        sulcus_mm=0.45 + 1.15 * atrophy * rng.uniform(0.6, 1.3),
        ventricle=0.62 + 0.75 * atrophy * rng.uniform(0.6, 1.4) + 0.1 * rng.random(),
        grey_hu=grey,
        white_hu=grey - rng.uniform(*config.white_below_hu),
        csf_hu=csf,
        dura_hu=grey + rng.uniform(8.0, 34.0),
        vessel_hu=grey + rng.uniform(2.0, 26.0),
        noise_seed=int(rng.integers(2**31)),
    )


def with_room(subject: Subject, blood_ml: float) -> Subject:
    """The subject with ventricles wide enough for what bleeds into them: blood there dams the fluid up."""
    return replace(subject, ventricle=max(subject.ventricle, float(np.sqrt(1.3 * blood_ml / VENTRICLES_ML))))
