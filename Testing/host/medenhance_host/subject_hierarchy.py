"""Keeps the subject hierarchy as Slicer's plugin logic does: MRML alone gives new nodes no place in it."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import QObject

from medenhance_host.scene_observer import SceneObserver

# Classes that Slicer's plugins claim; of those, nodes that editors show get an item.
CLAIMED = (
    "vtkMRMLDisplayableNode",
    "vtkMRMLTableNode",
    "vtkMRMLTextNode",
    "vtkMRMLPlotChartNode",
    "vtkMRMLPlotSeriesNode",
)


class SubjectHierarchyKeeper(QObject):
    """Makes an item for a node that appears, and takes it away with the node."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._observer: SceneObserver | None = None
        self._scene: Any = None

    def follow(self, scene: Any) -> None:
        """Watch this scene; None ends it."""
        if self._observer is not None:
            self._observer.stop()
        self._scene, self._observer = scene, None
        if scene is not None:
            events = slicer.vtkMRMLScene
            calls = {
                events.NodeAddedEvent: "added",
                events.NodeAboutToBeRemovedEvent: "leaves",
                events.EndImportEvent: "imported",
            }
            self._observer = SceneObserver(self, scene, calls)

    def _hierarchy(self) -> Any:
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)

    def _place(self, node: Any) -> None:
        claimed = not node.GetHideFromEditors() and any(node.IsA(one) for one in CLAIMED)
        if claimed and not self._hierarchy().GetItemByDataNode(node):
            self._hierarchy().CreateItem(self._hierarchy().GetSceneItemID(), node)

    def added(self, node: Any) -> None:
        # While a scene is read, the hierarchy that is in it comes later.
        if not self._scene.IsImporting():
            self._place(node)

    def imported(self, _node: Any) -> None:
        for index in range(self._scene.GetNumberOfNodes()):
            self._place(self._scene.GetNthNode(index))

    def leaves(self, node: Any) -> None:
        if self._scene.IsClosing() or not any(node.IsA(one) for one in CLAIMED):
            return
        item = self._hierarchy().GetItemByDataNode(node)
        if item:
            self._hierarchy().RemoveItem(item, False, False)
