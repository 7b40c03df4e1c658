"""The request "detect-hemorrhage": a head CT becomes a report and a mask, or a report on why it was not processed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from medenhance.worker_tasks.hemorrhage_options import HemorrhageOptions
from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class DetectHemorrhageWorkerOptions(HemorrhageOptions):
    """The "options" of a "detect-hemorrhage" request."""

    series: str | None = None
    prior: str | None = None
    source: tuple[str, ...] = ()


@dataclass(frozen=True)
class DetectHemorrhageMessage:
    """A "detect-hemorrhage" request."""

    id: str
    task: Literal["detect-hemorrhage"]
    input: str
    output: str
    options: DetectHemorrhageWorkerOptions = field(default_factory=DetectHemorrhageWorkerOptions)


def run(message: DetectHemorrhageMessage, running: Running) -> dict[str, Any]:
    """Look at the scan, and say what was written."""
    running.progress.update("load", 0.0)
    from medenhance.tasks.detect_hemorrhage import TASK, DetectHemorrhageRequest, load_predictor
    from medenhance.tasks.detect_hemorrhage import run as detect

    asked = message.options
    options = asked.of_task()
    request = DetectHemorrhageRequest(
        input=Path(message.input),
        output=Path(message.output),
        options=options,
        series=asked.series,
        figure=asked.report,
        format=asked.format,
        dicom=asked.dicom,
        prior=None if asked.prior is None else Path(asked.prior),
        source=tuple(map(Path, asked.source)),
    )
    predictor = running.predictors.get_for(TASK, options, lambda: load_predictor(options))
    report = detect(request, running.progress, predictor)
    return {"outputs": outputs_of(request.output), "report": report.to_json()}


def outputs_of(folder: Path) -> dict[str, str]:
    """What lies in the folder of a result, by what it is: "report", "mask", "figure", "seg", "sr", "ko"."""
    named = {path.name.split(".")[0]: path for path in sorted(folder.iterdir()) if path.name != "report.png"}
    if (folder / "report.png").exists():
        named["figure"] = folder / "report.png"
    return {"output": str(folder), **{name: str(path) for name, path in named.items()}}
