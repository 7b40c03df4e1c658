"""The request "denoise-ct": a study becomes a denoised study."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class DenoiseCtOptions:
    """The "options" of a "denoise-ct" request."""

    model: str | None = None
    strength: float = 1.0
    residual: str | None = None
    report: str | None = None
    figure: str | None = None
    device: str = "auto"
    precision: str = "auto"
    series: str | None = None


@dataclass(frozen=True)
class DenoiseCtMessage:
    """A "denoise-ct" request."""

    id: str
    task: Literal["denoise-ct"]
    input: str
    output: str
    options: DenoiseCtOptions = field(default_factory=DenoiseCtOptions)


def run(message: DenoiseCtMessage, running: Running) -> dict[str, Any]:
    """Denoise, and say what was written."""
    running.progress.update("load", 0.0)
    from medenhance.tasks.denoise_ct import DenoiseOptions, DenoiseRequest
    from medenhance.tasks.denoise_ct import run as denoise

    asked = message.options
    optional = {"residual": asked.residual, "report": asked.report, "figure": asked.figure}
    request = DenoiseRequest(
        input=Path(message.input),
        output=Path(message.output),
        series=asked.series,
        options=DenoiseOptions(asked.model, asked.strength, asked.device, asked.precision),
        **{name: Path(path) for name, path in optional.items() if path is not None},
    )
    report = denoise(request, running.progress, running.predictors.get(request.options))
    outputs = {"output": message.output, **{name: path for name, path in optional.items() if path is not None}}
    return {"outputs": outputs, "report": report.to_json()}
