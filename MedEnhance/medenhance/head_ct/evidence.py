"""What speaks for a haemorrhage slice by slice, and where classifier and mask disagree (thesis 2.4, Eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medenhance.head_ct.report import Agreement, SliceEvidence

# The classifier's slice probability is rounded in the paper's concurrence rate.
SLICE_THRESHOLD = 0.5
_ORDER: tuple[Agreement, ...] = ("mask only", "probability only")


def agreement(probability: float, has_mask: bool, threshold: float = SLICE_THRESHOLD) -> Agreement:
    """Whether both, neither or one of classifier and mask sees blood in a slice."""
    if probability >= threshold:
        return "both" if has_mask else "probability only"
    return "mask only" if has_mask else "neither"


def concurrence(slices: Sequence[SliceEvidence]) -> float:
    """Share of slices where classifier and mask agree, 0 to 1."""
    return float(np.mean([one.agreement in ("both", "neither") for one in slices]))


def disagreements(slices: Sequence[SliceEvidence]) -> tuple[int, ...]:
    """Indices of slices where they disagree: what the mask alone shows first, within each kind the strongest first."""
    kept = [one for one in slices if one.agreement in _ORDER]
    return tuple(one.index for one in sorted(kept, key=lambda one: (_ORDER.index(one.agreement), *_strength(one))))


def top_slices(slices: Sequence[SliceEvidence], count: int) -> tuple[int, ...]:
    """Indices of the slices that speak most for blood, the strongest first."""
    return tuple(one.index for one in sorted(slices, key=_strength)[:count])


def _strength(one: SliceEvidence) -> tuple[float, float, int]:
    """Sorts the strongest first: by probability to two digits, then by area, then from the foot."""
    return -round(one.probability, 2), -one.area_mm2, one.number
