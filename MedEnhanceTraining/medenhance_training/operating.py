"""Counts at a threshold, and thresholds that reach a wanted sensitivity or specificity. Labels are True for disease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medenhance.errors import MedEnhanceError

Wanted = Literal["sensitivity", "specificity", "youden"]


@dataclass(frozen=True)
class Counts:
    """A confusion matrix; a ratio whose denominator is 0 is NaN."""

    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int

    @property
    def sensitivity(self) -> float:
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def ppv(self) -> float:
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def npv(self) -> float:
        return _ratio(self.true_negative, self.true_negative + self.false_negative)

    @property
    def f1(self) -> float:
        return _ratio(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)

    @property
    def accuracy(self) -> float:
        return _ratio(self.true_positive + self.true_negative, self.total)

    @property
    def total(self) -> int:
        return self.true_positive + self.false_negative + self.true_negative + self.false_positive

    @property
    def prevalence(self) -> float:
        return _ratio(self.true_positive + self.false_negative, self.total)


def counts_at(scores: Sequence[float] | np.ndarray, labels: Sequence[bool] | np.ndarray, threshold: float) -> Counts:
    """Count at a threshold, (N,) scores and labels; a score at the threshold is positive."""
    called, positive = np.asarray(scores) >= threshold, np.asarray(labels, bool)
    return Counts(
        int((called & positive).sum()),
        int((~called & positive).sum()),
        int((~called & ~positive).sum()),
        int((called & ~positive).sum()),
    )


def choose_threshold(
    scores: Sequence[float] | np.ndarray, labels: Sequence[bool] | np.ndarray, wanted: Wanted, least: float = 0.0
) -> float:
    """The threshold that is best otherwise among those that reach what is wanted.

    It lies half-way between two scores, so that neither of them stands on it.

    Args:
        scores: (N,).
        labels: (N,) bool, of both kinds.
        wanted: "sensitivity": the highest specificity of those with at least this sensitivity; "specificity" the
            reverse; "youden": the highest sum of both.
        least: The wanted value, in [0, 1]; unused by "youden".
    """
    values, positive = np.asarray(scores, np.float64), np.asarray(labels, bool)
    if not 0 < int(positive.sum()) < len(positive):
        raise MedEnhanceError("input-unsuitable", "A threshold can be chosen only among scans of both kinds.")
    thresholds = _between(values)
    sensitivity = np.array([(values[positive] >= t).mean() for t in thresholds])
    specificity = np.array([(values[~positive] < t).mean() for t in thresholds])
    reached, gain = {
        "sensitivity": (sensitivity >= least, specificity),
        "specificity": (specificity >= least, sensitivity),
        "youden": (np.ones(len(thresholds), bool), sensitivity + specificity),
    }[wanted]
    best = np.flatnonzero(reached & (gain == gain[reached].max()))
    # Of a range of equally good thresholds the middle one is farthest from both kinds of error.
    return float((thresholds[best[0]] + thresholds[best[-1]]) / 2)


def _between(values: np.ndarray) -> np.ndarray:
    """Half-way points of neighbouring scores, and one threshold beyond each end."""
    ordered = np.unique(values)
    middle = (ordered[:-1] + ordered[1:]) / 2
    return np.concatenate([[ordered[0] - 1.0], middle, [ordered[-1] + 1.0]])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
