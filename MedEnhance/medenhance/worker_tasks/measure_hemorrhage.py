"""The request "measure-hemorrhage": a mask that was edited is measured on its scan, without the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class MeasureHemorrhageMessage:
    """A "measure-hemorrhage" request; "report" is that of "detect-hemorrhage"."""

    id: str
    task: Literal["measure-hemorrhage"]
    input: str
    mask: str
    report: Any
    source: tuple[str, ...] = ()


def run(message: MeasureHemorrhageMessage, running: Running) -> dict[str, Any]:
    """Measure, and give the findings."""
    from medenhance.head_ct.report import HemorrhageReport
    from medenhance.strict_json import from_json, to_json
    from medenhance.tasks.edited_mask import MaskRequest, measure_mask

    request = MaskRequest(
        input=Path(message.input),
        mask=Path(message.mask),
        report=from_json(HemorrhageReport, message.report, "report"),
        source=tuple(map(Path, message.source)),
    )
    return {"findings": to_json(measure_mask(request, running.progress))}
