"""slicer.app: Qt's real application object with what modules ask of qSlicerApplication."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from PySide6.QtCore import Property, QCoreApplication, QEvent, QObject, QProcessEnvironment, QSettings, Signal
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from medenhance_host.core_io import CoreIOManager
from medenhance_host.layout import LayoutManager
from medenhance_host.module_manager import ModuleManager
from medenhance_host.pythonqt import exposed
from medenhance_host.subject_hierarchy import SubjectHierarchyKeeper

VERSION = (5, 12, 4)


class ModuleSelector(QWidget):
    """The list of modules in the main window."""

    moduleSelected = Signal(str)

    @exposed
    def selectModule(self, name: str) -> None:
        application().modules.enter(name)
        self.moduleSelected.emit(name)

    def _selected(self) -> str:
        return application().modules.entered

    selectedModule = Property(str, _selected)


class qSlicerMainWindow(QMainWindow):
    """The main window, never shown; without one slicer.util shows no errors."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = ModuleSelector(self)

    @exposed
    def moduleSelector(self) -> ModuleSelector:
        return self._selector


class ExtensionsManagerModel(QObject):
    """Which extensions are installed; the test decides."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.installed: set[str] = set()

    @exposed
    def isExtensionInstalled(self, name: str) -> bool:
        return name in self.installed


class qSlicerApplication(QApplication):
    """The application. One a process: Qt has only one, tests share it and get fresh scenes, settings and folders."""

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self.setApplicationName("Slicer")
        self.setOrganizationName("MedEnhanceHost")
        self.testing = False
        self.folder = Path()
        self.environment: dict[str, str] = {}
        self.window = qSlicerMainWindow()
        self.modules = ModuleManager(self)
        self.io = CoreIOManager(self)
        self.layouts = LayoutManager(self)
        self.hierarchy = SubjectHierarchyKeeper(self)
        self.extensions = ExtensionsManagerModel(self)
        self._settings: QSettings | None = None
        self._logic: Any = None

    def renew(self, folder: Path, logic: Any) -> None:
        """Fresh settings, folders and scene."""
        self.folder, self._logic = folder, logic
        (folder / "temporary").mkdir(parents=True)
        # QSettings() of slicer.util.settingsValue and slicer.app.userSettings() are one file, as in Slicer.
        QSettings.setDefaultFormat(QSettings.Format.IniFormat)
        QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder / "settings"))
        self._settings = QSettings()
        self.environment = {name: value for name, value in os.environ.items() if name}
        self.testing = False
        self.extensions.installed.clear()
        self.mrmlSceneChanged.emit(logic.GetMRMLScene())

    def drain(self) -> None:
        """Deliver what is queued, deferred deletes included."""
        for _ in range(3):
            QCoreApplication.processEvents()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    @exposed
    def testingEnabled(self) -> bool:
        return self.testing

    @exposed
    def userSettings(self) -> QSettings | None:
        return self._settings

    @exposed
    def revisionUserSettings(self) -> QSettings | None:
        return self._settings

    @exposed
    def settings(self) -> QSettings | None:
        return self._settings

    @exposed
    def mrmlScene(self) -> Any:
        return self._logic.GetMRMLScene()

    @exposed
    def applicationLogic(self) -> Any:
        return self._logic

    @exposed
    def moduleManager(self) -> ModuleManager:
        return self.modules

    @exposed
    def coreIOManager(self) -> CoreIOManager:
        return self.io

    @exposed
    def ioManager(self) -> CoreIOManager:
        return self.io

    @exposed
    def layoutManager(self) -> LayoutManager:
        return self.layouts

    @exposed
    def extensionsManagerModel(self) -> ExtensionsManagerModel:
        return self.extensions

    @exposed
    def startupEnvironment(self) -> QProcessEnvironment:
        found = QProcessEnvironment()
        for name, value in self.environment.items():
            found.insert(name, value)
        return found

    @exposed
    def resumeRender(self) -> None:
        """Nothing is rendered here."""

    @exposed
    def pauseRender(self) -> None:
        """Nothing is rendered here."""

    @exposed
    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://example.org/{name}"

    def _home(self) -> str:
        return str(self.folder / "home")

    def _temporaryPath(self) -> str:
        return str(self.folder / "temporary")

    slicerHome = Property(str, _home)
    temporaryPath = Property(str, _temporaryPath)
    extensionsInstallPath = Property(str, _home)
    mainApplicationName = Property(str, lambda self: "Slicer")
    applicationVersion = Property(str, lambda self: ".".join(map(str, VERSION)))
    majorVersion = Property(int, lambda self: VERSION[0])
    minorVersion = Property(int, lambda self: VERSION[1])
    revision = Property(str, lambda self: "host")
    os = Property(str, lambda self: "linux")
    platform = Property(str, lambda self: f"linux-{sys.implementation.name}")


def application() -> qSlicerApplication:
    """The one application."""
    found = QCoreApplication.instance()
    assert isinstance(found, qSlicerApplication), "another QApplication exists in this process"
    return found
