"""From the probability of every voxel to a mask: faint voxels count where they touch sure ones.

Part of the manifest, which Slicer's Python reads with its standard library alone: numbers are computed with what is
imported in `MaskRule.mask`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class MaskRule:
    """Which voxels belong to a mask.

    Attributes:
        threshold: Voxels of at least this probability do, in (0, 1) ...
        piece_threshold: ... where the connected piece that they form has one of at least this, below 1. With 0 every
            piece counts. A network is surer inside a bleed than at its border, and seldom sure of a false one.
    """

    threshold: float
    piece_threshold: float = 0.0

    def mask(self, probability: np.ndarray) -> np.ndarray:
        """(D, H, W) probability -> (D, H, W) bool."""
        import numpy as np
        from scipy import ndimage

        from medenhance.head_ct.pieces import TOUCHING

        mask = np.asarray(probability >= self.threshold)
        if self.piece_threshold <= self.threshold:
            return mask
        labels, count = ndimage.label(mask, TOUCHING)
        sure = np.zeros(count + 1, bool)
        sure[labels[probability >= self.piece_threshold]] = True
        sure[0] = False
        return np.asarray(sure[labels])

    def __str__(self) -> str:
        if self.piece_threshold <= self.threshold:
            return f"{self.threshold:g}"
        return f"{self.threshold:g}, in pieces that reach {self.piece_threshold:g}"


def mask_rule_problems(rule: MaskRule) -> Iterator[tuple[str, str]]:
    """What is wrong with a rule, as (key, problem)."""
    if not 0 < rule.threshold < 1:
        yield "threshold", f"above 0 and below 1 was expected, not {rule.threshold}"
    if not 0 <= rule.piece_threshold < 1:
        yield "piece_threshold", f"0 or more and below 1 was expected, not {rule.piece_threshold}"
