"""Bleeds put into a cavity: shapes first, then density, labels and volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import binary_dilation

from medenhance_training.data.head_ct.case import SUBTYPE_IDS, SUBTYPES, Lesion
from medenhance_training.data.head_ct.fields import level_for_volume
from medenhance_training.data.head_ct.fluid_lesions import make_subarachnoid, make_ventricular
from medenhance_training.data.head_ct.interior import Interior, Made
from medenhance_training.data.head_ct.mass_lesions import make_epidural, make_parenchymal, make_subdural
from medenhance_training.data.head_ct.plan import Plan, told_apart

MASS = {"epidural": make_epidural, "subdural": make_subdural, "intraparenchymal": make_parenchymal}
# How much of a bleed another may take, and how often it is drawn to find such a place.
_SHARED_PART, _NUM_DRAWS = 0.05, 5
# A voxel is labelled when this share of it is blood: the share within these bounds that keeps the labelled volume true.
_LOWEST_SHARE, _HIGHEST_SHARE = 0.2, 0.6
# Less than this in a slice is nothing that a reader would outline.
_LEAST_AREA_MM2 = 12.0
# Voxels with more bone than this stands for are not labelled.
_BONE_HU = 160.0
# Brain, and what has its density, lies between these; it is looked at two pixels around a bleed.
_FLUID_HU, _SOFT_HU = 15.0, 90.0
_BESIDE = np.ones((1, 5, 5), bool)
# Blood is no denser than this; after partial volume the mean is lower.
_DENSEST_HU = 92.0


@dataclass(frozen=True)
class Bleed:
    """A planned bleed and its shape."""

    plan: Plan
    made: Made


@dataclass(frozen=True)
class Truth:
    """What was painted, on the slices of the cavity's box.

    Attributes:
        subtypes: (D, R, C) uint8.
        volumes_ml: Of each subtype.
        masks: (D, R, C) bool, one a bleed.
        bleed_ml: Volume of each bleed.
        centres: Head coordinates of each bleed's centre of mass.
    """

    subtypes: np.ndarray
    volumes_ml: dict[str, float]
    masks: tuple[np.ndarray, ...]
    bleed_ml: tuple[float, ...]
    centres: tuple[np.ndarray, ...]


def make_mass_bleeds(plans: tuple[Plan, ...], interior: Interior) -> list[Bleed]:
    """Shapes of the bleeds that push the brain; one that would lie in another is drawn anew a few times."""
    bleeds: list[Bleed] = []
    for plan in plans:
        if plan.subtype not in MASS:
            continue
        for attempt in range(_NUM_DRAWS):
            made = MASS[plan.subtype](replace(plan, seed=plan.seed + attempt), interior)
            shared = sum(float((np.minimum(made.share, b.made.share) * interior.voxel_ml).sum()) for b in bleeds)
            if shared < _SHARED_PART * plan.volume_ml:
                break
        bleeds.append(Bleed(plan, made))
    return bleeds


def make_fluid_bleeds(
    plans: tuple[Plan, ...], interior: Interior, fluid: np.ndarray, ventricle: np.ndarray
) -> list[Bleed]:
    """Shapes of the bleeds in fluid spaces."""
    bleeds = []
    for plan in plans:
        if plan.subtype == "intraventricular":
            bleeds.append(Bleed(plan, make_ventricular(plan, interior, ventricle)))
        elif plan.subtype == "subarachnoid":
            bleeds.append(Bleed(plan, make_subarachnoid(plan, interior, fluid)))
    return bleeds


def without_overlap(bleeds: list[Bleed]) -> list[Bleed]:
    """Each voxel's blood belongs to the first bleed that has it."""
    free: np.ndarray | None = None
    separate = []
    for bleed in bleeds:
        share = bleed.made.share if free is None else np.minimum(bleed.made.share, free)
        free = 1.0 - share if free is None else free - share
        separate.append(Bleed(bleed.plan, replace(bleed.made, share=share)))
    return separate


