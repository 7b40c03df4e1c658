"""`medenhance-train benchmark`: classical methods and networks on the same held-out slices; effects of image size."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from medenhance.files import write_json
from medenhance.models import find_model
from medenhance.strict_json import to_json
from medenhance.tasks.denoise_ct import TASK
from medenhance.terminal import TerminalProgress
from medenhance.weights import is_installed, known_models
from medenhance_training.benchmark.low_dose_ct import benchmark_table, run_benchmark, tuned_classical
from medenhance_training.benchmark.pairs import HeldOutData, held_out_pairs, unseen_low_dose_slice
from medenhance_training.benchmark.size_shift import measure_size_shift, size_shift_table
from medenhance_training.commands.evaluate import Precision, model_method, weights_method, write_text
from medenhance_training.methods import ModelMethod


@dataclass(frozen=True)
class BenchmarkLowDoseCt:
    """Compare classical methods and networks on held-out slices, in one table.

    Classical methods are tuned on training slices first. Without --data.root everything is measured on phantoms.
    Research use only.
    """

    models: Annotated[tuple[str, ...], arg(metavar="ID ...")] = ()
    """Models to measure, see `medenhance models list`; every installed one if none is named."""
    weights: Annotated[tuple[Path, ...], arg(metavar="FILE.safetensors ...")] = ()
    """Weights files to measure besides."""
    data: HeldOutData = field(default_factory=HeldOutData)
    """What to measure on."""
    json: Annotated[Path | None, arg(metavar="PATH.json")] = None
    """Write all figures."""
    markdown: Annotated[Path | None, arg(metavar="PATH.md")] = None
    """Also write the table as Markdown."""
    device: Annotated[str, arg(metavar="D")] = "auto"
    """auto, cpu, cuda, cuda:1, mps or xpu; classical methods run on the CPU."""
    precision: Precision = "auto"
    """Of the networks."""


def run(args: BenchmarkLowDoseCt) -> int:
    """Measure, print the table, and write what was asked for."""
    networks = _networks(args)
    with TerminalProgress() as progress:
        pairs = held_out_pairs(args.data, progress)
        classical = tuned_classical(args.data, progress=progress)
        found = run_benchmark(pairs, classical, networks, progress)
    table = benchmark_table(found)
    print(table.text())
    if args.json is not None:
        write_json(args.json, to_json(found))
    if args.markdown is not None:
        write_text(args.markdown, table.markdown())
    return 0


@dataclass(frozen=True)
class BenchmarkSizeShift:
    """Compare whole slices with tiles of the training patch's size: do CT numbers depend on the image's size?

    Research use only.
    """

    models: Annotated[tuple[str, ...], arg(metavar="ID ...")] = ()
    """Models to measure, see `medenhance models list`; every installed one if none is named."""


def run_size_shift(args: BenchmarkSizeShift) -> int:
    """Measure on a phantom at a quarter of the dose, and print the table."""
    methods = _networks(BenchmarkLowDoseCt(models=args.models))
    print(size_shift_table(measure_size_shift(methods, unseen_low_dose_slice())).text())
    return 0


def _networks(args: BenchmarkLowDoseCt) -> list[ModelMethod]:
    """The models and weights files to measure, the task's default first."""
    ids = args.models or tuple(e.id for e in known_models().values() if e.task == TASK and is_installed(e))
    first = sorted(ids, key=lambda name: not find_model(TASK, name).default)
    installed = [model_method(name, args.device, args.precision) for name in first]
    return installed + [weights_method(path, args.device, args.precision) for path in args.weights]
