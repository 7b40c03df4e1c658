"""What an evaluation on spine projections found, as a file and as tables; the counterpart of `evaluation` for CT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from medenhance.measure.trust import NOTICE
from medenhance.progress import Progress
from medenhance_training.benchmark.spine_methods import InputMethod, RunsMethod
from medenhance_training.benchmark.spine_ultrasound import (
    MethodFigures,
    SpineBenchmark,
    restoration_table,
    segmentation_table,
)
from medenhance_training.checkpoint import load_published
from medenhance_training.data.spine_bank import Projection, Subjects, projections
from medenhance_training.data.spine_source import TEST_SUBJECTS
from medenhance_training.evaluation import processor
from medenhance_training.methods import open_run, weights_digest
from medenhance_training.spine_evaluate import CLASSES, NetworkRestorer, ProjectionFigures, evaluate_spine
from medenhance_training.table import Table

SCHEMA: Literal[1] = 1


@dataclass(frozen=True)
class HeldOutSubjects:
    """Simulated subjects that no training has seen.

    Attributes:
        subjects: How many; each is a seed of the simulator.
        stripes: Strength of the structured noise; 1 is the public image's.
        depth: Which of the five projections of a subject, 0 to 4.
        cache: Folder that keeps them.
    """

    subjects: int = 12
    stripes: float = 1.0
    depth: int = 4
    cache: Path | None = None

    def projections(self, progress: Progress | None = None) -> list[Projection]:
        """Simulate them, or read them back."""
        subjects = Subjects(TEST_SUBJECTS, self.subjects, (self.stripes, self.stripes), (self.depth,))
        return list(projections(subjects, self.cache, progress))


@dataclass(frozen=True)
class SpineEvaluation:
    """The figures of one network.

    Attributes:
        task: Tells this file from an evaluation on CT.
        title: What was evaluated.
        weights_digest: SHA-256 of the weights' values, by which an export knows that the figures are of its weights.
        device, precision, threads, processor: What it ran on.
        stripes: Strength of the structured noise.
        figures: What the network made of each projection.
        unchanged: The figures of the input on the same projections.
        notice: What the figures may be used for.
    """

    schema: Literal[1]
    task: Literal["enhance-spine"]
    title: str
    weights_digest: str
    device: str
    precision: str
    threads: int
    processor: str
    stripes: float
    figures: tuple[ProjectionFigures, ...]
    unchanged: tuple[ProjectionFigures, ...]
    notice: str = NOTICE


def evaluate_spine_run(
    run: Path, held_out: Sequence[Projection], device: str, precision: str, progress: Progress | None = None
) -> SpineEvaluation:
    """Measure the averaged network of a run (folder or checkpoint)."""
    predictor = open_run(run, device, precision)
    (unchanged,) = InputMethod().open()
    return SpineEvaluation(
        schema=SCHEMA,
        task="enhance-spine",
        title=RunsMethod(f"run {run.parents[1].name if run.is_file() else run.name}", (run,)).title,
        weights_digest=weights_digest(load_published(run)[1].state_dict()),
        device=str(predictor.device),
        precision=predictor.precision,
        threads=torch.get_num_threads(),
        processor=processor(),
        stripes=held_out[0].stripes,
        figures=tuple(evaluate_spine(NetworkRestorer(predictor), held_out, progress)),
        unchanged=tuple(evaluate_spine(unchanged, held_out, progress, "input")),
    )


def spine_tables(evaluation: SpineEvaluation) -> list[Table]:
    """Segmentation and restoration, with the input beside the network."""
    methods = (
        MethodFigures("input", (evaluation.unchanged,)),
        MethodFigures(evaluation.title, (evaluation.figures,)),
    )
    found = SpineBenchmark(
        1, evaluation.stripes, len({f.subject for f in evaluation.figures}), methods, evaluation.processor
    )
    return [segmentation_table(found), restoration_table(found)]


def spine_metrics(evaluation: SpineEvaluation) -> dict[str, float]:
    """Figures of a manifest entry; each name says the measure, its unit and on what."""
    where = f"simulated subjects, structured noise x {evaluation.stripes:g}"
    figures, before = evaluation.figures, evaluation.unchanged
    values = {
        "PSNR of the input, dB": _mean([f.restoration.psnr_db for f in before]),
        "PSNR, dB": _mean([f.restoration.psnr_db for f in figures]),
        "MS-SSIM of the input": _mean([f.restoration.ms_ssim for f in before]),
        "MS-SSIM": _mean([f.restoration.ms_ssim for f in figures]),
        "error in dashes of the input, grey levels": _mean([f.restoration.dash_error for f in before]),
        "error in dashes, grey levels": _mean([f.restoration.dash_error for f in figures]),
        "change outside of dashes, grey levels": _mean([f.restoration.leakage for f in figures]),
        "change of clean projections, grey levels": _mean([f.restoration.identity_error for f in figures]),
        "Dice, mean of the classes, %": _mean([f.dice for f in figures]),
    }
    for kind in CLASSES:
        found = [100 * f.overlaps[kind].dice for f in figures if kind in f.overlaps]
        values |= {f"Dice of {kind}, %": _mean(found)} if found else {}
    return {f"{where}: {name}": round(value, 4) for name, value in values.items() if np.isfinite(value)}


def spine_limits(evaluation: SpineEvaluation) -> tuple[str, ...]:
    """What should be known before the figures are believed."""
    return (
        NOTICE,
        f"Trained and measured on simulated projections alone ({len(evaluation.figures)} held-out subjects): nothing "
        "is known of how it does on patients.",
        "Learned pixels of 0.2 mm; at another scale dashes are not one row high, and bones have other sizes.",
        "It may invent or remove structure. Measure on the original too, and look at the overlay of changed pixels.",
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
