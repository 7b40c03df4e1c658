"""A published table of results, read from CSV or JSON with the digits as they were printed."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medenhance.errors import MedEnhanceError

# What authors call the columns, spelled without spaces, dashes and brackets.
ALIASES = {
    "name": ("name", "method", "methods", "network", "model", "row", "pretexttask"),
    "group": ("group", "set", "testset", "dataset"),
    "positives": ("positives", "numpositive", "npositive", "p"),
    "negatives": ("negatives", "numnegative", "nnegative"),
    "total": ("total", "n"),
    "sensitivity": ("sensitivity", "sen", "sens", "recall", "tpr"),
    "specificity": ("specificity", "spe", "spec", "tnr"),
    "ppv": ("ppv", "precision"),
    "npv": ("npv",),
    "accuracy": ("accuracy", "acc"),
    "f1": ("f1", "f1score"),
    "auc": ("auc", "auroc"),
    "mae": ("mae",),
    "mse": ("mse",),
    "r2": ("r2", "r2score"),
}
RATIOS = ("sensitivity", "specificity", "ppv", "npv", "accuracy", "f1", "auc")
_FIELDS = {alias: field for field, aliases in ALIASES.items() for alias in aliases}
_NUMBER = re.compile(r"(-?\d*\.?\d+)\s*(%?)[\s*†‡§$^{}\\]*")
_ABSENT = ("", "-", "\N{EN DASH}", "n/a", "na", "nan")


@dataclass(frozen=True)
class Printed:
    """A number as it was printed.

    Attributes:
        text: Its digits.
        value: What they say; a percentage is divided by 100.
        half: How far the true value may be from it, in the same unit: half a unit of the last digit.
    """

    text: str
    value: float
    half: float

    @property
    def low(self) -> float:
        return self.value - self.half

    @property
    def high(self) -> float:
        return self.value + self.half

    def admits(self, value: float) -> bool:
        """Whether the value would be printed so; a margin of 1e-9 covers binary rounding."""
        return self.low - 1e-9 <= value <= self.high + 1e-9

    def like(self, value: float) -> str:
        """Another value with as many digits."""
        percent = self.text.endswith("%")
        digits = len(self.text.rstrip("%").strip().partition(".")[2])
        return f"{100 * value:.{digits}f}%" if percent else f"{value:.{digits}f}"


@dataclass(frozen=True)
class PublishedRow:
    """One row.

    Attributes:
        table: Name of the file.
        group: Test set; rows of one group share their cases.
        name: Method.
        values: Measure -> what was printed.
        positives, negatives: Cases with and without the disease, where they are stated.
    """

    table: str
    group: str
    name: str
    values: Mapping[str, Printed]
    positives: int | None = None
    negatives: int | None = None

    @property
    def ratios(self) -> dict[str, Printed]:
        """Those that follow from a confusion matrix."""
        return {key: value for key, value in self.values.items() if key in RATIOS and key != "auc"}


@dataclass(frozen=True)
class PublishedTable:
    """The rows of one file, and its columns that nothing is known about."""

    title: str
    rows: tuple[PublishedRow, ...]
    ignored: tuple[str, ...]


def read_published_table(path: Path, units_of_last_digit: float = 0.5) -> PublishedTable:
    """Read a table.

    Args:
        path: CSV with a heading, or JSON with a list of objects.
        units_of_last_digit: How far a true value may be from the printed one; 0.5 for rounding, 1 for truncation.

    Raises:
        MedEnhanceError: input-missing or input-unreadable, naming the row and column.
    """
    if not path.is_file():
        raise MedEnhanceError("input-missing", f"There is no table {path}.")
    cells = _json_rows(path) if path.suffix.lower() == ".json" else _csv_rows(path)
    if not cells:
        raise MedEnhanceError("input-unreadable", f"{path} holds no row.", "The first line names the columns.")
    known = {column: _FIELDS.get(_plain(column)) for row in cells for column in row}
    if "name" not in known.values():
        message = f"{path} has no column that names the methods, among {', '.join(known)}."
        raise MedEnhanceError("input-unreadable", message, f"Call one of them {ALIASES['name'][1]!r}.")
    rows = tuple(_row(path, number, row, known, units_of_last_digit) for number, row in enumerate(cells, start=1))
    return PublishedTable(path.stem, rows, tuple(column for column, field in known.items() if field is None))


def without(row: PublishedRow, measure: str) -> PublishedRow:
    """The row with one measure left out."""
    return replace(row, values={key: value for key, value in row.values.items() if key != measure})


def _csv_rows(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MedEnhanceError("input-unreadable", f"{path} cannot be read: {error}.", "Save it as UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text), restkey="")
    rows = list(reader)
    for number, row in enumerate(rows, start=1):
        if "" in row or None in row.values():
            message = (
                f"{path}: row {number} does not have one cell for each of the {len(reader.fieldnames or ())} columns."
            )
            raise MedEnhanceError("input-unreadable", message)
    return rows


def _json_rows(path: Path) -> list[dict[str, str]]:
    """Numbers stay text, so that 0.880 keeps its zero."""
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"), parse_float=str, parse_int=str)
    except (OSError, ValueError) as error:
        raise MedEnhanceError("input-unreadable", f"{path} is no JSON: {error}.") from error
    rows = value.get("rows") if isinstance(value, dict) else value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise MedEnhanceError("input-unreadable", f"{path} is no list of objects, one a row.")
    return [{key: "" if cell is None else str(cell) for key, cell in row.items()} for row in rows]


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*?\)", "", column.lower()))


def _row(path: Path, number: int, row: dict[str, str], known: dict[str, str | None], units: float) -> PublishedRow:
    fields = {field: row[column].strip() for column, field in known.items() if field is not None and column in row}
    where = f"{path}: row {number} ({fields.get('name', '')})"
    counts = {key: _count(fields.pop(key, ""), key, where) for key in ("positives", "negatives", "total")}
    positives, negatives = counts["positives"], counts["negatives"]
    if negatives is None and positives is not None and counts["total"] is not None:
        negatives = counts["total"] - positives
    name, group = fields.pop("name", ""), fields.pop("group", "")
    values = {
        key: _printed(text, units, f"{where}, {key}") for key, text in fields.items() if text.lower() not in _ABSENT
    }
    return PublishedRow(path.stem, group, name, values, positives, negatives)


def _printed(text: str, units: float, where: str) -> Printed:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise MedEnhanceError("input-unreadable", f"{where}: {text!r} is no number.", "Leave a missing value empty.")
    digits, percent = match.groups()
    scale = 0.01 if percent else 1.0
    last = 10.0 ** -len(digits.partition(".")[2])
    return Printed(digits + percent, float(digits) * scale, units * last * scale)


def _count(text: str, key: str, where: str) -> int | None:
    if text.lower() in _ABSENT:
        return None
    if not text.replace(",", "").isdigit():
        raise MedEnhanceError("input-unreadable", f"{where}, {key}: {text!r} is no number of cases.")
    return int(text.replace(",", ""))
