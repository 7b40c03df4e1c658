"""What a simulated head CT may be: how often it bleeds, the scanner, the patient's position."""

from __future__ import annotations

from dataclasses import dataclass, replace

from medenhance_training.data.head_ct.case import SUBTYPES

Range = tuple[float, float]


@dataclass(frozen=True)
class HeadConfig:
    """What may be drawn for a scan. Every range is (lowest, highest).

    Attributes:
        preset: Name that the cases carry.
        prevalence: Share of scans with a bleed.
        subtypes: Which bleeds may be drawn.
        chronic_share: Share of subdural bleeds that are old (12 to 27 HU), below the observed range of section 7.1.
        size_px: Rows and columns.
        field_mm: Side of the image.
        slice_mm: Distance of slices, which are as thick.
        unequal_gaps: Share of scans whose upper slices lie further apart than the lower ones.
        tilt_deg: Gantry tilt.
        turn_deg: Half range of the head's rotation about each axis.
        noise_hu: Standard deviation of the noise in the middle of the head.
        kernel_per_mm: Frequency at which the kernel's gain falls to 1/e: low is soft.
        grey_hu: Of grey matter.
        white_below_hu: How far white matter lies below grey matter.
        cupping_hu: Rise towards the inner table, its mean around the head.
        cupping_lean: How much more of it one side has, as a share: a head off the scanner's middle brightens unevenly.
        gain: Factor of contrast about water, which calibration and kVp change.
        offset_hu: Shift of all values.
        motion_share: Share of scans with motion.
        negatives: Factor of the probabilities of look-alikes.
        bleed_hu: Shift of the bleeds' density; below 0 for anaemia.
        least_contrast_hu: By how much a bleed's mean differs at least from the brain around it, before gain and kernel.
            The observed densities are those of bleeds that readers outlined. Some that are as dense as brain they
            outline too, because of the room that these take; such bleeds are missing here. 0 makes them.
    """

    preset: str = "balanced"
    prevalence: float = 0.5
    subtypes: tuple[str, ...] = SUBTYPES
    chronic_share: float = 0.18
    size_px: int = 224
    field_mm: Range = (215.0, 250.0)
    slice_mm: Range = (4.5, 5.5)
    unequal_gaps: float = 0.1
    tilt_deg: Range = (-6.0, 20.0)
    turn_deg: float = 8.0
    noise_hu: Range = (2.5, 5.0)
    kernel_per_mm: Range = (0.35, 0.60)
    grey_hu: Range = (32.0, 45.0)
    white_below_hu: Range = (5.0, 11.0)
    cupping_hu: Range = (3.0, 13.0)
    cupping_lean: Range = (0.0, 0.6)
    gain: Range = (0.95, 1.05)
    offset_hu: Range = (-2.0, 2.0)
    motion_share: float = 0.15
    negatives: float = 1.0
    bleed_hu: float = 0.0
    least_contrast_hu: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.prevalence <= 1:
            raise ValueError(f"prevalence lies within 0 to 1, not {self.prevalence}")
        unknown = set(self.subtypes) - set(SUBTYPES)
        if unknown or not self.subtypes:
            raise ValueError(f"subtypes are among {', '.join(SUBTYPES)}, not {', '.join(sorted(unknown)) or 'none'}")
        if not 64 <= self.size_px <= 512 or self.size_px % 2:
            raise ValueError(f"size_px is an even number from 64 to 512, not {self.size_px}")
        if not 1.0 <= self.slice_mm[0] <= self.slice_mm[1] <= 10.0:
            raise ValueError(f"slice_mm lies within 1 to 10, not {self.slice_mm}")


_BALANCED = HeadConfig()
# Wider than the training's ranges on one side each (specification, section 7.1): noise and kernel; tilt, position,
# thickness and field; tissue and bleed density.
_NOISE = replace(
    _BALANCED, preset="shift_noise", noise_hu=(5.0, 8.0), kernel_per_mm=(0.28, 0.80), motion_share=0.4,
    cupping_hu=(8.0, 18.0),
)  # fmt: skip
_GEOMETRY = replace(
    _BALANCED, preset="shift_geometry", tilt_deg=(-15.0, 28.0), turn_deg=18.0, slice_mm=(2.5, 8.0),
    field_mm=(200.0, 290.0), unequal_gaps=0.5,
)  # fmt: skip
_CONTRAST = replace(
    _BALANCED, preset="shift_contrast", grey_hu=(28.0, 48.0), white_below_hu=(3.0, 14.0), gain=(0.85, 1.15),
    offset_hu=(-6.0, 6.0), bleed_hu=-5.0,
)  # fmt: skip
# Prevalence of the thesis's hospitals: 10 to 35 % (specification, section 7.1).
_NATURAL = replace(_BALANCED, preset="natural", prevalence=0.15)
_EXTERNAL = replace(_BALANCED, preset="external_shift")

PRESETS: dict[str, HeadConfig] = {
    config.preset: config for config in (_BALANCED, _NATURAL, _EXTERNAL, _NOISE, _GEOMETRY, _CONTRAST)
}
SHIFTS = ("shift_noise", "shift_geometry", "shift_contrast")
