"""Original, denoised and residual side by side in linked views, or one over the other.

Works on the nodes of layout and slice views alone; Slicer's views follow them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import slicer
import vtk
from slicer.i18n import tr as _

from MedEnhanceLib.OutputNodes import nodesOfClass

LAYOUT_ID = 76301  # any number that Slicer and other extensions do not use
VIEWS = ("MedEnhanceOriginal", "MedEnhanceDenoised", "MedEnhanceResidual")
_VIEW_GROUP = 76301  # only views of one group are linked, so that the user's own views keep still
_COLOURS = ("#6E6E6E", "#2E7D32", "#8E24AA")


@dataclass(frozen=True)
class _ViewState:
    """What a slice view showed, by node id."""

    background: str | None
    foreground: str | None
    opacity: float


class CompareLayout:
    """Shows volumes for comparison, and can put everything back.

    Args:
        scene: The scene.
        refresh: Called when the layout has changed and before the new views are filled, for what needs Slicer's layout
            manager (such as letting Qt lay out the new views).
    """

    def __init__(self, scene: Any, refresh: Callable[[], None] | None = None) -> None:
        self._scene, self._refresh = scene, refresh
        self._arrangementBefore: int | None = None
        self._statesBefore: dict[str, _ViewState] = {}

    @property
    def isShown(self) -> bool:
        """Whether the views stand side by side now; the user may choose another layout at any time."""
        layout = self._layoutNode()
        return layout is not None and layout.GetViewArrangement() == LAYOUT_ID

    def show(self, original: Any, denoised: Any, residual: Any = None) -> None:
        """Show volumes side by side: same slice, same orientation, same field of view, moving together.

        Args:
            original: Volume node.
            denoised: Volume node.
            residual: Volume node; None leaves its view empty.
        """
        looking = self._sliceOf(original)
        self._arrange()
        if self._refresh is not None:
            self._refresh()
        for view, volumeNode in zip(VIEWS, (original, denoised, residual), strict=True):
            composite = self._viewNode("vtkMRMLSliceCompositeNode", view)
            composite.SetBackgroundVolumeID(volumeNode.GetID() if volumeNode is not None else None)
            composite.SetForegroundVolumeID(None)
            composite.SetForegroundOpacity(0.0)
            composite.SetLabelVolumeID(None)
            composite.LinkedControlOn()
            composite.HotLinkedControlOn()
        for view in VIEWS if original.GetImageData() is not None else ():
            self._aim(self._viewNode("vtkMRMLSliceNode", view), original, looking)

    def blend(self, original: Any, denoised: Any, opacity: float) -> None:
        """Lay the denoised volume over the original: in the original's view when side by side, else in all slice views.

        Args:
            original: Volume node.
            denoised: Volume node.
            opacity: 0 shows the original, 1 the denoised volume.
        """
        for composite in self._blendedViews():
            self._statesBefore.setdefault(composite.GetID(), _stateOf(composite))
            wasModifying = composite.StartModify()
            composite.SetBackgroundVolumeID(original.GetID())
            composite.SetForegroundVolumeID(denoised.GetID())
            composite.SetForegroundOpacity(min(1.0, max(0.0, opacity)))
            composite.EndModify(wasModifying)

    def restore(self) -> None:
        """Put back the layout and the volumes that were shown before `show` and `blend`, as far as they still exist."""
        for nodeId, state in self._statesBefore.items():
            composite = self._scene.GetNodeByID(nodeId)
            if composite is not None:
                composite.SetBackgroundVolumeID(self._existing(state.background))
                composite.SetForegroundVolumeID(self._existing(state.foreground))
                composite.SetForegroundOpacity(state.opacity)
        self._statesBefore = {}
        # A layout that the user chose meanwhile stays.
        if self._arrangementBefore is not None and self.isShown:
            _showAllViews(self._layoutNode())
            self._layoutNode().SetViewArrangement(self._arrangementBefore)
        self._arrangementBefore = None

    def _arrange(self) -> None:
        layout = self._layoutNode()
        if layout is None:
            return
        _showAllViews(layout)
        isKnown = layout.IsLayoutDescription(LAYOUT_ID)
        if not self.isShown:
            self._arrangementBefore = layout.GetViewArrangement()
        elif self._arrangementBefore is None:
            # A scene that was saved side by side brings the number back; what was shown before, nobody knows.
            self._arrangementBefore = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
        if not isKnown:
            # Slicer makes the views of a layout when its number comes anew.
            layout.SetViewArrangement(self._arrangementBefore)
            layout.AddLayoutDescription(LAYOUT_ID, layoutDescription())
        layout.SetViewArrangement(LAYOUT_ID)

    def _layoutNode(self) -> Any:
        return self._scene.GetFirstNodeByClass("vtkMRMLLayoutNode")

    def _viewNode(self, className: str, view: str) -> Any:
        """The view's node; made here when Slicer has not, with the name by which Slicer will find it."""
        node = self._scene.GetSingletonNode(view, className)
        if node is None:
            node = self._scene.CreateNodeByClass(className)
            # CreateNodeByClass leaves its reference to the caller.
            node.UnRegister(None)
            node.SetLayoutName(view)
            node = self._scene.AddNode(node)
        return node

    def _blendedViews(self) -> list[Any]:
        if self.isShown:
            return [self._viewNode("vtkMRMLSliceCompositeNode", VIEWS[0])]
        nodes = nodesOfClass(self._scene, "vtkMRMLSliceCompositeNode")
        return [node for node in nodes if node.GetLayoutName() not in VIEWS]

    def _existing(self, nodeId: str | None) -> str | None:
        return nodeId if nodeId and self._scene.GetNodeByID(nodeId) is not None else None

    def _sliceOf(self, volumeNode: Any) -> int:
        """Index of the slice that a view of the user's shows, or of the middle one."""
        if volumeNode.GetImageData() is None:
            return 0
        count = volumeNode.GetImageData().GetDimensions()[2]
        for node in nodesOfClass(self._scene, "vtkMRMLSliceNode"):
            composite = self._scene.GetSingletonNode(node.GetLayoutName(), "vtkMRMLSliceCompositeNode")
            if composite is None or composite.GetBackgroundVolumeID() != volumeNode.GetID():
                continue
            index = round(_indexAt(volumeNode, [node.GetSliceToRAS().GetElement(row, 3) for row in range(3)])[2])
            if node.GetOrientation() == "Axial" and 0 <= index < count:
                return index
        return count // 2

    def _aim(self, sliceNode: Any, volumeNode: Any, index: int) -> None:
        """Show one stored slice of a volume as a whole, without resampling it."""
        sliceNode.SetViewGroup(_VIEW_GROUP)
        sliceToRas = sliceNode.GetSliceToRAS()
        _turnAxial(sliceNode)
        sliceNode.RotateToVolumePlane(volumeNode)
        columns, rows, _slices = volumeNode.GetImageData().GetDimensions()
        centre = _positionOf(volumeNode, [(columns - 1) / 2.0, (rows - 1) / 2.0, float(index)])
        for row in range(3):
            sliceToRas.SetElement(row, 3, centre[row])
        rasToSlice, bounds = vtk.vtkMatrix4x4(), [0.0] * 6
        vtk.vtkMatrix4x4.Invert(sliceToRas, rasToSlice)
        volumeNode.GetSliceBounds(bounds, rasToSlice)
        width, height, _depth = (max(1, size) for size in sliceNode.GetDimensions())
        scale = max((bounds[1] - bounds[0]) / width, (bounds[3] - bounds[2]) / height)
        sliceNode.SetFieldOfView(scale * width, scale * height, sliceNode.GetFieldOfView()[2])
        sliceNode.UpdateMatrices()


