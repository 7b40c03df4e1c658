"""Keeps loaded models, for those who run more than one study."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from medenhance.predict import Predictor
    from medenhance.tasks.denoise_ct import DenoiseOptions


class ModelChoice(Protocol):
    """What every task's options say of its model."""

    @property
    def model(self) -> str | None: ...

    @property
    def device(self) -> str: ...

    @property
    def precision(self) -> str: ...


class PredictorCache:
    """Loads a model once for each combination of weights, device and precision."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, ...], Predictor] = {}

    def get(self, options: DenoiseOptions) -> Predictor:
        """The loaded model that the options of a CT name.

        Raises:
            MedEnhanceError: No such model, its weights are missing or damaged, or the device does not work.
        """
        from medenhance.tasks.denoise_ct import TASK, load_predictor

        return self.get_for(TASK, options, lambda: load_predictor(options))

    def get_for(self, task: str, options: ModelChoice, load: Callable[[], Predictor]) -> Predictor:
        """The loaded model that the options of a task name.

        Args:
            task: Such as "denoise-ct".
            options: Of the task.
            load: Loads it, the first time.

        Raises:
            MedEnhanceError: As `get`.
        """
        from medenhance.models import find_model

        entry = find_model(task, options.model)
        hashes = (file.sha256 for file in entry.files)
        key = (entry.id, *hashes, options.device, options.precision)
        if key not in self._loaded:
            self._loaded[key] = load()
        return self._loaded[key]
