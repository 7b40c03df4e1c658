"""`medenhance enhance-spine`: a volume or a coronal image in; enhanced image, segmentation and curve angles out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from medenhance.commands.choices import ModelChoices
from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    from medenhance.spine.measurement import Curve
    from medenhance.tasks.spine_report import SpineReport

Step = Literal["project", "enhance", "segment", "measure"]


@dataclass(frozen=True)
class EnhanceSpine(ModelChoices):
    """Enhance, segment and measure a coronal ultrasound projection of the back.

    The folder keeps the original beside the enhanced image, shows which pixels were generated, and states the curve
    angles of both. Angles are ultrasound curve angles, not Cobb angles; level names are assumed. Research use only.
    """

    input: Annotated[Positional[Path], arg(metavar="INPUT")]
    """Coronal image (.png, .nrrd, DICOM ...), folder of project-vpi, volume, or tracked sequence of PLUS or Slicer."""
    output: Annotated[Positional[Path], arg(metavar="OUTPUT")]
    """New or empty folder."""
    steps: Annotated[tuple[Step, ...], arg(metavar="STEP ...")] = ("project", "enhance", "segment", "measure")
    """What to do; a volume needs project, measure needs segment."""
    depth: Annotated[int, arg(metavar="N")] = 3
    """Which depth of a volume is enhanced, from 1."""
    spacing_mm: Annotated[tuple[float, float] | None, arg(metavar="ROW COLUMN")] = None
    """Pixel size of an image in mm; by default what its file states. Angles are refused without one."""
    other_depths: Annotated[tuple[Path, ...], arg(metavar="PATH ...")] = ()
    """Images of the same back at other depths, in which enhanced structures are looked for."""
    thoracic_end: Literal["T11", "T12"] = "T12"
    """What the lowest level with transverse processes is taken to be."""
    axes: Annotated[str | None, arg(metavar="RIA")] = None
    """What columns, rows and slices of a volume run to: letters of L R A P S I; the file's own if not given."""
    roi: Annotated[Path | None, arg(metavar="PATH.mrk.json")] = None
    """Region of interest of 3D Slicer whose axes are the patient's, instead of --axes."""
    image_to_probe: Annotated[Path | None, arg(metavar="PATH")] = None
    """PLUS configuration (.xml) or 16 numbers: the calibration that a tracked sequence needs."""
    depths_mm: Annotated[tuple[float, ...] | None, arg(metavar="MM MM MM MM MM")] = None
    """Five depths below the skin, superficial first; scaled to the body if not given."""
    trust_axes: bool = False
    """Take the orientation as it is, whatever the echoes of a volume or the directions of an image say."""
    series: Annotated[str | None, arg(metavar="UID")] = None
    """SeriesInstanceUID, when a DICOM folder holds several series."""
    dicom: bool = False
    """Write the enhanced image and the segmentations as DICOM too; INPUT has to be DICOM."""


def run(args: EnhanceSpine) -> int:
    """Do it, and print what was found and where it is."""
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.tasks.enhance_spine import EnhanceSpineOptions, EnhanceSpineRequest
        from medenhance.tasks.enhance_spine import run as enhance
        from medenhance.tasks.project_vpi import ProjectionRequest

        options = EnhanceSpineOptions(
            model=args.model,
            steps=args.steps,
            depth=args.depth,
            spacing_mm=args.spacing_mm,
            other_depths=args.other_depths,
            thoracic_end=args.thoracic_end,
            device=args.device,
            precision=args.precision,
            dicom=args.dicom,
        )
        how = ProjectionRequest(
            input=args.input,
            output=args.output,
            axes=args.axes,
            roi=args.roi,
            image_to_probe=args.image_to_probe,
            depths_mm=args.depths_mm,
            trust_axes=args.trust_axes,
            series=args.series,
        )
        report = enhance(EnhanceSpineRequest(args.input, args.output, options, how), progress)
    print("\n".join(summary(report)))
    print(f"results:  {args.output}")
    return 0


def summary(report: SpineReport) -> list[str]:
    """A report as lines for a terminal."""
    lines = []
    if report.changes is not None:
        done = report.changes
        lines.append(
            f"pixels:   {done.changed_share:.1%} of the scan changed, {done.generated_share:.1%} by more than "
            f"{done.threshold_grey} grey levels (generated)"
        )
        if done.patches:
            lines.append(
                f"stripes:  {done.corrupted_before} of {done.patches} patches before, {done.corrupted_after} after"
            )
    for image, found in (("original", report.original), ("enhanced", report.enhanced)):
        if found is not None:
            lines += [_row(image, one) for one in found.curves or (found.largest,)]
    for pair in report.pairs:
        if pair.original is not None and pair.difference_deg is not None:
            where = f"{pair.original.upper} to {pair.original.lower}"
            lines.append(f"enhanced minus original, {where}: {pair.difference_deg:+.1f} degrees")
    return [*lines, report.notice]


def _row(image: str, curve: Curve) -> str:
    low, high = curve.interval_deg
    return (
        f"{image:<9} {curve.upper:>4} to {curve.lower:<4} {curve.angle_deg:5.1f} degrees "
        f"(95 % interval {low:.1f} to {high:.1f}), convex to the {curve.side}, levels assumed"
    )
