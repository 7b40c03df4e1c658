"""What an exported model states of itself, whichever task its evaluation is of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import Calibration
from medenhance.manifest import Task, TrustedRange
from medenhance.strict_json import SchemaError, from_json
from medenhance_training.benchmark.pairs import unseen_low_dose_slice
from medenhance_training.evaluation import Evaluation, evaluation_table, load_evaluation
from medenhance_training.head_report import HeadEvaluation, head_limits, head_metrics, head_tables
from medenhance_training.model_card import limits, metrics, trusted_range
from medenhance_training.spine_evaluation import (
    HeldOutSubjects,
    SpineEvaluation,
    spine_limits,
    spine_metrics,
    spine_tables,
)
from medenhance_training.table import Table

AnyEvaluation = Evaluation | SpineEvaluation | HeadEvaluation
# What an evaluation that is not of a CT denoiser says of its task.
_KINDS: dict[str, type[SpineEvaluation] | type[HeadEvaluation]] = {
    "enhance-spine": SpineEvaluation,
    "detect-hemorrhage": HeadEvaluation,
}


@dataclass(frozen=True)
class Statement:
    """Of one model.

    Attributes:
        trusted: Where a CT model's figures were measured.
        limits: What should be known before the figures are believed.
        metrics: Figures of the manifest.
        tables: Figures of the model card.
        calibration: Of a model for haemorrhage.
    """

    trusted: TrustedRange | None
    limits: tuple[str, ...]
    metrics: dict[str, float]
    tables: tuple[Table, ...]
    calibration: Calibration | None = None


def statement(evaluation: AnyEvaluation) -> Statement:
    """What an evaluation allows to be stated.

    Raises:
        MedEnhanceError: It shows too little.
    """
    if isinstance(evaluation, SpineEvaluation):
        return Statement(None, spine_limits(evaluation), spine_metrics(evaluation), tuple(spine_tables(evaluation)))
    if isinstance(evaluation, HeadEvaluation):
        tables = tuple(head_tables(evaluation))
        return Statement(None, head_limits(evaluation), head_metrics(evaluation), tables, evaluation.calibration)
    return Statement(
        trusted_range(evaluation), limits(evaluation), metrics(evaluation), (evaluation_table(evaluation),)
    )


def read_evaluation(path: Path) -> AnyEvaluation:
    """An evaluation of any kind, as `medenhance-train evaluate` wrote it.

    Raises:
        MedEnhanceError: Not there, or not an evaluation; the key is named.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return load_evaluation(path)  # says what is wrong
    kind = _KINDS.get(str(value.get("task"))) if isinstance(value, dict) else None
    if kind is None:
        return load_evaluation(path)
    try:
        return from_json(kind, value, path.name)
    except SchemaError as error:
        raise MedEnhanceError("input-unreadable", f"{path} is no evaluation: {error}.") from error


def sample_image(task: Task) -> np.ndarray:
    """(H, W) float32, physical units: an image for the task that no training has seen, with noise."""
    if task == "enhance-spine":
        (one,) = HeldOutSubjects(subjects=1).projections()
        return one.noisy.astype(np.float32)
    return unseen_low_dose_slice()
