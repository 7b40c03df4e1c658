"""The command line: `medenhance` and `python -m medenhance`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Annotated, Any

import tyro
from tyro.conf import subcommand

from medenhance import __version__
from medenhance.commands import (
    batch,
    benchmark,
    demo,
    denoise_ct,
    detect_hemorrhage,
    doctor,
    enhance_spine,
    export_dicom,
    export_segmentation,
    measure_phantom,
    measure_uca,
    models,
    project_vpi,
    reliability,
    worker,
)
from medenhance.errors import Cancelled
from medenhance.failures import Failure, describe
from medenhance.terminal import print_failure, stop_cleanly_when_terminated, use_utf8

DESCRIPTION = (
    f"MedEnhance {__version__}: published networks for medical images, made usable. Research use only.\n\n"
    "Begin with `medenhance demo` and `medenhance denoise-ct INPUT OUTPUT`. `medenhance COMMAND --help` explains a "
    "command, `medenhance --version` prints the version. The exit status is 0 for success, 1 for an error, 2 for a "
    "command line that cannot be understood, 130 when cancelled."
)


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        summary: Its line in the overview; its own help has the docstring of its parameters.
        parameters: A dataclass, or a union of dataclasses for a command with subcommands of its own.
        run: Does it and returns the exit status.
    """

    summary: str
    parameters: Any
    run: Callable[[Any], int]


COMMANDS = {
    "denoise-ct": Command("Denoise a low-dose CT study.", denoise_ct.DenoiseCt, denoise_ct.run),
    "batch": Command("Do a task for every study below a folder.", batch.Batch, batch.run),
    "export-dicom": Command("Write a result as a derived DICOM series.", export_dicom.ExportDicom, export_dicom.run),
    "export-segmentation": Command(
        "Write a label map as a DICOM segmentation.",
        export_segmentation.ExportSegmentation,
        export_segmentation.run,
    ),
    "project-vpi": Command(
        "Project an ultrasound volume of the back to coronal images.", project_vpi.ProjectVpi, project_vpi.run
    ),
    "enhance-spine": Command(
        "Enhance, segment and measure a spine ultrasound.", enhance_spine.EnhanceSpine, enhance_spine.run
    ),
    "measure-uca": Command("Measure ultrasound curve angles of the spine.", measure_uca.MeasureUca, measure_uca.run),
    "measure-phantom": Command(
        "Resolution, noise and detectability in scans of a phantom.",
        measure_phantom.MeasurePhantom,
        measure_phantom.run,
    ),
    "detect-hemorrhage": Command(
        "Look for blood in a head CT, and measure it.",
        detect_hemorrhage.DetectHemorrhage,
        detect_hemorrhage.run,
    ),
    "reliability": Command("Agreement of raters: ICC, MAD, SEM.", reliability.MeasureReliability, reliability.run),
    "demo": Command("Denoise a built-in case with known truth, or a study of yours.", demo.Demo, demo.run),
    "models": Command("List, fetch, check and move models.", models.Command, models.run),
    "doctor": Command("Check this machine and this installation.", doctor.Doctor, doctor.run),
    "benchmark": Command("Time the installed models on this machine.", benchmark.Benchmark, benchmark.run),
    "worker": Command("Serve a program over stdin and stdout.", worker.Worker, worker.run),
}

ERROR, CANCELLED = 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Words after the program's name; those of this process when None.

    Returns:
        The exit status.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    use_utf8()
    if argv in (["--version"], ["-V"]):
        print(f"medenhance {__version__}")
        return 0
    if not argv or argv[0] not in COMMANDS:
        return _overview(argv or ["--help"])
    command = COMMANDS[argv[0]]
    parameters = tyro.cli(command.parameters, prog=f"medenhance {argv[0]}", args=argv[1:])
    stop_cleanly_when_terminated()
    return guarded(lambda: command.run(parameters))


def _overview(argv: Sequence[str]) -> int:
    """Print what commands there are, or what is wrong with the one that was given; ends the process as tyro does."""
    shown = [
        Annotated[command.parameters, subcommand(name, description=command.summary)]
        for name, command in COMMANDS.items()
    ]
    tyro.cli(reduce(or_, shown), prog="medenhance", description=DESCRIPTION, args=argv)  # type: ignore[call-overload]
    return ERROR


def guarded(work: Callable[[], int]) -> int:
    """Call ``work``; whatever goes wrong becomes words on stderr and an exit status."""
    try:
        status = work()
        sys.stdout.flush()
    except (KeyboardInterrupt, Cancelled):
        print_failure(Failure("cancelled", "Cancelled.", "Nothing was left half-written."))
        return CANCELLED
    except BrokenPipeError:  # the reader, such as `head`, has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except Exception as error:
        print_failure(describe(error))
        return ERROR
    return status


if __name__ == "__main__":
    sys.exit(main())
