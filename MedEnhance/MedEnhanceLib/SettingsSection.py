"""Interpreter, device, precision, cache and mirror, kept in Slicer's settings; and the worker's log."""

from __future__ import annotations

from typing import Any

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from MedEnhanceLib.Interpreter import checkInterpreter
from MedEnhanceLib.Settings import WorkerSettings, readSettings, writeSettings
from MedEnhanceLib.WorkerLog import WorkerLog

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_LOG_INTERVAL_MS = 500


class SettingsSection:
    """Connects the settings' widgets of a panel.

    Args:
        ui: Has interpreterPath, deviceComboBox, precisionComboBox, cachePath, mirrorEdit, logText, settingsSection, and
            settingsMessageLabel for what is wrong with a setting.
        log: The worker's log.
    """

    def __init__(self, ui: Any, log: WorkerLog) -> None:
        self._ui, self._log = ui, log
        self._shownLog = ""
        self._fill()
        for path in (ui.interpreterPath, ui.cachePath):
            path.currentPathChanged.connect(self._onChanged)
            # CTK takes an empty path for invalid input, and names no new path then.
            path.validInputChanged.connect(self._onChanged)
        ui.deviceComboBox.currentIndexChanged.connect(self._onChanged)
        ui.precisionComboBox.currentIndexChanged.connect(self._onChanged)
        ui.mirrorEdit.editingFinished.connect(self._onChanged)
        self._timer = qt.QTimer()
        self._timer.setInterval(_LOG_INTERVAL_MS)
        self._timer.timeout.connect(self._showLog)
        ui.settingsSection.contentsCollapsed.connect(self._onCollapsed)

    def stop(self) -> None:
        """The panel goes."""
        self._timer.stop()

    def _fill(self) -> None:
        ui, settings = self._ui, readSettings(slicer.app.userSettings())
        ui.interpreterPath.filters = ctk.ctkPathLineEdit.Files
        ui.cachePath.filters = ctk.ctkPathLineEdit.Dirs
        ui.interpreterPath.currentPath = settings.interpreter
        ui.cachePath.currentPath = settings.cacheFolder
        ui.mirrorEdit.text = settings.mirror
        for combo, choices, chosen in (
            (ui.deviceComboBox, DEVICES, settings.device),
            (ui.precisionComboBox, PRECISIONS, settings.precision),
        ):
            # A device such as "cuda:1" was typed into the settings by hand; it stays.
            combo.addItems([*choices, *({chosen} - set(choices))])
            combo.setCurrentText(chosen)

    def _onChanged(self) -> None:
        ui = self._ui
        settings = WorkerSettings(
            interpreter=ui.interpreterPath.currentPath.strip(),
            device=ui.deviceComboBox.currentText,
            precision=ui.precisionComboBox.currentText,
            cacheFolder=ui.cachePath.currentPath.strip(),
            mirror=ui.mirrorEdit.text.strip(),
        )
        problem = checkInterpreter(settings.interpreter) if settings.interpreter else ""
        ui.settingsMessageLabel.setText(problem)
        ui.settingsMessageLabel.setVisible(bool(problem))
        if not problem:
            writeSettings(slicer.app.userSettings(), settings)

    def _onCollapsed(self, collapsed: bool) -> None:
        if collapsed:
            self._timer.stop()
        else:
            self._showLog()
            self._timer.start()

    def _showLog(self) -> None:
        text = self._log.text() or _("The worker has written nothing yet.")
        if text != self._shownLog:
            self._shownLog = text
            self._ui.logText.setPlainText(text)
            self._ui.logText.verticalScrollBar().setValue(self._ui.logText.verticalScrollBar().maximum)
