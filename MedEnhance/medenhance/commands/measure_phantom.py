"""`medenhance measure-phantom`: repeated scans of a phantom in; resolution, noise and detectability out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    from medenhance.measure.phantom import InsertReport, PhantomReport


@dataclass(frozen=True)
class MeasurePhantom:
    """Measure task transfer, noise power and low-contrast detectability of the inserts of a phantom.

    Every slice of a study counts as one more scan of the same place. To judge a denoiser, measure the scans before and
    after it: what a reader would miss shows as a d' that falls although the noise falls too. Research use only.
    """

    present: Annotated[Positional[Path], arg(metavar="PRESENT")]
    """Scans with the inserts: DICOM folder, NRRD, MHA, NIfTI."""
    absent: Annotated[Positional[Path], arg(metavar="ABSENT")]
    """Scans of the same slice without inserts, at least two."""
    inserts: Annotated[Positional[Path], arg(metavar="CSV")]
    """Heading name,row,column,radius_mm,contrast_hu; centres in pixels from 0; the contrast may be empty."""
    output: Annotated[Path | None, arg(metavar="PATH.json")] = None
    """Also write everything as JSON, curves too."""


def run(args: MeasurePhantom) -> int:
    """Measure, and print a table of the inserts."""
    with TerminalProgress() as progress:
        from medenhance.tasks.measure_phantom import measure_phantom

        report = measure_phantom(args.present, args.absent, args.inserts, args.output, progress)
    print("\n".join(summary(report)))
    if args.output is not None:
        print(f"report: {args.output}")
    return 0


def summary(report: PhantomReport) -> list[str]:
    """The figures as lines for a terminal."""
    lines = [
        f"{'insert':<16} {'HU':>7} {'CNR':>6} {'noise HU':>9} {'f50':>6} {'f10':>6} "
        f"{'d NPW':>7} {'d CHO':>7} {'AUC':>6}"
    ]
    for one in report.inserts:
        lines.append(_line(one))
        lines += [f"  note: {note}" for note in one.notes]
    return [*lines, "f50, f10: mm^-1, where the task transfer falls to 0.5 and 0.1.", report.notice]


def _line(one: InsertReport) -> str:
    transfer, hotelling = one.transfer, one.hotelling
    observed = ("-", "-") if hotelling is None else (f"{hotelling.detectability:.2f}", f"{hotelling.auc:.3f}")
    falls = ["-" if value is None else f"{value:.3f}" for value in (transfer.f50, transfer.f10)]
    return (
        f"{one.insert.name:<16.16} {transfer.contrast_hu:7.1f} {transfer.contrast_to_noise:6.1f} "
        f"{one.noise_power.noise_sd_hu:9.2f} {falls[0]:>6} {falls[1]:>6} {one.npw_detectability:7.2f} "
        f"{observed[0]:>7} {observed[1]:>6}"
    )
