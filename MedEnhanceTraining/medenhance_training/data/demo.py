"""The built-in case: a made-up body at the height of the diaphragm, with its truth and at a quarter of the dose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medenhance_training.data.anatomy import diaphragm
from medenhance_training.data.kernels import SHARP, SOFT, between
from medenhance_training.data.low_dose import Scanner, simulate_low_dose
from medenhance_training.data.phantoms import Phantom

SHAPE = (10, 384, 384)
SPACING_MM = 0.95
SLICE_MM = 3.0
DOSE = 0.25
# A scanner stores nothing below; a narrower range also packs better.
LOWEST_HU = -1024


@dataclass(frozen=True)
class DemoCase:
    """A study with known truth.

    Attributes:
        truth: (D, H, W) int16, HU, without noise.
        low: (D, H, W) int16, HU: the truth as a scan at a quarter of the dose shows it.
        spacing_mm: Spacing along columns, rows, slices.
    """

    truth: np.ndarray
    low: np.ndarray
    spacing_mm: tuple[float, float, float]


def demo_case(seed: int = 1, num_slices: int = SHAPE[0]) -> DemoCase:
    """The same case for the same seed.

    Both noises of a real quarter-dose scan are in it: that of the normal-dose scan it stands for, and that which the
    lower dose adds, which together are those of dose 1/4 drawn in one go.
    """
    truth = Phantom(tuple(diaphragm(np.random.default_rng([seed, 0]))), seed).render(
        (num_slices, *SHAPE[1:]), SPACING_MM, slice_step_mm=SLICE_MM, slice_mm=SLICE_MM
    )
    scanner, kernel = Scanner(slice_mm=SLICE_MM), between(SOFT, SHARP, 0.35)
    rng = np.random.default_rng([seed, 1])
    # Noise of variance 1/a instead of (1 - a)/a: the truth holds none of its own.
    dose = DOSE / (1.0 + DOSE)
    low = np.stack([simulate_low_dose(hu, SPACING_MM, dose, kernel, scanner, rng) for hu in truth])
    return DemoCase(_stored(truth), _stored(low), (SPACING_MM, SPACING_MM, SLICE_MM))


def _stored(hu: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(hu), LOWEST_HU, 3071).astype(np.int16)