def _showAllViews(layout: Any) -> None:
    """No single view fills the window any more: Slicer would show it instead of a layout."""
    if hasattr(layout, "RemoveAllMaximizedViewNodes"):
        layout.RemoveAllMaximizedViewNodes()
    else:  # Slicer 5.10
        layout.SetMaximizedViewNode(None)


def layoutDescription() -> str:
    """The layout in Slicer's XML."""
    labels = (_("original"), _("denoised"), _("removed"))
    views = "".join(_viewXml(view, label, colour) for view, label, colour in zip(VIEWS, labels, _COLOURS, strict=True))
    return f'<layout type="horizontal" split="true">{views}</layout>'


def _viewXml(view: str, label: str, colour: str) -> str:
    properties = {"orientation": "Axial", "viewlabel": label, "viewcolor": colour, "viewgroup": str(_VIEW_GROUP)}
    lines = "".join(
        f'<property name="{name}" action="default">{escape(value)}</property>' for name, value in properties.items()
    )
    return f'<item><view class="vtkMRMLSliceNode" singletontag="{view}">{lines}</view></item>'


def _turnAxial(sliceNode: Any) -> None:
    """Axial as the user has it (patient's right on the left or right of the screen); as radiologists do otherwise."""
    if sliceNode.HasSliceOrientationPreset("Axial"):
        sliceNode.SetOrientation("Axial")
        return
    axial = vtk.vtkMatrix3x3()
    slicer.vtkMRMLSliceNode.GetAxialSliceToRASMatrix(axial)
    for row in range(3):
        for column in range(3):
            sliceNode.GetSliceToRAS().SetElement(row, column, axial.GetElement(row, column))


def _stateOf(composite: Any) -> _ViewState:
    return _ViewState(
        composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()
    )


def _positionOf(volumeNode: Any, index: list[float]) -> list[float]:
    """World position in mm of a voxel index (i, j, k)."""
    matrix, world = vtk.vtkMatrix4x4(), [0.0, 0.0, 0.0]
    volumeNode.GetIJKToRASMatrix(matrix)
    volumeNode.TransformPointToWorld(matrix.MultiplyPoint([*index, 1.0])[:3], world)
    return world


def _indexAt(volumeNode: Any, position: list[float]) -> tuple[float, ...]:
    """Voxel index (i, j, k) of a world position in mm."""
    matrix, local = vtk.vtkMatrix4x4(), [0.0, 0.0, 0.0]
    volumeNode.GetRASToIJKMatrix(matrix)
    volumeNode.TransformPointFromWorld(position, local)
    return tuple(matrix.MultiplyPoint([*local, 1.0])[:3])
