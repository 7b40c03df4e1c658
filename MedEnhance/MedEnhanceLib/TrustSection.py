"""What denoising did to CT numbers and noise: a table, a verdict in plain words, and a plot."""

from __future__ import annotations

from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from MedEnhanceLib.TrustNodes import plotNodes, rowsOfTissues


def fillTable(table: Any, headings: list[str], rows: list[tuple[str, ...]]) -> None:
    """Show rows of text in a QTableWidget; the first column takes what space is left, and wraps."""
    table.setColumnCount(len(headings))
    table.setHorizontalHeaderLabels(headings)
    table.setRowCount(len(rows))
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
    if headings:
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            table.setItem(r, c, qt.QTableWidgetItem(text))


class TrustSection:
    """Shows a trust report.

    Args:
        label: QLabel for the verdict.
        table: QTableWidget for the tissues.
        button: QPushButton that shows the noise power spectrum.
        showPlot: Called with the plot chart node when the user wants to see it.
    """

    def __init__(self, label: Any, table: Any, button: Any, scene: Any, showPlot: Any) -> None:
        self._label, self._table, self._button, self._scene, self._showPlot = label, table, button, scene, showPlot
        self._report: dict[str, Any] | None = None
        self._name = ""
        self._emptyText = label.text
        label.setTextFormat(qt.Qt.RichText)
        button.clicked.connect(self._onPlot)
        self.show(None)

    def show(self, report: dict[str, Any] | None, name: str = "") -> None:
        """Show the report of the volume of that name; None shows that there is none."""
        self._report, self._name = report, name
        fillTable(self._table, *_withoutNotes(*rowsOfTissues(report)) if report is not None else ([], []))
        self._table.setVisible(report is not None)
        self._button.setEnabled(report is not None and report["noise_power_before"] is not None)
        self._label.setText(self._emptyText if report is None else _verdict(report))

    def _onPlot(self) -> None:
        if self._report is not None:
            self._showPlot(plotNodes(self._scene, self._report, self._name))


def _withoutNotes(headings: list[str], rows: list[tuple[str, ...]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """The table with its last column, notes that most rows have none of, written behind the names."""
    named = [(_("{tissue}: {note}").format(tissue=row[0], note=row[-1]) if row[-1] else row[0]) for row in rows]
    return headings[:-1], [(name, *row[1:-1]) for name, row in zip(named, rows, strict=True)]


def _verdict(report: dict[str, Any]) -> str:
    lines = [f"<p>⚠ {escape(text)}</p>" for text in report["warnings"]]
    if not lines:
        text = _("All measurements lie in the range that the card of the model states.")
        lines = [f"<p>{escape(text)}</p>"]
    structure = report["residual_structure"]
    if structure is not None:
        text = _("Share of anatomy in what was removed: {share:.1%}.").format(share=structure)
        lines.append(f"<p>{escape(text)}</p>")
    return "".join(lines) + f"<p><i>{escape(report['notice'])}</i></p>"
