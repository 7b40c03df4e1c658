"""Fits a calibration on scans that no training has seen: temperature, bias, operating points, mask rule, volumes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import Calibration, OperatingPoint
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.volume_spread import VolumeSpread
from medenhance_training.head_evaluation import MASK_RULES, ScanFigures
from medenhance_training.operating import Wanted, choose_threshold, counts_at

# Name -> what a threshold has to reach on the scans of the calibration; the first is what a user gets who names none.
# SEN at SPE 0.90 is the quality bar of issue 5; triage tools are cleared at about 0.95 of either (specification, 6.1).
POINTS: dict[str, tuple[Wanted, float]] = {
    "balanced": ("specificity", 0.90),
    "sensitive": ("sensitivity", 0.95),
    "specific": ("specificity", 0.95),
}
# A normal scan may have this much false mask on average (issue 5, "must hold").
MOST_FALSE_UL = 20.0
# This share of the normal scans, those with the most false mask, does not count: one look-alike that a network is sure
# of would otherwise force a rule so strict that bleeds lose their masks.
_LEFT_OUT = 0.02
# An empty mask is never false, and of no use.
_LEAST_OF_BEST = 0.5
# Of the true volumes, relative to their masks, this share lies in the range that a report states: with a few dozen
# scans the tails beyond are guesses.
_VOLUME_SHARE = 0.8
_LEAST_MASK_ML = 1.0
_FEWEST_VOLUMES = 20
# Thresholds nearer to 0 or 1 than this cannot be told from them by a user who reads three digits.
_EDGE = 0.001


def fit_calibration(figures: Sequence[ScanFigures], measured_on: str) -> Calibration:
    """The calibration of a detector from its figures on at least one scan of each kind.

    Args:
        figures: Uncalibrated: only logits and masks are used.
        measured_on: What the scans were, such as "60 simulated scans, 25 % with blood".

    Raises:
        MedEnhanceError: input-unsuitable when one kind of scan is missing, or a higher logit means less blood.
    """
    logits = np.array([one.logit for one in figures])
    labels = np.array([one.has_blood for one in figures])
    temperature, bias = fit_temperature(logits, labels)
    bare = Calibration(temperature, bias, (), choose_mask_rule(figures))
    points = tuple(_point(name, bare, logits, labels, measured_on) for name in POINTS)
    return Calibration(temperature, bias, points, bare.mask, volume_spread(figures, bare.mask, measured_on))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Temperature and bias of the highest likelihood, (N,) logits and labels.

    Labels are softened as Platt (1999) does, without which separable scans would have no finite optimum.

    Raises:
        MedEnhanceError: As in `fit_calibration`.
    """
    positive, negative = int(labels.sum()), int((~labels).sum())
    if not positive or not negative:
        raise MedEnhanceError(
            "input-unsuitable", f"A calibration needs both kinds of scans, not {positive} of {len(labels)}."
        )
    targets = np.where(labels, (positive + 1) / (positive + 2), 1 / (negative + 2))
    scale = max(1e-6, float(np.std(logits)))

    def loss(parameters: np.ndarray) -> float:
        x = parameters[0] * logits / scale + parameters[1]
        # -log likelihood = log(1 + e^x) - target x, without overflow
        return float(np.mean(np.logaddexp(0.0, x) - targets * x))

    slope, bias = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    if slope <= 1e-3:
        message = f"On {len(labels)} scans a higher logit does not mean blood (slope {slope / scale:.2g})."
        raise MedEnhanceError("input-unsuitable", message, "Train longer, or calibrate on more scans.")
    return float(scale / slope), float(bias)


def choose_mask_rule(figures: Sequence[ScanFigures]) -> MaskRule:
    """The rule with the highest mean Dice among those with little false mask in 98 of 100 normal scans.

    A rule with less than half of the best Dice shows too little to be a choice; where none of the others has little
    enough false mask, the one with the least is taken.
    """
    table = [(rule, *_mask_means(figures, k)) for k, rule in enumerate(MASK_RULES)]
    useful = [row for row in table if row[1] >= _LEAST_OF_BEST * max(dice for _, dice, _ in table)]
    accepted = [row for row in useful if row[2] <= MOST_FALSE_UL]
    if accepted:
        return max(accepted, key=lambda row: row[1])[0]
    return min(useful, key=lambda row: row[2])[0]


def volume_spread(figures: Sequence[ScanFigures], rule: MaskRule, measured_on: str) -> VolumeSpread | None:
    """How far the masks by a rule lie from the truth; None where too few scans have both blood and a mask."""
    k = MASK_RULES.index(rule)
    pairs = [(one.volume_ml, one.masks[k].predicted_ul / 1000.0) for one in figures if one.has_blood]
    multiples = [true_ml / mask_ml for true_ml, mask_ml in pairs if mask_ml >= _LEAST_MASK_ML]
    if len(multiples) < _FEWEST_VOLUMES:
        return None
    low, high = np.quantile(multiples, [(1 - _VOLUME_SHARE) / 2, (1 + _VOLUME_SHARE) / 2])
    return VolumeSpread(round(float(low), 3), round(float(high), 3), _VOLUME_SHARE, _LEAST_MASK_ML, measured_on)


def _mask_means(figures: Sequence[ScanFigures], k: int) -> tuple[float, float]:
    """Mean Dice of the scans with blood and mean false volume of the others but the worst, microlitres."""
    dices = [found for one in figures if (found := one.masks[k].dice) is not None]
    false = sorted(one.masks[k].predicted_ul for one in figures if not one.has_blood)
    return float(np.mean(dices)), float(np.mean(false[: len(false) - int(_LEFT_OUT * len(false))]))


def _point(name: str, bare: Calibration, logits: np.ndarray, labels: np.ndarray, measured_on: str) -> OperatingPoint:
    wanted, least = POINTS[name]
    chosen = bare.probability(choose_threshold(logits, labels, wanted, least))
    threshold = round(min(max(chosen, _EDGE), 1.0 - _EDGE), 3)
    counts = counts_at([bare.probability(float(one)) for one in logits], labels, threshold)
    return OperatingPoint(name, threshold, counts.sensitivity, counts.specificity, measured_on)
