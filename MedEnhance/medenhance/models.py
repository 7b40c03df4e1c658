"""Which model a task runs: the one that is named, or the task's default."""

from __future__ import annotations

from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry
from medenhance.weights import known_models


def find_model(task: str, model_id: str | None = None) -> ModelEntry:
    """The manifest entry of a model for `task`.

    Args:
        task: Such as "denoise-ct".
        model_id: None for the task's default.

    Raises:
        MedEnhanceError: No such model, or it is for another task.
    """
    fitting = {entry.id: entry for entry in known_models().values() if entry.task == task}
    if model_id is None:
        return next(entry for entry in fitting.values() if entry.default)
    if model_id not in fitting:
        hint = f"Known: {', '.join(sorted(fitting)) or 'none'}."
        raise MedEnhanceError("model-unknown", f"there is no model {model_id!r} for {task}.", hint)
    return fitting[model_id]
