"""The worker of one module: made when first needed, kept warm between runs, replaced when the settings change."""

from __future__ import annotations

from typing import Any

import qt
import slicer

from MedEnhanceLib.FileTrip import Means
from MedEnhanceLib.Interpreter import workerCommand
from MedEnhanceLib.Pump import Pump
from MedEnhanceLib.QtTransport import QtTransport
from MedEnhanceLib.Settings import WorkerSettings, readSettings
from MedEnhanceLib.WorkerClient import WorkerClient
from MedEnhanceLib.WorkerLog import WorkerLog


def afterOnMainThread(seconds: float, call: Any) -> None:
    """Have something called by Qt's event loop."""
    qt.QTimer.singleShot(round(1000 * seconds), call)


class WorkerSession:
    """A client, its log, and a pump for work on the main thread."""

    def __init__(self) -> None:
        self.log = WorkerLog()
        self.pump = Pump(afterOnMainThread)
        self.client = WorkerClient(QtTransport(), lambda: workerCommand(self.settings()), self.log, afterOnMainThread)
        slicer.app.connect("aboutToQuit()", self.close)

    @property
    def means(self) -> Means:
        """For runs that do not block."""
        return Means(self.client, self.pump, slicer.app.temporaryPath)

    def settings(self) -> WorkerSettings:
        """The user's settings as they are now."""
        return readSettings(slicer.app.userSettings())

    def close(self) -> None:
        """Stop what runs and end the process; a later run starts a new one."""
        self.client.shutdown()
