"""The request "enhance-spine": a coronal image or a volume becomes an enhanced image, a segmentation and angles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from medenhance.worker_tasks.project_vpi import ProjectVpiOptions
from medenhance.worker_tasks.running import Running

Step = Literal["project", "enhance", "segment", "measure"]


@dataclass(frozen=True)
class EnhanceSpineWorkerOptions:
    """The "options" of an "enhance-spine" request."""

    model: str | None = None
    steps: tuple[Step, ...] = ("project", "enhance", "segment", "measure")
    depth: int = 3
    spacing_mm: tuple[float, float] | None = None
    other_depths: tuple[str, ...] = ()
    thoracic_end: Literal["T11", "T12"] = "T12"
    device: str = "auto"
    precision: str = "auto"
    dicom: bool = False
    projection: ProjectVpiOptions = field(default_factory=ProjectVpiOptions)


@dataclass(frozen=True)
class EnhanceSpineMessage:
    """An "enhance-spine" request."""

    id: str
    task: Literal["enhance-spine"]
    input: str
    output: str
    options: EnhanceSpineWorkerOptions = field(default_factory=EnhanceSpineWorkerOptions)


def run(message: EnhanceSpineMessage, running: Running) -> dict[str, Any]:
    """Do the steps, and say what was written."""
    running.progress.update("load", 0.0)
    from medenhance.tasks.enhance_spine import (
        EnhanceSpineOptions,
        EnhanceSpineRequest,
        load_predictor,
        require_model,
        uses_network,
    )
    from medenhance.tasks.enhance_spine import run as enhance

    asked = message.options
    options = EnhanceSpineOptions(
        model=asked.model,
        steps=asked.steps,
        depth=asked.depth,
        spacing_mm=asked.spacing_mm,
        other_depths=tuple(map(Path, asked.other_depths)),
        thoracic_end=asked.thoracic_end,
        device=asked.device,
        precision=asked.precision,
        dicom=asked.dicom,
    )
    source, output = Path(message.input), Path(message.output)
    request = EnhanceSpineRequest(source, output, options, asked.projection.request(source, output))
    predictor = None
    if uses_network(options):
        require_model(options)  # says more than the cache where there is none
        predictor = running.predictors.get_for("enhance-spine", options, lambda: load_predictor(options))
    report = enhance(request, running.progress, predictor)
    return {"outputs": {"output": message.output}, "report": report.to_json()}
