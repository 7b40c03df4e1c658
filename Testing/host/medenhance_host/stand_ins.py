"""The stand-in widgets by name, for ``ctk``, ``slicer`` and .ui files."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from medenhance_host.ctk_widgets import ctkCollapsibleButton, ctkComboBox, ctkMessageBox, ctkSliderWidget
from medenhance_host.mrml_widgets import qMRMLWidget, qSlicerScriptedLoadableModuleWidget, qSlicerWidget
from medenhance_host.node_combo_box import qMRMLNodeComboBox
from medenhance_host.path_widgets import ctkDirectoryButton, ctkPathLineEdit

CTK: dict[str, type[QWidget]] = {
    one.__name__: one
    for one in (ctkCollapsibleButton, ctkComboBox, ctkDirectoryButton, ctkMessageBox, ctkPathLineEdit, ctkSliderWidget)
}
SLICER: dict[str, type[QWidget]] = {
    one.__name__: one for one in (qMRMLNodeComboBox, qMRMLWidget, qSlicerScriptedLoadableModuleWidget, qSlicerWidget)
}
