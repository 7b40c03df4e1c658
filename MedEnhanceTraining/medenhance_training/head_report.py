"""What an evaluation of a haemorrhage detector found, as a file, and what a model card states of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import Calibration
from medenhance.measure.trust import NOTICE
from medenhance.progress import Progress
from medenhance_training.benchmark.head_ct import HeadBenchmark, RunFigures, SetFigures, false_ul, run_head_benchmark
from medenhance_training.benchmark.head_methods import HeadRuns
from medenhance_training.benchmark.head_subgroups import (
    LEAST_ML,
    subgroup_table,
    volume_table,
    within_stated,
    within_tolerance,
)
from medenhance_training.benchmark.head_tables import quality_table, scan_table, slice_table
from medenhance_training.benchmark.reliability import reliability, reliability_table
from medenhance_training.checkpoint import load_published
from medenhance_training.data.head_held_out import SETS, HeldOutHeads, SetName
from medenhance_training.evaluation import processor
from medenhance_training.methods import weights_digest
from medenhance_training.operating import Counts
from medenhance_training.table import Table

SCHEMA: Literal[1] = 1
_RATIOS: dict[str, Callable[[Counts], float]] = {
    "sensitivity": lambda counts: counts.sensitivity,
    "specificity": lambda counts: counts.specificity,
    "F1": lambda counts: counts.f1,
}


@dataclass(frozen=True)
class HeadEvaluation:
    """The figures of one network, and the calibration that was fitted before they were measured.

    Attributes:
        task: Tells this file from other evaluations.
        title: What was evaluated.
        weights_digest: SHA-256 of the weights' values, by which an export knows that the figures are of its weights.
        device, precision, threads, processor: What it ran on.
        calibration: Fitted on scans of none of the sets.
        found: The figures, of one method with one run.
        notice: What the figures may be used for.
    """

    schema: Literal[1]
    task: Literal["detect-hemorrhage"]
    title: str
    weights_digest: str
    device: str
    precision: str
    threads: int
    processor: str
    calibration: Calibration
    found: HeadBenchmark
    notice: str = NOTICE


def evaluate_head_run(
    run: Path,
    heads: HeldOutHeads,
    device: str,
    precision: str,
    progress: Progress | None = None,
    names: tuple[SetName, ...] = SETS,
) -> HeadEvaluation:
    """Calibrate the averaged network of a run (folder or checkpoint), and measure it.

    Raises:
        MedEnhanceError: No scans to calibrate on, or the network cannot be calibrated.
    """
    if heads.calibration < 2:
        raise MedEnhanceError("bad-option", "A model needs a calibration.", "Use --head.calibration 60 or more.")
    title = f"run {run.parents[1].name if run.is_file() else run.name}"
    found = run_head_benchmark([HeadRuns(title, (run,), device, precision)], heads, progress, names)
    calibration = found.sets[0].ours.runs[0].calibration
    if not calibration.operating_points:
        raise MedEnhanceError("input-unsuitable", f"{title} cannot be calibrated, so no model can be made of it.")
    return HeadEvaluation(
        schema=SCHEMA,
        task="detect-hemorrhage",
        title=title,
        weights_digest=weights_digest(load_published(run)[1].state_dict()),
        device=device,
        precision=precision,
        threads=torch.get_num_threads(),
        processor=processor(),
        calibration=calibration,
        found=found,
    )


def head_tables(evaluation: HeadEvaluation) -> list[Table]:
    """Scans, slices and subgroups of every set, volumes, calibration, and what was asked for."""
    found = evaluation.found
    tables = []
    for one in found.sets:
        tables += [scan_table(found, one), slice_table(found, one), subgroup_table(one)]
    return [*tables, volume_table(found.sets), reliability_table(found), quality_table(found)]


def head_metrics(evaluation: HeadEvaluation) -> dict[str, float]:
    """Figures of a manifest entry; each name says the set, the measure and its unit."""
    metrics: dict[str, float] = {}
    for one in evaluation.found.sets:
        where = "simulated scans" if one.name == "like training" else f"simulated scans, shifted {one.name}"
        metrics |= {f"{where}: {name}": round(value, 4) for name, value in _figures(one).items() if np.isfinite(value)}
    return metrics


def head_limits(evaluation: HeadEvaluation) -> tuple[str, ...]:
    """What should be known before the figures are believed."""
    found = evaluation.found
    first = found.sets[0].ours
    scans, positive = len(first.labels), int(first.labels.sum())
    shifted = sum(len(one.ours.labels) for one in found.sets[1:])
    return (
        NOTICE,
        "Notifies only: a scan that is not marked may still hold blood, and is to be read as any other.",
        f"Calibrated and measured on simulated scans: {scans} like the training ({positive} with blood) and "
        f"{shifted} shifted ones; nothing is known of its sensitivity on patients.",
        "The probability of a scan is calibrated for a prevalence of "
        f"{100 * found.prevalence:.0f} % on simulated scans; on others it is a score, and the operating points shift.",
        "Bleeds that are as dense as the brain around them are in none of these scans; nothing is known of such.",
        "Contrast studies, children, slices over 8 mm and operated heads were not tried.",
    )


def _figures(one: SetFigures) -> dict[str, float]:
    ours = one.ours
    run = ours.runs[0]
    scans = [(s.volume_ml, s.mask.predicted_ul / 1000.0) for s in run.scans if s.volume_ml > LEAST_ML]
    lesions = [(x.true_ml, x.predicted_ml) for s in run.scans for x in s.lesions if x.true_ml > LEAST_ML]
    return {
        "AUC": ours.area().value,
        **{f"{name} at '{_point(run.calibration)}'": ours.counted(ratio) for name, ratio in _RATIOS.items()},
        "Dice of scans with blood": ours.mean(lambda s: s.mask.dice).value,
        "false-positive volume of a scan without blood, uL": ours.mean(false_ul).value,
        "expected calibration error": reliability(run.probabilities, ours.labels).expected_error,
        f"volumes of scans over {LEAST_ML:g} mL within 10 % or 0.5 mL, share": _share_within(scans),
        f"volumes of lesions over {LEAST_ML:g} mL within 10 % or 0.5 mL, share": _share_within(lesions),
        "true volumes in the range that the report states, share": _share_stated(run),
    }


def _share_within(pairs: list[tuple[float, float]]) -> float:
    """Of (true, predicted) volumes in mL."""
    return float(within_tolerance(*np.array(pairs).T).mean()) if pairs else float("nan")


def _share_stated(run: RunFigures) -> float:
    if run.calibration.volume is None:
        return float("nan")
    inside = within_stated(run)
    return float(inside.mean()) if len(inside) else float("nan")


def _point(calibration: Calibration) -> str:
    return calibration.operating_point().name
