"""The modules ``qt`` and ``ctk`` and what Slicer adds to ``slicer``."""

from __future__ import annotations

import sys
import types
from typing import Any

import slicer
import slicer.util

from medenhance_host import parameter_node, scripted_module, stand_ins, stored_types
from medenhance_host.connectors import GuiConnector
from medenhance_host.metaobject import qtClassOf
from medenhance_host.module_manager import modulesNamespace, qSlicerScriptedLoadableModule
from medenhance_host.packaging import packages, packagingModule
from medenhance_host.pythonqt import PythonQtModule, wrapperClass
from medenhance_host.ui_loader import UiLoader

PUBLIC_PARAMETER_NAMES = (
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "Validator",
    "WithinRange",
    "SlicerParameterNamePropertyName",
    "findChildWidgetForParameter",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
    "splitAnnotations",
    "unannotatedType",
)


def install() -> None:
    """Make them importable; once a process."""
    UiLoader.classes = {**stand_ins.CTK, **stand_ins.SLICER}
    UiLoader.__name__ = "QUiLoader"
    sys.modules["qt"] = PythonQtModule("qt", qtClass)
    sys.modules["ctk"] = PythonQtModule("ctk", stand_ins.CTK.get)
    for name, kind in {**stand_ins.SLICER, "qSlicerScriptedLoadableModule": qSlicerScriptedLoadableModule}.items():
        setattr(slicer, name, wrapperClass(kind))
    addToSlicer("modules", modulesNamespace())
    addToSlicer("packaging", packagingModule())
    addToSlicer("i18n", moduleOf("slicer.i18n", tr=lambda text: text, translate=lambda _context, text: text))
    names = [name for name in vars(scripted_module) if name.startswith("ScriptedLoadable")]
    members = {name: getattr(scripted_module, name) for name in names}
    addToSlicer("ScriptedLoadableModule", moduleOf("slicer.ScriptedLoadableModule", __all__=names, **members))
    known = {**vars(stored_types), **vars(parameter_node)}
    members = {name: known[name] for name in PUBLIC_PARAMETER_NAMES}
    public = [*PUBLIC_PARAMETER_NAMES, "GuiConnector"]
    module = moduleOf("slicer.parameterNodeWrapper", __all__=public, GuiConnector=GuiConnector, **members)
    addToSlicer("parameterNodeWrapper", module)
    slicer.util.pip_install = packages.record("slicer.util.pip_install")
    slicer.util.pip_uninstall = packages.record("slicer.util.pip_uninstall")


def qtClass(name: str) -> Any:
    """A class of Qt by name; modules of Qt that Slicer does not bundle in PythonQt are not there."""
    if name == "QUiLoader":
        return UiLoader
    found = qtClassOf(name)
    return found if isinstance(found, type) else None


def addToSlicer(name: str, module: types.ModuleType) -> None:
    setattr(slicer, name, module)
    sys.modules[f"slicer.{name}"] = module


def moduleOf(name: str, **members: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(members)
    return module
