"""The request "models": everything that is known of the models of this user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medenhance.worker_tasks.running import Running

if TYPE_CHECKING:
    from medenhance.manifest import ModelEntry

INSTALLED = {"bundled": "bundled", "cached": "installed", "available": "available"}


@dataclass(frozen=True)
class ModelsMessage:
    """A "models" request."""

    id: str
    task: Literal["models"]


def run(_: ModelsMessage, __: Running) -> dict[str, Any]:
    """Every model with its manifest entry, where it is, and what it takes; does not import PyTorch."""
    from medenhance.cache import cache_folder, used_bytes
    from medenhance.catalog import read_catalog

    cache = cache_folder()
    catalog = read_catalog(cache)
    return {
        "models": [_card(entry, catalog.added, cache) for entry in catalog.entries.values()],
        "problems": list(catalog.problems),
        "cache": str(cache),
        "cache_bytes": used_bytes(cache),
    }


def _card(entry: ModelEntry, added: frozenset[str], cache: Path) -> dict[str, Any]:
    from medenhance.manifest import entry_to_json
    from medenhance.weights import installed_path, place

    where = place(entry, cache)
    path = installed_path(entry, entry.files[0], cache)
    return {
        **entry_to_json(entry),
        "installed": INSTALLED[where],
        "added": entry.id in added,
        "size_bytes": entry.size_bytes,
        "permissive": entry.permissive,
        "path": None if where == "available" else str(path),
    }
