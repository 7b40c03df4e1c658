"""`medenhance-train evaluate`: measure a network on held-out slices, the way that users run it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from medenhance.errors import MedEnhanceError
from medenhance.files import replacing, write_json
from medenhance.models import find_model
from medenhance.strict_json import to_json
from medenhance.tasks.denoise_ct import TASK
from medenhance.terminal import TerminalProgress
from medenhance.weights import entry_of, locate
from medenhance_training.benchmark.pairs import HeldOutData, held_out_pairs
from medenhance_training.checkpoint import latest_checkpoint, load_published
from medenhance_training.data.head_held_out import HeldOutHeads
from medenhance_training.evaluation import evaluate_method, evaluation_table, save_evaluation
from medenhance_training.head_report import HeadEvaluation, evaluate_head_run, head_tables
from medenhance_training.methods import ModelMethod, NetworkMethod, RunMethod, task_of
from medenhance_training.spine_evaluation import HeldOutSubjects, SpineEvaluation, evaluate_spine_run, spine_tables
from medenhance_training.table import Table

Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Evaluate:
    """Measure a network: on pairs of low and normal dose, on simulated spine projections or on simulated head scans.

    On CT it gives PSNR, SSIM and RMSE in declared windows, CT-number shifts of each tissue, residual structure, seconds
    and memory. Name one of a model, a weights file or a training run. Research use only.
    """

    model: Annotated[str | None, arg(metavar="ID")] = None
    """An installed model, see `medenhance models list`."""
    weights: Annotated[Path | None, arg(metavar="FILE.safetensors")] = None
    """A weights file that `medenhance-train export` wrote."""
    run: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """A training run, or one of its checkpoints; its averaged weights are measured."""
    data: HeldOutData = field(default_factory=HeldOutData)
    """What to measure a CT network on."""
    spine: HeldOutSubjects = field(default_factory=HeldOutSubjects)
    """What to measure a network for spine projections on; it is named by --run."""
    head: HeldOutHeads = field(default_factory=HeldOutHeads)
    """What to calibrate a network for head CT on, and what to measure it on; it is named by --run."""
    json: Annotated[Path | None, arg(metavar="PATH.json")] = None
    """Write every figure of every slice; `medenhance-train export` takes this file."""
    markdown: Annotated[Path | None, arg(metavar="PATH.md")] = None
    """Also write the table as Markdown."""
    device: Annotated[str, arg(metavar="D")] = "auto"
    """auto, cpu, cuda, cuda:1, mps or xpu."""
    precision: Precision = "auto"
    """auto takes a short format only where the hardware is built for it and the model allows it."""


def run(args: Evaluate) -> int:
    """Measure, print the table, and write what was asked for."""
    method = _method(args)
    task = task_of(load_published(method.run)[0]) if isinstance(method, RunMethod) else None
    if isinstance(method, RunMethod) and task == "enhance-spine":
        return _run_spine(args, method.run)
    if isinstance(method, RunMethod) and task == "detect-hemorrhage":
        return _run_head(args, method.run)
    with TerminalProgress() as progress:
        evaluation = evaluate_method(method, held_out_pairs(args.data, progress), progress)
    table = evaluation_table(evaluation)
    print(table.text())
    if args.json is not None:
        save_evaluation(evaluation, args.json)
    if args.markdown is not None:
        write_text(args.markdown, table.markdown())
    return 0


def _run_spine(args: Evaluate, run: Path) -> int:
    with TerminalProgress() as progress:
        held_out = args.spine.projections(progress)
        evaluation = evaluate_spine_run(run, held_out, args.device, args.precision, progress)
    return _written(args, spine_tables(evaluation), evaluation)


def _run_head(args: Evaluate, run: Path) -> int:
    with TerminalProgress() as progress:
        evaluation = evaluate_head_run(run, args.head, args.device, args.precision, progress)
    return _written(args, head_tables(evaluation), evaluation)


def _written(args: Evaluate, tables: list[Table], evaluation: SpineEvaluation | HeadEvaluation) -> int:
    print("\n\n".join(table.text() for table in tables))
    if args.json is not None:
        write_json(args.json, to_json(evaluation))
    if args.markdown is not None:
        write_text(args.markdown, "\n".join(table.markdown() for table in tables))
    return 0


def model_method(model_id: str | None, device: str, precision: str) -> ModelMethod:
    """An installed model; the default one without an id."""
    entry = find_model(TASK, model_id)
    return ModelMethod(entry, locate(entry), device, precision)


def weights_method(path: Path, device: str, precision: str) -> ModelMethod:
    """A weights file that is not installed, by the entry in its header."""
    if not path.is_file():
        raise MedEnhanceError("input-missing", f"there is no weights file {path}.")
    return ModelMethod(entry_of(path), path, device, precision)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _method(args: Evaluate) -> NetworkMethod:
    named = [value for value in (args.model, args.weights, args.run) if value is not None]
    if len(named) != 1:
        message = f"one of --model, --weights and --run names what to evaluate; {len(named)} were given."
        raise MedEnhanceError("bad-option", message, "`medenhance models list` shows the installed models.")
    if args.run is not None:
        # The checkpoint of now, should the run go on meanwhile.
        return RunMethod(latest_checkpoint(args.run), args.device, args.precision)
    if args.weights is not None:
        return weights_method(args.weights, args.device, args.precision)
    return model_method(args.model, args.device, args.precision)
