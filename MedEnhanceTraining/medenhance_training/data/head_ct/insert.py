"""The simulator's bleeds in a real scan: `insert_lesions`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates

from medenhance.volume import Volume
from medenhance_training.data.head_ct.bleeds import (
    Bleed,
    lesions_of,
    make_fluid_bleeds,
    make_mass_bleeds,
    paint,
    without_overlap,
)
from medenhance_training.data.head_ct.case import HeadCase
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.fields import enlarged
from medenhance_training.data.head_ct.mass_effect import apply_mass_effect
from medenhance_training.data.head_ct.plan import Plan, draw_plans
from medenhance_training.data.head_ct.segment import Segmented, segment_head
from medenhance_training.data.head_ct.skull import sutures

# What differs from its surroundings by more than this is anatomy, not noise.
_NOISE_LIMIT_HU = 15.0
# Bone and calcium stay what they are; the kernel smears them over this.
_BONE_HU, _SMEAR_MM = 150.0, 1.0


def insert_lesions(
    volume: Volume, seed: int, config: HeadConfig | None = None, plans: tuple[Plan, ...] | None = None
) -> HeadCase:
    """Put bleeds into a real scan that has none; the brain gives way to them within each slice.

    Args:
        volume: Axial head CT in HU; values outside the reconstruction pass through unchanged.
        seed: Decides the bleeds, with the configuration.
        config: What may be drawn; the default draws one bleed or more.
        plans: Bleeds to make; drawn from the configuration when left out.

    Returns:
        The case on the scan's own grid. Its shift is the one added, and its ventricles are those found in code.

    Raises:
        MedEnhanceError: No closed skull was found.
    """
    config = config or HeadConfig(preset="inserted", prevalence=1.0)
    head = segment_head(volume)
    plans = draw_plans(config, np.random.default_rng([seed, 0])) if plans is None else plans
    bleeds = make_mass_bleeds(plans, head.interior)
    effect = apply_mass_effect(head.interior, [bleed.made for bleed in bleeds])
    whole = np.array(volume.array, np.float32)
    hu = whole[head.box]
    sideways = head.interior.x - effect.places.x, head.interior.y - effect.places.y
    bone = hu >= _BONE_HU
    hu, ventricle, fluid = _pushed(hu, bone, sideways, head)
    bleeds = bleeds + make_fluid_bleeds(plans, head.interior, fluid, ventricle)
    free = np.asarray(~bone, np.float32)
    bleeds = without_overlap([Bleed(b.plan, replace(b.made, share=b.made.share * free)) for b in bleeds])
    pixel = head.interior.pixel_mm
    noise = np.clip(hu - gaussian_filter(hu, (0, 1.5, 1.5)), -_NOISE_LIMIT_HU, _NOISE_LIMIT_HU)
    truth = paint(hu, bleeds, head.interior, lambda a: a, head.slice_ml, pixel**2, config.least_contrast_hu)
    for bleed in bleeds:
        hu += bleed.made.share * noise
    whole[head.box] = np.rint(hu)
    return HeadCase(
        seed=seed,
        preset=config.preset,
        age_years=float("nan"),
        hu=whole,
        grid=volume.grid,
        subtypes=_placed(truth.subtypes, head, whole.shape),
        ventricles=_placed(ventricle > 0.5, head, whole.shape),
        sutures=_placed(_sutures(head), head, whole.shape),
        cavity=_placed(enlarged(head.interior.depth) > 0, head, whole.shape),
        lesions=lesions_of(bleeds, truth, whole[head.box], lambda place: _lps(place, head)),
        volumes_ml=truth.volumes_ml,
        midline_shift_mm=effect.shift_mm,
        hard_negatives=(),
    )


def _pushed(
    hu: np.ndarray, bone: np.ndarray, sideways: tuple[np.ndarray, np.ndarray], head: Segmented
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, ventricles and fluid after the brain gave way; bone and what it smears into stay where they are."""
    reach = max(1, round(_SMEAR_MM / head.interior.pixel_mm))
    still = binary_dilation(bone, np.ones((1, 3, 3), bool), iterations=reach)
    # Nothing but brain comes from under the bone.
    brain = np.where(still, np.median(hu[enlarged(head.interior.depth) > _SMEAR_MM]), hu).astype(np.float32)
    moved, ventricle, fluid = _moved((brain, head.ventricle, head.fluid), sideways, head)
    return np.where(still, hu, moved), ventricle, fluid


def _moved(
    arrays: tuple[np.ndarray, ...], sideways: tuple[np.ndarray, np.ndarray], head: Segmented
) -> tuple[np.ndarray, ...]:
    """Each (D, R, C) array read where the tissue came from, within its slice."""
    if not any(np.any(move) for move in sideways):
        return tuple(array.copy() for array in arrays)
    pixel = head.interior.pixel_mm
    columns, rows = (
        enlarged(move) * np.float32(sign / pixel) for move, sign in zip(sideways, head.toward, strict=True)
    )
    _, height, width = arrays[0].shape
    r, c = np.mgrid[:height, :width].astype(np.float32)
    moved = []
    for array in arrays:
        slices = [
            map_coordinates(array[k], (r - rows[k], c - columns[k]), order=1, mode="nearest")
            if rows[k].any() or columns[k].any()
            else array[k]
            for k in range(len(array))
        ]
        moved.append(np.stack(slices))
    return tuple(moved)


def _sutures(head: Segmented) -> np.ndarray:
    coordinates = (enlarged(a) for a in (head.interior.x, head.interior.y, head.interior.z))
    depth = enlarged(head.interior.depth)
    return np.asarray((sutures(*coordinates)[1] < 1.0) & (depth > -12.0) & (depth < 25.0))


def _placed(part: np.ndarray, head: Segmented, shape: tuple[int, ...]) -> np.ndarray:
    whole = np.zeros(shape, part.dtype)
    whole[head.box] = part
    return whole


def _lps(place: np.ndarray, head: Segmented) -> tuple[float, float, float]:
    x, y, z = (np.asarray(place) + head.origin_mm).tolist()
    return x, y, z
