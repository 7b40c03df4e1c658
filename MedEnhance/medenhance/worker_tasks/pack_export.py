"""The request "pack-export": models go into one file, for machines without a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class PackExportMessage:
    """A "pack-export" request; no models mean all that are installed."""

    id: str
    task: Literal["pack-export"]
    path: str
    models: tuple[str, ...] = ()


def run(message: PackExportMessage, running: Running) -> dict[str, Any]:
    """Write the pack, and say which models are in it."""
    from medenhance.packs import export_pack

    entries = export_pack(Path(message.path), message.models, progress=running.progress)
    return {"models": [entry.id for entry in entries]}
