"""The request "export-hemorrhage": a mask, its measurements and key slices become DICOM objects of their study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class ExportHemorrhageMessage:
    """An "export-hemorrhage" request; "report" is that of "detect-hemorrhage"."""

    id: str
    task: Literal["export-hemorrhage"]
    input: str
    mask: str
    report: Any
    source: tuple[str, ...]
    output: str
    objects: tuple[Literal["seg", "sr", "ko"], ...] = ("seg", "sr", "ko")
    edited: bool = False


def run(message: ExportHemorrhageMessage, running: Running) -> dict[str, Any]:
    """Write the objects, and say what was written."""
    running.progress.update("load", 0.0)
    from medenhance.head_ct.report import HemorrhageReport
    from medenhance.strict_json import from_json
    from medenhance.tasks.edited_mask import MaskRequest, export_mask

    request = MaskRequest(
        input=Path(message.input),
        mask=Path(message.mask),
        report=from_json(HemorrhageReport, message.report, "report"),
        source=tuple(map(Path, message.source)),
    )
    output = Path(message.output)
    warnings = export_mask(request, output, message.objects, message.edited, running.progress)
    written = {name: str(output / f"{name}.dcm") for name in message.objects if (output / f"{name}.dcm").exists()}
    return {"outputs": {"output": message.output, **written}, "warnings": list(warnings)}
