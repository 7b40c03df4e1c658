"""How well a segmentation agrees with a reference, class by class, in the measures of papers/001, Table 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Overlap:
    """Agreement on one class of one image, 0 to 1.

    Attributes:
        dice: 2 TP / (2 TP + FP + FN).
        jaccard: TP / (TP + FP + FN).
        accuracy: TP / (TP + FN): MMSegmentation's class accuracy, which the paper calls pixel accuracy.
    """

    dice: float
    jaccard: float
    accuracy: float


def overlap(predicted: np.ndarray, reference: np.ndarray) -> Overlap | None:
    """Agreement of two masks, both bool of one shape; None where both are empty, which says nothing."""
    if predicted.shape != reference.shape:
        raise ValueError(f"masks of one shape are compared, not {predicted.shape} and {reference.shape}")
    hit, ours, theirs = (int(np.count_nonzero(mask)) for mask in (predicted & reference, predicted, reference))
    if ours + theirs == 0:
        return None
    return Overlap(2 * hit / (ours + theirs), hit / (ours + theirs - hit), hit / theirs if theirs else 0.0)
