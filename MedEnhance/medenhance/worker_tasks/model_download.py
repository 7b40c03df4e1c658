"""The request "model-download": the weights of a model come into the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class ModelDownloadMessage:
    """A "model-download" request."""

    id: str
    task: Literal["model-download"]
    model: str
    accept_licence: bool = False


def run(message: ModelDownloadMessage, running: Running) -> dict[str, Any]:
    """Fetch what is missing; an interrupted download goes on where it stopped."""
    from medenhance.catalog import get_model, read_catalog
    from medenhance.download import check_licence, fetch
    from medenhance.weights import locate

    entry = get_model(message.model, read_catalog())
    if entry.bundled:
        return {"path": str(locate(entry))}
    check_licence(entry, accepted=message.accept_licence)
    return {"path": str(fetch(entry, progress=running.progress))}
