"""The benchmark of spine ultrasound: the paper's Table 1 and restoration, on held-out simulated subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medenhance.measure.overlap import Overlap
from medenhance.measure.trust import NOTICE
from medenhance.progress import Progress, Silent
from medenhance_training.benchmark.paper_table1 import TABLE_1
from medenhance_training.benchmark.spine_methods import SpineMethod
from medenhance_training.data.spine_bank import Projection
from medenhance_training.evaluation import processor
from medenhance_training.spine_evaluate import CLASSES, ProjectionFigures, evaluate_spine
from medenhance_training.table import Table, number

SCHEMA: Literal[1] = 1
_RESAMPLES = 2000
# Titles of the rows that the paper's claim is about.
OURS, VANILLA = "DA-GAN", "FPN"
_PAPER_MARGIN = 1.5


@dataclass(frozen=True)
class Estimate:
    """A mean over subjects and training seeds with its 95 % interval; None with fewer than three subjects."""

    mean: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class MethodFigures:
    """A method on every projection.

    Attributes:
        title: Its title.
        seeds: One list of figures a training seed, all on the same projections in the same order.
    """

    title: str
    seeds: tuple[tuple[ProjectionFigures, ...], ...]

    def values(self, value: Callable[[ProjectionFigures], float]) -> np.ndarray:
        """(training seeds, subjects)."""
        return np.array([[value(figures) for figures in seed] for seed in self.seeds])

    @property
    def segments(self) -> bool:
        return bool(self.seeds[0][0].overlaps)


@dataclass(frozen=True)
class SpineBenchmark:
    """All that was found on one strength of structured noise.

    Attributes:
        stripes: Its strength; 1 is the public image's.
        num_subjects: Held-out subjects.
        methods: Their figures.
        processor: Name of the CPU.
        notice: What the figures may be used for.
    """

    schema: Literal[1]
    stripes: float
    num_subjects: int
    methods: tuple[MethodFigures, ...]
    processor: str
    notice: str = NOTICE


def run_spine_benchmark(
    methods: Sequence[SpineMethod], held_out: Sequence[Projection], progress: Progress | None = None
) -> SpineBenchmark:
    """Run every method, with every training seed, on every projection."""
    progress = progress or Silent()
    found = [
        MethodFigures(
            method.title,
            tuple(tuple(evaluate_spine(one, held_out, progress, method.title[:20])) for one in method.open()),
        )
        for method in methods
    ]
    subjects = {one.subject for one in held_out}
    return SpineBenchmark(SCHEMA, held_out[0].stripes, len(subjects), tuple(found), processor())


def estimate(values: np.ndarray, seed: int = 0) -> Estimate:
    """Mean of (training seeds, subjects) and its bootstrap interval; both axes are drawn anew, NaN left out."""
    mean = float(np.nanmean(values))
    num_seeds, num_subjects = values.shape
    if num_subjects < 3:
        return Estimate(mean, None)
    rng = np.random.default_rng(seed)
    runs = rng.integers(num_seeds, size=(_RESAMPLES, num_seeds))
    subjects = rng.integers(num_subjects, size=(_RESAMPLES, num_subjects))
    drawn = [np.nanmean(values[np.ix_(a, b)]) for a, b in zip(runs, subjects, strict=True)]
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Estimate(mean, (low, high))


def difference(ours: MethodFigures, theirs: MethodFigures, value: Callable[[ProjectionFigures], float]) -> Estimate:
    """Ours minus theirs, subject by subject, each method's training seeds averaged first unless both have as many."""
    a, b = ours.values(value), theirs.values(value)
    if len(a) != len(b):
        a, b = a.mean(axis=0, keepdims=True), b.mean(axis=0, keepdims=True)
    return estimate(a - b)


