"""Paired tests of two haemorrhage detectors on the same scans: areas after DeLong, masks by t-tests, bootstraps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import ttest_rel

from medenhance_training.benchmark.head_ct import MethodFigures, bootstrap_mean, false_ul, mean_area
from medenhance_training.head_evaluation import ScanFigures
from medenhance_training.resampling import Interval, bootstrap
from medenhance_training.roc import AucDifference, compare_auc


@dataclass(frozen=True)
class Comparison:
    """Ours against another method on one set.

    Attributes:
        title: The other method.
        area: Ours minus its mean area, with a bootstrap over runs and scans.
        delong: DeLong's test of the first runs of both.
        dice, false_ul: Ours minus its mean Dice of scans with blood, and volume in normal scans, with bootstraps.
        dice_p, false_p: Paired t-tests of the same (the paper's), on means over the runs; None without any spread.
    """

    title: str
    area: Interval
    delong: AucDifference
    dice: Interval
    dice_p: float | None
    false_ul: Interval
    false_p: float | None


def dice_of(one: ScanFigures) -> float | None:
    """With the true mask; None in a scan without blood."""
    return one.mask.dice


def compare(ours: MethodFigures, theirs: MethodFigures) -> Comparison:
    """Paired comparison on the same scans."""
    labels = ours.labels
    dice = difference(ours.values(dice_of), theirs.values(dice_of))
    false = difference(ours.values(false_ul), theirs.values(false_ul))
    return Comparison(
        title=theirs.title,
        area=_area_difference(ours, theirs),
        delong=compare_auc(ours.runs[0].logits, theirs.runs[0].logits, labels),
        dice=bootstrap_mean(dice, labels),
        dice_p=_paired_p(dice),
        false_ul=bootstrap_mean(false, labels),
        false_p=_paired_p(false),
    )


def difference(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(runs, scans) minus (runs, scans), scan by scan; runs are averaged first unless both have as many."""
    if len(ours) != len(theirs):
        ours, theirs = ours.mean(axis=0, keepdims=True), theirs.mean(axis=0, keepdims=True)
    return ours - theirs


def _area_difference(ours: MethodFigures, theirs: MethodFigures) -> Interval:
    """Runs are drawn in pairs: k with k where both have as many, else among all pairs."""
    labels = ours.labels
    a, b = (np.stack([run.logits for run in one.runs]) for one in (ours, theirs))
    paired = len(a) == len(b)

    def area(runs: np.ndarray, scans: np.ndarray) -> float:
        first, second = (runs, runs) if paired else (runs // len(b), runs % len(b))
        return mean_area(a, labels)(first, scans) - mean_area(b, labels)(second, scans)

    return bootstrap(area, len(a) if paired else len(a) * len(b), labels)


def _paired_p(differences: np.ndarray) -> float | None:
    """Two-sided, of the means over the runs; None for fewer than three scans or no spread at all."""
    means = differences.mean(axis=0)
    means = means[np.isfinite(means)]
    if len(means) < 3 or np.ptp(means) == 0:
        return None
    return float(ttest_rel(means, np.zeros(len(means))).pvalue)
