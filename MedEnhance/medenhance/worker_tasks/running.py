"""What a task of the worker may use while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from medenhance.predictor_cache import PredictorCache
from medenhance.progress import Progress


@dataclass(frozen=True)
class Running:
    """One request at work.

    Attributes:
        progress: Where it is; asks it to stop.
        predictors: Loaded models, kept between requests.
    """

    progress: Progress
    predictors: PredictorCache
