"""The layout manager: real layout, slice and composite nodes and their logics, without views."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Signal

from medenhance_host.pythonqt import exposed

SLICES = (("Red", "Axial", (0.952, 0.290, 0.202)), ("Green", "Coronal", (0.433, 0.689, 0.294)),
          ("Yellow", "Sagittal", (0.929, 0.835, 0.298)))  # fmt: skip


class SliceWidget(QObject):
    """One slice view: its logic and nodes."""

    def __init__(self, logic: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._logic = logic

    @exposed
    def sliceLogic(self) -> Any:
        return self._logic

    @exposed
    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    @exposed
    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()


class LayoutManager(QObject):
    """Slice views of the scene, by layout name; a custom layout's views get their logic when it is set."""

    layoutChanged = Signal(int)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._layoutLogic: Any = None
        self._applicationLogic: Any = None
        self._widgets: dict[str, SliceWidget] = {}

    def release(self) -> None:
        """Let the scene go."""
        for widget in self._widgets.values():
            widget.sliceLogic().SetMRMLScene(None)
            widget.deleteLater()
        if self._layoutLogic is not None:
            self._layoutLogic.SetMRMLScene(None)
        self._widgets, self._layoutLogic, self._applicationLogic = {}, None, None

    def renew(self, applicationLogic: Any) -> None:
        """Start over in a new scene."""
        scene = applicationLogic.GetMRMLScene()
        self._applicationLogic, self._widgets = applicationLogic, {}
        self._layoutLogic = slicer.vtkMRMLLayoutLogic()
        self._layoutLogic.SetMRMLScene(scene)
        self._layoutLogic.AddDefaultLayouts()
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def _update(self) -> None:
        scene = self._applicationLogic.GetMRMLScene()
        for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
            node = scene.GetNthNodeByClass(index, "vtkMRMLSliceNode")
            name = node.GetLayoutName()
            if name not in self._widgets:
                logic = slicer.vtkMRMLSliceLogic()
                logic.SetMRMLApplicationLogic(self._applicationLogic)
                logic.SetMRMLScene(scene)
                logic.SetSliceNode(node)
                self._applicationLogic.GetSliceLogics().AddItem(logic)
                self._widgets[name] = SliceWidget(logic, self)

    @exposed
    def layoutLogic(self) -> Any:
        return self._layoutLogic

    @exposed
    def setLayout(self, layout: int) -> None:
        self._layoutLogic.GetLayoutNode().SetViewArrangement(int(layout))
        self._update()
        self.layoutChanged.emit(int(layout))

    def _layout(self) -> int:
        return self._layoutLogic.GetLayoutNode().GetViewArrangement() if self._layoutLogic else 0

    @exposed
    def sliceViewNames(self) -> list[str]:
        self._update()
        nodes = self._layoutLogic.GetViewNodes()
        shown = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
        return [node.GetLayoutName() for node in shown if node.IsA("vtkMRMLSliceNode")]

    @exposed
    def sliceWidget(self, name: str) -> SliceWidget | None:
        self._update()
        return self._widgets.get(name)

    @exposed
    def mrmlSliceLogics(self) -> Any:
        self._update()
        return self._applicationLogic.GetSliceLogics()

    @exposed
    def resetSliceViews(self) -> None:
        for widget in self._widgets.values():
            widget.sliceLogic().FitSliceToAll()

    @exposed
    def resetThreeDViews(self) -> None:
        """There are no 3D views here."""

    layout = Property(int, _layout, setLayout, notify=layoutChanged)
