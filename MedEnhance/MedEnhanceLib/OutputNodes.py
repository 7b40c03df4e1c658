"""Nodes for results: found, made, placed beside their input in the subject hierarchy, and shown as the input is."""

from __future__ import annotations

from typing import Any

import slicer

from MedEnhanceLib.VolumeBridge import modalityOf, volumeArray, voxelSample

_SOFT_TISSUE = (400.0, 40.0)  # window and level in HU, as CT is usually first looked at
_DISPLAYED_PERCENT = 99.5


def nodesOfClass(scene: Any, className: str) -> list[Any]:
    """All nodes of a class in this scene; `slicer.util.getNodesByClass` always looks in Slicer's main scene."""
    return [scene.GetNthNodeByClass(n, className) for n in range(scene.GetNumberOfNodesByClass(className))]


def subjectHierarchy(scene: Any) -> Any:
    """The scene's subject hierarchy node."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def newOutputNode(scene: Any, inputNode: Any, suffix: str, className: str = "") -> Any:
    """A new, empty volume node of the input's class or of another, named after the input; it is shown in no view."""
    name = scene.GenerateUniqueName(f"{inputNode.GetName()} {suffix}".strip())
    return scene.AddNewNodeByClass(className or inputNode.GetClassName(), name)


def removeWithDisplay(scene: Any, node: Any) -> None:
    """Remove a node that is of no more use; the scene keeps its display nodes otherwise."""
    for n in reversed(range(node.GetNumberOfDisplayNodes())):
        scene.RemoveNode(node.GetNthDisplayNode(n))
    scene.RemoveNode(node)


def placeBeside(scene: Any, shNode: Any, inputNode: Any, outputNode: Any) -> None:
    """Put the output below the same study or folder as the input, right after it.

    Args:
        scene: Of all nodes.
        shNode: Its subject hierarchy node; None when there is none, then nothing happens.
        inputNode: Where the result comes from.
        outputNode: The result.
    """
    if shNode is None or outputNode.GetScene() is not scene:
        return
    inputItem = shNode.GetItemByDataNode(inputNode)
    parent = shNode.GetItemParent(inputItem) if inputItem else shNode.GetSceneItemID()
    item = shNode.GetItemByDataNode(outputNode) or shNode.CreateItem(parent, outputNode)
    shNode.SetItemParent(item, parent)
    if not inputItem:
        return
    following = shNode.GetItemByPositionUnderParent(parent, shNode.GetItemPositionUnderParent(inputItem) + 1)
    if following and following != item:
        shNode.MoveItem(item, following)


def copyDisplay(inputNode: Any, outputNode: Any, symmetricAroundZero: bool = False) -> None:
    """Show the output with the input's window, level and colours.

    The window is fixed from here on even where the input's follows its values, so that the two stay comparable.

    Args:
        inputNode: Where the result comes from.
        outputNode: The result, filled.
        symmetricAroundZero: The output is a difference: grey, with zero in the middle and a window for its own values.
    """
    source = inputNode.GetDisplayNode()
    display = outputNode.GetDisplayNode() or _newDisplay(outputNode)
    wasModifying = display.StartModify()
    try:
        display.AutoWindowLevelOff()
        display.AutoThresholdOff()
        display.ApplyThresholdOff()
        if source is not None:
            display.SetInterpolate(source.GetInterpolate())
        if source is None or symmetricAroundZero:
            display.SetDefaultColorMap()
        else:
            display.SetAndObserveColorNodeID(source.GetColorNodeID())
            display.SetInvertDisplayScalarRange(source.GetInvertDisplayScalarRange())
        display.SetWindowLevel(*_windowLevel(inputNode, source, outputNode, symmetricAroundZero))
    finally:
        display.EndModify(wasModifying)


def _newDisplay(volumeNode: Any) -> Any:
    """A display node that never computes a window: the node's own default would, from every voxel, at once."""
    display = slicer.vtkMRMLScalarVolumeDisplayNode()
    display.AutoWindowLevelOff()
    display = volumeNode.GetScene().AddNode(display)
    volumeNode.SetAndObserveDisplayNodeID(display.GetID())
    return display


def _windowLevel(inputNode: Any, source: Any, outputNode: Any, symmetricAroundZero: bool) -> tuple[float, float]:
    import numpy as np

    if symmetricAroundZero:
        extent = np.percentile(np.abs(voxelSample(volumeArray(outputNode)).astype(np.float64)), _DISPLAYED_PERCENT)
        return 2.0 * max(float(extent), 1.0), 0.0
    if source is not None:
        return source.GetWindow(), source.GetLevel()
    if modalityOf(inputNode) == "CT":
        return _SOFT_TISSUE
    low, high = np.percentile(voxelSample(volumeArray(inputNode)), [100.0 - _DISPLAYED_PERCENT, _DISPLAYED_PERCENT])
    return max(float(high - low), 1.0), float(low + high) / 2.0
