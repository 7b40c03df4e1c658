"""What an evaluation found, as a file and as a table."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from medenhance.errors import MedEnhanceError
from medenhance.files import write_json
from medenhance.measure.trust import NOTICE
from medenhance.progress import Progress
from medenhance.strict_json import SchemaError, from_json, to_json
from medenhance_training.evaluate import MAIN_WINDOW_HU, Pair, SliceFigures, Unchanged, evaluate
from medenhance_training.methods import NetworkMethod, peak_memory_mb, weights_digest
from medenhance_training.summary import Summary, by_subset, summarise
from medenhance_training.table import Table, number

SCHEMA: Literal[1] = 1


@dataclass(frozen=True)
class Evaluation:
    """The figures of one network.

    Attributes:
        title: What was evaluated.
        weights_digest: SHA-256 of the weights' values, by which an export knows that the figures are of its weights.
        device, precision, threads, processor: What it ran on.
        peak_memory_mb: Of one slice, MiB.
        slices: What the network made of each slice.
        unchanged: The figures of the input on the same slices.
        notice: What the figures may be used for.
    """

    schema: Literal[1]
    title: str
    weights_digest: str
    device: str
    precision: str
    threads: int
    processor: str
    peak_memory_mb: float
    slices: tuple[SliceFigures, ...]
    unchanged: tuple[SliceFigures, ...]
    notice: str = NOTICE

    def summaries(self) -> list[Summary]:
        """One a subset."""
        return [summarise(subset, figures) for subset, figures in by_subset(self.slices).items()]

    def input_summaries(self) -> list[Summary]:
        """Of the input, in the same order."""
        return [summarise(subset, figures) for subset, figures in by_subset(self.unchanged).items()]


def evaluate_method(method: NetworkMethod, pairs: Sequence[Pair], progress: Progress | None = None) -> Evaluation:
    """Run a network over all pairs."""
    restorer = method.open()
    slices = evaluate(restorer, pairs, progress)
    return Evaluation(
        schema=SCHEMA,
        title=method.title,
        weights_digest=weights_digest(method.state()),
        device=str(restorer.predictor.device),
        precision=restorer.predictor.precision,
        threads=torch.get_num_threads(),
        processor=processor(),
        peak_memory_mb=peak_memory_mb(method, pairs[0].low[:1], pairs[0].kernel),
        slices=tuple(slices),
        unchanged=tuple(evaluate(Unchanged(), pairs, progress, "input")),
    )


def save_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write it as JSON, whole or not at all."""
    write_json(path, to_json(evaluation))


def load_evaluation(path: Path) -> Evaluation:
    """Read what `save_evaluation` wrote.

    Raises:
        MedEnhanceError: Not there, or not an evaluation; the key is named.
    """
    try:
        return from_json(Evaluation, json.loads(path.read_text(encoding="utf-8")), path.name)
    except FileNotFoundError as error:
        raise MedEnhanceError("input-missing", f"there is no evaluation {path}.", _HINT) from error
    except (OSError, ValueError, SchemaError) as error:
        raise MedEnhanceError("input-unreadable", f"{path} is no evaluation: {error}.", _HINT) from error


_HINT = "Make one with `medenhance-train evaluate --run RUN --json PATH`."


def evaluation_table(evaluation: Evaluation) -> Table:
    """One row a subset: the network, with the input's figures beside it."""
    low, high = MAIN_WINDOW_HU
    table = Table(
        f"{evaluation.title}, window [{low:g}, {high:g}] HU",
        ("subset", "n", "PSNR in", "PSNR dB", "SSIM in", "SSIM", "RMSE HU", "shift HU", "to normal", "structure", "s"),
    )
    for before, after in zip(evaluation.input_summaries(), evaluation.summaries(), strict=True):
        table.add(*_row(before, after))
    threads = f", {evaluation.threads} threads" if evaluation.device == "cpu" else ""
    table.notes += [
        "mean +- SD over slices; shift: soft tissue, output minus input, and output minus normal dose",
        f"{evaluation.device} {evaluation.precision}{threads}; {evaluation.peak_memory_mb:.0f} MiB for a slice",
        evaluation.notice,
    ]
    return table


def _row(before: Summary, after: Summary) -> tuple[str, ...]:
    return (
        after.subset,
        str(after.num_slices),
        number(before.psnr_db.mean, 2),
        f"{after.psnr_db.mean:.2f} +- {after.psnr_db.sd:.2f}",
        number(before.ssim.mean, 4),
        f"{after.ssim.mean:.4f} +- {after.ssim.sd:.4f}",
        f"{after.rmse_hu.mean:.2f} +- {after.rmse_hu.sd:.2f}",
        number(after.soft_shift_hu, 2, sign=True),
        number(after.soft_shift_from_normal_hu, 2, sign=True),
        number(after.residual_structure, 3),
        number(after.seconds.mean, 3),
    )


def processor() -> str:
    """Name of the CPU, as far as the system tells."""
    return platform.processor() or platform.machine()
