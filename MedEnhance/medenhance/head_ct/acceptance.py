"""Whether a study is a plain head CT that the detector may look at; if not, why, in a radiologist's words.

Every check is made and reported, passed ones too. A refused scan is "not processed", visibly: a triage program that
stays silent about a scan must never be taken for one that found nothing (spec section 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.ct_numbers import CtNumbers, ct_numbers
from medenhance.head_ct.head_content import HeadContent, head_content
from medenhance.head_ct.orientation import Turned, turned
from medenhance.head_ct.report import Check, Outcome
from medenhance.head_ct.slice_checks import slice_checks
from medenhance.head_ct.slice_geometry import SliceGeometry, slice_geometry
from medenhance.head_ct.tags import ScanTags, scan_tags
from medenhance.manifest import AcceptedInput
from medenhance.tasks.acceptance import check_modality
from medenhance.volume import Volume

# CT numbers of the brain (spec section 8: 20 to 45), and outside what a scan is not taken for a calibrated one.
_BRAIN_HU = (20.0, 45.0)
_CORRECTED_BRAIN_HU = (15.0, 55.0)
# A head scan shows brain over 60 % of its length and more; with the neck or the face included, half of that.
_LEAST_BRAIN_SHARE = 0.25
# From chin to vertex a head is at most 250 mm long; a tilted and generous scan is somewhat longer.
_LONGEST_MM = 300.0
_PARTIAL_BRAIN_MM = 70.0  # an adult's brain is 110 to 140 mm high
# Share of the brain's area as bright as enhanced vessels: calcified choroid, falx and basal ganglia stay below 1 %.
_ENHANCED_SHARE = 0.02
_AIR_SPACES_MM2 = 200.0


@dataclass(frozen=True)
class Accepted:
    """What came of the checks.

    Attributes:
        checks: All of them, in order.
        turned: The volume in the patient's axes and in HU, with an offset taken off; None when there is no sense in it.
        geometry: Of it.
        hu_offset: What was taken off.
    """

    checks: tuple[Check, ...]
    turned: Turned | None = None
    geometry: SliceGeometry | None = None
    hu_offset: float = 0.0

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the scan is not processed; none when it is."""
        return tuple(check.message for check in self.checks if check.outcome == "refused")

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(check.message for check in self.checks if check.outcome == "warning")


def accept(volume: Volume, accepted: AcceptedInput) -> Accepted:
    """Make all checks.

    Args:
        volume: As it was read.
        accepted: What the model takes.
    """
    modality = _modality(volume, accepted)
    if modality.outcome == "refused":
        return Accepted((modality,))
    try:
        found = turned(volume)
    except MedEnhanceError as error:
        return Accepted((modality, Check("orientation", "refused", _sentence(error.message))))
    geometry = slice_geometry(found.volume.grid, len(found.volume.array))
    numbers = ct_numbers(found.volume)
    tags = scan_tags(volume)
    spacing = slice_checks(found.volume, geometry, accepted)
    if numbers.offset_hu is None:
        return Accepted((modality, _no_ct_numbers(numbers), *spacing), found, geometry)
    found = _corrected(found, numbers.offset_hu)
    content = head_content(found.volume)
    checks = [
        modality,
        _values(numbers, content),
        _body_part(content, tags, geometry),
        _orientation(content, found),
        _agent(content, tags),
        *spacing,
        *_reconstruction(tags),
    ]
    return Accepted(tuple(checks), found, geometry, numbers.offset_hu)


def _modality(volume: Volume, accepted: AcceptedInput) -> Check:
    try:
        check_modality(volume, accepted.modality)
    except MedEnhanceError as error:
        return Check("modality", "refused", _sentence(error.message))
    if volume.modality is None:
        return Check("modality", "warning", "The file does not say that it is a CT; its values look like one.")
    return Check("modality", "passed", "CT.")


def _no_ct_numbers(numbers: CtNumbers) -> Check:
    message = (
        f"The values are no CT numbers: soft tissue would lie at {numbers.tissue_peak:.0f}, and no known offset brings "
        "it, and air, to where they belong."
    )
    return Check("CT numbers", "refused", message)


