"""Figures of many slices as a few numbers: means with their spread, pooled biases, paired differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medenhance.measure.tissue import SOFT
from medenhance_training.evaluate import SliceFigures, pooled_structure

_RESAMPLES = 2000


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over slices (0 for a single one)."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Summary:
    """Some slices of one method.

    Attributes:
        subset: What they have in common.
        num_slices: How many.
        psnr_db, ssim, rmse_hu: In the main window.
        psnr_wide_db: In the wide window.
        soft_shift_hu: Mean of soft tissue, output minus input, pooled over pixels; None where no slice shows any.
        soft_shift_from_normal_hu: Output minus normal dose.
        worst_shift_hu: The largest mean change of a tissue in a slice, output minus input, with its sign.
        noise_sd_before_hu, noise_sd_after_hu: Mean noise of soft tissue.
        residual_structure: Index over all the slices, in [0, 1]; None with too few structures.
        removed_anatomy_hu: How strong the removed anatomy is.
        seconds: Time for a slice.
    """

    subset: str
    num_slices: int
    psnr_db: Spread
    ssim: Spread
    rmse_hu: Spread
    psnr_wide_db: Spread
    soft_shift_hu: float | None
    soft_shift_from_normal_hu: float | None
    worst_shift_hu: float | None
    noise_sd_before_hu: float | None
    noise_sd_after_hu: float | None
    residual_structure: float | None
    removed_anatomy_hu: float | None
    seconds: Spread


@dataclass(frozen=True)
class Difference:
    """A mean paired difference with its 95 % interval; no interval for fewer than three places."""

    mean: float
    interval: tuple[float, float] | None
    num_places: int


def summarise(subset: str, figures: Sequence[SliceFigures]) -> Summary:
    """Join the figures of at least one slice."""
    structure = pooled_structure(figures)
    shifts = [shift.from_input_hu for f in figures for shift in f.shifts]
    return Summary(
        subset=subset,
        num_slices=len(figures),
        psnr_db=_spread([f.main.psnr_db for f in figures]),
        ssim=_spread([f.main.ssim for f in figures]),
        rmse_hu=_spread([f.main.rmse_hu for f in figures]),
        psnr_wide_db=_spread([f.quality[-1].psnr_db for f in figures]),
        soft_shift_hu=pooled_shift(figures, SOFT.name, from_normal=False),
        soft_shift_from_normal_hu=pooled_shift(figures, SOFT.name, from_normal=True),
        worst_shift_hu=max(shifts, key=abs, default=None),
        noise_sd_before_hu=_mean_of_known([f.noise_sd_before_hu for f in figures]),
        noise_sd_after_hu=_mean_of_known([f.noise_sd_after_hu for f in figures]),
        residual_structure=structure.index if structure else None,
        removed_anatomy_hu=structure.amplitude_hu if structure else None,
        seconds=_spread([f.seconds for f in figures]),
    )


def by_subset(figures: Sequence[SliceFigures]) -> dict[str, list[SliceFigures]]:
    """The figures of each subset, in the order of their first appearance."""
    subsets: dict[str, list[SliceFigures]] = {}
    for f in figures:
        subsets.setdefault(f.subset, []).append(f)
    return subsets


def pooled_shift(figures: Sequence[SliceFigures], tissue: str, *, from_normal: bool) -> float | None:
    """Mean change of a tissue over all its pixels in all slices."""
    shifts = [s for f in figures for s in f.shifts if s.tissue == tissue]
    if not shifts:
        return None
    values = [s.from_normal_hu if from_normal else s.from_input_hu for s in shifts]
    return float(np.average(values, weights=[s.pixels for s in shifts]))


def paired_difference(
    ours: Sequence[SliceFigures],
    theirs: Sequence[SliceFigures],
    value: Callable[[SliceFigures], float],
    seed: int = 0,
) -> Difference:
    """Mean of ours minus theirs, with a percentile bootstrap over places.

    Slices of one place share their anatomy, so that whole places are drawn, not slices (cluster bootstrap).

    Args:
        ours: Figures of one method.
        theirs: Figures of another on the same slices in the same order.
        value: What to compare.
        seed: Of the draws.
    """
    places: dict[tuple[str, int], list[float]] = {}
    for a, b in zip(ours, theirs, strict=True):
        if (a.subset, a.place) != (b.subset, b.place):
            raise ValueError(f"methods are compared on the same slices, not on {a.place} and {b.place}")
        places.setdefault(a.place, []).append(value(a) - value(b))
    sums, counts = (np.array([f(v) for v in places.values()], dtype=np.float64) for f in (np.sum, np.size))
    mean = float(sums.sum() / counts.sum())
    if len(places) < 3:
        return Difference(mean, None, len(places))
    drawn = np.random.default_rng(seed).integers(len(places), size=(_RESAMPLES, len(places)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975]).tolist()
    return Difference(mean, (low, high), len(places))


def _spread(values: list[float]) -> Spread:
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)


def _mean_of_known(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
