"""The models that this user has: those of the installation's manifest and those added to the cache."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path

from medenhance.cache import entry_path
from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry, entry_from_json, load_manifest


@dataclass(frozen=True)
class Catalog:
    """All models of a user.

    Attributes:
        entries: By id; the installation's first.
        added: Ids of those that the user added.
        problems: One sentence for each added model that cannot be used.
    """

    entries: dict[str, ModelEntry]
    added: frozenset[str]
    problems: tuple[str, ...]


def read_catalog(cache: Path | None = None) -> Catalog:
    """Read the installation's manifest and the entries in the cache.

    A damaged added entry is a problem of that model alone and never stops the others.
    """
    entries = load_manifest()
    added: dict[str, ModelEntry] = {}
    problems = []
    for path in sorted(entry_path("x", cache).parent.glob("*.json")):
        try:
            entry = _added_entry(path)
        except MedEnhanceError as error:
            problems.append(f"The added model {path.stem} cannot be used: {error}")
            continue
        if entry.id in entries:
            problems.append(f"The added model {entry.id} is hidden by the one of the same id that MedEnhance brings.")
        else:
            added[entry.id] = entry
    return Catalog({**entries, **added}, frozenset(added), tuple(problems))


def get_model(model_id: str, catalog: Catalog) -> ModelEntry:
    """The model of that id, or an error that names the closest ones."""
    if model_id in catalog.entries:
        return catalog.entries[model_id]
    close = difflib.get_close_matches(model_id, catalog.entries) or list(catalog.entries)
    known = f"Known: {', '.join(close)}." if close else "`medenhance models add FILE` adds one."
    broken = [problem for problem in catalog.problems if f" {model_id} " in problem]
    raise MedEnhanceError("model-unknown", f"there is no model {model_id!r}.", " ".join([*broken, known]))


def _added_entry(path: Path) -> ModelEntry:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MedEnhanceError("model-invalid", f"{path.name} cannot be read: {error}.") from error
    entry = entry_from_json(value, path.name)
    if entry.id != path.stem or entry.bundled or entry.default:
        raise MedEnhanceError("model-invalid", f"{path.name} is not the entry of an added model.")
    return entry
