"""Receiver operating characteristics: the area under the curve with DeLong's variance, its paired test, counts.

DeLong, DeLong and Clarke-Pearson, Biometrics 44:837 (1988); computed with the midranks of Sun and Xu, IEEE Signal
Processing Letters 21:1389 (2014). Scores may be on any scale; only their order matters. A label is True for disease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from medenhance.errors import MedEnhanceError

Z_95 = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Auc:
    """The area under one curve.

    Attributes:
        value: In [0, 1]; ties count a half.
        standard_error: After DeLong; 0 where the classes are separated entirely.
        interval: 95 %. After DeLong and cut at 0 and 1; a binomial bound where the standard error is 0.
        num_positive, num_negative: Cases with and without the disease.
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    num_positive: int
    num_negative: int


@dataclass(frozen=True)
class AucDifference:
    """First minus second area on the same cases.

    Attributes:
        value: In [-1, 1].
        standard_error: With the covariance of the two.
        interval: 95 %.
        p_value: Two-sided; 1 for equal areas.
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float


def auc(scores: Sequence[float] | np.ndarray, labels: Sequence[bool] | np.ndarray) -> Auc:
    """The area under the curve of one method.

    Args:
        scores: (N,), any scale.
        labels: (N,) bool.

    Raises:
        MedEnhanceError: One of the two classes is missing, a score is not finite, or lengths differ.
    """
    areas, covariance = delong([scores], labels)
    positive = int(np.count_nonzero(labels))
    negative = len(labels) - positive
    area, error = float(areas[0]), float(np.sqrt(max(0.0, covariance[0, 0])))
    return Auc(area, error, _interval(area, error, min(positive, negative)), positive, negative)


def compare_auc(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, labels: Sequence[bool] | np.ndarray
) -> AucDifference:
    """DeLong's paired test of two methods on the same cases, all (N,)."""
    areas, covariance = delong([first, second], labels)
    difference = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    # Identical scores leave a remainder of rounding, which is no variance.
    error = float(np.sqrt(variance)) if variance > 1e-15 else 0.0
    if error == 0.0:
        return AucDifference(difference, 0.0, (difference, difference), 1.0 if abs(difference) < 1e-12 else 0.0)
    p_value = float(2.0 * norm.sf(abs(difference) / error))
    return AucDifference(difference, error, (difference - Z_95 * error, difference + Z_95 * error), p_value)


def delong(
    scores: Sequence[Sequence[float] | np.ndarray], labels: Sequence[bool] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Areas of M methods on N cases and their covariance.

    Args:
        scores: (M, N).
        labels: (N,) bool.

    Returns:
        (M,) areas and (M, M) covariance. With a single case of a class its part of the variance is unknown and 0.
    """
    values, positive = _checked(np.asarray(scores, np.float64), np.asarray(labels, bool))
    cases, controls = values[:, positive], values[:, ~positive]
    m, n = cases.shape[1], controls.shape[1]
    together = rankdata(np.concatenate([cases, controls], axis=1), axis=1)
    # Sun and Xu, eq. 5-6: V10 and V01 are shares of the other class that a case outranks.
    v10 = (together[:, :m] - rankdata(cases, axis=1)) / n
    v01 = 1.0 - (together[:, m:] - rankdata(controls, axis=1)) / m
    return v10.mean(axis=1), _covariance(v10) / m + _covariance(v01) / n


def auc_of(scores: np.ndarray, labels: np.ndarray) -> float:
    """The area alone, for resampling; NaN where a class is missing."""
    positive = np.asarray(labels, bool)
    m = int(positive.sum())
    n = len(positive) - m
    if m == 0 or n == 0:
        return float("nan")
    return float((rankdata(scores)[positive].sum() - m * (m + 1) / 2) / (m * n))


def wilson(successes: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); (0, 1) of nothing."""
    if total == 0:
        return 0.0, 1.0
    share, weight = successes / total, Z_95**2 / total
    middle = (share + weight / 2) / (1 + weight)
    half = Z_95 * np.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def _checked(values: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if values.ndim != 2 or values.shape[1:] != positive.shape:
        raise MedEnhanceError("input-unsuitable", f"{positive.size} labels do not fit scores of shape {values.shape}.")
    if not np.isfinite(values).all():
        raise MedEnhanceError("input-unsuitable", "A score is not a finite number.")
    if not 0 < int(positive.sum()) < len(positive):
        what = f"{int(positive.sum())} positive cases of {len(positive)}"
        raise MedEnhanceError("input-unsuitable", f"An area under the curve needs both classes, not {what}.")
    return values, positive


def _covariance(rows: np.ndarray) -> np.ndarray:
    if rows.shape[1] < 2:
        return np.zeros((len(rows), len(rows)))
    return np.atleast_2d(np.cov(rows))


def _interval(area: float, error: float, fewest: int) -> tuple[float, float]:
    """The interval; entire separation has no variance, so that there the smaller class bounds it as a share would."""
    if error > 0:
        return max(0.0, area - Z_95 * error), min(1.0, area + Z_95 * error)
    bound = 1.0 - 0.025 ** (1.0 / fewest)  # Clopper and Pearson for `fewest` of `fewest`
    return max(0.0, area - bound), min(1.0, area + bound)