def _values(numbers: CtNumbers, content: HeadContent) -> Check:
    brain, offset = content.brain_hu, numbers.offset_hu
    low, high = _CORRECTED_BRAIN_HU
    if offset:
        where = f"The CT numbers were offset by {offset:+.0f} HU"
        if not low <= brain <= high:
            why = "no brain was found to check a correction by" if np.isnan(brain) else f"brain would be {brain:.0f} HU"
            return Check("CT numbers", "refused", f"{where} or about that, and {why}.")
        return Check("CT numbers", "warning", f"{where}; that was taken off, and brain is {brain:.0f} HU now.")
    if np.isnan(brain):
        return Check("CT numbers", "passed", "Air and soft tissue lie where they belong.")
    if not low <= brain <= high:
        return Check("CT numbers", "refused", f"Within the skull the median is {brain:.0f} HU; brain is 20 to 45.")
    outcome: Outcome = "passed" if _BRAIN_HU[0] <= brain <= _BRAIN_HU[1] else "warning"
    return Check("CT numbers", outcome, f"Brain is {brain:.0f} HU (20 to 45 were expected).")


def _body_part(content: HeadContent, tags: ScanTags, geometry: SliceGeometry) -> Check:
    stated = f" (the header says {tags.body_part})" if tags.body_part else ""
    if not content.is_brain.any():
        return Check("body part", "refused", f"No slice shows a brain within its skull: this is no head CT{stated}.")
    if geometry.covered_mm > _LONGEST_MM:
        message = f"The scan is {geometry.covered_mm:.0f} mm long: more than a head{stated}. Give the head alone."
        return Check("body part", "refused", message)
    share = content.brain_share
    if share < _LEAST_BRAIN_SHARE:
        message = f"Only {share:.0%} of the slices show brain: this is a scan of the neck or the face{stated}."
        return Check("body part", "refused", message)
    if tags.body_part and not tags.names_a_head:
        message = f"The header says {tags.body_part}, but the slices show a head."
        return Check("body part", "warning", message)
    brain_mm = share * geometry.covered_mm
    if len(content.slices) > 1 and brain_mm < _PARTIAL_BRAIN_MM:
        message = f"Brain is seen over {brain_mm:.0f} mm only: a part of the head. What is not there was not judged."
        return Check("body part", "warning", message)
    return Check("body part", "passed", f"Head: {share:.0%} of the slices show brain.")


def _orientation(content: HeadContent, found: Turned) -> Check:
    air = np.where(content.is_brain, 0.0, content.cavities_mm2)
    if content.is_brain.any() and air.max() > _AIR_SPACES_MM2:
        brain = float(np.mean(content.slices[content.is_brain]))
        if float(np.average(content.slices, weights=air)) > brain:
            message = (
                "The air of sinuses and throat lies above the brain: the scan says that it runs the other way, and "
                "left and right may be exchanged."
            )
            return Check("orientation", "warning", message)
    turns = found.axes != (0, 1, 2) or any(found.flipped)
    return Check("orientation", "passed", "Turned to the patient's axes." if turns else "Axial, foot to head.")


def _agent(content: HeadContent, tags: ScanTags) -> Check:
    if tags.agent:
        message = f"A contrast agent was given ({tags.agent}): enhanced vessels look like blood."
        return Check("contrast agent", "refused", message)
    if content.bright_share > _ENHANCED_SHARE:
        message = (
            f"{content.bright_share:.1%} of the brain is as bright as enhanced vessels: if a contrast agent was given, "
            "do not rely on the result."
        )
        return Check("contrast agent", "warning", message)
    return Check("contrast agent", "passed", "None stated, none seen.")


def _reconstruction(tags: ScanTags) -> Iterator[Check]:
    if tags.is_sharp:
        message = f"The kernel {tags.kernel} is one for bone, whose noise hides small bleeds. Give the soft one."
        yield Check("kernel", "warning", message)
    elif tags.kernel:
        yield Check("kernel", "passed", f"{tags.kernel}.")
    if "DERIVED" in tags.image_type.split("\\")[:1]:
        yield Check(
            "image type", "warning", f"The images are derived ({tags.image_type}), not as the scanner made them."
        )


def _corrected(found: Turned, offset_hu: float) -> Turned:
    if offset_hu == 0:
        return found
    volume = found.volume
    padding = None if volume.padding_below is None else volume.padding_below - offset_hu
    array = volume.array.astype(np.float32) - np.float32(offset_hu)
    return replace(found, volume=replace(volume, array=array, padding_below=padding, file_dtype=None))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
