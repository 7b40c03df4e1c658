"""A module written for the tests of the host: one control of each kind that our panels use."""

from __future__ import annotations

from pathlib import Path

SOURCE = """
from __future__ import annotations

import pathlib
from typing import Annotated, Optional

import qt
import slicer
from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class SamplePanel(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Sample panel")
        parent.categories = ["Testing"]


@parameterNodeWrapper
class SamplePanelParameterNode:
    inputVolume: vtkMRMLScalarVolumeNode
    region: vtkMRMLMarkupsROINode
    strength: Annotated[float, WithinRange(0.0, 1.0)] = 0.75
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])] = "auto"
    residual: bool = True
    folder: pathlib.Path
    note: str = "none"
    limit: Optional[float]
    passes: Annotated[int, WithinRange(1, 9), Default(3)]


class SamplePanelWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.calls = []
        self._tag = None
        self._parameterNode = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SamplePanel.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SamplePanelLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndClose)
        self.ui.applyButton.clicked.connect(self.onApply)
        self.initialize()

    def cleanup(self):
        self.calls.append("cleanup")
        self.removeObservers()

    def enter(self):
        self.calls.append("enter")
        self.initialize()

    def exit(self):
        self.calls.append("exit")
        self.disconnectGui()

    def onSceneStartClose(self, caller, event):
        self.disconnectGui()

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.initialize()

    def initialize(self):
        self.disconnectGui()
        self._parameterNode = self.logic.parameterNode()
        mapping = {w.property("SlicerParameterName"): w for w in vars(self.ui).values()}
        mapping = {name: widget for name, widget in mapping.items() if name}
        self._tag = self._parameterNode.connectParametersToGui(mapping)

    def disconnectGui(self):
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._tag)
            self._parameterNode = None

    def onApply(self):
        self.calls.append("apply")
        with slicer.util.tryWithErrorDisplay("Failed."):
            self.logic.process(self.ui.inputSelector.currentNode())


class SamplePanelLogic(ScriptedLoadableModuleLogic):
    def parameterNode(self):
        return SamplePanelParameterNode(ScriptedLoadableModuleLogic.getParameterNode(self))

    def process(self, volume):
        if volume is None:
            raise ValueError("no volume")


class SamplePanelTest(ScriptedLoadableModuleTest):
    def runTest(self):
        self.delayDisplay("ran")
        slicer.sampleRan = True
"""

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>SamplePanel</class>
 <widget class="qMRMLWidget" name="SamplePanel">
  <layout class="QVBoxLayout" name="outer">
   <item><widget class="ctkCollapsibleButton" name="section">
    <property name="text"><string>Input</string></property>
    <layout class="QFormLayout" name="form">
     <item row="0" column="1"><widget class="qMRMLNodeComboBox" name="inputSelector">
      <property name="nodeTypes">
       <stringlist notr="true"><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
      <property name="addEnabled"><bool>false</bool></property>
      <property name="noneEnabled"><bool>true</bool></property>
      <property name="SlicerParameterName" stdset="0"><string notr="true">inputVolume</string></property>
     </widget></item>
     <item row="1" column="1"><widget class="qMRMLNodeComboBox" name="regionSelector">
      <property name="nodeTypes"><stringlist notr="true"><string>vtkMRMLMarkupsROINode</string></stringlist></property>
      <property name="SlicerParameterName" stdset="0"><string notr="true">region</string></property>
     </widget></item>
     <item row="2" column="1"><widget class="ctkSliderWidget" name="strengthSlider">
      <property name="singleStep"><double>0.05</double></property>
      <property name="SlicerParameterName" stdset="0"><string notr="true">strength</string></property>
     </widget></item>
     <item row="3" column="1"><widget class="QComboBox" name="deviceComboBox">
      <property name="SlicerParameterName" stdset="0"><string notr="true">device</string></property>
     </widget></item>
     <item row="4" column="1"><widget class="QCheckBox" name="residualCheckBox">
      <property name="SlicerParameterName" stdset="0"><string notr="true">residual</string></property>
     </widget></item>
     <item row="5" column="1"><widget class="ctkPathLineEdit" name="folderEdit">
      <property name="filters"><set>ctkPathLineEdit::Dirs|ctkPathLineEdit::NoDot</set></property>
      <property name="SlicerParameterName" stdset="0"><string notr="true">folder</string></property>
     </widget></item>
     <item row="6" column="1"><widget class="QLineEdit" name="noteEdit">
      <property name="SlicerParameterName" stdset="0"><string notr="true">note</string></property>
     </widget></item>
     <item row="7" column="1"><widget class="QSpinBox" name="passesBox">
      <property name="SlicerParameterName" stdset="0"><string notr="true">passes</string></property>
     </widget></item>
    </layout>
   </widget></item>
   <item><widget class="QPushButton" name="applyButton">
    <property name="text"><string>Apply</string></property></widget></item>
   <item><widget class="QProgressBar" name="progressBar"/></item>
  </layout>
 </widget>
 <connections>
  <connection><sender>SamplePanel</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>inputSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection>
  <connection><sender>SamplePanel</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>regionSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection>
 </connections>
</ui>
"""


def writeSamplePanel(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the module into a folder, each pair of texts exchanged first; returns its file."""
    source, ui = SOURCE, UI
    for old, new in changes:
        assert old in source + ui, old
        source, ui = source.replace(old, new), ui.replace(old, new)
    (folder / "Resources" / "UI").mkdir(parents=True)
    (folder / "Resources" / "UI" / "SamplePanel.ui").write_text(ui, encoding="utf-8")
    (folder / "SamplePanel.py").write_text(source, encoding="utf-8")
    return folder / "SamplePanel.py"
