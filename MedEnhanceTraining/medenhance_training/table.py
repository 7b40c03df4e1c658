"""A table for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of text under a heading.

    Attributes:
        title: What the table shows.
        columns: Headings; the first column is aligned to the left, the others to the right.
        rows: One cell a column; a row of a single cell is the heading of those that follow.
        notes: Sentences below the table.
    """

    title: str
    columns: Sequence[str]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Append a row, or with a single cell the heading of a section."""
        if len(cells) not in (1, len(self.columns)):
            raise ValueError(f"a row has 1 or {len(self.columns)} cells, not {len(cells)}")
        self.rows.append(cells)

    def text(self) -> str:
        """For a terminal."""
        full = [tuple(self.columns), *(row for row in self.rows if len(row) > 1)]
        widths = [max(len(row[k]) for row in full) for k in range(len(self.columns))]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        lines = [self.title, rule, _line(self.columns, widths), rule]
        for row in self.rows:
            lines += [_line(row, widths)] if len(row) > 1 else ["", row[0]]
        return "\n".join([*lines, rule, *self.notes])

    def markdown(self) -> str:
        """For a document."""
        lines = [f"**{self.title}**", "", _cells(self.columns), _cells([":--"] + ["--:"] * (len(self.columns) - 1))]
        for row in self.rows:
            lines.append(_cells(row) if len(row) > 1 else _cells([f"**{row[0]}**"] + [""] * (len(self.columns) - 1)))
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes)]) + "\n"


def number(value: float | None, digits: int, *, sign: bool = False) -> str:
    """A number, or a dash where there is none."""
    if value is None:
        return "-"
    # A shift that rounds to nothing has no sign.
    shown = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return shown.lstrip("+-") if float(shown) == 0 else shown


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
