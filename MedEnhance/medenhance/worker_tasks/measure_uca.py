"""The request "measure-uca": a segmented projection becomes ultrasound curve angles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class MeasureUcaOptions:
    """The "options" of a "measure-uca" request."""

    enhanced: str | None = None
    order: Literal["da-gan", "morphology"] = "da-gan"
    spacing_mm: tuple[float, float] | None = None
    thoracic_end: Literal["T11", "T12"] = "T12"


@dataclass(frozen=True)
class MeasureUcaMessage:
    """A "measure-uca" request."""

    id: str
    task: Literal["measure-uca"]
    input: str
    output: str | None = None
    options: MeasureUcaOptions = field(default_factory=MeasureUcaOptions)


def run(message: MeasureUcaMessage, running: Running) -> dict[str, Any]:
    """Measure, and say what was found."""
    from medenhance.tasks.measure_uca import AngleRequest, measure_uca

    asked = message.options
    request = AngleRequest(
        labels=Path(message.input),
        output=None if message.output is None else Path(message.output),
        enhanced=None if asked.enhanced is None else Path(asked.enhanced),
        order=asked.order,
        spacing_mm=asked.spacing_mm,
        thoracic_end=asked.thoracic_end,
    )
    report = measure_uca(request, running.progress)
    outputs = {} if message.output is None else {"output": message.output}
    return {"outputs": outputs, "report": report.to_json()}
