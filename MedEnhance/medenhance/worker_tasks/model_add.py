"""The request "model-add": a model from a weights file of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medenhance.progress import checkpoint
from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class ModelAddMessage:
    """A "model-add" request."""

    id: str
    task: Literal["model-add"]
    path: str


def run(message: ModelAddMessage, running: Running) -> dict[str, Any]:
    """Check, test and copy the file into the cache."""
    from medenhance.added_models import add_model

    checkpoint(running.progress, "verify", 0.0)
    entry = add_model(Path(message.path), progress=running.progress)
    return {"model": entry.id, "title": entry.title}
