"""Says in the panel whether the chosen volume suits the chosen model, before anything runs."""

from __future__ import annotations

from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from medenhance.manifest import ModelEntry
from MedEnhanceLib.InputCheck import inputProblem, inputWarnings


class InputSection:
    """Shows the outcome of the input check.

    Args:
        label: QLabel.
    """

    def __init__(self, label: Any) -> None:
        self._label = label
        label.setTextFormat(qt.Qt.RichText)

    def check(self, volumeNode: Any, entry: ModelEntry | None) -> str:
        """Show what is to be said of a volume.

        Returns:
            Why the model cannot be run on it; empty when it can.
        """
        if volumeNode is None:
            self._show([])
            return _("Select a CT volume first.")
        if entry is None:
            self._show([])
            return _("Select a model first.")
        problem = inputProblem(volumeNode, entry.accepted)
        self._show([problem] if problem else _warnings(volumeNode, entry))
        return problem

    def _show(self, lines: list[str]) -> None:
        showProblems(self._label, lines)


def showProblems(label: Any, lines: list[str]) -> None:
    """Show warnings in a QLabel, which is hidden where there are none."""
    label.setTextFormat(qt.Qt.RichText)
    label.setText("".join(f"<p>⚠ {escape(line)}</p>" for line in lines))
    label.setVisible(bool(lines))


def _warnings(volumeNode: Any, entry: ModelEntry) -> list[str]:
    return inputWarnings(volumeNode, entry.trusted) if entry.trusted is not None else []
