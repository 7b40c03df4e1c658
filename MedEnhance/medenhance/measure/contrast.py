"""Contrast of the spine's shadows to the tissue around them: SNR, CNR and gCNR, each with the regions it was taken in.

SNR and CNR are equations 12 and 13 of arXiv 2409.16661 with the logarithm to base 10; the paper states neither the base
nor its regions, and the values depend on both, so the policy of the regions is always reported. gCNR (Rodriguez-Molares
2020, IEEE TUFFC 67:745) cannot be raised by stretching grey values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from medenhance.errors import MedEnhanceError

RegionPolicy = Literal["mask", "mask_dark_vs_tissue_bright", "user"]
_WHITE = 255.0
_FEWEST_PIXELS = 50
_ROUNDING = 1e-9  # of a mean over a uniform region


@dataclass(frozen=True)
class Contrast:
    """How well the spine stands out.

    Attributes:
        snr_db: 20 log10((1 - mean of the spine) / SD of the tissue), grey in 0..1; None for uniform tissue.
        cnr_db: 20 log10(|difference of means| / sqrt(sum of variances)); None where that is not finite.
        gcnr: 1 - overlap of the two histograms, 0 to 1.
        policy: How the regions were chosen.
        num_signal: Pixels of the spine's region.
        num_background: Pixels of the tissue's.
    """

    snr_db: float | None
    cnr_db: float | None
    gcnr: float
    policy: RegionPolicy
    num_signal: int
    num_background: int


def contrast(image: np.ndarray, signal: np.ndarray, background: np.ndarray, policy: RegionPolicy) -> Contrast:
    """Measure in two regions.

    Args:
        image: (R, C), grey 0 to 255.
        signal: (R, C) bool, the dark spine.
        background: (R, C) bool, bright tissue.
        policy: What chose them, from `regions`, or "user".

    Raises:
        MedEnhanceError: input-unsuitable, when a region has less than 50 pixels.
    """
    dark, bright = image[signal] / _WHITE, image[background] / _WHITE
    for name, values in (("spine", dark), ("tissue", bright)):
        if values.size < _FEWEST_PIXELS:
            message = f"The region of the {name} has {values.size} pixels; that is too few to measure contrast."
            raise MedEnhanceError("input-unsuitable", message, f"Check the segmentation, or choose not {policy}.")
    spread = float(np.sqrt(dark.var() + bright.var()))
    difference = abs(float(dark.mean() - bright.mean()))
    return Contrast(
        snr_db=_decibel(1 - float(dark.mean()), float(bright.std())),
        cnr_db=_decibel(difference, spread),
        gcnr=_gcnr(dark, bright),
        policy=policy,
        num_signal=dark.size,
        num_background=bright.size,
    )


def regions(image: np.ndarray, spine: np.ndarray, policy: RegionPolicy) -> tuple[np.ndarray, np.ndarray]:
    """The regions of a policy.

    Args:
        image: (R, C), grey 0 to 255; 0 outside the scan.
        spine: (R, C) bool, any class of the segmentation.
        policy: "mask" takes the segmentation and the rest of the scan; "mask_dark_vs_tissue_bright" only what is
            darker than the scan's median of the first and brighter of the second.

    Returns:
        Two (R, C) bool images: spine and tissue.
    """
    if policy == "user":
        raise ValueError("regions of the policy 'user' come from the user")
    scan = image > 0
    signal, background = spine & scan, ~spine & scan
    if policy == "mask":
        return signal, background
    middle = float(np.median(image[scan])) if scan.any() else 0.0
    return signal & (image < middle), background & (image > middle)


def _decibel(above: float, below: float) -> float | None:
    return 20 * float(np.log10(above / below)) if above > _ROUNDING and below > _ROUNDING else None


def _gcnr(dark: np.ndarray, bright: np.ndarray) -> float:
    """1 - sum of min(p, q) over histograms of 256 bins from the lowest to the highest value of either."""
    low, high = min(dark.min(), bright.min()), max(dark.max(), bright.max())
    if low == high:
        return 0.0
    p, q = (np.histogram(values, 256, (low, high))[0] / values.size for values in (dark, bright))
    return float(1 - np.minimum(p, q).sum())
