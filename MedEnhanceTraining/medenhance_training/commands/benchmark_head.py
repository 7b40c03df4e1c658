"""`medenhance-train benchmark head-ct`: haemorrhage on held-out simulated scans, as in Tables 5 to 7 of the paper."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from medenhance.errors import MedEnhanceError
from medenhance.files import write_json
from medenhance.strict_json import to_json
from medenhance.terminal import TerminalProgress
from medenhance_training.benchmark.head_ct import HeadBenchmark, run_head_benchmark
from medenhance_training.benchmark.head_methods import HeadMethod, HeadModel, HeadRuns
from medenhance_training.benchmark.head_nnunet import NnUnetMethod
from medenhance_training.benchmark.head_subgroups import subgroup_table, volume_table
from medenhance_training.benchmark.head_tables import (
    average_table,
    comparison_table,
    quality_table,
    scan_table,
    slice_table,
)
from medenhance_training.benchmark.reliability import draw_reliability, reliability_table
from medenhance_training.commands.evaluate import Precision, write_text
from medenhance_training.data.head_held_out import SETS, HeldOutHeads, SetName
from medenhance_training.table import Table


@dataclass(frozen=True)
class BenchmarkHeadCt:
    """Compare detectors of haemorrhage on simulated scans that no training has seen.

    Prints AUC with DeLong's intervals, F1, sensitivity, specificity, Dice and false-positive volume beside the paper's
    numbers, slices with their concurrence, paired tests, subgroups, volumes and calibration. Research use only.
    """

    runs: Annotated[tuple[str, ...], arg(metavar="TITLE=FOLDER ...")] = ()
    """Training runs; several folders of one title are training seeds of one method. Titles of the paper's rows:
    SMART-Net, Scratch, ImageNet, Autoencoder, "Models Genesis", "Patel 2019a", "Patel 2019b full", "Patel 2019b
    simple", Singh, CLS, SEG, REC, CLS+SEG, "CLS+SEG, consistent", CLS+REC, SEG+REC, CLS+SEG+REC."""
    models: Annotated[tuple[str, ...], arg(metavar="ID ...")] = ()
    """Installed models, with the calibration of their manifest entries."""
    nnunet: Annotated[tuple[str, ...], arg(metavar="TITLE=FOLDER ...")] = ()
    """Trained nnU-Net models, where that package is installed; titles of the paper: "Isensee 2D", "Isensee 3D"."""
    data: HeldOutHeads = field(default_factory=HeldOutHeads)
    """What to measure on."""
    sets: tuple[SetName, ...] = SETS
    """Which sets: one like the training, three shifted away from it."""
    json: Annotated[Path | None, arg(metavar="PATH.json")] = None
    """Write every figure of every scan."""
    markdown: Annotated[Path | None, arg(metavar="PATH.md")] = None
    """Also write the tables as Markdown."""
    reliability: Annotated[Path | None, arg(metavar="PATH.png")] = None
    """Draw the calibration."""
    device: Annotated[str, arg(metavar="D")] = "auto"
    """auto, cpu, cuda, cuda:1, mps or xpu."""
    precision: Precision = "auto"
    """Of the networks."""


def run(args: BenchmarkHeadCt) -> int:
    """Measure, print the tables, and write what was asked for."""
    methods = head_methods(args)
    with TerminalProgress() as progress:
        found = run_head_benchmark(methods, args.data, progress, args.sets)
    tables = head_tables(found)
    print("\n\n".join(table.text() for table in tables))
    if args.json is not None:
        write_json(args.json, to_json(found))
    if args.markdown is not None:
        write_text(args.markdown, "\n".join(table.markdown() for table in tables))
    if args.reliability is not None:
        draw_reliability(found, args.reliability)
    return 0


def head_tables(found: HeadBenchmark) -> list[Table]:
    """All tables, those of one set together."""
    tables = []
    for one in found.sets:
        tables += [scan_table(found, one), slice_table(found, one)]
        if len(one.methods) > 1:
            tables.append(comparison_table(one))
        tables.append(subgroup_table(one))
    return [*tables, average_table(found), volume_table(found.sets), reliability_table(found), quality_table(found)]


def head_methods(args: BenchmarkHeadCt) -> list[HeadMethod]:
    """The named runs and models.

    Raises:
        MedEnhanceError: None was named, or a run has no title.
    """
    runs = [HeadRuns(title, folders, args.device, args.precision) for title, folders in _titled("runs", args.runs)]
    models = [HeadModel(name, args.device, args.precision) for name in args.models]
    nets = [
        NnUnetMethod(folder, title, device="cpu" if args.device == "auto" else args.device)
        for title, folders in _titled("nnunet", args.nnunet)
        for folder in folders
    ]
    if not (runs or models or nets):
        raise MedEnhanceError("bad-option", "Nothing was named to measure.", "Give --runs or --models.")
    return [*runs, *models, *nets]


def _titled(option: str, words: tuple[str, ...]) -> list[tuple[str, tuple[Path, ...]]]:
    """TITLE=FOLDER ... -> each title once, with its folders."""
    found: dict[str, tuple[Path, ...]] = {}
    for word in words:
        title, equals, folder = word.partition("=")
        if not equals or not title or not folder:
            raise MedEnhanceError("bad-option", f"--{option} takes TITLE=FOLDER, not {word!r}.")
        found[title] = (*found.get(title, ()), Path(folder))
    return list(found.items())
