"""What printed ratios say of the confusion matrix behind them.

Every ratio is linear in the four cells above and below the line, so that "it was printed as 0.864" is two linear
constraints: which cells are possible is a linear programme, exact and without a search. With stated numbers of cases
the cells are whole numbers and are counted through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from medenhance_training.operating import Counts
from medenhance_training.published_table import Printed

# Numerator and denominator over the cells: true positive, false negative, true negative, false positive.
CELLS: dict[str, tuple[tuple[int, int, int, int], tuple[int, int, int, int]]] = {
    "sensitivity": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "specificity": ((0, 0, 1, 0), (0, 0, 1, 1)),
    "ppv": ((1, 0, 0, 0), (1, 0, 0, 1)),
    "npv": ((0, 0, 1, 0), (0, 1, 1, 0)),
    "accuracy": ((1, 0, 1, 0), (1, 1, 1, 1)),
    "f1": ((2, 0, 0, 0), (2, 1, 0, 1)),
    "prevalence": ((1, 1, 0, 0), (1, 1, 1, 1)),
}
# Of the other class: sensitivity becomes specificity and so on; F1 has no counterpart in the same row.
SWAPPED = {"sensitivity": "specificity", "specificity": "sensitivity", "ppv": "npv", "npv": "ppv"}
# More pairs of whole numbers than this are left to the linear programme; whole numbers are then dense enough.
_MOST_PAIRS = 4_000_000
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Range:
    """Lowest and highest possible value."""

    low: float
    high: float

    def overlaps(self, other: Range) -> bool:
        return self.low <= other.high and other.low <= self.high


def range_of(measure: str, printed: Mapping[str, Printed], prevalence: Range | None = None) -> Range | None:
    """What the printed ratios leave possible for a measure; None when they contradict one another.

    Args:
        measure: A key of `CELLS`.
        printed: Ratios.
        prevalence: Where it is known besides.
    """
    numerator, denominator = CELLS[measure]
    bounds: dict[str, tuple[float, float]] = {key: (value.low, value.high) for key, value in printed.items()}
    if prevalence is not None:
        bounds["prevalence"] = (prevalence.low, prevalence.high)
    rows = _rows(bounds)
    ends = []
    for sign in (1, -1):
        # Cells have no scale here: that of the denominator makes the numerator the measure itself.
        found = linprog(
            sign * np.array(numerator, float),
            A_ub=rows if len(rows) else None,
            b_ub=np.zeros(len(rows)) if len(rows) else None,
            A_eq=np.array([denominator], float),
            b_eq=[1.0],
            bounds=(0, None),
            method="highs",
        )
        if not found.success:
            return None
        ends.append(sign * float(found.fun))
    return Range(max(0.0, ends[0]), min(1.0, ends[1]))


def _rows(bounds: Ranges) -> np.ndarray:
    """One row r a constraint, r . cells <= 0; both ends of every ratio."""
    rows = []
    for key, (low, high) in bounds.items():
        numerator, denominator = (np.array(part, float) for part in CELLS[key])
        rows += [low * denominator - numerator, numerator - high * denominator]
    return np.array(rows)


def matching_counts(printed: Mapping[str, Printed], positives: int, negatives: int) -> list[Counts] | None:
    """Every confusion matrix of these numbers of cases that would be printed so; None for too many to try."""
    tp = _candidates(printed.get("sensitivity"), positives)
    tn = _candidates(printed.get("specificity"), negatives)
    if tp.size * tn.size > _MOST_PAIRS:
        return None
    tp, tn = (grid.ravel() for grid in np.meshgrid(tp, tn, indexing="ij"))
    cells = np.stack([tp, positives - tp, tn, negatives - tn], axis=1)
    fits = np.ones(len(cells), bool)
    for key, value in printed.items():
        numerator, denominator = (cells @ np.array(part) for part in CELLS[key])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = numerator / denominator
        fits &= (ratio >= value.low - 1e-9) & (ratio <= value.high + 1e-9)
    return [Counts(*map(int, row)) for row in cells[fits]]


def nearest_shares(value: float, total: int) -> Iterator[tuple[int, float]]:
    """The counts of `total` whose shares stand on both sides of the value."""
    below = int(np.floor(value * total + 1e-9))
    for count in (below, below + 1):
        if 0 <= count <= total:
            yield count, count / total


def swapped(printed: Mapping[str, Printed]) -> dict[str, Printed]:
    """The row as it would read with the classes swapped; F1, which the other class does not share, is left out."""
    return {SWAPPED.get(key, key): value for key, value in printed.items() if key != "f1"}


def _candidates(value: Printed | None, total: int) -> np.ndarray:
    if value is None:
        return np.arange(total + 1)
    low, high = np.ceil(value.low * total - 1e-9), np.floor(value.high * total + 1e-9)
    return np.arange(max(0, int(low)), min(total, int(high)) + 1)
