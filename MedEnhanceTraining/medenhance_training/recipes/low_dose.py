"""Data that the recipes of several methods share."""

from __future__ import annotations

from medenhance_training.data.augment import AugmentRange
from medenhance_training.data.sources import LowDoseData
from medenhance_training.data.stream import DoseRange


def quarter_dose(patch: int) -> LowDoseData:
    """What the published methods train on: a quarter of the dose, right-angle turns and flips, no other change."""
    return LowDoseData(patch=patch, doses=DoseRange(0.25, 0.25, clean_share=0.0), augment=AugmentRange(blur_share=0.0))


def bundled_data(patch: int) -> LowDoseData:
    """What the denoisers that ship train on: any dose, kernel and exposure, on few studies of normal dose and phantoms.

    Half of the normal-dose slices get the noise of their own dose as well: with all of them, the networks kept so much
    noise that clean slices suffered; with none, they removed what real normal-dose scans have too.
    """
    doses = DoseRange(low=0.1, high=0.7, clean_share=0.07, exposure=(0.25, 16.0), noisy_normal_share=0.5)
    return LowDoseData(patch=patch, doses=doses, max_slices=40, validation=0.0)
