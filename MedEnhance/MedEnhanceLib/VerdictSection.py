"""The verdict on a head CT at an operating point that is chosen by name, with what that point gave in its test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from MedEnhanceLib.HeadReport import chosenPoint, isProcessed, pointRows, verdictHtml
from MedEnhanceLib.TrustSection import fillTable


class VerdictSection:
    """Shows a verdict.

    Args:
        label: QLabel for the verdict.
        combo: QComboBox for the operating point.
        table: QTableWidget for all of them.
        source: QLabel for what they were measured on.
        changed: Called with the name of the operating point when the user chooses another.
    """

    def __init__(self, label: Any, combo: Any, table: Any, source: Any, changed: Callable[[str], None]) -> None:
        self._label, self._combo, self._table, self._source = label, combo, table, source
        self._changed = changed
        self._emptyText = label.text
        self._isFilling = False
        label.setTextFormat(qt.Qt.RichText)
        combo.currentIndexChanged.connect(self._onChosen)

    def show(self, report: dict[str, Any] | None, points: list[dict[str, Any]], name: str) -> None:
        """Show a report at an operating point.

        Args:
            report: Of "detect-hemorrhage"; None shows that there is none.
            points: Operating points of the model, for before a run; a report brings its own.
            name: Of the chosen one; an unknown name chooses the first.
        """
        if report is not None and isProcessed(report):
            points = report["findings"]["operating_points"]
            name = name or report["findings"]["operating_point"]["name"]
        chosen = chosenPoint(points, name)
        self._fillCombo(points, chosen)
        headings = [_("Operating point"), _("Notifies\nfrom"), _("Sensi-\ntivity"), _("Speci-\nficity")]
        fillTable(self._table, headings if points else [], pointRows(points, chosen))
        self._table.setVisible(bool(points))
        self._source.setText(self._sourceText(chosen))
        self._label.setText(self._emptyText if report is None else verdictHtml(report, name))

    def _fillCombo(self, points: list[dict[str, Any]], chosen: dict[str, Any] | None) -> None:
        self._isFilling = True
        self._combo.clear()
        for point in points:
            self._combo.addItem(point["name"], point["name"])
        self._combo.setEnabled(bool(points))
        self._combo.setCurrentIndex(points.index(chosen) if chosen is not None else -1)
        self._isFilling = False

    def _sourceText(self, chosen: dict[str, Any] | None) -> str:
        if chosen is None:
            return _("No operating point is at hand: it comes with the model.")
        text = _("Measured on {source}; other scanners and patients give other figures.")
        return text.format(source=chosen["measured_on"])

    def _onChosen(self, _index: int) -> None:
        if not self._isFilling:
            self._changed(self._combo.currentData or "")
