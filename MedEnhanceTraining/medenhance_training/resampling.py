"""Bootstrap intervals over scans and training runs, for any statistic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
# Fewer scans than this say nothing about their spread.
_FEWEST_SCANS = 3


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval, or without one where the data are too few."""

    value: float
    interval: tuple[float, float] | None

    @property
    def above_zero(self) -> bool:
        return self.interval is not None and self.interval[0] > 0


def bootstrap(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    num_runs: int,
    strata: np.ndarray,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """The statistic on all runs and scans, and its percentile interval when both are drawn anew.

    Args:
        statistic: Takes indices of runs and of scans (repetitions allowed) and gives a figure; NaN is left out.
        num_runs: Training runs of the method, which differ in their seed.
        strata: (N,), one entry a scan: scans are drawn within entries of one value, so that the prevalence stays.
        seed: Of the draws.
        resamples: How many.
    """
    num_scans = len(strata)
    value = float(statistic(np.arange(num_runs), np.arange(num_scans)))
    if num_scans < _FEWEST_SCANS:
        return Interval(value, None)
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(strata == one) for one in np.unique(strata)]
    drawn = np.array([statistic(rng.integers(num_runs, size=num_runs), _draw(rng, groups)) for _ in range(resamples)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Interval(value, None)
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Interval(value, (low, high))


def _draw(rng: np.random.Generator, groups: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([group[rng.integers(len(group), size=len(group))] for group in groups])
