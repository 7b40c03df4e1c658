"""The facts of a prediction, as every report states them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medenhance.measure.trust import RunFacts
from medenhance.memory import peak_memory_bytes

if TYPE_CHECKING:
    from medenhance.predict import Predictor


def run_facts(predictor: Predictor, seconds: float, strength: float = 1.0) -> RunFacts:
    """What ran, on what, for how long.

    Args:
        predictor: That ran.
        seconds: Time of the prediction.
        strength: Share of its output in the result, in [0, 1].
    """
    entry = predictor.entry
    return RunFacts(
        model_id=entry.id,
        model_version=entry.version,
        weights_sha256=entry.files[0].sha256 if entry.files else "",
        device=str(predictor.device),
        precision=predictor.precision,
        strength=strength,
        seconds=seconds,
        peak_memory_mb=peak_memory_bytes() / 2**20,
    )
