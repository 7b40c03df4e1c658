"""Which model a task runs: the one that is named, or the task's default."""

from __future__ import annotations

from pathlib import Path

from medenhance.catalog import get_model, read_catalog
from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry


def find_model(task: str, model_id: str | None = None, cache: Path | None = None) -> ModelEntry:
    """The manifest entry of a model for `task`.

    Args:
        task: Such as "denoise-ct".
        model_id: None for the task's default.
        cache: Folder of the user's models; the usual one by default.

    Raises:
        MedEnhanceError: No such model, it is for another task, or the task has no default.
    """
    catalog = read_catalog(cache)
    fitting = {entry.id: entry for entry in catalog.entries.values() if entry.task == task}
    known = f"Known: {', '.join(sorted(fitting)) or 'none'}."
    if model_id is not None:
        entry = get_model(model_id, catalog)
        if entry.id not in fitting:
            raise MedEnhanceError("model-unknown", f"model {model_id!r} is for {entry.task}, not for {task}.", known)
        return entry
    for entry in fitting.values():
        if entry.default:
            return entry
    raise MedEnhanceError("model-unknown", f"{task} has no default model here.", f"Name one with --model. {known}")
