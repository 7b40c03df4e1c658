"""`medenhance-train check-table`: do the numbers of a published table of results belong to any confusion matrix?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from medenhance.errors import MedEnhanceError
from medenhance.files import write_json
from medenhance.strict_json import to_json
from medenhance_training.check_table import GroupCheck, RowCheck, check_rows
from medenhance_training.commands.evaluate import write_text
from medenhance_training.confusion_cells import Range
from medenhance_training.published_table import read_published_table
from medenhance_training.table import Table


@dataclass(frozen=True)
class CheckTable:
    """Check published sensitivities, specificities, predictive values, accuracies and F1 against one another.

    Reports the prevalence and the counts that each row implies, values that no number of cases gives, swapped classes,
    rows that contradict themselves with the single changes that would mend them, and values that two methods share.
    Columns: method, set, positives, negatives (or total), AUC, F1, ACC, SEN, SPE, PPV, NPV, MAE, MSE, R2; all but the
    method may be absent. Marks of significance are ignored; percentages end in %.
    """

    tables: Annotated[Positional[tuple[Path, ...]], arg(metavar="TABLE.csv|.json ...")]
    """Tables to check. The same method and set in two tables should have the same values."""
    truncated: bool = False
    """Values may be cut off after the last digit instead of rounded."""
    json: Annotated[Path | None, arg(metavar="PATH.json")] = None
    """Write everything that was found."""
    markdown: Annotated[Path | None, arg(metavar="PATH.md")] = None
    """Also write the tables as Markdown."""


def run(args: CheckTable) -> int:
    """Check, print what every row implies and what does not fit; the status is 0 whatever was found."""
    if not args.tables:
        raise MedEnhanceError("bad-option", "No table was named.", "Give a CSV or JSON file.")
    read = [read_published_table(path, 1.0 if args.truncated else 0.5) for path in args.tables]
    checks = check_rows([row for table in read for row in table.rows])
    tables = [check_table(check) for check in checks]
    ignored = sorted({column for table in read for column in table.ignored})
    if ignored:
        tables[-1].notes.append(f"columns that were not checked: {', '.join(ignored)}")
    print("\n\n".join(table.text() for table in tables))
    if args.json is not None:
        write_json(args.json, to_json(checks))
    if args.markdown is not None:
        write_text(args.markdown, "\n".join(table.markdown() for table in tables))
    return 0


def check_table(check: GroupCheck) -> Table:
    """What the rows of one test set imply, and below it what does not fit."""
    columns = ("method", "prevalence", "TP", "FN", "TN", "FP", "verdict")
    table = Table(f"{check.group or 'Table'}: {_cases(check)}", columns)
    for row in check.rows:
        table.add(row.row.name, _span(row.prevalence), *_counts(row), _verdict(check, row))
    table.notes += [f"{one.row}: {one.kind}: {one.message}" for one in check.findings]
    if not check.findings:
        table.notes.append("Nothing contradicts anything else.")
    return table


def _cases(check: GroupCheck) -> str:
    cases = check.cases
    if cases.prevalence is None:
        return "no row says how many cases are positive"
    numbers = "" if cases.positives is None else f"{cases.positives} positive and {cases.negatives} negative cases"
    if cases.stated:
        return f"{numbers} stated, prevalence {_span(cases.prevalence)}"
    found = f", as {numbers} would give ({len(cases.exact)} rows)" if numbers else ""
    return f"prevalence {_span(cases.prevalence)} in {len(cases.fitting)} of {len(check.rows)} rows{found}"


def _verdict(check: GroupCheck, row: RowCheck) -> str:
    kinds = [
        one.kind
        for one in check.findings
        if row.row.name in (one.row, *one.row.split(" and ")) and one.table in ("", row.row.table)
    ]
    if kinds:
        return ", ".join(dict.fromkeys(kinds))
    return "consistent" if row.prevalence is not None or row.num_counts else "too few values"


def _counts(row: RowCheck) -> tuple[str, str, str, str]:
    counts = row.counts
    if counts is None:
        several = f"{row.num_counts} ways" if row.num_counts else ""
        return several, "", "", ""
    cells = (counts.true_positive, counts.false_negative, counts.true_negative, counts.false_positive)
    one, two, three, four = map(str, cells)
    return one, two, three, four


def _span(found: Range | None) -> str:
    if found is None:
        return "-"
    low, high = f"{found.low:.3f}", f"{found.high:.3f}"
    return low if low == high else f"{low}..{high}"
