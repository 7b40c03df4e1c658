"""The request "export-dicom": a result becomes a DICOM series derived from its source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medenhance.provenance import Provenance
from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class ExportDicomMessage:
    """An "export-dicom" request; "source" is a folder, a file, all files of the source, or null, which is refused."""

    id: str
    task: Literal["export-dicom"]
    input: str
    source: str | tuple[str, ...] | None
    output: str
    provenance: Provenance
    series: str | None = None


def run(message: ExportDicomMessage, running: Running) -> dict[str, Any]:
    """Write the series, and say what was written."""
    running.progress.update("load", 0.0)
    from medenhance.tasks.export_dicom import ExportRequest
    from medenhance.tasks.export_dicom import run as export

    source = (message.source,) if isinstance(message.source, str) else message.source or ()
    request = ExportRequest(
        input=Path(message.input),
        source=tuple(map(Path, source)),
        output=Path(message.output),
        provenance=message.provenance,
        series=message.series,
    )
    warnings = export(request, running.progress)
    return {"outputs": {"output": message.output}, "warnings": list(warnings)}
