"""Data that the recipes of several methods share."""

from __future__ import annotations

from medenhance_training.data.augment import AugmentRange
from medenhance_training.data.sources import LowDoseData
from medenhance_training.data.stream import DoseRange


def quarter_dose(patch: int) -> LowDoseData:
    """What the published methods train on: a quarter of the dose, right-angle turns and flips, no other change."""
    return LowDoseData(patch=patch, doses=DoseRange(0.25, 0.25, clean_share=0.0), augment=AugmentRange(blur_share=0.0))
