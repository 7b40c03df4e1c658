"""The request "export-segmentation": a label map becomes a DICOM segmentation of its source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medenhance.dicom.objects.segment_kinds import SegmentKind
from medenhance.provenance import Provenance
from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class ExportSegmentationMessage:
    """An "export-segmentation" request.

    Attributes:
        id, task: As in every request.
        input: Label map in an image file.
        source: A folder, a file, all files of the source, or null, which is refused.
        output: New .dcm file.
        kinds: What the values 1, 2, ... are.
        provenance: How the label map was made.
        names: Of the segments; none, or one a kind.
        edited: A person changed the labels since.
        series: SeriesInstanceUID, when the source holds several.
    """

    id: str
    task: Literal["export-segmentation"]
    input: str
    source: str | tuple[str, ...] | None
    output: str
    kinds: tuple[SegmentKind, ...]
    provenance: Provenance
    names: tuple[str, ...] = ()
    edited: bool = False
    series: str | None = None


def run(message: ExportSegmentationMessage, running: Running) -> dict[str, Any]:
    """Write the segmentation, and say what was written."""
    running.progress.update("load", 0.0)
    from medenhance.tasks.export_segmentation import ExportSegmentationRequest
    from medenhance.tasks.export_segmentation import run as export

    source = (message.source,) if isinstance(message.source, str) else message.source or ()
    request = ExportSegmentationRequest(
        input=Path(message.input),
        source=tuple(map(Path, source)),
        output=Path(message.output),
        kinds=message.kinds,
        provenance=message.provenance,
        names=message.names,
        edited=message.edited,
        series=message.series,
    )
    warnings = export(request, running.progress)
    return {"outputs": {"output": message.output}, "warnings": list(warnings)}
