"""Keeps loaded models, for those who run more than one study."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medenhance.predict import Predictor
    from medenhance.tasks.denoise_ct import DenoiseOptions


class PredictorCache:
    """Loads a model once for each combination of weights, device and precision."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, ...], Predictor] = {}

    def get(self, options: DenoiseOptions) -> Predictor:
        """The loaded model that the options name.

        Raises:
            MedEnhanceError: No such model, its weights are missing or damaged, or the device does not work.
        """
        from medenhance.models import find_model
        from medenhance.tasks.denoise_ct import TASK, load_predictor

        entry = find_model(TASK, options.model)
        hashes = (file.sha256 for file in entry.files)
        key = (entry.id, *hashes, options.device, options.precision)
        if key not in self._loaded:
            self._loaded[key] = load_predictor(options)
        return self._loaded[key]