def segmentation_table(found: SpineBenchmark) -> Table:
    """Table 1: each method as measured and, below it, as the paper prints it."""
    columns = ["method"] + [f"{kind[:7]} {m}" for kind in (*CLASSES, "average") for m in "DJP"]
    columns += ["D interval", "D on twin"]
    table = Table(f"Segmentation, percent, structured noise x {found.stripes:g}", columns)
    for method in found.methods:
        if not method.segments:
            continue
        values = [
            100 * _class_mean(method, kind, measure)
            for kind in (*CLASSES, "average")
            for measure in ("dice", "jaccard", "accuracy")
        ]
        spread = estimate(method.values(lambda f: f.dice))
        on_twin = number(float(method.values(lambda f: f.clean_dice).mean()), 2)
        table.add(method.title, *(number(v, 2) for v in values), _interval(spread, 2), on_twin)
        if method.title in TABLE_1:
            printed = [number(v, 2) for kind in TABLE_1[method.title] for v in kind]
            table.add("  the paper, real subjects", *printed, "", "")
    titles = {method.title: method for method in found.methods}
    if {OURS, VANILLA} <= titles.keys():
        margin = difference(titles[OURS], titles[VANILLA], lambda f: f.dice)
        table.notes.append(
            f"{OURS} minus {VANILLA}: {margin.mean:+.2f} {_interval(margin, 2)} Dice points (paper: +{_PAPER_MARGIN})"
        )
    table.notes += [
        f"{found.num_subjects} held-out simulated subjects; training seeds: " + _seeds(found),
        "D on twin: average Dice on the projection without structured noise, the most that removing it could give",
        "D Dice, J Jaccard, P pixel accuracy (recall), mean of images; [ ] 95 % bootstrap over subjects and seeds",
        found.notice,
    ]
    return table


def restoration_table(found: SpineBenchmark) -> Table:
    """How near each method comes to the clean twin, and what it costs."""
    table = Table(
        f"Restoration, structured noise x {found.stripes:g}",
        ("method", "PSNR dB", "MS-SSIM", "error in dashes", "change outside", "changed %", "corrupted patches",
         "change of clean", "s"),
    )  # fmt: skip
    for method in found.methods:
        mean = {
            name: float(method.values(lambda f, name=name: getattr(f.restoration, name)).mean())  # type: ignore[misc]
            for name in ("psnr_db", "ms_ssim", "changed_share", "corrupted_before", "corrupted_after", "identity_error")
        }
        table.add(
            method.title,
            number(mean["psnr_db"], 2),
            number(mean["ms_ssim"], 4),
            _with_interval(method, lambda f: f.restoration.dash_error),
            _with_interval(method, lambda f: f.restoration.leakage),
            number(100 * mean["changed_share"], 2),
            f"{mean['corrupted_before']:.1f} -> {mean['corrupted_after']:.1f}",
            number(mean["identity_error"], 2),
            number(float(method.values(lambda f: f.seconds).mean()), 2),
        )
    table.notes += [
        "errors and changes: mean absolute grey levels of 255; corrupted: patches with g >= 4, before -> after",
        found.processor,
        found.notice,
    ]
    return table


def _seeds(found: SpineBenchmark) -> str:
    """How many training seeds the methods have; one number where all have as many."""
    counts = {method.title: len(method.seeds) for method in found.methods if method.segments}
    if len(set(counts.values())) <= 1:
        return f"{max(counts.values(), default=0)} each"
    return ", ".join(f"{title} {count}" for title, count in counts.items())


def _class_mean(method: MethodFigures, kind: str, measure: str) -> float:
    def of(figures: ProjectionFigures) -> float:
        kinds = figures.overlaps if kind == "average" else {k: v for k, v in figures.overlaps.items() if k == kind}
        return float(np.mean([_measure(o, measure) for o in kinds.values()])) if kinds else float("nan")

    return float(np.nanmean(method.values(of)))


def _measure(one: Overlap, name: str) -> float:
    value: float = getattr(one, name)
    return value


def _with_interval(method: MethodFigures, value: Callable[[ProjectionFigures], float]) -> str:
    found = estimate(method.values(value))
    return f"{found.mean:.2f} {_interval(found, 2)}".strip()


def _interval(found: Estimate, digits: int) -> str:
    return "" if found.interval is None else f"[{found.interval[0]:.{digits}f}, {found.interval[1]:.{digits}f}]"
