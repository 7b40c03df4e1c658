"""How many cases of each kind stand behind a test set, stated or found from what its rows share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medenhance_training.confusion_cells import Range, matching_counts, range_of
from medenhance_training.published_table import PublishedRow

# Test sets beyond this size leave every three-digit ratio possible, so that the search would find nothing.
MOST_CASES = 600
# A wider range of prevalences leaves so many numbers of cases possible that the smallest ones mean nothing.
_WIDEST_PREVALENCE = 0.02


@dataclass(frozen=True)
class Cases:
    """Of one test set.

    Attributes:
        positives, negatives: Cases with and without the disease; None where neither stated nor found.
        stated: Whether the table states them.
        prevalence: Share of the positives; None where the rows say nothing.
        fitting: Names of the rows that agree with it.
        exact: Names of the rows that whole numbers of these positives and negatives give, where they were found.
    """

    positives: int | None
    negatives: int | None
    stated: bool
    prevalence: Range | None
    fitting: tuple[str, ...]
    exact: tuple[str, ...] = ()


def cases_of(rows: Sequence[PublishedRow]) -> Cases:
    """The cases that the table states, or else those that most rows imply."""
    for row in rows:
        if row.positives is not None and row.negatives is not None:
            share = row.positives / (row.positives + row.negatives)
            return Cases(row.positives, row.negatives, True, Range(share, share), tuple(r.name for r in rows))
    implied = _implied(rows)
    shared = _shared([span for _, span in implied])
    if shared is None:
        return Cases(None, None, False, None, ())
    fitting = [row for row, span in implied if span.overlaps(shared)]
    names = tuple(row.name for row in fitting)
    positives, negatives, exact = _smallest(fitting, shared)
    return Cases(positives, negatives, False, shared, names, exact)


def _implied(rows: Sequence[PublishedRow]) -> list[tuple[PublishedRow, Range]]:
    """The prevalence of every row that has enough ratios to imply one, and does not contradict itself."""
    spans = ((row, range_of("prevalence", row.ratios)) for row in rows if len(row.ratios) > 2)
    return [(row, span) for row, span in spans if span is not None]


def _shared(spans: Sequence[Range]) -> Range | None:
    """The stretch that lies in the most spans; the first of equals."""
    if not spans:
        return None
    start = max(spans, key=lambda one: sum(other.low <= one.low <= other.high for other in spans)).low
    covering = [span for span in spans if span.low <= start <= span.high]
    return Range(start, min(span.high for span in covering))


def _smallest(rows: Sequence[PublishedRow], prevalence: Range) -> tuple[int | None, int | None, tuple[str, ...]]:
    """The smallest numbers of cases that could have given the most rows, and which; two rows at least, and the half.

    A single row agrees with many numbers, and only two or more can say what the others should have.
    """
    best: tuple[int | None, int | None, tuple[str, ...]] = (None, None, ())
    fewest = max(2, (len(rows) + 1) // 2)
    if len(rows) < fewest or prevalence.high - prevalence.low > _WIDEST_PREVALENCE:
        return best
    for total in range(2, MOST_CASES + 1):
        first, last = int(total * prevalence.low), int(total * prevalence.high) + 1
        for positives in range(max(1, first), min(total - 1, last) + 1):
            if not prevalence.low <= positives / total <= prevalence.high:
                continue
            exact = tuple(row.name for row in rows if matching_counts(row.ratios, positives, total - positives))
            if len(exact) >= fewest and len(exact) > len(best[2]):
                best = positives, total - positives, exact
    return best
