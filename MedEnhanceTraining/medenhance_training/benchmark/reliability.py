"""Whether probabilities are what they say: of the scans with a probability of 0.7, seven of ten should have blood."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medenhance.files import replacing
from medenhance.head_ct.calibration import sigmoid
from medenhance.measure.trust import NOTICE
from medenhance_training.benchmark.head_ct import HeadBenchmark, MethodFigures
from medenhance_training.roc import wilson
from medenhance_training.table import Table, number

NUM_BINS = 10
_CLOSEST = 1e-7  # a probability of 0 or 1 that is wrong would make the logarithm infinite
_DPI = 120


@dataclass(frozen=True)
class Bin:
    """Scans of similar probability.

    Attributes:
        mean: Their mean probability.
        share: How many of them have blood, as a share.
        interval: 95 % of the share, after Wilson.
        count: How many scans there are.
    """

    mean: float
    share: float
    interval: tuple[float, float]
    count: int


@dataclass(frozen=True)
class Reliability:
    """Of one set of probabilities.

    Attributes:
        bins: Those of ten equal ones that hold any scan.
        expected_error: Mean difference of probability and share, weighted by the scans (ECE).
        brier: Mean squared difference of probability and truth.
        log_loss: Mean negative logarithm of the probability of what was true.
    """

    bins: tuple[Bin, ...]
    expected_error: float
    brier: float
    log_loss: float


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> Reliability:
    """Compare probabilities with what happened, both (N,)."""
    labels = np.asarray(labels, bool)
    places = np.minimum((probabilities * NUM_BINS).astype(int), NUM_BINS - 1)
    bins = []
    for k in np.unique(places):
        own = places == k
        hits, count = int(labels[own].sum()), int(own.sum())
        bins.append(Bin(float(probabilities[own].mean()), hits / count, wilson(hits, count), count))
    error = sum(one.count * abs(one.mean - one.share) for one in bins) / len(labels)
    kept = np.clip(probabilities, _CLOSEST, 1.0 - _CLOSEST)
    return Reliability(
        tuple(bins),
        float(error),
        float(np.mean((probabilities - labels) ** 2)),
        float(-np.mean(np.where(labels, np.log(kept), np.log(1.0 - kept)))),
    )


def reliability_table(found: HeadBenchmark) -> Table:
    """Before and after calibration, set by set, of our method's first training seed."""
    table = Table("Calibration", ("set", "ECE", "Brier", "log loss", "ECE before", "Brier before", "log loss before"))
    for one in found.sets:
        after, before = (reliability(p, one.ours.labels) for p in _probabilities(one.ours))
        figures = [(r.expected_error, r.brier, r.log_loss) for r in (after, before)]
        table.add(one.name, *(number(value, 3) for row in figures for value in row))
    title = found.sets[0].ours.title
    table.notes.append(f"{title}, first training seed; before: the bare logit, without temperature and bias")
    return table


def draw_reliability(found: HeadBenchmark, path: Path) -> None:
    """Write the diagram of our method as PNG, one panel a set."""
    # Imported here, as everywhere: matplotlib takes long to load.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(found.sets), 4.0), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for n, one in enumerate(found.sets):
        axes = figure.add_subplot(1, len(found.sets), n + 1)
        after, before = (reliability(p, one.ours.labels) for p in _probabilities(one.ours))
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        _draw(axes, before, "0.55", f"bare, ECE {before.expected_error:.3f}")
        _draw(axes, after, "tab:blue", f"calibrated, ECE {after.expected_error:.3f}")
        axes.set(title=one.name, xlabel="probability", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.legend(loc="upper left", fontsize=7)
    figure.axes[0].set_ylabel("share of scans with blood")
    figure.suptitle(f"{found.sets[0].ours.title} on simulated scans", fontsize=9)
    figure.supxlabel(NOTICE, fontsize=7)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw(axes: object, found: Reliability, colour: str, label: str) -> None:
    """Points with the intervals of their shares."""
    x, y = [one.mean for one in found.bins], [one.share for one in found.bins]
    below = [one.share - one.interval[0] for one in found.bins]
    above = [one.interval[1] - one.share for one in found.bins]
    axes.errorbar(  # type: ignore[attr-defined]
        x, y, yerr=np.clip([below, above], 0.0, None), color=colour, marker="o", markersize=4, linewidth=1, capsize=2,
        label=label,
    )  # fmt: skip


def _probabilities(method: MethodFigures) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated and bare, (N,) each."""
    run = method.runs[0]
    return run.probabilities, np.array([sigmoid(float(logit)) for logit in run.logits])
