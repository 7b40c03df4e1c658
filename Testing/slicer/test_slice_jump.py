"""A click on a slice shows that very slice, also of tilted and turned volumes, and of those with unequal gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from head_nodes import SHAPE, addHead
from mrml_samples import filled, linearTransform, ramp

from MedEnhanceLib.SliceJump import jumpToSlice, nearestSlice, sliceNormal, slicePosition


def axialView() -> np.ndarray:
    """(4, 4) of Slicer's red view."""
    matrix = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().GetSliceToRAS()
    return slicer.util.arrayFromVTKMatrix(matrix)


def shownSlice(node: Any, axis: int = 0) -> int | None:
    return nearestSlice(node, axialView()[:3, 3], axis)


def unequalGaps(scene: Any, offsetsMm: list[float]) -> Any:
    """A transform as Slicer makes one for unequal gaps: it moves each slice along the body."""
    grid = vtk.vtkImageData()
    grid.SetDimensions(2, 2, len(offsetsMm))
    grid.SetOrigin(-200.0, -200.0, -20.25)
    grid.SetSpacing(400.0, 400.0, 10.0)
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    for k, offset in enumerate(offsetsMm):
        for j in range(2):
            for i in range(2):
                for component, value in enumerate((0.0, 0.0, offset)):
                    grid.SetScalarComponentFromDouble(i, j, k, component, value)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(grid)
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    node.SetAndObserveTransformToParent(transform)
    return node


@pytest.mark.parametrize("index", [0, 5, SHAPE[0] - 1])
@pytest.mark.parametrize("oblique", [False, True])
def test_the_axial_view_shows_the_slice(host: Any, index: int, oblique: bool) -> None:
    node = addHead(slicer.mrmlScene, oblique=oblique)
    before = axialView()[:3, :3].copy()
    jumpToSlice(node, index)
    view, position = axialView(), np.array(slicePosition(node, index))
    normal = view[:3, 2] / np.linalg.norm(view[:3, 2])
    assert abs((position - view[:3, 3]) @ normal) < 1e-6  # the slice's middle lies in the plane of the view
    assert abs(normal @ np.array(sliceNormal(node, index))) > 0.99999  # and the view is parallel to the slice
    # What was up and right in it still is: Slicer's axial view is a mirrored frame.
    assert np.linalg.det(view[:3, :3]) == pytest.approx(np.linalg.det(before))
    assert (np.einsum("rc,rc->c", view[:3, :3], before) > 0.9).all()
    assert shownSlice(node) == index


def test_a_view_that_is_not_tilted_is_not_turned(host: Any) -> None:
    before = axialView()[:3, :3].copy()
    jumpToSlice(addHead(slicer.mrmlScene), 3)
    assert np.array_equal(axialView()[:3, :3], before)


def test_other_views_show_the_place_that_is_asked_for(host: Any) -> None:
    node = addHead(slicer.mrmlScene)
    jumpToSlice(node, 6, place=[0.0, 30.0, 44.0])
    world = np.array(slicePosition(node, 6, 0, [0.0, 30.0, 44.0]))
    for name, axis in (("Green", 1), ("Yellow", 0)):
        view = slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()
        assert view.GetSliceToRAS().GetElement(axis, 3) == pytest.approx(world[axis])


def test_unequal_gaps_are_followed(host: Any) -> None:
    node = addHead(slicer.mrmlScene)
    offsets = [0.0] * 6 + [12.0 + 2.0 * n for n in range(6)]  # a jump in the middle, then wider gaps
    straight = [slicePosition(node, k) for k in range(SHAPE[0])]
    node.SetAndObserveTransformNodeID(unequalGaps(slicer.mrmlScene, offsets).GetID())
    for index in (5, 6, 9):
        jumpToSlice(node, index)
        assert axialView()[2, 3] == pytest.approx(straight[index][2] + offsets[index], abs=0.05)
        assert shownSlice(node) == index


def test_a_turned_parent_is_followed(host: Any) -> None:
    node = addHead(slicer.mrmlScene)
    turn = vtk.vtkTransform()
    turn.RotateX(12.0)
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    parent.SetMatrixTransformToParent(turn.GetMatrix())
    node.SetAndObserveTransformNodeID(parent.GetID())
    jumpToSlice(node, 7)
    normal = axialView()[:3, 2]
    assert abs(normal @ np.array([0.0, -np.sin(np.radians(12.0)), np.cos(np.radians(12.0))])) > 0.99999
    assert shownSlice(node) == 7


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_may_run_along_any_axis(host: Any, axis: int) -> None:
    node = filled(ramp((4, 6, 8)), slicer.mrmlScene, oblique=False)
    node.SetAndObserveTransformNodeID(linearTransform(slicer.mrmlScene).GetID())
    for index in range((4, 6, 8)[axis]):
        assert nearestSlice(node, slicePosition(node, index, axis), axis) == index
    assert nearestSlice(node, slicePosition(node, -2, axis), axis) is None
