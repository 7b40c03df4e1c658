"""Midline shift against simulated heads whose shift is known.

`python Testing/training/test_head_midline.py 80 [FIRST_SEED]` measures the error on scans that neither a test nor the
choice of the method has used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from medenhance.head_ct.head_content import head_content
from medenhance.head_ct.midline import midline_shift
from medenhance.head_ct.midsagittal import midsagittal
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.simulate import simulate_head

BLEEDING = HeadConfig(prevalence=0.9)
CRITICAL_MM = 5.0


@dataclass(frozen=True)
class Measured:
    """Of scans: true shifts, measured ones, NaN where nothing was said."""

    true_mm: np.ndarray
    found_mm: np.ndarray

    @property
    def said(self) -> np.ndarray:
        return np.isfinite(self.found_mm)

    @property
    def errors_mm(self) -> np.ndarray:
        return np.abs(self.found_mm - self.true_mm)[self.said]


def measured(seeds: Iterable[int]) -> Measured:
    pairs = []
    for seed in seeds:
        case = simulate_head(seed, BLEEDING)
        content = head_content(case.volume)
        brain = content.slices[content.is_brain]
        plane = midsagittal(case.volume, brain)
        shift = None if plane is None else midline_shift(case.volume, plane, brain)
        pairs.append((case.midline_shift_mm, np.nan if shift is None else shift.mm))
    true, found = np.array(pairs).T
    return Measured(true, found)


def test_the_shift_of_simulated_heads_is_found_to_two_millimetres_in_the_median() -> None:
    found = measured(range(600_004, 600_012))
    assert found.said.sum() >= 5
    assert np.median(found.errors_mm) < 2.0


def test_shifts_of_some_millimetres_are_found_on_their_side() -> None:
    # All of the seeds 600030 to 600059 whose true shift is 3 mm or more.
    found = measured((600_033, 600_038, 600_039, 600_049, 600_057))
    assert np.abs(found.true_mm).min() >= 3.0
    assert found.said.all()
    assert found.errors_mm.max() < 2.0


if __name__ == "__main__":
    start = int(sys.argv[2]) if len(sys.argv) > 2 else 640_000
    all_of_them = measured(range(start, start + int(sys.argv[1])))
    errors, said = all_of_them.errors_mm, all_of_them.said
    critical = np.abs(all_of_them.true_mm) >= CRITICAL_MM
    called = np.abs(np.where(said, all_of_them.found_mm, 0.0)) >= CRITICAL_MM
    print(f"{len(said)} simulated heads, a shift was given for {said.sum()}")
    print(f"error: median {np.median(errors):.2f} mm, mean {errors.mean():.2f}, 90 % {np.quantile(errors, 0.9):.2f}")
    print(f"{CRITICAL_MM:g} mm or more: {critical.sum()}, found so {(critical & called).sum()}, "
          f"called so though less {(called & ~critical).sum()}")  # fmt: skip
