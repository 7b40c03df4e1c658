"""Brings slice views to one stored slice of a volume, also where its slices are tilted or unequally far apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk

from MedEnhanceLib.OutputNodes import nodesOfClass

# Cosine of 0.2 degrees, which move the rim of a head by less than half a millimetre.
_PARALLEL = 0.999994
# A view that is further from the slices than 60 degrees looks at them from the side, and stays as it is.
_ALONG = 0.5


def slicePosition(volumeNode: Any, index: int, axis: int = 0, place: Sequence[float] | None = None) -> list[float]:
    """Where a stored slice lies, world RAS mm, with all parent transforms, non-linear ones too.

    Args:
        volumeNode: The scan.
        index: Of the slice, along its axis.
        axis: Of the array (K, J, I) along which the slices follow each other.
        place: (K, J, I) of a point in the slice, of which the one along `axis` is not used; None for its middle.
    """
    point = list(place) if place is not None else [(size - 1) / 2.0 for size in _shape(volumeNode)]
    point[axis] = float(index)
    matrix, world = vtk.vtkMatrix4x4(), [0.0, 0.0, 0.0]
    volumeNode.GetIJKToRASMatrix(matrix)
    volumeNode.TransformPointToWorld(matrix.MultiplyPoint((*reversed(point), 1.0))[:3], world)
    return world


def jumpToSlice(volumeNode: Any, index: int, axis: int = 0, place: Sequence[float] | None = None) -> None:
    """Show a stored slice in the views that look along its normal, and its point in the others; arguments as above.

    Views that look along the body are turned onto the slices of a tilted volume first: cut straight, a view would show
    parts of several slices.
    """
    normal = sliceNormal(volumeNode, index, axis)
    for view in nodesOfClass(volumeNode.GetScene(), "vtkMRMLSliceNode"):
        matrix = view.GetSliceToRAS()
        along = abs(sum(matrix.GetElement(r, 2) * normal[r] for r in range(3)))
        if _ALONG < along < _PARALLEL:
            _turnOnto(view, normal)
    position = slicePosition(volumeNode, index, axis, place)
    mode = slicer.vtkMRMLSliceNode.OffsetJumpSlice
    slicer.vtkMRMLSliceNode.JumpAllSlices(volumeNode.GetScene(), *position, mode)


def sliceNormal(volumeNode: Any, index: int, axis: int = 0) -> list[float]:
    """Unit normal of a stored slice in the world, RAS."""
    middle = [(size - 1) / 2.0 for size in _shape(volumeNode)]
    origin = slicePosition(volumeNode, index, axis)
    edges = []
    for other in (one for one in range(3) if one != axis):
        place = [value + (n == other) for n, value in enumerate(middle)]
        edges.append([a - b for a, b in zip(slicePosition(volumeNode, index, axis, place), origin, strict=True)])
    normal = [0.0, 0.0, 0.0]
    vtk.vtkMath.Cross(*edges, normal)
    vtk.vtkMath.Normalize(normal)
    return normal


def nearestSlice(volumeNode: Any, world: Sequence[float], axis: int = 0) -> int | None:
    """Index of the stored slice that is nearest to a point of the world; None outside of the volume."""
    local, matrix = [0.0, 0.0, 0.0], vtk.vtkMatrix4x4()
    volumeNode.TransformPointFromWorld(list(world), local)
    volumeNode.GetRASToIJKMatrix(matrix)
    index = round(matrix.MultiplyPoint((*local, 1.0))[2 - axis])
    return index if 0 <= index < _shape(volumeNode)[axis] else None


def _turnOnto(view: Any, normal: Sequence[float]) -> None:
    """Turn a slice view so that it looks along a normal; what was right and up in it stays so as far as possible.

    Not by a cross product: Slicer's axial view is a mirrored frame, with the patient's left at its right.
    """
    matrix = view.GetSliceToRAS()
    right, up, inward = ([matrix.GetElement(r, column) for r in range(3)] for column in range(3))
    if vtk.vtkMath.Dot(inward, normal) < 0:
        normal = [-value for value in normal]
    right = _across(right, normal)
    up = _across(_across(up, normal), right)
    for column, vector in enumerate((right, up, normal)):
        for r in range(3):
            matrix.SetElement(r, column, vector[r])
    view.UpdateMatrices()


def _across(vector: Sequence[float], axis: Sequence[float]) -> list[float]:
    """The part of a vector that is perpendicular to a unit axis, as a unit vector."""
    along = vtk.vtkMath.Dot(vector, axis)
    part = [value - along * one for value, one in zip(vector, axis, strict=True)]
    vtk.vtkMath.Normalize(part)
    return part


def _shape(volumeNode: Any) -> tuple[int, int, int]:
    """(K, J, I)"""
    columns, rows, slices = volumeNode.GetImageData().GetDimensions()
    return slices, rows, columns
