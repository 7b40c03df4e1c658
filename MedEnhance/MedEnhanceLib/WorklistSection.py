"""A worklist of a folder of studies: made by the worker, shown in its order; a click opens a study with its result.

The order is a proposal. Nothing is removed, and a study that was not processed stands in it with its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.HeadReport import priorityText
from MedEnhanceLib.HeadStudy import openStudy
from MedEnhanceLib.TaskPanel import TaskPanel
from MedEnhanceLib.TrustSection import fillTable
from MedEnhanceLib.WorkerClient import RunCallbacks
from MedEnhanceLib.WorklistRun import readWorklist

Start = Callable[[Path, Path, RunCallbacks], None]
Opened = Callable[[Any, Any, dict[str, Any]], None]


class WorklistSection:
    """Connects the worklist's widgets of a panel.

    Args:
        ui: Has worklistButton, openWorklistButton, worklistTable and worklistLabel.
        start: Begins a run: folder of studies, folder for the results, callbacks.
        opened: Called with scan, mask (None of a study that was not processed) and report.
        panel: Shows what goes on.
    """

    def __init__(self, ui: Any, start: Start, opened: Opened, panel: TaskPanel) -> None:
        self._ui, self._start, self._opened, self._panel = ui, start, opened, panel
        self._rows: list[dict[str, Any]] = []
        ui.worklistTable.setVisible(False)
        ui.worklistButton.clicked.connect(self._onMake)
        ui.openWorklistButton.clicked.connect(self._onOpen)
        ui.worklistTable.cellClicked.connect(self._onClicked)

    def refresh(self) -> None:
        """A run has begun or ended, or models have changed."""
        able = not self._panel.controls.isRunning
        self._ui.worklistButton.setEnabled(able and self._panel.model.entry is not None)
        self._ui.openWorklistButton.setEnabled(able)

    def show(self, rows: list[dict[str, Any]]) -> None:
        """Show these studies, in their order."""
        self._rows = rows
        headings = [_("Study"), _("Order"), _("Proba-\nbility"), _("mL")]
        fillTable(self._ui.worklistTable, headings, [rowTexts(one) for one in rows])
        self._ui.worklistTable.setVisible(True)
        missing = sum(one["status"] != "processed" for one in rows)
        text = _("{n} studies; not processed, and read as every other: {missing}. Click one to open it.")
        self._ui.worklistLabel.setText(text.format(n=len(rows), missing=missing))

    def _onMake(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder of head CT studies"))
        output = qt.QFileDialog.getExistingDirectory(None, _("Folder for the results")) if folder else ""
        if output:
            self._panel.requirements.whenReady(lambda: self._begin(Path(folder), Path(output)))

    def _begin(self, folder: Path, output: Path) -> None:
        self._panel.controls.begin()

        def finished(result: dict[str, Any]) -> None:
            self.show(result["rows"])
            self._panel.controls.succeeded(_("The worklist lies in {folder}.").format(folder=output))

        try:
            self._start(folder, output, self._panel.runCallbacks(finished))
        except MedEnhanceError as error:
            self._panel.refuse(error)

    def _onOpen(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder with the results of a worklist"))
        if not folder:
            return
        try:
            self.show(readWorklist(Path(folder)))
        except MedEnhanceError as error:
            self._panel.refuse(error)

    def _onClicked(self, row: int, _column: int) -> None:
        if row >= len(self._rows) or self._panel.controls.isRunning or self._panel.parameters is None:
            return
        try:
            self._opened(*openStudy(self._rows[row]))
        except MedEnhanceError as error:
            self._panel.refuse(error)


def rowTexts(row: dict[str, Any]) -> tuple[str, ...]:
    """What the table shows of a study."""
    if row["status"] != "processed":
        name = _("{study}\nnot processed: {reason}").format(study=row["study"], reason=row["reason"])
        return name, "⚠", "", ""
    return row["study"], priorityText(row["priority"]), f"{row['probability']:.2f}", f"{row['volume_ml']:.1f}"
