"""Checks a published table for what cannot be: ratios that no confusion matrix has, swapped classes, slips of copying.

Sensitivity, specificity, predictive values, accuracy and F1 are five views of four numbers, so that a table contradicts
itself when one of them is wrong (specification of head CT, section 9). A finding says what does not fit and what would;
which of the values is the wrong one is the authors' to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from medenhance_training.confusion_cells import (
    CELLS,
    Range,
    matching_counts,
    nearest_shares,
    range_of,
    swapped,
)
from medenhance_training.error_variance import check_errors
from medenhance_training.operating import Counts
from medenhance_training.published_table import RATIOS, PublishedRow, without
from medenhance_training.table_cases import Cases, cases_of

Kind = Literal[
    "out-of-range",  # above 1
    "impossible-at-n",  # no whole number of cases gives it
    "inconsistent",  # the values of the row contradict one another
    "swapped-classes",  # the row fits when positive and negative change places
    "other-prevalence",  # the row is consistent, but not of the group's cases
    "collapsed",  # everything was called one class
    "auc",  # no ROC curve through the operating point has this area
    "same-values",  # two methods share all their thresholded values
    "differs",  # another table prints another value for the same method and set
    "errors",  # MAE, MSE and R2 contradict one another
]


@dataclass(frozen=True)
class Finding:
    """Something that does not fit.

    Attributes:
        kind: What kind of thing.
        group: The test set.
        row: The method; both, where it is between two.
        message: What does not fit, and what would.
        table: Name of its file; "" for what is between two.
    """

    kind: Kind
    group: str
    row: str
    message: str
    table: str = ""


@dataclass(frozen=True)
class RowCheck:
    """What one row implies.

    Attributes:
        row: As printed.
        prevalence: What its ratios imply without any knowledge of the cases; None where they contradict one another.
        counts: Its only confusion matrix with the group's numbers of cases; None where there is none or several.
        num_counts: How many such matrices there are; None when they were not counted.
    """

    row: PublishedRow
    prevalence: Range | None
    counts: Counts | None
    num_counts: int | None


@dataclass(frozen=True)
class GroupCheck:
    """The rows of one test set, the cases that they share, and what does not fit."""

    group: str
    cases: Cases
    rows: tuple[RowCheck, ...]
    findings: tuple[Finding, ...]


def check_rows(rows: Sequence[PublishedRow]) -> list[GroupCheck]:
    """Check rows of one table or of several."""
    groups: dict[str, list[PublishedRow]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return [_check_group(group, members) for group, members in groups.items()]


def _check_group(group: str, rows: list[PublishedRow]) -> GroupCheck:
    cases = cases_of(rows)
    checks = [_implied(row, cases) for row in rows]
    findings = [finding for row in rows for finding in _row_findings(row, cases)]
    findings += _between(rows)
    findings += [Finding("errors", group, name, message) for name, message in check_errors(rows)]
    return GroupCheck(group, cases, tuple(checks), tuple(findings))


def _implied(row: PublishedRow, cases: Cases) -> RowCheck:
    prevalence = range_of("prevalence", row.ratios) if len(row.ratios) > 2 else None
    if cases.positives is None or cases.negatives is None or not row.ratios:
        return RowCheck(row, prevalence, None, None)
    counts = matching_counts(row.ratios, cases.positives, cases.negatives)
    if counts is None:
        return RowCheck(row, prevalence, None, None)
    return RowCheck(row, prevalence, counts[0] if len(counts) == 1 else None, len(counts))


def _row_findings(row: PublishedRow, cases: Cases) -> Iterator[Finding]:
    def found(kind: Kind, message: str) -> Finding:
        return Finding(kind, row.group, row.name, message, row.table)

    too_large = [key for key, value in row.values.items() if key in RATIOS and not 0 <= value.value <= 1]
    for key in too_large:
        yield found("out-of-range", f"{key} {row.values[key].text} is no ratio; mark percentages with %")
    if too_large:
        return
    impossible = list(_impossible(row, cases))
    yield from (found("impossible-at-n", message) for message in impossible)
    contradiction = _contradiction(row, cases)
    if contradiction is not None:
        yield found(*contradiction)
    yield from (found("collapsed", message) for message in _collapsed(row))
    yield from (found("auc", message) for message in _area(row))


def _impossible(row: PublishedRow, cases: Cases) -> Iterator[str]:
    """Shares that no whole number of the cases has; of cases that were found only for rows that would fit otherwise."""
    if not cases.stated:
        yield from _near_miss(row, cases)
        return
    for key, total in (("sensitivity", cases.positives), ("specificity", cases.negatives)):
        value = row.values.get(key)
        if value is None or not total:
            continue
        near = list(nearest_shares(value.value, total))
        if not any(value.admits(share) for _, share in near):
            options = " or ".join(f"{count}/{total} = {value.like(share)}" for count, share in near)
            yield f"{key} {value.text} cannot be: it would be {options}"


def _near_miss(row: PublishedRow, cases: Cases) -> Iterator[str]:
    """A row of the right prevalence that the numbers found for the others do not give."""
    if row.name not in cases.fitting or row.name in cases.exact or not cases.exact:
        return
    repairs = list(_repairs(row, cases))
    if repairs:
        yield (
            f"the {cases.positives} positive and {cases.negatives} negative cases that give {', '.join(cases.exact)} "
            f"do not give it: {', or '.join(repairs)}"
        )


def _contradiction(row: PublishedRow, cases: Cases) -> tuple[Kind, str] | None:
    """What is wrong with the values of a row as a whole, by the first explanation that fits."""
    if len(row.ratios) < 3 or _fits(row, cases):
        return None
    swap = _swap(row, cases)
    if swap is not None:
        return "swapped-classes", swap
    prevalence = range_of("prevalence", row.ratios)
    if prevalence is not None and not cases.stated:
        return "other-prevalence", f"implies a prevalence of {_span(prevalence)}, the others {_span(cases.prevalence)}"
    repairs = list(_repairs(row, cases))
    if repairs:
        return "inconsistent", "its values contradict one another; " + ", or ".join(repairs)
    return "inconsistent", "its values contradict one another, and no single change would mend that"


def _fits(row: PublishedRow, cases: Cases, *, whole: bool | None = None) -> bool:
    """Whether any confusion matrix gives the row: in whole cases where these are stated (or `whole` says so)."""
    whole = cases.stated if whole is None else whole
    if whole and cases.positives is not None and cases.negatives is not None:
        counts = matching_counts(row.ratios, cases.positives, cases.negatives)
        if counts is not None:
            return bool(counts)
    return range_of("prevalence", row.ratios, cases.prevalence) is not None


def _swap(row: PublishedRow, cases: Cases) -> str | None:
    """Why the classes must be swapped, and the row as it should read; None when that does not explain it."""
    other = swapped(row.ratios)
    if not {"sensitivity", "specificity"} <= other.keys() or len(other) < 3 or cases.prevalence is None:
        return None
    own, turned = range_of("prevalence", row.ratios), range_of("prevalence", other, cases.prevalence)
    if own is None or turned is None:
        return None
    f1 = range_of("f1", other, cases.prevalence)
    values = ", ".join(f"{key} {value.text}" for key, value in other.items())
    shown = "" if f1 is None or "f1" not in row.values else f", f1 {row.values['f1'].like((f1.low + f1.high) / 2)}"
    return (
        f"implies a prevalence of {_span(own)} where the others have {_span(cases.prevalence)}: positive and negative "
        f"are swapped. Swapped back: {values}{shown}"
    )


def _repairs(row: PublishedRow, cases: Cases) -> Iterator[str]:
    """Single values without which the row fits, and what they would have to be."""
    for key in row.ratios:
        rest = without(row, key)
        whole = cases.stated or row.name in cases.fitting
        if not _fits(rest, cases, whole=whole):
            continue
        value = row.values[key]
        if whole and cases.positives is not None and cases.negatives is not None:
            counts = matching_counts(rest.ratios, cases.positives, cases.negatives)
            if counts:
                options = sorted({value.like(_value(key, one)) for one in counts})
                yield f"{key} {value.text} should be {_few(options)}"
                continue
        span = range_of(key, rest.ratios, cases.prevalence)
        if span is not None:
            yield f"{key} {value.text} should be {_few(sorted({value.like(span.low), value.like(span.high)}))}"


def _collapsed(row: PublishedRow) -> Iterator[str]:
    pair = {key: row.values[key].value for key in ("sensitivity", "specificity") if key in row.values}
    for one, other in (("sensitivity", "specificity"), ("specificity", "sensitivity")):
        if pair.get(one) == 0.0 and pair.get(other) == 1.0:
            yield f"{one} 0 and {other} 1: everything was called one class, so that the AUC alone says something"


def _area(row: PublishedRow) -> Iterator[str]:
    """A monotone curve through (1 - specificity, sensitivity) has at least and at most these areas."""
    if not {"auc", "sensitivity", "specificity"} <= row.values.keys():
        return
    area, sen, spe = (row.values[key] for key in ("auc", "sensitivity", "specificity"))
    least, most = sen.low * spe.low, 1.0 - (1.0 - min(1.0, sen.high)) * (1.0 - min(1.0, spe.high))
    if not (area.low <= most and least <= area.high):
        yield f"auc {area.text} cannot be: a curve through this operating point has {least:.3f} to {most:.3f}"


def _between(rows: Sequence[PublishedRow]) -> Iterator[Finding]:
    """What two rows of one set say together."""
    for a, b in combinations(rows, 2):
        if a.name == b.name and a.table != b.table:
            for key in a.values.keys() & b.values.keys():
                if a.values[key].text != b.values[key].text:
                    message = f"{key} is {a.values[key].text} in {a.table} and {b.values[key].text} in {b.table}"
                    yield Finding("differs", a.group, a.name, message)
        elif a.table == b.table and _same(a, b):
            values = ", ".join(f"{key} {value.text}" for key, value in a.ratios.items())
            yield Finding(
                "same-values", a.group, f"{a.name} and {b.name}", f"share {values}: perhaps a slip of copying"
            )


def _same(a: PublishedRow, b: PublishedRow) -> bool:
    """Whether two rows share at least three ratios that say something, and all that both print."""
    shared = a.ratios.keys() & b.ratios.keys()
    telling = [key for key in shared if a.values[key].value not in (0.0, 1.0)]
    return len(telling) > 2 and all(a.values[key].text == b.values[key].text for key in shared)


def _value(key: str, counts: Counts) -> float:
    cells = (counts.true_positive, counts.false_negative, counts.true_negative, counts.false_positive)
    numerator, denominator = (sum(w * c for w, c in zip(part, cells, strict=True)) for part in CELLS[key])
    return numerator / denominator if denominator else 0.0


def _span(found: Range | None) -> str:
    if found is None:
        return "none"
    low, high = f"{found.low:.3f}", f"{found.high:.3f}"
    return low if low == high else f"{low} to {high}"


def _few(options: Sequence[str]) -> str:
    return options[0] if len(options) == 1 else f"{options[0]} to {options[-1]}"
