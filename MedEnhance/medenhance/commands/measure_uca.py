"""`medenhance measure-uca`: a segmented projection in, ultrasound curve angles out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    from medenhance.measure.contrast import Contrast
    from medenhance.spine.measurement import Curve
    from medenhance.tasks.measure_uca import AngleReport


@dataclass(frozen=True)
class MeasureUca:
    """Measure the ultrasound curve angles (UCA) of a segmented coronal projection.

    Row 0 of the label map is the head end, column 0 the patient's left. A UCA is not a Cobb angle and is not converted
    to one. Research use only.
    """

    labels: Annotated[Positional[Path], arg(metavar="LABELS")]
    """Label map of the original image (PNG, NRRD): ribs, thoracic processes, lumbar lumps."""
    output: Annotated[Path | None, arg(metavar="PATH.json")] = None
    """Also write everything as JSON."""
    enhanced: Annotated[Path | None, arg(metavar="PATH")] = None
    """Label map of the enhanced image, to compare."""
    order: Literal["da-gan", "morphology"] = "da-gan"
    """Order of the classes: da-gan is 1 rib, 2 process, 3 lump; morphology is 1 process, 2 rib, 3 lump."""
    spacing_mm: Annotated[tuple[float, float] | None, arg(metavar="ROW COLUMN")] = None
    """Size of a pixel; by default what the label map or the projections state."""
    thoracic_end: Literal["T11", "T12"] = "T12"
    """What the lowest level with transverse processes is taken to be."""
    image: Annotated[Path | None, arg(metavar="PATH")] = None
    """Original image, to report SNR, CNR and gCNR."""
    enhanced_image: Annotated[Path | None, arg(metavar="PATH")] = None
    """Enhanced image, likewise."""
    policy: Literal["mask", "mask_dark_vs_tissue_bright"] = "mask"
    """Where contrast is measured; always reported."""
    projections: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """What project-vpi wrote, to place the lines in the patient."""
    depth: Annotated[int, arg(metavar="N")] = 3
    """Number of the projection that was segmented."""


def run(args: MeasureUca) -> int:
    """Measure, and print a table of the curves."""
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.tasks.measure_uca import AngleRequest, measure_uca

        report = measure_uca(
            AngleRequest(
                labels=args.labels,
                output=args.output,
                enhanced=args.enhanced,
                order=args.order,
                spacing_mm=args.spacing_mm,
                thoracic_end=args.thoracic_end,
                image=args.image,
                enhanced_image=args.enhanced_image,
                policy=args.policy,
                projections=args.projections,
                depth=args.depth,
            ),
            progress,
        )
    print("\n".join(summary(report)))
    if args.output is not None:
        print(f"report: {args.output}")
    return 0


def summary(report: AngleReport) -> list[str]:
    """The curves of a report as lines for a terminal."""
    lines = [_row("original", curve) for curve in report.original.curves]
    if not lines:
        largest = report.original.largest
        low, high = largest.interval_deg
        lines.append(
            f"no curve of 5 degrees or more; largest difference {largest.angle_deg:.1f} ({low:.1f} to {high:.1f})"
        )
    if report.enhanced is not None:
        lines += [_row("enhanced", curve) for curve in report.enhanced.curves]
        for pair in report.pairs:
            if pair.original is not None and pair.difference_deg is not None:
                where = f"{pair.original.upper} to {pair.original.lower}"
                lines.append(f"enhanced minus original, {where}: {pair.difference_deg:+.1f} degrees")
            else:
                alone = pair.original or pair.enhanced
                image = "original" if pair.original is not None else "enhanced"
                lines.append(f"{alone.upper} to {alone.lower}: only in the {image} image" if alone else "")
    for name, found in (("original", report.contrast), ("enhanced", report.enhanced_contrast)):
        if found is not None:
            lines.append(_contrast_row(name, found))
    return [*lines, *report.original.notes, report.notice]


def _row(image: str, curve: Curve) -> str:
    low, high = curve.interval_deg
    note = "" if curve.supported else "   an end level was not seen"
    return (
        f"{image:<9} {curve.upper:>4} to {curve.lower:<4} {curve.angle_deg:5.1f} degrees "
        f"(95 % interval {low:.1f} to {high:.1f}), convex to the {curve.side}, {curve.kind}, apex {curve.apex}{note}"
    )


def _contrast_row(image: str, found: Contrast) -> str:
    snr, cnr = ("-" if value is None else f"{value:.1f} dB" for value in (found.snr_db, found.cnr_db))
    return f"{image:<9} SNR {snr}, CNR {cnr}, gCNR {found.gcnr:.2f} (regions: {found.policy})"
