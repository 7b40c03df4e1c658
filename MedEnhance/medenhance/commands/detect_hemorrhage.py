"""`medenhance detect-hemorrhage`: a head CT in; probability, mask, volumes and a report out."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from medenhance.commands.choices import HemorrhageChoices, hemorrhage_options
from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    from medenhance.head_ct.report import Component, Findings, HemorrhageReport
    from medenhance.tasks.detect_hemorrhage import DetectHemorrhageRequest


@dataclass(frozen=True)
class DetectHemorrhage(HemorrhageChoices):
    """Look for blood in a plain head CT, and measure it.

    The folder holds report.json and the mask on the study's own grid. A scan that is no plain head CT is not processed:
    the report says why, and the exit status is 1. Notification only; research use only.
    """

    input: Annotated[Positional[Path], arg(metavar="INPUT")]
    """Folder of DICOM slices, DICOM file, NRRD, NIfTI or MHA."""
    output: Annotated[Positional[Path], arg(metavar="OUTPUT")]
    """New or empty folder."""
    top_slices: Annotated[int, arg(metavar="N")] = 5
    """How many slices are named as those that speak most for blood."""
    prior: Annotated[Path | None, arg(metavar="PATH")] = None
    """Report of an earlier scan of the same patient, to measure growth."""
    growth_share: Annotated[float, arg(metavar="SHARE")] = 0.33
    """Growth over the earlier volume that counts as expansion."""
    growth_ml: Annotated[float, arg(metavar="ML")] = 6.0
    """The same in mL; either is enough."""
    series: Annotated[str | None, arg(metavar="UID")] = None
    """SeriesInstanceUID, when INPUT holds several series."""


def run(args: DetectHemorrhage) -> int:
    """Do it, and print what was found and where it is; the exit status is 1 when the scan was not processed."""
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.tasks import detect_hemorrhage  # torch, SimpleITK and pydicom take seconds to load

        report = detect_hemorrhage.run(_request(args), progress)
    print("\n".join(summary(report)))
    print(f"results:     {args.output}")
    if report.findings is None:
        print(f"Not processed: {report.reason}", file=sys.stderr)
    return int(report.findings is None)


def summary(report: HemorrhageReport) -> list[str]:
    """A report as lines for a terminal; its warnings were shown while the work went on."""
    found = report.findings
    if found is None:
        return [f"NOT PROCESSED: {report.reason}", report.notice]
    point = found.operating_point
    verdict = "haemorrhage suspected" if found.suspected else "nothing flagged"
    lines = [
        f"verdict:     {verdict}, probability {found.probability:.3f} (operating point {point.name}: "
        f"{point.threshold:.3f}), {found.priority}",
        *(f"             {reason}" for reason in found.priority_reasons),
        f"volume:      {found.total.ml:.2f} mL ({found.total.low_ml:.2f} to {found.total.high_ml:.2f})"
        + _hemispheres(found),
        *_true_volume(found),
        *(_row(one) for one in found.components[:8]),
    ]
    if found.midline_shift is not None:
        lines.append(f"midline:     about {found.midline_shift.mm:.1f} mm to the {found.midline_shift.towards}")
    if found.growth is not None:
        lines.append(f"growth:      {found.growth.change_ml:+.2f} mL since {found.growth.prior_ml:.2f} mL")
    top = ", ".join(str(index + 1) for index in found.top_slices)
    lines.append(f"top slices:  {top}; concurrence {found.concurrence:.2f}")
    lines.append(f"model:       {found.run.model_id} {found.run.model_version}, {report.seconds:.1f} s")
    return [*lines, report.notice, report.triage_notice]


def _hemispheres(found: Findings) -> str:
    if found.left_ml is None or found.right_ml is None:
        return ""
    return f", left {found.left_ml:.2f} mL, right {found.right_ml:.2f} mL"


def _true_volume(found: Findings) -> list[str]:
    stated = found.true_volume
    return [] if stated is None else [f"true volume: {stated} ({stated.measured_on})"]


def _row(one: Component) -> str:
    estimate = "" if one.abc2 is None else f", ABC/2 {one.abc2.ml:.2f} mL"
    return (
        f"  piece {one.number}:   {one.volume.ml:.2f} mL{estimate}, {one.side or 'side unknown'}, "
        f"{one.max_diameter_mm:.0f} mm, {one.mean_hu:.0f} HU"
    )


def _request(args: DetectHemorrhage) -> DetectHemorrhageRequest:
    from medenhance.tasks.detect_hemorrhage import DetectHemorrhageRequest

    options = hemorrhage_options(args)
    thresholds = replace(options.thresholds, growth_share=args.growth_share, growth_ml=args.growth_ml)
    return DetectHemorrhageRequest(
        input=args.input,
        output=args.output,
        options=replace(options, top_slices=args.top_slices, thresholds=thresholds),
        series=args.series,
        figure=args.report,
        format=args.format,
        dicom=args.dicom,
        prior=args.prior,
    )
