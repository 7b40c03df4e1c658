"""`medenhance export-segmentation`: a label map that another program holds becomes a DICOM segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from medenhance.commands.export_dicom import read_provenance
from medenhance.dicom.objects.segment_kinds import SPINE_KINDS, SegmentKind
from medenhance.terminal import TerminalProgress


@dataclass(frozen=True)
class ExportSegmentation:
    """Write a label map as a DICOM segmentation of the series that it was made from.

    For label maps in image files, such as those of `medenhance enhance-spine` or 3D Slicer. They have to lie on the
    grid of their source; reversed axes are put right. Research use only.
    """

    labels: Annotated[Positional[Path], arg(metavar="LABELS")]
    """The label map: NRRD, NIfTI or MHA."""
    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """The series that it was made from: folder of DICOM slices, or DICOM file."""
    output: Annotated[Positional[Path], arg(metavar="OUTPUT.dcm")]
    """New DICOM file."""
    report: Annotated[Path, arg(metavar="PATH.json")]
    """The run's report, which says by which model the label map was made."""
    kinds: Annotated[tuple[SegmentKind, ...], arg(metavar="KIND ...")] = SPINE_KINDS
    """What the values 1, 2 ... are: hemorrhage, rib, thoracic-transverse-process, lumbar-lump."""
    names: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Names of the segments, one for each kind; by default those of the kinds."""
    edited: bool = False
    """A person changed the label map since."""
    series: Annotated[str | None, arg(metavar="UID")] = None
    """SeriesInstanceUID, when SOURCE holds several series."""


def run(args: ExportSegmentation) -> int:
    """Write the segmentation and say where it is."""
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.tasks import export_segmentation

        request = export_segmentation.ExportSegmentationRequest(
            input=args.labels,
            source=(args.source,),
            output=args.output,
            kinds=args.kinds,
            provenance=read_provenance(args.report, "enhanced"),
            names=args.names,
            edited=args.edited,
            series=args.series,
        )
        export_segmentation.run(request, progress)
    print(f"segmentation: {args.output}")
    return 0
