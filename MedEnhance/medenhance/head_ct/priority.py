"""The class of a scan in a worklist, and growth against an earlier scan; every limit can be chosen.

Notification only: "routine" means that nothing was flagged, never that a scan may wait longer than it would have.
"""

from __future__ import annotations

from dataclasses import dataclass

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.report import Growth, MidlineShift, Priority


@dataclass(frozen=True)
class PriorityThresholds:
    """When a suspected bleed is critical (spec section 8).

    Attributes:
        critical_ml: Volume; 30 mL and more of a supratentorial bleed are commonly operated on or watched closely.
        critical_shift_mm: Midline shift; more than 5 mm is a common indication for surgery of a subdural bleed.
        growth_share: Growth over the prior volume that counts as expansion.
        growth_ml: The same as a volume; either is enough.
    """

    critical_ml: float = 30.0
    critical_shift_mm: float = 5.0
    growth_share: float = 0.33
    growth_ml: float = 6.0

    def check(self) -> None:
        """Refuse limits that are none.

        Raises:
            MedEnhanceError: bad-option.
        """
        for name, value in vars(self).items():
            if not value > 0:
                raise MedEnhanceError("bad-option", f"{name} has to be above 0, not {value:g}.", "")


def growth(ml: float, prior_ml: float, limits: PriorityThresholds) -> Growth:
    """Growth of the total volume since an earlier scan."""
    change = ml - prior_ml
    share = change / prior_ml if prior_ml > 0 else None
    expanded = change >= limits.growth_ml or (share is not None and share >= limits.growth_share)
    return Growth(prior_ml, change, share, expanded)


def priority(
    suspected: bool,
    ml: float,
    shift: MidlineShift | None,
    grown: Growth | None,
    scan_disagrees: bool,
    limits: PriorityThresholds,
) -> tuple[Priority, tuple[str, ...]]:
    """The class and why, one sentence each.

    Args:
        suspected: The scan's probability reaches the operating point.
        ml: Volume of the mask.
        shift: Midline shift, when it was measured.
        grown: Since an earlier scan.
        scan_disagrees: Verdict and mask contradict each other.
        limits: When a suspected bleed is critical.
    """
    if not suspected:
        if scan_disagrees:
            return "review", ("The mask shows blood although the scan's probability lies below the operating point.",)
        return "routine", ("Nothing was flagged; the scan is read in its turn.",)
    reasons = list(_critical(ml, shift, grown, limits))
    if reasons:
        return "critical", tuple(reasons)
    reason = "A haemorrhage is suspected."
    if scan_disagrees:
        reason = "A haemorrhage is suspected, and the mask shows nothing of it."
    return "review", (reason,)


def _critical(ml: float, shift: MidlineShift | None, grown: Growth | None, limits: PriorityThresholds) -> list[str]:
    found = []
    if ml >= limits.critical_ml:
        found.append(f"Suspected volume of {ml:.0f} mL ({limits.critical_ml:g} mL and more).")
    if shift is not None and shift.mm >= limits.critical_shift_mm:
        found.append(f"Suspected bleed with a midline shift of about {shift.mm:.0f} mm to the {shift.towards}.")
    if grown is not None and grown.expanded:
        found.append(f"Suspected volume grew by {grown.change_ml:.1f} mL since the earlier scan.")
    return found
