"""`medenhance-train benchmark spine-ultrasound`: the paper's Table 1 on held-out simulated subjects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from medenhance.errors import MedEnhanceError
from medenhance.files import write_json
from medenhance.strict_json import to_json
from medenhance.terminal import TerminalProgress
from medenhance_training.benchmark.hallucination import draw_edits, hallucination_table
from medenhance_training.benchmark.real_projection import read_real_projection, real_table
from medenhance_training.benchmark.spine_methods import (
    InputMethod,
    RunsMethod,
    SpineMethod,
    TransferMethod,
    fill_methods,
)
from medenhance_training.benchmark.spine_ultrasound import (
    VANILLA,
    restoration_table,
    run_spine_benchmark,
    segmentation_table,
)
from medenhance_training.commands.evaluate import Precision, write_text
from medenhance_training.data.spine.config import SpineConfig
from medenhance_training.data.spine_bank import Subjects, projections
from medenhance_training.data.spine_source import TEST_SUBJECTS


@dataclass(frozen=True)
class BenchmarkSpineUltrasound:
    """Compare networks and classical fills on simulated projections that no training has seen.

    Prints segmentation beside the paper's Table 1, and restoration beside it. Research use only.
    """

    runs: Annotated[tuple[str, ...], arg(metavar="TITLE=FOLDER ...")] = ()
    """Training runs; several folders of one title are training seeds of one method. Titles of the paper's rows: DA-GAN,
    FPN, U-Net, RSNU, WaveCT, PPMU, N2V, N2S, Cycle, "DA-GAN without SA", "DA-GAN without DAL"."""
    subjects: int = 12
    """Held-out subjects; each is a seed of the simulator."""
    stripes: float = 1.0
    """Strength of the structured noise; 1 is the public image's."""
    depth: int = 4
    """Which of the five projections of a subject, 0 to 4."""
    classical: bool = True
    """Whether classical fills are measured too, with the FPN on what they return."""
    edits: int = 6
    """Subjects with a process deleted or moved, to see whether a network invents anatomy; 0 for none."""
    real: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Folder with the public projection demo.png and its mask demo_bone_3.png, to be measured besides."""
    cache: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """Keep simulated subjects here."""
    json: Annotated[Path | None, arg(metavar="PATH.json")] = None
    """Write every figure of every projection."""
    markdown: Annotated[Path | None, arg(metavar="PATH.md")] = None
    """Also write the tables as Markdown."""
    device: Annotated[str, arg(metavar="D")] = "auto"
    """auto, cpu, cuda, cuda:1, mps or xpu."""
    precision: Precision = "auto"
    """Of the networks."""


def run(args: BenchmarkSpineUltrasound) -> int:
    """Measure, print the tables, and write what was asked for."""
    methods = _methods(args)
    held_out = Subjects(TEST_SUBJECTS, args.subjects, (args.stripes, args.stripes), (args.depth,))
    with TerminalProgress() as progress:
        found = run_spine_benchmark(methods, list(projections(held_out, args.cache, progress)), progress)
        edits = list(draw_edits(args.edits, SpineConfig(stripes=args.stripes), progress))
    tables = [table(found) for table in (segmentation_table, restoration_table)]
    if edits:
        tables.append(hallucination_table(methods, edits, args.depth))
    if args.real is not None:
        tables.append(real_table(methods, *read_real_projection(args.real)))
    print("\n\n".join(table.text() for table in tables))
    if args.json is not None:
        write_json(args.json, to_json(found))
    if args.markdown is not None:
        write_text(args.markdown, "\n".join(table.markdown() for table in tables))
    return 0


def _methods(args: BenchmarkSpineUltrasound) -> list[SpineMethod]:
    """The input, classical fills, and the named runs; WaveCT's segmenter sees restyled projections."""
    runs = {title: RunsMethod(title, folders, args.device, args.precision) for title, folders in _titled(args).items()}
    methods: list[SpineMethod] = [InputMethod()]
    if args.classical:
        methods += fill_methods(runs.get(VANILLA))
    return methods + [TransferMethod(one) if title == "WaveCT" else one for title, one in runs.items()]


def _titled(args: BenchmarkSpineUltrasound) -> dict[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for word in args.runs:
        title, equals, folder = word.partition("=")
        if not equals or not title or not folder:
            raise MedEnhanceError("bad-option", f"--runs takes TITLE=FOLDER, not {word!r}.")
        found[title] = (*found.get(title, ()), Path(folder))
    return found
