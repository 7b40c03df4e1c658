"""A strip with a column for each slice: its probability and the area of its mask as bars; a click or a key chooses one.

A QTableWidget, since PythonQt passes its clicks and keys on, which it does not for a painted QWidget: a bar is the
background of a cell, a gradient with a hard stop, which stays sharp at every screen scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import qt
from slicer.i18n import tr as _

_PROBABILITY, _AREA, _MARK = 0, 1, 2
_HEIGHTS = (44, 34, 8)  # of the rows, pixels
_LEAST_WIDTH = 3  # of a column: a thin series of 100 slices still fits into Slicer's narrow panel
_TALL = 0.92  # of a row that the largest bar takes
# Told apart without seeing colour too: they lie in different rows.
_COLOURS = {_PROBABILITY: (230, 145, 30), _AREA: (214, 60, 48)}
_WARNING = (170, 60, 200)
_CURRENT = (90, 160, 240, 110)


@dataclass(frozen=True)
class StripSlice:
    """A column of the strip.

    Attributes:
        probability: Of haemorrhage, 0 to 1.
        areaMm2: Of the mask.
        isDoubtful: Probability and mask contradict each other.
        tip: What the mouse says over it.
    """

    probability: float
    areaMm2: float
    isDoubtful: bool
    tip: str


class SliceStrip:
    """Shows slices, from foot to head.

    Args:
        table: QTableWidget.
        chosen: Called with the number of the column, from 0, that the user has chosen.
    """

    def __init__(self, table: Any, chosen: Callable[[int], None]) -> None:
        self._table, self._chosen = table, chosen
        self._slices: list[StripSlice] = []
        self._current: int | None = None
        self._isShowing = False
        _prepare(table)
        table.cellClicked.connect(self._onClicked)
        # With the keys, too; a click on the current cell again is no change, and is told by the signal above.
        table.currentCellChanged.connect(self._onCurrentCellChanged)

    def show(self, slices: Sequence[StripSlice]) -> None:
        """Show these slices; none hides the strip."""
        self._isShowing = True
        self._slices, self._current = list(slices), None
        table = self._table
        table.clear()
        table.setRowCount(len(_HEIGHTS) if slices else 0)
        table.setColumnCount(len(self._slices))
        table.setVerticalHeaderLabels([_("Prob."), _("Area"), ""] if slices else [])
        for column in range(len(self._slices)):
            for row, height in enumerate(_HEIGHTS):
                table.setRowHeight(row, height)
                table.setItem(row, column, qt.QTableWidgetItem())
            self._paint(column)
        table.setVisible(bool(slices))
        self._isShowing = False

    def setCurrent(self, column: int | None) -> None:
        """Mark the slice that the views show; None marks none."""
        before, self._current = self._current, column
        for one in {before, column} - {None}:
            if one is not None and one < len(self._slices):
                self._paint(one)

    def _paint(self, column: int) -> None:
        one = self._slices[column]
        largest = max((each.areaMm2 for each in self._slices), default=0.0)
        shares = {_PROBABILITY: one.probability, _AREA: one.areaMm2 / largest if largest > 0 else 0.0}
        rest = qt.QColor(*_CURRENT) if column == self._current else qt.QColor(0, 0, 0, 0)
        for row, share in shares.items():
            item = self._table.item(row, column)
            item.setBackground(_bar(_HEIGHTS[row], share, qt.QColor(*_COLOURS[row]), rest))
            item.setToolTip(one.tip)
        mark = self._table.item(_MARK, column)
        mark.setBackground(qt.QBrush(qt.QColor(*_WARNING) if one.isDoubtful else rest))
        mark.setToolTip(one.tip)

    def _onClicked(self, _row: int, column: int) -> None:
        self._choose(column)

    def _onCurrentCellChanged(self, _row: int, column: int, _oldRow: int, oldColumn: int) -> None:
        if column != oldColumn and oldColumn >= 0:  # from nowhere: the strip only got the keyboard's focus
            self._choose(column)

    def _choose(self, column: int) -> None:
        if not self._isShowing and 0 <= column < len(self._slices) and column != self._current:
            self.setCurrent(column)
            self._chosen(column)


def _prepare(table: Any) -> None:
    table.setSelectionMode(qt.QAbstractItemView.NoSelection)
    table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
    table.setVerticalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
    table.setShowGrid(False)
    table.horizontalHeader().setVisible(False)
    table.horizontalHeader().setMinimumSectionSize(_LEAST_WIDTH)
    table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
    table.verticalHeader().setMinimumSectionSize(min(_HEIGHTS))
    table.verticalHeader().setSectionResizeMode(qt.QHeaderView.Fixed)
    table.setFixedHeight(sum(_HEIGHTS) + 2 * table.frameWidth)


def _bar(height: int, share: float, colour: Any, rest: Any) -> Any:
    """A brush for a cell: so much of it from below in one colour, the rest in another."""
    top = 1.0 - _TALL * min(max(share, 0.0), 1.0)
    if top >= 1.0:
        return qt.QBrush(rest)
    gradient = qt.QLinearGradient(0.0, 0.0, 0.0, float(height))
    gradient.setColorAt(0.0, rest)
    gradient.setColorAt(max(top - 0.001, 0.0), rest)
    gradient.setColorAt(top, colour)
    gradient.setColorAt(1.0, colour)
    return qt.QBrush(gradient)
