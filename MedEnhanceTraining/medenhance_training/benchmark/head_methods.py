"""Methods for head CT as values: which runs or models they need, with one detector for each training seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from medenhance.head_ct.calibration import Calibration
from medenhance.head_ct.prediction import HeadPrediction
from medenhance.models import find_model
from medenhance.predict import Predictor
from medenhance.volume import Volume
from medenhance.weights import locate
from medenhance_training.head_evaluation import HeadDetector, NetworkDetector
from medenhance_training.methods import TrainedRuns

TASK = "detect-hemorrhage"


class HeadMethod(Protocol):
    """A method that is not opened yet.

    Attributes:
        title: As in a table; those of `paper_head_ct` stand beside the paper's numbers.
    """

    @property
    def title(self) -> str: ...

    def open(self) -> Sequence[HeadDetector]:
        """One for each training seed."""


class HeadRuns(TrainedRuns):
    """A network that finds blood."""

    def open(self) -> list[HeadDetector]:
        return [NetworkDetector(predictor) for predictor in self.predictors()]


@dataclass(frozen=True)
class HeadModel:
    """An installed model with its own calibration.

    Attributes:
        id: Of the manifest; the default one when None.
        device, precision: As in `Predictor.load`.
    """

    id: str | None = None
    device: str = "auto"
    precision: str = "auto"

    @property
    def title(self) -> str:
        return find_model(TASK, self.id).id

    def open(self) -> list[HeadDetector]:
        entry = find_model(TASK, self.id)
        return [NetworkDetector(Predictor.load(entry, locate(entry), device=self.device, precision=self.precision))]


@dataclass(frozen=True)
class Calibrated:
    """A detector with a calibration of its own; its probabilities follow from the logit."""

    detector: HeadDetector
    calibration: Calibration

    def predict(self, volume: Volume) -> HeadPrediction:
        found = self.detector.predict(volume)
        return replace(found, scan_probability=self.calibration.probability(found.scan_logit))
