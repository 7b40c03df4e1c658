"""A simulated head CT from a seed: `simulate_head`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medenhance_training.data.head_ct.acquisition import acquire, averaged
from medenhance_training.data.head_ct.bleeds import (
    Bleed,
    Truth,
    lesions_of,
    make_fluid_bleeds,
    make_mass_bleeds,
    paint,
    without_overlap,
)
from medenhance_training.data.head_ct.brain import make_brain
from medenhance_training.data.head_ct.case import HeadCase
from medenhance_training.data.head_ct.config import PRESETS, SHIFTS, HeadConfig
from medenhance_training.data.head_ct.face import make_head
from medenhance_training.data.head_ct.fields import enlarged
from medenhance_training.data.head_ct.geometry import NUM_SUB_PLANES, Scan, draw_scan
from medenhance_training.data.head_ct.interior import Interior
from medenhance_training.data.head_ct.look_alikes import add_look_alikes
from medenhance_training.data.head_ct.mass_effect import apply_mass_effect
from medenhance_training.data.head_ct.plan import Plan, beside_grey, draw_plans
from medenhance_training.data.head_ct.skull import Skull, make_skull
from medenhance_training.data.head_ct.subject import Subject, draw_subject, with_room

# What is drawn apart from what: a change of one leaves the others bit for bit as they were.
_SUBJECT, _SCAN, _SKULL, _PLAN, _HEAD, _ALIKE, _ACQUIRE, _SHIFT = range(8)
Box = tuple[slice, slice, slice]


def simulate_head(seed: int, config: HeadConfig | None = None, plans: tuple[Plan, ...] | None = None) -> HeadCase:
    """A head CT, decided by the seed and the configuration alone.

    Args:
        seed: Of the scan, 0 or more.
        config: What may be drawn; `external_shift` draws one of the three shifted presets for each scan.
        plans: Bleeds to make; drawn from the configuration when left out.
    """
    config = _settled(config or HeadConfig(), seed)
    subject = draw_subject(config, _rng(seed, _SUBJECT))
    scan = draw_scan(config, subject, _rng(seed, _SCAN))
    plans = beside_grey(draw_plans(config, _rng(seed, _PLAN)), subject.grey_hu) if plans is None else plans
    subject = with_room(subject, sum(plan.volume_ml for plan in plans if plan.subtype == "intraventricular"))
    coordinates = scan.coordinates()
    skull = make_skull(*coordinates, scan.coarse_step_mm, subject, _rng(seed, _SKULL))
    head = make_head(coordinates, skull, scan.coarse_step_mm, subject, _rng(seed, _HEAD))
    box = _box_of(skull.depth > -4.0)
    inside, fine = _interior(coordinates, skull, scan, subject, box), _fine(box)

    bleeds = make_mass_bleeds(plans, inside)
    effect = apply_mass_effect(inside, [bleed.made for bleed in bleeds])
    brain = make_brain(effect.places, scan.coarse_step_mm, subject)
    hu = brain.hu
    names = add_look_alikes(hu, effect.places, inside, subject, config, _rng(seed, _ALIKE))
    bleeds = without_overlap(bleeds + make_fluid_bleeds(plans, inside, brain.fluid, brain.ventricle))
    in_box = slice(box[0].start // NUM_SUB_PLANES, box[0].stop // NUM_SUB_PLANES)
    slice_ml = scan.slice_ml[in_box]
    cavity = np.clip(0.5 + enlarged(inside.depth) / np.float32(scan.pixel_mm), 0.0, 1.0)
    # Bone shows through at the border while labels are chosen, as it will in the image.
    bone = head[fine]
    hu += (bone - hu) * (1.0 - cavity)
    truth = paint(hu, bleeds, inside, averaged, slice_ml.astype(np.float32), scan.pixel_mm**2, config.least_contrast_hu)
    head[fine] = hu
    slices = averaged(head)
    middle = NUM_SUB_PLANES // 2
    depth = enlarged(averaged(skull.depth))
    places = tuple(enlarged(a[middle::NUM_SUB_PLANES]) for a in coordinates)
    image, artefacts = acquire(slices, depth, (places[0], places[1], places[2]), scan, config, _rng(seed, _ACQUIRE))
    sutures = (enlarged(skull.suture[middle::NUM_SUB_PLANES]) < 1.0) & (depth > -12.0) & (depth < 25.0)
    return _case(
        seed, config, subject, scan, image, bleeds, truth, box, effect.shift_mm, (*names, *artefacts),
        averaged(brain.ventricle) > 0.5, sutures, depth > 0,
    )  # fmt: skip


def _settled(config: HeadConfig, seed: int) -> HeadConfig:
    """One of the shifted presets where the mixture is asked for, with what else the configuration says."""
    if config.preset != "external_shift":
        return config
    shifted = PRESETS[SHIFTS[int(_rng(seed, _SHIFT).integers(len(SHIFTS)))]]
    return replace(
        shifted, preset="external_shift", prevalence=config.prevalence, subtypes=config.subtypes,
        size_px=config.size_px, chronic_share=config.chronic_share, negatives=config.negatives,
        least_contrast_hu=config.least_contrast_hu,
    )  # fmt: skip


def _interior(
    coordinates: tuple[np.ndarray, np.ndarray, np.ndarray], skull: Skull, scan: Scan, subject: Subject, box: Box
) -> Interior:
    x, y, z = (np.ascontiguousarray(a[box]) for a in coordinates)
    fields = skull.depth, skull.convexity, skull.suture, skull.plate
    depth, convexity, suture, plate = (np.ascontiguousarray(a[box]) for a in fields)
    voxel_ml = scan.voxel_ml[box[0]]
    return Interior(x, y, z, depth, convexity, suture, plate, scan.coarse_step_mm, voxel_ml, subject.half_width_mm)


def _case(
    seed: int, config: HeadConfig, subject: Subject, scan: Scan, image: np.ndarray, bleeds: list[Bleed], truth: Truth,
    box: Box, shift_mm: float, names: tuple[str, ...], ventricles: np.ndarray, sutures: np.ndarray, cavity: np.ndarray,
) -> HeadCase:  # fmt: skip
    r0, r1, c0, c1 = scan.window
    d, r, c = box
    planes = slice(d.start // NUM_SUB_PLANES, d.stop // NUM_SUB_PLANES)
    here = (planes, slice(r0 + 2 * r.start, r0 + 2 * r.stop), slice(c0 + 2 * c.start, c0 + 2 * c.stop))

    def placed(part: np.ndarray, where: tuple[slice, slice, slice]) -> np.ndarray:
        whole = np.zeros(image.shape, part.dtype)
        whole[where] = part
        return whole

    window = (slice(None), slice(r0, r1), slice(c0, c1))
    return HeadCase(
        seed=seed,
        preset=config.preset,
        age_years=subject.age_years,
        hu=image,
        grid=scan.grid,
        subtypes=placed(truth.subtypes, here),
        ventricles=placed(ventricles, here),
        sutures=placed(sutures, window),
        cavity=placed(cavity, window),
        lesions=lesions_of(bleeds, truth, image[here], scan.to_lps),
        volumes_ml=truth.volumes_ml,
        midline_shift_mm=shift_mm,
        hard_negatives=names,
    )


def _box_of(mask: np.ndarray) -> Box:
    """The smallest box of the true voxels, whole slices, with a coarse pixel to spare."""
    d, r, c = (np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    n = NUM_SUB_PLANES
    return (
        slice(int(d[0]) // n * n, (int(d[-1]) // n + 1) * n),
        slice(max(0, int(r[0]) - 1), min(mask.shape[1], int(r[-1]) + 2)),
        slice(max(0, int(c[0]) - 1), min(mask.shape[2], int(c[-1]) + 2)),
    )


def _fine(box: Box) -> Box:
    d, r, c = box
    return d, slice(2 * r.start, 2 * r.stop), slice(2 * c.start, 2 * c.stop)


def _rng(seed: int, part: int) -> np.random.Generator:
    return np.random.default_rng([seed, part])
