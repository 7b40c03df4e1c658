"""The report on a head CT: what was accepted, what was suspected, where, how much, and what speaks against it.

All lengths in mm, areas in mm^2, volumes in mL, CT numbers in HU, probabilities 0 to 1, positions LPS mm. Slices are
listed from foot to head; their `index` counts from 0 along the study's own slice axis, whatever way it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from medenhance.head_ct.calibration import OperatingPoint
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.volume_spread import TrueVolume
from medenhance.measure.trust import NOTICE, RunFacts
from medenhance.strict_json import to_json
from medenhance.volume import Vector

__all__ = ["NOTICE", "TRIAGE_NOTICE", "HemorrhageReport", "RunFacts"]

# Cleared triage programs notify; they neither diagnose nor lower the priority of what they do not flag (spec sect. 8).
TRIAGE_NOTICE = "Notification only: every scan is read in full, flagged or not."

Outcome = Literal["passed", "warning", "refused"]
Agreement = Literal["both", "neither", "mask only", "probability only"]
Priority = Literal["critical", "review", "routine"]
Side = Literal["left", "right", "midline"]


@dataclass(frozen=True)
class Check:
    """One acceptance check: "modality", "body part", "CT numbers", ... and what came of it, in words."""

    name: str
    outcome: Outcome
    message: str


@dataclass(frozen=True)
class ScanFacts:
    """How the study lies in space.

    Attributes:
        shape: Of the study's own array.
        slice_axis: Axis of that array (0, 1 or 2) along which the axial slices follow each other.
        num_slices: Axial slices.
        pixel_mm: Distance of rows, of columns within an axial slice.
        thickness_mm: What each slice stands for, found from its neighbours' positions along the slice normal: least
            and largest.
        gaps_mm: Distance of neighbouring slices along the normal, least and largest; None for one slice.
        tilt_deg: Gantry tilt.
        covered_mm: From the foot end of the first to the head end of the last slice.
        averaged_to: Number of slabs that a thin series was averaged to for the network; None when it was not.
        hu_offset: What was taken off every CT number, because the study was offset; 0 when it was not.
    """

    shape: tuple[int, int, int]
    slice_axis: int
    num_slices: int
    pixel_mm: tuple[float, float]
    thickness_mm: tuple[float, float]
    gaps_mm: tuple[float, float] | None
    tilt_deg: float
    covered_mm: float
    averaged_to: int | None
    hu_offset: float


@dataclass(frozen=True)
class SliceEvidence:
    """What was found in one axial slice.

    Attributes:
        index: Along the study's own slice axis, from 0.
        number: From the foot, from 1.
        center_mm: Of the slice.
        thickness_mm: What it stands for.
        probability: That it shows a haemorrhage.
        area_mm2: Of the mask.
        agreement: Of probability and mask (concurrence, thesis Eq. 2).
    """

    index: int
    number: int
    center_mm: Vector
    thickness_mm: float
    probability: float
    area_mm2: float
    agreement: Agreement


@dataclass(frozen=True)
class VolumeFigure:
    """A volume, and what it would be with the border half a voxel further in and out."""

    ml: float
    low_ml: float
    high_ml: float


@dataclass(frozen=True)
class Abc2:
    """The bedside estimate A x B x C / 2, with the weights 1, 0.5, 0 of spec section 8.

    Attributes:
        a_mm: Longest diameter on the slice with the largest area.
        b_mm: Largest extent perpendicular to it.
        c_mm: Thickness of the slices, weighted 1 (75 % or more of the largest area), 0.5 (25 to 75 %) or 0.
        ml: A x B x C / 2.
        irregular_ml: A x B x C / 3, used for irregular shapes.
        difference_ml: `ml` minus the volume of the mask.
        slice_index: Where A and B were measured.
        a_ends_mm: Both ends of A.
    """

    a_mm: float
    b_mm: float
    c_mm: float
    ml: float
    irregular_ml: float
    difference_ml: float
    slice_index: int
    a_ends_mm: tuple[Vector, Vector]


@dataclass(frozen=True)
class Component:
    """One connected piece of the mask; the largest is number 1.

    Attributes:
        number: From 1.
        volume: Of it.
        side: Where most of it lies; "midline" when each side holds at least a quarter. None without a plane.
        left_ml, right_ml: Of it in each hemisphere; None without a plane.
        center_mm: Centre of mass.
        slices: First and last slice, as indices along the study's own slice axis, from foot to head.
        max_diameter_mm: Longest distance within it, in space.
        mean_hu, sd_hu: Of its voxels.
        surface_cm2: Of its border.
        irregularity: Surface over that of a ball of its volume: 1 for a ball, larger for others. None below 0.1 mL.
        mean_probability: That the network gave its voxels; None for a mask that a person changed.
        abc2: None for a single voxel row.
    """

    number: int
    volume: VolumeFigure
    side: Side | None
    left_ml: float | None
    right_ml: float | None
    center_mm: Vector
    slices: tuple[int, int]
    max_diameter_mm: float
    mean_hu: float
    sd_hu: float
    surface_cm2: float
    irregularity: float | None
    mean_probability: float | None
    abc2: Abc2 | None


@dataclass(frozen=True)
class Midsagittal:
    """The plane between the hemispheres, from the symmetry of skull and head.

    Attributes:
        point_mm: On it.
        normal: Unit vector across it, to the patient's left.
        symmetry: Correlation of the head with its mirror image, up to 1.
    """

    point_mm: Vector
    normal: Vector
    symmetry: float


@dataclass(frozen=True)
class MidlineShift:
    """How far the middle of the brain lies from the midsagittal plane; an estimate, to be measured by hand.

    Attributes:
        mm: In the slice where it is seen best.
        towards: Side.
        slice_index: Where, along the study's own slice axis.
        ends_mm: From the plane to the shifted middle.
    """

    mm: float
    towards: Literal["left", "right"]
    slice_index: int
    ends_mm: tuple[Vector, Vector]


@dataclass(frozen=True)
class Growth:
    """Against an earlier report on the same patient.

    Attributes:
        prior_ml: Then.
        change_ml: Now minus then.
        change_share: That over `prior_ml`; None when it was 0.
        expanded: By a third or 6 mL, or what the options say.
    """

    prior_ml: float
    change_ml: float
    change_share: float | None
    expanded: bool


@dataclass(frozen=True)
class Findings:
    """What the network said of a scan that was accepted, and what was measured of it.

    Attributes:
        run: How the network was run.
        probability: Calibrated, of the scan.
        suspected: Whether `probability` reaches the operating point.
        operating_point: That the verdict was made with.
        operating_points: All that the model card has.
        mask_rule: Which voxels belong to the mask.
        priority: Class in a worklist.
        priority_reasons: Why, one sentence each.
        slices: Every axial slice, from foot to head; slabs where a thin series was averaged.
        top_slices: `index` of the slices that speak most for a haemorrhage, the strongest first.
        disagreements: `index` of the slices where mask and probability disagree; "mask only" first.
        concurrence: Share of slices where they agree, 0 to 1.
        scan_disagrees: The scan's verdict and its mask contradict each other.
        total: Volume of the mask.
        left_ml, right_ml: Of each hemisphere; None without a plane.
        components: Largest first; those below `small_below_ml` are only counted.
        small_below_ml, num_small, small_ml: Pieces too small to be listed: the limit, their number and volume.
        abc2_ml: A x B x C / 2 of the listed components together; None without any.
        midsagittal: None when it cannot be found; a warning says why.
        midline_shift: None when it cannot be measured.
        growth: None without a prior report.
        true_volume: Where the truth lay for such masks; None for a small mask, for one that a person changed, and for
            one by another rule than the model's.
        edited: A person changed the mask; what is measured is theirs, the probabilities are the network's.
    """

    run: RunFacts
    probability: float
    suspected: bool
    operating_point: OperatingPoint
    operating_points: tuple[OperatingPoint, ...]
    mask_rule: MaskRule
    priority: Priority
    priority_reasons: tuple[str, ...]
    slices: tuple[SliceEvidence, ...]
    top_slices: tuple[int, ...]
    disagreements: tuple[int, ...]
    concurrence: float
    scan_disagrees: bool
    total: VolumeFigure
    left_ml: float | None
    right_ml: float | None
    components: tuple[Component, ...]
    small_below_ml: float
    num_small: int
    small_ml: float
    abc2_ml: float | None
    midsagittal: Midsagittal | None
    midline_shift: MidlineShift | None
    growth: Growth | None
    true_volume: TrueVolume | None = None
    edited: bool = False


@dataclass(frozen=True)
class HemorrhageReport:
    """What became of a head CT.

    Attributes:
        status: A scan that fails an acceptance check is "not processed", and nothing is said of its contents.
        reason: Why it was not processed; "" when it was.
        source: Name of the input.
        checks: Acceptance checks, in order.
        scan: None when not even the geometry made sense.
        findings: None when it was not processed.
        warnings: What a user should know, one sentence each.
        seconds: From reading to the report.
        notice: What the figures are not.
        triage_notice: What the verdict is for.
    """

    status: Literal["processed", "not processed"]
    reason: str
    source: str
    checks: tuple[Check, ...]
    scan: ScanFacts | None
    findings: Findings | None
    warnings: tuple[str, ...]
    seconds: float
    notice: str = NOTICE
    triage_notice: str = TRIAGE_NOTICE

    def to_json(self) -> Any:
        """As JSON values."""
        return to_json(self)
