"""Checks mean absolute error, mean squared error and R2 of a table of regressions against one another.

All methods of one test set explain the same variance: R2 = 1 - MSE / variance. And by Jensen's inequality the MSE is
at least the square of the MAE.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medenhance_training.confusion_cells import Range
from medenhance_training.published_table import PublishedRow


def check_errors(rows: Sequence[PublishedRow]) -> Iterator[tuple[str, str]]:
    """(method, what does not fit)."""
    for row in rows:
        if {"mae", "mse"} <= row.values.keys() and row.values["mse"].high < row.values["mae"].low ** 2:
            mae, mse = row.values["mae"], row.values["mse"]
            yield row.name, f"mse {mse.text} is below the square of mae {mae.text}: they may be swapped"
    spans = [(row, _variance(row)) for row in rows if {"mse", "r2"} <= row.values.keys()]
    known = [(row, span) for row, span in spans if span is not None]
    if len(known) < 3:
        return
    start = max((span for _, span in known), key=lambda one: sum(o.low <= one.low <= o.high for _, o in known)).low
    shared = Range(start, min(span.high for _, span in known if span.low <= start <= span.high))
    for row, span in known:
        if not span.overlaps(shared):
            mse, r2 = row.values["mse"], row.values["r2"]
            low, high = (r2.like(1.0 - mse.value / variance) for variance in (shared.low, shared.high))
            should = low if low == high else f"{low} to {high}"
            yield (
                row.name,
                f"r2 {r2.text} and mse {mse.text} imply a variance of {span.low:.0f} to {span.high:.0f}, "
                f"most rows {shared.low:.0f} to {shared.high:.0f}: r2 should be {should}",
            )


def _variance(row: PublishedRow) -> Range | None:
    mse, r2 = row.values["mse"], row.values["r2"]
    if r2.high >= 1.0:
        return None
    return Range(mse.low / (1.0 - r2.low), mse.high / (1.0 - r2.high))
