"""Stand-ins for Slicer's widgets that know a scene."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from medenhance_host.pythonqt import exposed


class qMRMLWidget(QWidget):
    """A widget that tells its children which scene there is."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    @exposed
    def mrmlScene(self) -> Any:
        return self._scene

    @exposed
    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qSlicerWidget(qMRMLWidget):
    """A widget with a scene."""


class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The C++ side of a module's panel; its layout is where the module adds what it loads."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        QVBoxLayout(self)
        self.module: Any = None
        self.python: Any = None
        self._isEntered = False

    def setEntered(self, entered: bool) -> None:
        self._isEntered = entered

    def _entered(self) -> bool:
        return self._isEntered

    @exposed
    def self(self) -> Any:
        return self.python

    @exposed
    def reload(self) -> None:
        """What the Reload button of a module under development does: the panel is made anew, and not entered again."""
        self.python.cleanup()
        layout = self.layout()
        while layout.count():
            layout.takeAt(0).widget().deleteLater()
        self.module.fill(self)

    isEntered = Property(bool, _entered)
