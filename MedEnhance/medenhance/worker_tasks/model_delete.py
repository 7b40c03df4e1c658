"""The request "model-delete": the weights of a model leave the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class ModelDeleteMessage:
    """A "model-delete" request."""

    id: str
    task: Literal["model-delete"]
    model: str


def run(message: ModelDeleteMessage, _: Running) -> dict[str, Any]:
    """Delete the files, and forget a model that the user added."""
    from medenhance.added_models import delete_model

    return {"freed_bytes": delete_model(message.model)}
