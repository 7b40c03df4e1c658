"""`medenhance project-vpi`: a volume of the back in, coronal projections out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from medenhance.terminal import TerminalProgress


@dataclass(frozen=True)
class ProjectVpi:
    """Project an ultrasound volume of the back to coronal images at five depths below the skin.

    The depths follow the skin and are scaled to the body. The folder keeps the way from each pixel back into the
    patient, for measure-uca and 3D Slicer. Research use only.
    """

    volume: Annotated[Positional[Path], arg(metavar="VOLUME")]
    """Volume (.nrrd, .mha, .mhd, .nii, DICOM), or tracked sequence of PLUS or Slicer (.igs.mha, .seq.nrrd)."""
    output: Annotated[Positional[Path], arg(metavar="OUTPUT")]
    """New or empty folder."""
    axes: Annotated[str | None, arg(metavar="RIA")] = None
    """What columns, rows and slices of the volume run to: letters of L R A P S I; the file's own if not given."""
    roi: Annotated[Path | None, arg(metavar="PATH.mrk.json")] = None
    """Region of interest of 3D Slicer whose axes are the patient's, instead of --axes."""
    image_to_probe: Annotated[Path | None, arg(metavar="PATH")] = None
    """PLUS configuration (.xml) or 16 numbers: the calibration that a tracked sequence needs."""
    depths_mm: Annotated[tuple[float, ...] | None, arg(metavar="MM MM MM MM MM")] = None
    """Five depths below the skin, superficial first; scaled to the body if not given."""
    thickness_mm: Annotated[float, arg(metavar="MM")] = 10.0
    """Of each slab."""
    blend: Literal["mean", "max"] = "mean"
    """What a pixel is of the voxels of its slab."""
    trust_axes: bool = False
    """Take the orientation as it is, whatever the echoes say."""
    series: Annotated[str | None, arg(metavar="UID")] = None
    """SeriesInstanceUID, when a DICOM folder holds several series."""


def run(args: ProjectVpi) -> int:
    """Project, and print what was found and where it is."""
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.tasks.project_vpi import ProjectionRequest, project_vpi

        found = project_vpi(
            ProjectionRequest(
                input=args.volume,
                output=args.output,
                axes=args.axes,
                roi=args.roi,
                image_to_probe=args.image_to_probe,
                depths_mm=args.depths_mm,
                thickness_mm=args.thickness_mm,
                blend=args.blend,
                trust_axes=args.trust_axes,
                series=args.series,
            ),
            progress,
        )
    rows, columns = found.scan.shape
    row_mm, column_mm = found.frame.spacing_mm[:2]
    print(f"projections: {args.output}")
    print(f"size:        {rows} x {columns} pixels of {row_mm:g} x {column_mm:g} mm")
    print(f"depths:      {', '.join(f'{depth:.1f}' for depth in found.depths_mm)} mm below the skin")
    if found.lamina_mm is not None:
        print(f"laminae:     {found.lamina_mm:.1f} mm below the skin")
    return 0
