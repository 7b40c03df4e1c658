"""The end lines of curves as markups that a person drags, and the angle between them, which follows.

Two line nodes a curve: along the upper and the lower end level, on the plane of the projection. The angle is measured
in that plane and in millimetres, as `medenhance.spine.angle` measures it, so that lines which nobody has moved give the
angle of the report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from MedEnhanceLib.OutputNodes import nodesOfClass

CURVE, END, IMAGE_ROLE = "MedEnhance.Curve", "MedEnhance.CurveEnd", "MedEnhance.CurveImage"
_COLOURS = ((1.0, 0.77, 0.33), (0.35, 0.85, 0.95), (0.95, 0.45, 0.75), (0.6, 0.95, 0.45))


def addCurveLines(scene: Any, imageNode: Any, curves: Sequence[dict[str, Any]]) -> list[Any]:
    """Draw the lines of curves on an image, in place of those that it has.

    Args:
        scene: Of the image.
        imageNode: Volume of one slice: columns are I, rows are J.
        curves: "curves" of a measurement, as JSON.
    """
    removeCurveLines(scene, imageNode)
    nodes = []
    for number, curve in enumerate(curves):
        for end, line in enumerate(curve["lines"]):
            nodes.append(_addLine(scene, imageNode, number, end, line))
    return nodes


def removeCurveLines(scene: Any, imageNode: Any) -> None:
    """Remove the lines of an image."""
    for node in linesOf(scene, imageNode):
        scene.RemoveNode(node)


def linesOf(scene: Any, imageNode: Any) -> list[Any]:
    """The lines on an image, by curve and end."""
    if imageNode is None:
        return []
    found = [
        node
        for node in nodesOfClass(scene, "vtkMRMLMarkupsLineNode")
        if node.GetNodeReferenceID(IMAGE_ROLE) == imageNode.GetID() and node.GetAttribute(CURVE) is not None
    ]
    return sorted(found, key=lambda node: (int(node.GetAttribute(CURVE)), int(node.GetAttribute(END))))


def tiltDeg(lineNode: Any, imageNode: Any, spacingMm: tuple[float, float]) -> float | None:
    """Tilt of a line in the image; positive when its end at the larger column is nearer to the feet.

    Args:
        lineNode: Two points.
        imageNode: Volume of one slice.
        spacingMm: Of rows and columns.
    """
    if lineNode.GetNumberOfDefinedControlPoints() < 2:
        return None
    ends = sorted(_pixelOf(lineNode, n, imageNode) for n in range(2))
    (left, top), (right, bottom) = ends
    dx, dy = (right - left) * spacingMm[1], (bottom - top) * spacingMm[0]
    return math.degrees(math.atan2(dy, dx)) if dx or dy else None


class CurveLines(VTKObservationMixin):
    """Follows the lines on an image.

    Args:
        scene: Of the image.
        changed: Called when a line was moved.
    """

    def __init__(self, scene: Any, changed: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._scene, self._changed = scene, changed
        self._imageNode: Any = None
        self._spacingMm: tuple[float, float] | None = None

    def follow(self, imageNode: Any, spacingMm: tuple[float, float] | None) -> None:
        """Follow the lines of this image, as they are now; None follows none."""
        self.removeObservers()
        self._imageNode, self._spacingMm = imageNode, spacingMm
        for node in linesOf(self._scene, imageNode):
            self.addObserver(node, slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self._onMoved)

    def angles(self) -> dict[int, float]:
        """Angle of each curve that still has its two lines, degrees, by the curve's number."""
        if self._imageNode is None or self._spacingMm is None:
            return {}
        tilts: dict[int, dict[int, float]] = {}
        for node in linesOf(self._scene, self._imageNode):
            tilt = tiltDeg(node, self._imageNode, self._spacingMm)
            if tilt is not None:
                tilts.setdefault(int(node.GetAttribute(CURVE)), {})[int(node.GetAttribute(END))] = tilt
        return {number: _between(ends[0], ends[1]) for number, ends in tilts.items() if len(ends) == 2}

    def _onMoved(self, _caller: Any, _event: Any) -> None:
        self._changed()


def _between(one: float, other: float) -> float:
    """Angle between two lines, 0 to 90 degrees: a line has no front end."""
    difference = abs(one - other) % 180.0
    return min(difference, 180.0 - difference)


def _addLine(scene: Any, imageNode: Any, number: int, end: int, line: dict[str, Any]) -> Any:
    text = (
        _("{level} (assumed), upper end of curve {n}") if end == 0 else _("{level} (assumed), lower end of curve {n}")
    )
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", text.format(level=line["level"], n=number + 1))
    node.SetAttribute(CURVE, str(number))
    node.SetAttribute(END, str(end))
    node.SetNodeReferenceID(IMAGE_ROLE, imageNode.GetID())
    node.CreateDefaultDisplayNodes()
    for row, column in (line["left"], line["right"]):
        node.AddControlPointWorld(vtk.vtkVector3d(*_worldOf(imageNode, row, column)))
    display = node.GetDisplayNode()
    if display is not None:
        colour = _COLOURS[number % len(_COLOURS)]
        display.SetColor(*colour)
        display.SetSelectedColor(*colour)
        display.SetPropertiesLabelVisibility(False)
    return node


def _worldOf(imageNode: Any, row: float, column: float) -> list[float]:
    matrix, world = vtk.vtkMatrix4x4(), [0.0, 0.0, 0.0]
    imageNode.GetIJKToRASMatrix(matrix)
    imageNode.TransformPointToWorld(matrix.MultiplyPoint((column, row, 0.0, 1.0))[:3], world)
    return world


def _pixelOf(lineNode: Any, index: int, imageNode: Any) -> tuple[float, float]:
    """(column, row) of a control point."""
    world, local, matrix = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], vtk.vtkMatrix4x4()
    lineNode.GetNthControlPointPositionWorld(index, world)
    imageNode.TransformPointFromWorld(world, local)
    imageNode.GetRASToIJKMatrix(matrix)
    column, row = matrix.MultiplyPoint((*local, 1.0))[:2]
    return column, row
