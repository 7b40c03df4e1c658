"""slicer.modules and the module manager: loads scripted modules the way qSlicerScriptedLoadableModule does."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtGui import QIcon

from medenhance_host.mrml_widgets import qSlicerScriptedLoadableModuleWidget
from medenhance_host.pythonqt import exposed, wrap


def _text(name: str) -> Property:  # a text property kept in the instance
    def read(self: QObject) -> str:
        return self.texts.get(name, "")  # type: ignore[attr-defined]

    def write(self: QObject, value: str) -> None:
        self.texts[name] = value  # type: ignore[attr-defined]

    return Property(str, read, write)


def _list(name: str) -> Property:
    def read(self: QObject) -> list[str]:
        return self.lists.get(name, [])  # type: ignore[attr-defined]

    def write(self: QObject, value: list[str]) -> None:
        self.lists[name] = list(value)  # type: ignore[attr-defined]

    return Property("QStringList", read, write)


class qSlicerScriptedLoadableModule(QObject):
    """The C++ side of a module: what the module's class fills in."""

    def __init__(self, name: str, path: Path, parent: QObject) -> None:
        super().__init__(parent)
        self.texts: dict[str, str] = {"path": str(path)}
        self.lists: dict[str, list[str]] = {}
        self._name, self._icon, self._hidden = name, QIcon(), False
        self.python: Any = None
        self.representation: qSlicerScriptedLoadableModuleWidget | None = None

    @exposed
    def widgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget | None:
        if self.representation is None:
            self.representation = self.createNewWidgetRepresentation()
        return self.representation

    @exposed
    def createNewWidgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        widget = qSlicerScriptedLoadableModuleWidget()
        widget.module = self
        widget.setObjectName(f"{self._name}ModuleWidget")
        self.fill(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        return widget

    def fill(self, widget: qSlicerScriptedLoadableModuleWidget) -> None:
        """Make the module's Python widget and let it set up its panel."""
        code = sys.modules[self._name]
        widget.python = getattr(code, f"{self._name}Widget")(wrap(widget))
        widget.python.setup()
        setattr(slicer.modules, f"{self._name}Widget", widget.python)

    @exposed
    def logic(self) -> Any:
        """Scripted modules have no C++ logic of their own; slicer.util.getModuleLogic asks the widget."""
        return None

    def _nameValue(self) -> str:
        return self._name

    def _iconValue(self) -> QIcon:
        return self._icon

    def setIcon(self, icon: QIcon) -> None:
        self._icon = icon

    def _isHidden(self) -> bool:
        return self._hidden

    def setHidden(self, hidden: bool) -> None:
        self._hidden = hidden

    name = Property(str, _nameValue)
    icon = Property(QIcon, _iconValue, setIcon)
    hidden = Property(bool, _isHidden, setHidden)
    path = _text("path")
    title = _text("title")
    helpText = _text("helpText")
    acknowledgementText = _text("acknowledgementText")
    categories = _list("categories")
    contributors = _list("contributors")
    dependencies = _list("dependencies")
    associatedNodeTypes = _list("associatedNodeTypes")


class CoreModule(QObject):
    """A module of Slicer's own, for its logic."""

    def __init__(self, name: str, logic: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._name, self._logic = name, logic

    @exposed
    def logic(self) -> Any:
        return self._logic

    name = Property(str, lambda self: self._name)


class FactoryManager(QObject):
    def __init__(self, manager: ModuleManager) -> None:
        super().__init__(manager)
        self._manager = manager

    @exposed
    def loadedModuleNames(self) -> list[str]:
        return list(self._manager.loaded)

    @exposed
    def isLoaded(self, name: str) -> bool:
        return name in self._manager.loaded


class ModuleManager(QObject):
    """Loads modules, shows and unloads them."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.loaded: dict[str, QObject] = {}
        self.entered = ""
        self._factory = FactoryManager(self)

    @exposed
    def factoryManager(self) -> FactoryManager:
        return self._factory

    @exposed
    def module(self, name: str) -> QObject | None:
        return self.loaded.get(name)

    @exposed
    def isLoaded(self, name: str) -> bool:
        return name in self.loaded

    def addCore(self, name: str, logic: Any) -> None:
        """Offer a module of Slicer's own by its logic."""
        if name in self.loaded:
            self.loaded[name].deleteLater()
        self.loaded[name] = CoreModule(name, logic, self)
        setattr(slicer.modules, name.lower(), wrap(self.loaded[name]))

    def load(self, path: Path) -> qSlicerScriptedLoadableModule:
        """Run a module's file and make its module object; the panel waits until somebody asks for it."""
        name = path.stem
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None, path
        assert spec.loader is not None, path
        code = importlib.util.module_from_spec(spec)
        sys.modules[name] = code
        spec.loader.exec_module(code)
        module = qSlicerScriptedLoadableModule(name, path, self)
        module.python = getattr(code, name)(wrap(module))
        self.loaded[name] = module
        setattr(slicer.modules, name.lower(), wrap(module))
        setattr(slicer.modules, f"{name}Instance", module.python)
        self.moduleLoaded.emit(name)
        return module

    def enter(self, name: str) -> Any:
        """Show a module's panel, as its entry in the module list does; returns the widget class's instance."""
        self.exit()
        module = self.loaded[name]
        representation = module.widgetRepresentation()  # type: ignore[attr-defined]
        self.entered = name
        # qSlicerAbstractModuleRepresentation says that it is entered before it calls the module's own enter().
        representation.setEntered(True)
        if hasattr(representation.python, "enter"):
            representation.python.enter()
        return representation.python

    def exit(self) -> None:
        """Leave the panel that is shown."""
        if not self.entered:
            return
        representation = self.loaded[self.entered].representation  # type: ignore[attr-defined]
        self.entered = ""
        if representation is not None:
            representation.setEntered(False)
            if hasattr(representation.python, "exit"):
                representation.python.exit()

    def unload(self, name: str) -> None:
        """Take a module away, as Slicer does when it quits."""
        if self.entered == name:
            self.exit()
        self.moduleAboutToBeUnloaded.emit(name)
        module = self.loaded.pop(name)
        representation = getattr(module, "representation", None)
        if representation is not None:
            representation.hide()
            representation.python = None
            representation.deleteLater()
        for attribute in (name.lower(), f"{name}Widget", f"{name}Instance"):
            vars(slicer.modules).pop(attribute, None)
        module.deleteLater()
        sys.modules.pop(name, None)


def modulesNamespace() -> types.ModuleType:
    """``slicer.modules``."""
    return types.ModuleType("slicer.modules")
