"""The benchmark of haemorrhage on head CT: the paper's Tables 5 to 7 on held-out simulated scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import Calibration
from medenhance.measure.trust import NOTICE
from medenhance.progress import Progress, Silent
from medenhance_training.benchmark.head_methods import Calibrated, HeadMethod
from medenhance_training.calibrating import fit_calibration
from medenhance_training.data.head_held_out import SETS, HeldOutHeads, SetName
from medenhance_training.evaluation import processor
from medenhance_training.head_evaluation import HeadDetector, ScanFigures, evaluate_heads
from medenhance_training.operating import Counts, counts_at
from medenhance_training.resampling import Interval, bootstrap
from medenhance_training.roc import Auc, auc, auc_of

SCHEMA: Literal[1] = 1
OURS = "SMART-Net"
"""Title of the method that all others are compared with; the first one where none has it."""


@dataclass(frozen=True)
class RunFigures:
    """One training seed of a method on one set.

    Attributes:
        calibration: That it was measured with.
        scans: One entry a scan, in the order of the set.
    """

    calibration: Calibration
    scans: tuple[ScanFigures, ...]

    @property
    def logits(self) -> np.ndarray:
        return np.array([one.logit for one in self.scans])

    @property
    def probabilities(self) -> np.ndarray:
        return np.array([self.calibration.probability(one.logit) for one in self.scans])

    def counts(self) -> Counts:
        """At the first operating point; at 0.5 where there is none, as the paper does."""
        return counts_at(self.probabilities, [one.has_blood for one in self.scans], self.threshold)

    @property
    def threshold(self) -> float:
        points = self.calibration.operating_points
        return points[0].threshold if points else 0.5


@dataclass(frozen=True)
class MethodFigures:
    """A method on one set.

    Attributes:
        title: Its title.
        runs: One a training seed, all on the same scans.
    """

    title: str
    runs: tuple[RunFigures, ...]

    @property
    def labels(self) -> np.ndarray:
        """(N,) bool: scans with blood."""
        return np.array([one.has_blood for one in self.runs[0].scans])

    def values(self, value: Callable[[ScanFigures], float | None]) -> np.ndarray:
        """(runs, scans); NaN where a figure says nothing."""
        rows = [[value(one) for one in run.scans] for run in self.runs]
        return np.array([[np.nan if v is None else v for v in row] for row in rows])

    def areas(self) -> list[Auc]:
        """The area of each run, after DeLong."""
        return [auc(run.logits, self.labels) for run in self.runs]

    def area(self) -> Interval:
        """Mean area of the runs; DeLong's interval of one run, a bootstrap over runs and scans of several."""
        if len(self.runs) == 1:
            (only,) = self.areas()
            return Interval(only.value, only.interval)
        logits = np.stack([run.logits for run in self.runs])
        return bootstrap(mean_area(logits, self.labels), len(self.runs), self.labels)

    def mean(self, value: Callable[[ScanFigures], float | None]) -> Interval:
        """Mean over the scans for which the figure says something, with a bootstrap over runs and scans."""
        return bootstrap_mean(self.values(value), self.labels)

    def counted(self, ratio: Callable[[Counts], float]) -> float:
        """Mean over the runs of a ratio at the operating point; NaN where it is never defined."""
        values = [ratio(run.counts()) for run in self.runs]
        known = [value for value in values if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")


@dataclass(frozen=True)
class SetFigures:
    """All methods on one set of scans."""

    name: SetName
    methods: tuple[MethodFigures, ...]

    @property
    def ours(self) -> MethodFigures:
        return next((one for one in self.methods if one.title == OURS), self.methods[0])


@dataclass(frozen=True)
class HeadBenchmark:
    """All that was found.

    Attributes:
        task: Tells this file from that of other benchmarks.
        prevalence: That the sets were drawn with.
        num_calibration: Scans that runs without a calibration of their own were calibrated on.
        sets: Figures of each set.
        processor: Name of the CPU.
        notice: What the figures may be used for.
    """

    schema: Literal[1]
    task: Literal["detect-hemorrhage"]
    prevalence: float
    num_calibration: int
    sets: tuple[SetFigures, ...]
    processor: str
    notice: str = NOTICE


def run_head_benchmark(
    methods: Sequence[HeadMethod],
    heads: HeldOutHeads,
    progress: Progress | None = None,
    names: Sequence[SetName] = SETS,
) -> HeadBenchmark:
    """Open every method with every training seed, calibrate what is not, and run all on the named sets."""
    progress = progress or Silent()
    opened = [(method.title, method.open()) for method in methods]
    detectors = [one for _, found in opened for one in found]
    detectors = calibrated(detectors, heads, progress)
    found = []
    for name in names:
        figures = iter(evaluate_heads(detectors, heads.test(name), heads.count(name), progress, name))
        runs = iter(detectors)
        found.append(
            SetFigures(
                name,
                tuple(
                    MethodFigures(title, tuple(RunFigures(next(runs).calibration, tuple(next(figures))) for _ in each))
                    for title, each in opened
                ),
            )
        )
    return HeadBenchmark(SCHEMA, "detect-hemorrhage", heads.prevalence, heads.calibration, tuple(found), processor())


def calibrated(
    detectors: Sequence[HeadDetector], heads: HeldOutHeads, progress: Progress | None = None
) -> list[HeadDetector]:
    """Detectors with a calibration: their own, or one fitted on scans that are in no set.

    One whose logit says nothing cannot be calibrated: it stays as it is, and is measured at 0.5 as in the paper.
    """
    progress = progress or Silent()
    bare = [one for one in detectors if not one.calibration.operating_points]
    if not bare or not heads.calibration:
        return list(detectors)
    figures = evaluate_heads(bare, heads.for_calibration(), heads.calibration, progress, "calibrate")
    fitted = iter([_fitted(one, own, heads, progress) for one, own in zip(bare, figures, strict=True)])
    return [one if one.calibration.operating_points else next(fitted) for one in detectors]


def _fitted(
    detector: HeadDetector, figures: Sequence[ScanFigures], heads: HeldOutHeads, progress: Progress
) -> HeadDetector:
    try:
        return Calibrated(detector, fit_calibration(figures, calibration_words(heads)))
    except MedEnhanceError as error:
        progress.warn(f"{error.message} It is measured at a probability of 0.5.")
        return detector


def calibration_words(heads: HeldOutHeads) -> str:
    """What the scans of a calibration are."""
    return f"{heads.calibration} simulated scans, drawn with a prevalence of {100 * heads.prevalence:.0f} %"


def false_ul(one: ScanFigures) -> float | None:
    """Volume of the mask in a scan without blood (papers/004 B, eq. 1), microlitres."""
    return None if one.has_blood else one.mask.predicted_ul


def mean_area(logits: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray, np.ndarray], float]:
    """For a bootstrap: mean area of drawn runs on drawn scans, from (runs, scans) logits."""

    def area(runs: np.ndarray, scans: np.ndarray) -> float:
        return float(np.mean([auc_of(logits[run, scans], labels[scans]) for run in runs]))

    return area


def bootstrap_mean(values: np.ndarray, labels: np.ndarray) -> Interval:
    """Mean of (runs, scans) without NaN, and its interval with the prevalence of `labels` kept."""
    if not np.isfinite(values).any():
        return Interval(float("nan"), None)

    def mean(runs: np.ndarray, scans: np.ndarray) -> float:
        drawn = values[np.ix_(runs, scans)]
        known = np.isfinite(drawn)
        return float(drawn[known].mean()) if known.any() else float("nan")

    return bootstrap(mean, len(values), labels)
