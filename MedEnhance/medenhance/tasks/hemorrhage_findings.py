"""From what a network says of a head CT to the findings of its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medenhance.head_ct.acceptance import Accepted
from medenhance.head_ct.calibration import UNCALIBRATED, OperatingPoint
from medenhance.head_ct.evidence import agreement, concurrence, disagreements, top_slices
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.measurement import SMALL_BELOW_ML, measure
from medenhance.head_ct.orientation import Turned
from medenhance.head_ct.prediction import HeadPrediction, predict_head
from medenhance.head_ct.priority import growth, priority
from medenhance.head_ct.report import Findings, RunFacts, ScanFacts, SliceEvidence
from medenhance.head_ct.slice_geometry import SliceGeometry, slice_center_mm
from medenhance.head_ct.thin_slices import Slabs, slabs_of
from medenhance.head_ct.volume_spread import VolumeSpread
from medenhance.head_ct.volumes import areas_mm2
from medenhance.progress import Progress

if TYPE_CHECKING:
    from medenhance.predict import Predictor
    from medenhance.tasks.detect_hemorrhage import DetectHemorrhageOptions


@dataclass(frozen=True)
class Judged:
    """A scan that was accepted and what is said of it, in the patient's axes.

    Attributes:
        found: The volume, HU.
        geometry: Of its slices.
        slabs: That its thin slices were averaged to; None when they were not.
        probability: Calibrated, of the scan.
        slice_probabilities: (S,) of each slab, or slice.
        mask: (D, H, W) bool.
        mask_probability: (D, H, W) float32; None for a mask that a person changed.
        warnings: Of what the network may not have seen.
    """

    found: Turned
    geometry: SliceGeometry
    slabs: Slabs | None
    probability: float
    slice_probabilities: np.ndarray
    mask: np.ndarray
    mask_probability: np.ndarray | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """By what a verdict is made.

    Attributes:
        operating_point: Threshold of the scan's probability.
        operating_points: All of the model's.
        mask: Which voxels belong to the mask.
        prior_ml: Volume in an earlier report; None without one.
        volume: How far the volumes of such masks lie from the truth; None where nobody measured it.
    """

    operating_point: OperatingPoint
    operating_points: tuple[OperatingPoint, ...]
    mask: MaskRule
    prior_ml: float | None
    volume: VolumeSpread | None = None


def rules_of(predictor: Predictor, options: DetectHemorrhageOptions, prior_ml: float | None) -> Rules:
    """The thresholds of a model's card, or those that the options name.

    Raises:
        MedEnhanceError: bad-option: the card has no such operating point.
    """
    calibration = predictor.entry.calibration or UNCALIBRATED
    point = calibration.operating_point(options.operating_point)
    if options.mask_threshold is not None:
        return Rules(point, calibration.operating_points, MaskRule(options.mask_threshold), prior_ml)
    return Rules(point, calibration.operating_points, calibration.mask, prior_ml, calibration.volume)


def judge(predictor: Predictor, accepted: Accepted, rules: Rules, progress: Progress) -> Judged:
    """Run the network on an accepted scan; thin slices as slabs."""
    found, geometry = accepted.turned, accepted.geometry
    assert found is not None
    assert geometry is not None
    slabs = slabs_of(geometry)
    seen = found.volume if slabs is None else slabs.averaged(found.volume)
    prediction: HeadPrediction = predict_head(predictor, seen, progress)
    mask_probability = prediction.mask_probability
    if slabs is not None:
        mask_probability = slabs.spread(mask_probability)
    return Judged(
        found=found,
        geometry=geometry,
        slabs=slabs,
        probability=prediction.scan_probability,
        slice_probabilities=prediction.slice_probabilities,
        mask=rules.mask.mask(mask_probability),
        mask_probability=mask_probability,
        warnings=prediction.warnings,
    )


def findings(
    judged: Judged, rules: Rules, options: DetectHemorrhageOptions, run: RunFacts
) -> tuple[Findings, np.ndarray]:
    """Measure the mask and put everything together.

    Returns:
        The findings, and (D, H, W) uint16 in the patient's axes: the number of the component of each voxel of the mask,
        one more than the last for pieces that are too small to be listed.
    """
    measured = measure(judged.mask, judged.mask_probability, judged.found, judged.geometry)
    slices = _slices(judged)
    suspected = judged.probability >= rules.operating_point.threshold
    contradiction = suspected != bool(measured.components)
    grown = None if rules.prior_ml is None else growth(measured.total.ml, rules.prior_ml, options.thresholds)
    urgency, reasons = priority(
        suspected, measured.total.ml, measured.midline_shift, grown, contradiction, options.thresholds
    )
    found = Findings(
        run=run,
        probability=judged.probability,
        suspected=suspected,
        operating_point=rules.operating_point,
        operating_points=rules.operating_points,
        mask_rule=rules.mask,
        priority=urgency,
        priority_reasons=reasons,
        slices=slices,
        top_slices=top_slices(slices, options.top_slices),
        disagreements=disagreements(slices),
        concurrence=concurrence(slices),
        scan_disagrees=contradiction,
        total=measured.total,
        true_volume=None if rules.volume is None else rules.volume.around(measured.total.ml),
        left_ml=measured.left_ml,
        right_ml=measured.right_ml,
        components=measured.components,
        small_below_ml=SMALL_BELOW_ML,
        num_small=measured.num_small,
        small_ml=measured.small_ml,
        abc2_ml=measured.abc2_ml,
        midsagittal=measured.midsagittal,
        midline_shift=measured.midline_shift,
        growth=grown,
        edited=judged.mask_probability is None,
    )
    return found, measured.numbers


def scan_facts(accepted: Accepted, shape: Sequence[int]) -> ScanFacts | None:
    """How the study lies in space; None when that made no sense."""
    found, geometry = accepted.turned, accepted.geometry
    if found is None or geometry is None:
        return None
    depth, height, width = shape
    slabs = slabs_of(geometry)
    gaps = geometry.gaps_mm
    return ScanFacts(
        shape=(depth, height, width),
        slice_axis=found.axes[0],
        num_slices=len(found.volume.array),
        pixel_mm=geometry.pixel_mm,
        thickness_mm=(float(geometry.thickness_mm.min()), float(geometry.thickness_mm.max())),
        gaps_mm=(float(gaps.min()), float(gaps.max())) if gaps.size else None,
        tilt_deg=geometry.tilt_deg,
        covered_mm=geometry.covered_mm,
        averaged_to=None if slabs is None else slabs.count,
        hu_offset=accepted.hu_offset,
    )


def warnings_of(found: Findings) -> tuple[str, ...]:
    """What speaks against the findings, one sentence each."""
    warnings = []
    if found.disagreements:
        count = len(found.disagreements)
        warnings.append(
            f"Classifier and mask disagree in {count} of {len(found.slices)} slices; look at these first: "
            f"{', '.join(str(index + 1) for index in found.disagreements[:8])}{' ...' if count > 8 else ''}."
        )
    if found.scan_disagrees:
        said = "flagged, and the mask shows nothing" if found.suspected else "not flagged, but the mask shows something"
        warnings.append(f"The scan is {said}.")
    if found.midsagittal is None and found.components:
        warnings.append("The head is too unlike its mirror image to tell the hemispheres apart.")
    return tuple(warnings)


def _slices(judged: Judged) -> tuple[SliceEvidence, ...]:
    volume, geometry = judged.found.volume, judged.geometry
    areas = areas_mm2(judged.mask, geometry)
    found = []
    for number, (members, probability) in enumerate(zip(_members(judged), judged.slice_probabilities, strict=True), 1):
        middle = int(members[len(members) // 2])
        thickness = geometry.thickness_mm[members]
        area = float(areas[members] @ thickness / thickness.sum())
        found.append(
            SliceEvidence(
                index=judged.found.own_index(middle),
                number=number,
                center_mm=slice_center_mm(volume.grid, volume.array.shape, middle),
                thickness_mm=float(thickness.sum()),
                probability=float(probability),
                area_mm2=area,
                agreement=agreement(float(probability), area > 0),
            )
        )
    return tuple(found)


def _members(judged: Judged) -> list[np.ndarray]:
    """The slices of each slab, or each slice alone."""
    if judged.slabs is not None:
        return [judged.slabs.members(slab) for slab in range(judged.slabs.count)]
    return [np.array([k]) for k in range(len(judged.mask))]
