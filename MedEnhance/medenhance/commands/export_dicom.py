"""`medenhance export-dicom`: a result that another program holds becomes a DICOM series again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from medenhance.errors import MedEnhanceError
from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    from medenhance.provenance import Provenance, What


@dataclass(frozen=True)
class ExportDicom:
    """Write a result as a DICOM series derived from the series that it was made from.

    For results in image files, such as those of 3D Slicer; from DICOM input `medenhance denoise-ct` writes DICOM series
    itself. The volume has to lie on the grid of its source; reversed axes are put right. Research use only.
    """

    volume: Annotated[Positional[Path], arg(metavar="VOLUME")]
    """The result: NRRD, NIfTI or MHA."""
    source: Annotated[Positional[Path], arg(metavar="SOURCE")]
    """The series that it was made from: folder of DICOM slices, or DICOM file."""
    output: Annotated[Positional[Path], arg(metavar="OUTPUT")]
    """New or empty folder for the series."""
    report: Annotated[Path, arg(metavar="PATH.json")]
    """The run's trust report, which says by which model and how the result was made."""
    what: Literal["denoised", "removed", "enhanced"] = "denoised"
    """What the volume shows: the denoised study, what was removed from it, or an enhanced ultrasound projection."""
    series: Annotated[str | None, arg(metavar="UID")] = None
    """SeriesInstanceUID, when SOURCE holds several series."""


def run(args: ExportDicom) -> int:
    """Write the series and say where it is."""
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.tasks import export_dicom

        provenance = read_provenance(args.report, args.what)
        request = export_dicom.ExportRequest(args.volume, (args.source,), args.output, provenance, args.series)
        export_dicom.run(request, progress)
    print(f"derived series: {args.output}")
    return 0


def read_provenance(report: Path, what: What = "denoised") -> Provenance:
    """What a run's report says about the run.

    Raises:
        MedEnhanceError: input-missing, input-unreadable.
    """
    from medenhance.measure.trust import RunFacts
    from medenhance.provenance import Provenance
    from medenhance.strict_json import SchemaError, from_json

    hint = "Give the report that was written with this result."
    try:
        read = json.loads(report.read_text(encoding="utf-8"))
        facts = from_json(RunFacts, read["run"] if isinstance(read, dict) else None, "run")
    except OSError as error:
        raise MedEnhanceError("input-missing", f"{report} cannot be read: {error.strerror}.", hint) from error
    except (ValueError, KeyError, SchemaError) as error:
        message = f"{report.name} is no report of a run ({error})."
        raise MedEnhanceError("input-unreadable", message, hint) from error
    return Provenance.of_run(facts, what)