def paint(
    hu: np.ndarray,
    bleeds: list[Bleed],
    interior: Interior,
    averaged: Callable[[np.ndarray], np.ndarray],
    slice_voxel_ml: np.ndarray,
    area_mm2: float,
    least_contrast_hu: float,
) -> Truth:
    """Paint bleeds into the fine image in place.

    Args:
        hu: (P, R, C) float32, fine, of the cavity's box.
        bleeds: To paint, without overlap.
        interior: The cavity.
        averaged: Brings fine planes to slices.
        slice_voxel_ml: (D, 1, 1): of a voxel of each slice.
        area_mm2: Of a pixel.
        least_contrast_hu: Between a bleed and the brain around it.
    """
    shape = averaged(hu[:, :1, :1]).shape[0], *hu.shape[1:]
    subtypes, strongest = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    volumes = dict.fromkeys(SUBTYPES, 0.0)
    masks, centres, sizes = [], [], []
    for bleed in bleeds:
        share = bleed.made.share
        if bleed.made.rim is not None:
            hu += bleed.made.rim * (hu > 12.0)
        slices = averaged(share)
        before = averaged(hu)
        labelled = _labelled(slices, before, slice_voxel_ml, area_mm2)
        plan = told_apart(bleed.plan, _around_hu(before, slices, labelled), least_contrast_hu)
        core = _core_hu(hu, replace(bleed, plan=plan), averaged, slices, labelled)
        hu += share * (core + bleed.made.texture_hu - hu)
        volume = float((share * interior.voxel_ml).sum())
        volumes[bleed.plan.subtype] += volume
        wins = labelled & (slices > strongest)
        subtypes[wins] = SUBTYPE_IDS[bleed.plan.subtype]
        strongest = np.maximum(strongest, np.where(labelled, slices, 0.0))
        masks.append(labelled)
        sizes.append(volume)
        centres.append(_centre(share, interior))
    return Truth(subtypes, volumes, tuple(masks), tuple(sizes), tuple(centres))


def lesions_of(
    bleeds: list[Bleed], truth: Truth, hu: np.ndarray, to_lps: Callable[[np.ndarray], tuple[float, float, float]]
) -> tuple[Lesion, ...]:
    """What is true about each bleed, its density from the finished slices (D, R, C) of the box."""
    lesions = []
    bone = _beside_bone(hu)
    for bleed, mask, volume, centre in zip(bleeds, truth.masks, truth.bleed_ml, truth.centres, strict=True):
        mean = _mean_hu(hu, mask, bone)
        plan = bleed.plan
        lesions.append(Lesion(plan.subtype, plan.volume_ml, volume, mean, to_lps(centre), plan.stage))
    return tuple(lesions)


def _beside_bone(hu: np.ndarray) -> np.ndarray:
    """(D, R, C) bool: bone and the two pixels beside it, into which the kernel carries its density."""
    return np.asarray(binary_dilation(hu > 200.0, np.ones((1, 3, 3), bool), iterations=2))


def _mean_hu(hu: np.ndarray, mask: np.ndarray, bone: np.ndarray) -> float:
    if not mask.any():
        return float("nan")
    clear = mask & ~bone
    return float(hu[clear].mean() if clear.any() else np.minimum(hu[mask], _DENSEST_HU).mean())


def _labelled(slices: np.ndarray, hu: np.ndarray, voxel_ml: np.ndarray, area_mm2: float) -> np.ndarray:
    """(D, R, C) bool: the voxels that hold the bleed's volume, those with the most blood first.

    Voxels that bone makes bright are left out, as readers leave them out; others stand in for their blood, so that a
    mask holds the volume that was made.
    """
    seen = hu < _BONE_HU
    voxel = np.broadcast_to(voxel_ml, slices.shape)
    wanted = float((slices * voxel_ml).sum())
    level = -level_for_volume(-slices, np.where((slices > 0.01) & seen, voxel, 0.0), wanted)
    mask = (slices >= np.clip(level, _LOWEST_SHARE, _HIGHEST_SHARE)) & seen
    area = mask.sum(axis=(1, 2)) * area_mm2
    mask[area < _LEAST_AREA_MM2] = False
    return np.asarray(mask)


def _around_hu(before: np.ndarray, slices: np.ndarray, labelled: np.ndarray) -> float:
    """Median of the tissue beside a bleed in the slices (D, R, C) without it; NaN without any, fluid left out."""
    beside = binary_dilation(labelled, _BESIDE) & (slices < _LOWEST_SHARE) & (before > _FLUID_HU) & (before < _SOFT_HU)
    return float(np.median(before[beside])) if beside.any() else float("nan")


def _core_hu(
    hu: np.ndarray, bleed: Bleed, averaged: Callable[[np.ndarray], np.ndarray], slices: np.ndarray, labelled: np.ndarray
) -> float:
    """The blood's density that gives the labelled voxels the planned mean after partial volume."""
    if not labelled.any():
        return bleed.plan.mean_hu
    share = bleed.made.share
    rest = averaged(hu * (1.0 - share) + share * bleed.made.texture_hu)
    core = (bleed.plan.mean_hu - float(rest[labelled].mean())) / float(slices[labelled].mean())
    return float(np.clip(core, 0.0, _DENSEST_HU))


def _centre(share: np.ndarray, interior: Interior) -> np.ndarray:
    coarse = share[:, ::2, ::2] * interior.voxel_ml
    total = max(float(coarse.sum()), 1e-9)
    return np.array([float((coarse * a).sum()) / total for a in (interior.x, interior.y, interior.z)])
