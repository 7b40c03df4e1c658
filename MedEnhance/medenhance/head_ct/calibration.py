"""How the logit of a whole scan becomes a probability, and from which probability on a scan counts as positive.

Temperature scaling with a bias (Guo et al. 2017, with Platt's second parameter); fitted by
`medenhance_training.calibrating` on scans that no training has seen. Research use only: a threshold is measured on the
scans that it names, and on nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.mask_rule import MaskRule, mask_rule_problems
from medenhance.head_ct.volume_spread import VolumeSpread, volume_spread_problems

# Beyond it exp() would leave the range of float64; sigmoid(700) is 1 to the last digit.
_LARGEST_EXPONENT = 700.0


@dataclass(frozen=True)
class OperatingPoint:
    """From which probability on a scan counts as positive, and what that gave where it was measured.

    Attributes:
        name: Such as "balanced"; unique in a calibration.
        threshold: Calibrated probability, in (0, 1); a scan at the threshold is positive.
        sensitivity: Share of the scans with blood that it finds, in [0, 1].
        specificity: Share of the scans without blood that it leaves alone, in [0, 1].
        measured_on: The scans, such as "120 simulated scans, 25 % with blood".
    """

    name: str
    threshold: float
    sensitivity: float
    specificity: float
    measured_on: str


@dataclass(frozen=True)
class Calibration:
    """Of one model.

    Attributes:
        temperature: Above 0; the logit is divided by it.
        bias: Added to the divided logit.
        operating_points: At least one in a manifest; the first is taken when none is named.
        mask: Which voxels belong to the mask.
        volume: How far the volume of that mask lies from the truth; None where it was not measured.
    """

    temperature: float
    bias: float
    operating_points: tuple[OperatingPoint, ...]
    mask: MaskRule
    volume: VolumeSpread | None = None

    def probability(self, logit: float) -> float:
        """The calibrated probability of a scan with this logit, in [0, 1]."""
        return sigmoid(logit / self.temperature + self.bias)

    def logit(self, probability: float) -> float:
        """The network's logit that has this calibrated probability, in (0, 1)."""
        return (math.log(probability / (1.0 - probability)) - self.bias) * self.temperature

    def operating_point(self, name: str | None = None) -> OperatingPoint:
        """The named operating point; the first one without a name.

        Raises:
            MedEnhanceError: bad-option when there is none of that name, or none at all.
        """
        for point in self.operating_points:
            if name is None or point.name == name:
                return point
        names = ", ".join(point.name for point in self.operating_points) or "none"
        raise MedEnhanceError(
            "bad-option", f"This model has no operating point {name or 'at all'!r}.", f"It has: {names}."
        )


# What a network is run with before anything was fitted: its own probabilities and the paper's threshold of 0.5.
UNCALIBRATED = Calibration(temperature=1.0, bias=0.0, operating_points=(), mask=MaskRule(0.5))


def sigmoid(x: float) -> float:
    """The logistic function, without overflow."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-min(x, _LARGEST_EXPONENT)))
    power = math.exp(max(x, -_LARGEST_EXPONENT))
    return power / (1.0 + power)


def calibration_problems(found: Calibration) -> Iterator[tuple[str, str]]:
    """What is wrong with a calibration, as (path of the key, problem)."""
    if not found.temperature > 0:
        yield "temperature", f"a positive number was expected, not {found.temperature}"
    yield from ((f"mask.{key}", problem) for key, problem in mask_rule_problems(found.mask))
    if found.volume is not None:
        yield from ((f"volume.{key}", problem) for key, problem in volume_spread_problems(found.volume))
    names = [point.name for point in found.operating_points]
    if not names or len(set(names)) < len(names):
        yield "operating_points", f"at least one and no name twice were expected, not {names}"
    for i, point in enumerate(found.operating_points):
        yield from ((f"operating_points[{i}].{key}", problem) for key, problem in _point_problems(point))


def _point_problems(point: OperatingPoint) -> Iterator[tuple[str, str]]:
    for key in ("name", "measured_on"):
        if not getattr(point, key).strip():
            yield key, "a text was expected, not an empty string"
    if not 0 < point.threshold < 1:
        yield "threshold", f"above 0 and below 1 was expected, not {point.threshold}"
    for key in ("sensitivity", "specificity"):
        if not 0 <= getattr(point, key) <= 1:
            yield key, f"0 to 1 was expected, not {getattr(point, key)}"
