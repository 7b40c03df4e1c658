"""Reliability of ratings in a table: which columns are raters, and what their agreement is."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.files import check_file, write_json
from medenhance.measure.reliability import Reliability, reliability
from medenhance.strict_json import to_json

_HINT = "Give a CSV with a heading, a row a subject and a column of numbers a rater or session."


def measure_reliability(
    table: Path, raters: tuple[str, ...] | None = None, output: Path | None = None
) -> tuple[tuple[str, ...], Reliability]:
    """Measure the agreement of the columns of a CSV.

    Args:
        table: With a heading; a row a subject.
        raters: Names of the columns that hold ratings; by default all whose every cell is a number, but for one named
            "id", "subject", "case" or "patient".
        output: JSON to write, whole or not at all.

    Returns:
        The columns that were used, and the agreement.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable, bad-option.
    """
    if output is not None:
        check_file(output, ".json", table)
    heading, rows = _read(table)
    chosen = raters or tuple(name for i, name in enumerate(heading) if _is_rating(name, [row[i] for row in rows]))
    missing = [name for name in chosen if name not in heading]
    if missing:
        raise MedEnhanceError(
            "bad-option", f"{table.name} has no column {missing[0]!r}.", f"It has {', '.join(heading)}."
        )
    ratings = _numbers(table, [[row[heading.index(name)] for name in chosen] for row in rows], chosen)
    try:
        found = reliability(ratings)
    except ValueError as error:
        raise MedEnhanceError("input-unsuitable", f"{table.name}: {error}.", _HINT) from error
    if output is not None:
        write_json(output, {"raters": list(chosen), **to_json(found)})
    return chosen, found


def _read(table: Path) -> tuple[list[str], list[list[str]]]:
    if not table.is_file():
        raise MedEnhanceError("input-missing", f"There is no file {table}.", _HINT)
    try:
        lines = [row for row in csv.reader(table.read_text(encoding="utf-8-sig").splitlines()) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise MedEnhanceError("input-unreadable", f"{table.name} is no CSV: {error}.", _HINT) from error
    if len(lines) < 2:
        raise MedEnhanceError("input-unsuitable", f"{table.name} has no rows below its heading.", _HINT)
    heading = [cell.strip() for cell in lines[0]]
    ragged = next((i for i, row in enumerate(lines[1:], start=2) if len(row) != len(heading)), None)
    if ragged is not None:
        message = f"Line {ragged} of {table.name} has {len(lines[ragged - 1])} cells, the heading {len(heading)}."
        raise MedEnhanceError("input-unreadable", message, _HINT)
    return heading, lines[1:]


def _is_rating(name: str, cells: list[str]) -> bool:
    return name.lower() not in ("id", "subject", "case", "patient") and all(_number(cell) is not None for cell in cells)


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _numbers(table: Path, cells: list[list[str]], names: tuple[str, ...]) -> np.ndarray:
    for index, row in enumerate(cells, start=1):
        for name, cell in zip(names, row, strict=True):
            if _number(cell) is None:
                message = f"Row {index} of {table.name} holds {cell!r} in the column {name}; that is no rating."
                raise MedEnhanceError("input-unsuitable", message, "Leave the subject out, or fill the gap.")
    return np.array([[float(cell) for cell in row] for row in cells]).reshape(len(cells), len(names))
