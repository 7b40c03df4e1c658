"""`medenhance batch denoise-ct`, `medenhance batch detect-hemorrhage`: every study below a folder."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg, subcommand

from medenhance.commands.choices import HemorrhageChoices, ModelChoices, hemorrhage_options
from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    from medenhance.batch.table import StudyOutcome
    from medenhance.batch.work import BatchOf
    from medenhance.progress import Progress


@dataclass(frozen=True)
class DenoiseBatch(ModelChoices):
    """Denoise every study below a folder.

    A study is every CT series of every folder with DICOM files, and every NRRD, NIfTI, MHA or MHD file. The output
    folder mirrors the input folder. Run the same command again to go on after a stop: what is done is skipped as long
    as its input, the model and the options are the same. One bad study never stops the rest. batch.csv and batch.json
    in the output folder say what became of each. Research use only.
    """

    input_root: Annotated[Positional[Path], arg(metavar="INPUT_ROOT")]
    """Folder with studies at any depth."""
    output_root: Annotated[Positional[Path], arg(metavar="OUTPUT_ROOT")]
    """Folder that will mirror it."""
    strength: Annotated[float, arg(metavar="S")] = 1.0
    """From 0 (the input) to 1 (all that the model does)."""
    format: Literal["same", "dicom", "nrrd", "nifti"] = "same"
    """Format of the outputs; same keeps that of each input."""
    residual: Annotated[bool, FlagCreatePairsOff] = False
    """Also write what was removed from each study."""
    report: bool = True
    """Write the trust report of each study beside it."""
    figure: Annotated[bool, FlagCreatePairsOff] = False
    """Also write the trust report of each study as a figure."""
    scheduler: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Run the studies on the Dask cluster of this scheduler; its workers need the same folders and `--nthreads 1`."""


@dataclass(frozen=True)
class HemorrhageBatch(HemorrhageChoices):
    """Look for blood in every head CT below a folder, and write a worklist.

    A study is every CT series of every folder with DICOM files, and every NRRD, NIfTI, MHA or MHD file; each gets a
    folder with its report and mask. worklist.csv and worklist.json name all of them, what was flagged first; what was
    not processed stands there with the reason. Run the same command again to go on after a stop. Notification only:
    every scan is read in full, flagged or not. Research use only.
    """

    input_root: Annotated[Positional[Path], arg(metavar="INPUT_ROOT")]
    """Folder with studies at any depth."""
    output_root: Annotated[Positional[Path], arg(metavar="OUTPUT_ROOT")]
    """Folder for the worklist and one folder a study."""
    scheduler: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Run the studies on the Dask cluster of this scheduler; its workers need the same folders and `--nthreads 1`."""


Batch = (
    Annotated[DenoiseBatch, subcommand("denoise-ct", prefix_name=False)]
    | Annotated[HemorrhageBatch, subcommand("detect-hemorrhage", prefix_name=False)]
)


def run(args: DenoiseBatch | HemorrhageBatch) -> int:
    """Run the batch and print its table; the exit status is 1 when a study failed."""
    from medenhance.batch.engine import run_batch

    try:
        with TerminalListener() as listener:
            outcomes = run_batch(_request(args), listener)
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        raise
    from medenhance.batch.table import table

    print("\n".join(table(outcomes)))
    names = ("worklist", "batch") if isinstance(args, HemorrhageBatch) else ("batch",)
    files = [args.output_root / f"{name}.{suffix}" for name in names for suffix in ("csv", "json")]
    print(f"tables: {', '.join(map(str, files))}")
    return int(any(outcome.status == "failed" for outcome in outcomes))


class TerminalListener:
    """Shows a batch: a bar for the study that is worked on, and a line for each that has ended, with the time left."""

    def __init__(self) -> None:
        self._progress = TerminalProgress()
        self._begun = time.monotonic()
        self._num_worked_on = 0

    def __enter__(self) -> TerminalListener:
        return self

    def __exit__(self, *unused: object) -> None:
        self._progress.close(done=False)

    def scanning(self) -> Progress:
        return self._progress

    def started(self, study: str, number: int, total: int) -> Progress:
        self._progress.close(done=True)
        self._progress.say(f"[{number}/{total}] {study}")
        return self._progress

    def finished(self, outcome: StudyOutcome, number: int, total: int) -> None:
        self._progress.close(done=outcome.status == "done")
        reason = f": {outcome.message.splitlines()[0]}" if outcome.message else ""
        left = self._time_left(outcome, total - number)
        self._progress.say(f"[{number}/{total}] {outcome.study} {outcome.status}{reason}{left}")

    def _time_left(self, outcome: StudyOutcome, num_left: int) -> str:
        """Words for the expected rest; what is skipped or refused takes no time and comes first."""
        if outcome.seconds == 0:
            self._begun = time.monotonic()
            return ""
        self._num_worked_on += 1
        minutes = (time.monotonic() - self._begun) / self._num_worked_on * num_left / 60
        return f" (about {minutes:.1f} min left)" if num_left else ""


def _request(args: DenoiseBatch | HemorrhageBatch) -> BatchOf:
    if isinstance(args, HemorrhageBatch):
        return _hemorrhage_request(args)
    from medenhance.batch.plan import BatchRequest
    from medenhance.tasks.denoise_ct import DenoiseOptions

    return BatchRequest(
        input_root=args.input_root,
        output_root=args.output_root,
        options=DenoiseOptions(args.model, args.strength, args.device, args.precision),
        format=args.format,
        report=args.report,
        figure=args.figure,
        residual=args.residual,
        scheduler=args.scheduler,
    )


def _hemorrhage_request(args: HemorrhageBatch) -> BatchOf:
    from medenhance.batch.hemorrhage_work import HemorrhageBatchRequest

    return HemorrhageBatchRequest(
        input_root=args.input_root,
        output_root=args.output_root,
        options=hemorrhage_options(args),
        figure=args.report,
        format=args.format,
        dicom=args.dicom,
        scheduler=args.scheduler,
    )
