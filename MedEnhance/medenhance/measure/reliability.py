"""How well raters, sessions or methods agree on a measurement: ICC, MAD, SEM and Bland-Altman, each by its formula.

Mean squares are those of the two-way analysis of variance of n subjects (rows) by k raters (columns). Forms are those
of Shrout and Fleiss, Psychological Bulletin 86:420-428 (1979), with the names of McGraw and Wong, Psychological Methods
1:30-46 (1996), whose intervals are used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

_CONFIDENCE = 0.95
# Arithmetic that rounds leaves this share of the subjects' variance behind where raters agree exactly.
_EXACT = 1e-12


@dataclass(frozen=True)
class IntraclassCorrelation:
    """One form of the intraclass correlation coefficient.

    Attributes:
        name: Of McGraw and Wong, such as "ICC(A,1)".
        shrout_fleiss: The same number by Shrout and Fleiss's name.
        meaning: What it says.
        value: The coefficient; None where it is not defined (no variance at all).
        interval: Its 95 % interval; None where it is not defined.
    """

    name: str
    shrout_fleiss: str
    meaning: str
    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class StandardErrors:
    """The standard error of measurement by each formula in use; they are different numbers.

    Attributes:
        sd_icc: SD of all ratings times sqrt(1 - ICC(A,1)); the one meant by "SEM" without more.
        root_mse: sqrt(MSE), which leaves out what raters differ by on average.
        mad_root2: MAD / sqrt(2), for two raters; arXiv 2409.16661, Table IV reports this between raters.
    """

    sd_icc: float | None
    root_mse: float
    mad_root2: float | None


@dataclass(frozen=True)
class BlandAltman:
    """Agreement of two raters, second minus first (Bland and Altman, Lancet 1:307-310, 1986).

    Attributes:
        bias: Mean difference.
        bias_interval: Its 95 % interval.
        sd: Of the differences.
        limits: Bias -+ 1.96 sd.
        lower_limit_interval: 95 % interval of the lower limit.
        upper_limit_interval: Likewise of the upper one.
    """

    bias: float
    bias_interval: tuple[float, float]
    sd: float
    limits: tuple[float, float]
    lower_limit_interval: tuple[float, float]
    upper_limit_interval: tuple[float, float]


@dataclass(frozen=True)
class Reliability:
    """Everything about one table of ratings.

    Attributes:
        num_subjects: Rows.
        num_raters: Columns.
        icc: Six forms: one-way, absolute agreement, consistency, each for a single rating and for the mean of k.
        mad: Mean absolute difference over all pairs of raters, in the unit of the ratings.
        sem: In the unit of the ratings.
        bland_altman: For two raters; None for more.
    """

    num_subjects: int
    num_raters: int
    icc: tuple[IntraclassCorrelation, ...]
    mad: float
    sem: StandardErrors
    bland_altman: BlandAltman | None


@dataclass(frozen=True)
class MeanSquares:
    """Of the analysis of variance: between subjects, within subjects, between raters, residual; and the sizes."""

    subjects: float
    within: float
    raters: float
    error: float
    n: int
    k: int


def reliability(ratings: np.ndarray) -> Reliability:
    """Measure the agreement of raters.

    Args:
        ratings: (n subjects, k raters), at least 3 by 2, no gaps.

    Raises:
        ValueError: Another shape, or values that are no numbers.
    """
    ratings = np.asarray(ratings, np.float64)
    if ratings.ndim != 2 or ratings.shape[0] < 3 or ratings.shape[1] < 2 or not np.isfinite(ratings).all():
        raise ValueError(f"ratings are a table of at least 3 subjects by 2 raters without gaps, not {ratings.shape}")
    squares = mean_squares(ratings)
    forms = intraclass_correlations(squares)
    absolute = next(form.value for form in forms if form.name == "ICC(A,1)")
    mad = mean_absolute_difference(ratings)
    two = ratings.shape[1] == 2
    sem = StandardErrors(
        sd_icc=None if absolute is None else float(ratings.std(ddof=1) * np.sqrt(max(1 - absolute, 0.0))),
        root_mse=float(np.sqrt(squares.error)),
        mad_root2=mad / float(np.sqrt(2)) if two else None,
    )
    agreement = bland_altman(ratings[:, 0], ratings[:, 1]) if two else None
    return Reliability(len(ratings), ratings.shape[1], forms, mad, sem, agreement)


def mean_squares(ratings: np.ndarray) -> MeanSquares:
    """The two-way analysis of variance of (n, k) ratings."""
    n, k = ratings.shape
    mean = ratings.mean()
    rows, columns = ratings.mean(axis=1, keepdims=True), ratings.mean(axis=0, keepdims=True)
    residual = ratings - rows - columns + mean
    return MeanSquares(
        subjects=float(k * ((rows - mean) ** 2).sum() / (n - 1)),
        within=float(((ratings - rows) ** 2).sum() / (n * (k - 1))),
        raters=float(n * ((columns - mean) ** 2).sum() / (k - 1)),
        error=float((residual**2).sum() / ((n - 1) * (k - 1))),
        n=n,
        k=k,
    )


def intraclass_correlations(squares: MeanSquares) -> tuple[IntraclassCorrelation, ...]:
    """The six forms, single ratings first."""
    one = _one_way(squares)
    agreement, agreement_interval = _agreement(squares)
    consistency = _consistency(squares)
    k = squares.k
    single = [
        ("ICC(1)", "ICC(1,1)", "each subject has its own raters", *one),
        ("ICC(A,1)", "ICC(2,1)", "absolute agreement of a single rating", agreement, agreement_interval),
        ("ICC(C,1)", "ICC(3,1)", "consistency of a single rating", *consistency),
    ]
    names = [("ICC(k)", "ICC(1,k)"), ("ICC(A,k)", "ICC(2,k)"), ("ICC(C,k)", "ICC(3,k)")]
    mean = [
        (name, other, meaning.replace("a single rating", f"the mean of {k}"), _stepped_up(value, k), _both(interval, k))
        for (name, other), (_, _, meaning, value, interval) in zip(names, single, strict=True)
    ]
    return tuple(IntraclassCorrelation(*form) for form in [*single, *mean])


def mean_absolute_difference(ratings: np.ndarray) -> float:
    """Mean of |a - b| over all subjects and pairs of raters."""
    first, second = np.triu_indices(ratings.shape[1], 1)
    return float(np.abs(ratings[:, first] - ratings[:, second]).mean())


def bland_altman(first: np.ndarray, second: np.ndarray) -> BlandAltman:
    """Bias and limits of agreement of two (n,) series of ratings."""
    difference = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    n, bias, sd = len(difference), float(difference.mean()), float(difference.std(ddof=1))
    quantile = float(t_distribution.ppf(0.5 + _CONFIDENCE / 2, n - 1))
    of_bias = quantile * sd / np.sqrt(n)
    of_limit = quantile * sd * np.sqrt(1 / n + 1.96**2 / (2 * (n - 1)))
    low, high = bias - 1.96 * sd, bias + 1.96 * sd
    return BlandAltman(
        bias, (bias - of_bias, bias + of_bias), sd, (low, high),
        (low - of_limit, low + of_limit), (high - of_limit, high + of_limit),
    )  # fmt: skip


def _one_way(s: MeanSquares) -> tuple[float | None, tuple[float, float] | None]:
    if s.subjects + (s.k - 1) * s.within <= 0:
        return None, None
    value = (s.subjects - s.within) / (s.subjects + (s.k - 1) * s.within)
    return value, _from_ratio(s, s.within, s.n * (s.k - 1))


def _consistency(s: MeanSquares) -> tuple[float | None, tuple[float, float] | None]:
    if s.subjects + (s.k - 1) * s.error <= 0:
        return None, None
    value = (s.subjects - s.error) / (s.subjects + (s.k - 1) * s.error)
    return value, _from_ratio(s, s.error, (s.n - 1) * (s.k - 1))


def _from_ratio(s: MeanSquares, noise: float, freedom: int) -> tuple[float, float]:
    """Interval of (F - 1) / (F + k - 1) for the ratio F of two mean squares."""
    if noise <= _EXACT * s.subjects:
        return 1.0, 1.0
    ratio = s.subjects / noise
    low = ratio / f_distribution.ppf(0.5 + _CONFIDENCE / 2, s.n - 1, freedom)
    high = ratio * f_distribution.ppf(0.5 + _CONFIDENCE / 2, freedom, s.n - 1)
    return float((low - 1) / (low + s.k - 1)), float((high - 1) / (high + s.k - 1))


def _agreement(s: MeanSquares) -> tuple[float | None, tuple[float, float] | None]:
    """ICC(A,1) and its interval (McGraw and Wong, Table 7; Satterthwaite's degrees of freedom)."""
    n, k = s.n, s.k
    total = s.subjects + (k - 1) * s.error + k / n * (s.raters - s.error)
    if total <= 0:
        return None, None
    value = (s.subjects - s.error) / total
    if value >= 1 - _EXACT:
        return value, (1.0, 1.0)
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    top = a * s.raters + b * s.error
    freedom = top**2 / ((a * s.raters) ** 2 / (k - 1) + (b * s.error) ** 2 / ((n - 1) * (k - 1)))
    noise = k * s.raters + (k * n - k - n) * s.error
    below = f_distribution.ppf(0.5 + _CONFIDENCE / 2, n - 1, freedom)
    above = f_distribution.ppf(0.5 + _CONFIDENCE / 2, freedom, n - 1)
    low = n * (s.subjects - below * s.error) / (below * noise + n * s.subjects)
    high = n * (above * s.subjects - s.error) / (noise + n * above * s.subjects)
    return value, (float(low), float(high))


def _stepped_up(value: float | None, k: int) -> float | None:
    """Reliability of the mean of k ratings (Spearman and Brown); None where it is not defined."""
    if value is None or 1 + (k - 1) * value <= 0:
        return None
    return k * value / (1 + (k - 1) * value)


def _both(interval: tuple[float, float] | None, k: int) -> tuple[float, float] | None:
    low, high = (None, None) if interval is None else (_stepped_up(end, k) for end in interval)
    return None if low is None or high is None else (low, high)
