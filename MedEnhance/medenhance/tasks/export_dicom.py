"""Export of a result as a DICOM series derived from the series that the result was made from.

Programs such as 3D Slicer hold a study as a volume without its DICOM headers. Here both come together again: the voxels
of a volume file and the headers of its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medenhance.dicom.derived import write_derived
from medenhance.dicom.on_source import on_source
from medenhance.errors import MedEnhanceError
from medenhance.image_files import FORMATS, image_format, read_image
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.provenance import Provenance
from medenhance.study import NO_SOURCE, check_output


@dataclass(frozen=True)
class ExportRequest:
    """A result, its DICOM source, and where the derived series goes.

    Attributes:
        input: NRRD, NIfTI or MHA with the result, on the grid of the source as `medenhance.dicom.placement` says.
        source: A DICOM folder, a DICOM file, or all files of the source; none is refused.
        output: New or empty folder, or a .dcm file when there is one slice.
        provenance: How the result was made.
        series: SeriesInstanceUID, when the source holds several.
    """

    input: Path
    source: tuple[Path, ...]
    output: Path
    provenance: Provenance
    series: str | None = None


def run(request: ExportRequest, progress: Progress | None = None) -> tuple[str, ...]:
    """Write the derived series; the whole of it or nothing.

    Returns:
        What a user should know about the output, one sentence each; told to ``progress`` too.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable when the volume does not lie on its source,
            series-ambiguous, output-refused, disk-full, cancelled.
    """
    progress = progress or Silent()
    _check(request)
    checkpoint(progress, "read", 0.0)
    result = on_source(read_image(request.input), request.source, request.series, progress)
    checkpoint(progress, "write", 0.0)
    warnings = write_derived(result, request.output, request.provenance.derivation(), progress)
    for warning in warnings:
        progress.warn(warning)
    progress.update("write", 1.0)
    return warnings


def _check(request: ExportRequest) -> None:
    """Refuse what cannot be done before any work is done for it."""
    if not request.source:
        raise MedEnhanceError("output-refused", NO_SOURCE, f"Write one of {', '.join(FORMATS)} instead.")
    for path in (request.input, *request.source):
        if not path.exists():
            raise MedEnhanceError("input-missing", f"There is nothing at {path}.", "Give the volume and its source.")
    if image_format(request.input) is None or not request.input.is_file():
        accepted = f"Give one of {', '.join(FORMATS)}."
        raise MedEnhanceError("input-unsuitable", f"{request.input.name} is no volume file.", accepted)
    if image_format(request.output) is not None:
        hint = "Name a new folder, or a .dcm file for one slice."
        raise MedEnhanceError("output-refused", f"{request.output.name} is no name for a DICOM series.", hint)
    check_output(request.output, request.source[0])
