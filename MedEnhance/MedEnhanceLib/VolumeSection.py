"""The table of volumes, which follows the mask while it is edited."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from MedEnhanceLib.HeadVolumes import headings, pieceOfRow, remarks, shownSlice, volumeRows
from MedEnhanceLib.MaskFindings import COUNTED, MEASURED, MEASURING
from MedEnhanceLib.TrustSection import fillTable


class VolumeSection:
    """Shows the volumes of a mask.

    Args:
        label: QLabel for what they are of.
        table: QTableWidget.
        jump: Called with the index of a slice, when the user chooses a piece.
    """

    def __init__(self, label: Any, table: Any, jump: Callable[[int], None]) -> None:
        self._label, self._table, self._jump = label, table, jump
        self._emptyText = label.text
        self._findings: dict[str, Any] | None = None
        label.setTextFormat(qt.Qt.RichText)
        table.cellClicked.connect(self._onClicked)
        self.show(None, "")

    def show(self, findings: dict[str, Any] | None, state: str, problem: str = "") -> None:
        """Show findings; None shows that there are none.

        Args:
            findings: Of a report, for the mask as it is now.
            state: Of `MaskFindings`.
            problem: Why an edited mask could not be measured.
        """
        self._findings = findings
        fillTable(self._table, headings() if findings is not None else [], self.rows())
        self._table.setVisible(findings is not None)
        self._label.setText(self._emptyText if findings is None else _text(findings, state, problem))

    def rows(self) -> list[tuple[str, ...]]:
        """The table as it is now, without headings."""
        return volumeRows(self._findings) if self._findings is not None else []

    def _onClicked(self, row: int, _column: int) -> None:
        piece = pieceOfRow(self._findings, row) if self._findings is not None else None
        if piece is not None:
            self._jump(shownSlice(piece))


def _text(findings: dict[str, Any], state: str, problem: str) -> str:
    lines = []
    if state in (MEASURING, MEASURED, COUNTED):
        text = _("The mask was edited: volumes are those of the mask as it is now, probabilities those of the network.")
        lines.append(f"<p>✎ {escape(text)}</p>")
    if state == MEASURING:
        lines.append(f"<p>{escape(_('Measuring pieces, hemispheres and ABC/2 …'))}</p>")
    if state == COUNTED:
        text = _("Only total and areas follow. Check the requirements in the settings, or edit again. {problem}")
        lines.append(f"<p>⚠ {escape(text.format(problem=problem))}</p>")
    lines += [f"<p>{escape(text)}</p>" for text in remarks(findings)]
    return "".join(lines)
