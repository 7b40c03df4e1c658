"""The request "doctor": can MedEnhance work here, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class DoctorMessage:
    """A "doctor" request."""

    id: str
    task: Literal["doctor"]


def run(_: DoctorMessage, running: Running) -> dict[str, Any]:
    """Examine this installation, for programs and for people."""
    from medenhance.commands.doctor import lines
    from medenhance.doctor import diagnose

    diagnosis = diagnose(progress=running.progress)
    return {"report": diagnosis.to_json(), "text": "\n".join(lines(diagnosis))}
