"""The request "pack-import": the models of a pack are installed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medenhance.worker_tasks.running import Running


@dataclass(frozen=True)
class PackImportMessage:
    """A "pack-import" request."""

    id: str
    task: Literal["pack-import"]
    path: str


def run(message: PackImportMessage, running: Running) -> dict[str, Any]:
    """Install all of them or none, and say which."""
    from medenhance.packs import import_pack

    return {"models": [entry.id for entry in import_pack(Path(message.path), progress=running.progress)]}
