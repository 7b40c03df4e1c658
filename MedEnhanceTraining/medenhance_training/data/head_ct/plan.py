"""Which bleeds a scan has: subtype, volume, density and age of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medenhance_training.data.head_ct.case import SUBTYPES
from medenhance_training.data.head_ct.config import HeadConfig


@dataclass(frozen=True)
class Observed:
    """Statistics of one subtype in the tables shipped with InSilicoICH (specification, section 7.1).

    Attributes:
        mean_hu: Weighted mean of the lesions' means.
        low_hu, high_hu: Their 5th and 95th percentile.
        median_ml: Median volume.
        low_ml, high_ml: Its 5th and 95th percentile.
        share: How often it is the first bleed of a scan; ours, near RSNA's order (epidural rarest).
    """

    mean_hu: float
    low_hu: float
    high_hu: float
    median_ml: float
    low_ml: float
    high_ml: float
    share: float


OBSERVED = {
    "epidural": Observed(56.0, 37.0, 73.0, 13.6, 2.0, 40.0, 0.14),
    "intraparenchymal": Observed(47.5, 33.0, 61.0, 8.9, 0.4, 59.0, 0.28),
    "intraventricular": Observed(39.9, 26.0, 56.0, 2.6, 0.2, 19.0, 0.12),
    "subarachnoid": Observed(43.9, 31.0, 58.0, 1.0, 0.3, 4.7, 0.2),
    "subdural": Observed(50.3, 27.0, 69.0, 6.3, 0.6, 56.0, 0.26),
}
# Grey matter of a scan in which a bleed has its observed density (specification, section 7.1).
OBSERVED_GREY_HU = 37.0
# 5th to 95th percentile of a normal distribution, in standard deviations, and half of it.
_SPAN_SD, _HALF_SD = 3.29, 1.645
# What else bleeds with a first bleed (subtype: (second, probability)); ours.
_COMPANIONS = {
    "intraparenchymal": (("intraventricular", 0.3), ("subarachnoid", 0.15)),
    "subdural": (("subarachnoid", 0.25), ("intraparenchymal", 0.1)),
    "epidural": (("subarachnoid", 0.15), ("subdural", 0.1)),
    "subarachnoid": (("intraventricular", 0.2), ("subdural", 0.15)),
    "intraventricular": (("intraparenchymal", 0.25),),
}


@dataclass(frozen=True)
class Plan:
    """A bleed to be made.

    Attributes:
        subtype: One of `SUBTYPES`.
        volume_ml: To reach within 10 %, where the anatomy has room.
        mean_hu: Mean that its labelled voxels should have.
        stage: "acute", "subacute", "chronic" or "mixed".
        seed: Of its shape.
    """

    subtype: str
    volume_ml: float
    mean_hu: float
    stage: str
    seed: int


def draw_plans(config: HeadConfig, rng: np.random.Generator) -> tuple[Plan, ...]:
    """None in a negative scan, else a first bleed with its companions."""
    if rng.random() >= config.prevalence:
        return ()
    shares = np.array([OBSERVED[name].share for name in config.subtypes])
    first = str(rng.choice(config.subtypes, p=shares / shares.sum()))
    names = [first] + [name for name, chance in _COMPANIONS[first] if rng.random() < chance and name in config.subtypes]
    # Contusions and old bleeds on both sides come in numbers.
    again = {"intraparenchymal": 0.15, "subdural": 0.12}.get(first, 0.0)
    if rng.random() < again:
        names.append(first)
    return tuple(draw_plan(name, config, rng) for name in names)


def draw_plan(subtype: str, config: HeadConfig, rng: np.random.Generator) -> Plan:
    """A bleed of a subtype, from the observed distributions of volume and density."""
    assert subtype in SUBTYPES
    observed = OBSERVED[subtype]
    volume = _volume(observed, rng)
    sd = (observed.high_hu - observed.low_hu) / _SPAN_SD
    mean = float(np.clip(rng.normal(observed.mean_hu, sd), observed.low_hu - sd, observed.high_hu + sd))
    stage = "acute" if mean > 38 else "subacute"
    if subtype == "subdural" and rng.random() < config.chronic_share:
        # Old ones have had weeks to grow before anyone looks.
        mean, stage, volume = (
            rng.uniform(12.0, 27.0),
            "chronic",
            float(np.exp(rng.uniform(np.log(12.0), np.log(140.0)))),
        )
    elif subtype in ("subdural", "intraparenchymal") and rng.random() < 0.12:
        stage = "mixed"
    return Plan(subtype, volume, mean + config.bleed_hu, stage, int(rng.integers(2**31)))


def beside_grey(plans: tuple[Plan, ...], grey_hu: float) -> tuple[Plan, ...]:
    """The plans for a scan with this grey matter: what shifts brain, tube voltage and calibration, shifts blood too."""
    return tuple(replace(plan, mean_hu=plan.mean_hu + grey_hu - OBSERVED_GREY_HU) for plan in plans)


def told_apart(plan: Plan, around_hu: float, least_hu: float) -> Plan:
    """The plan with a density at least so far from that of the brain around it: above it, or below where it is old.

    Args:
        plan: What was drawn.
        around_hu: Of the brain around it; NaN where there is none, and then nothing changes.
        least_hu: How far at least, HU.
    """
    if not abs(plan.mean_hu - around_hu) < least_hu:
        return plan
    # Up to twice the least: what was drawn too faint to be seen stays faint.
    further = least_hu * (1.0 + np.random.default_rng([plan.seed, 1]).random())
    return replace(plan, mean_hu=around_hu + (-further if plan.stage == "chronic" else further))


def _volume(observed: Observed, rng: np.random.Generator) -> float:
    """Log-normal on either side of the median, so that the 5th, 50th and 95th percentiles are the observed ones."""
    z = float(np.clip(rng.normal(), -2.1, 2.1))
    edge = observed.low_ml if z < 0 else observed.high_ml
    return observed.median_ml * float((edge / observed.median_ml) ** (abs(z) / _HALF_SD))
