"""The lines of a curve give its angle, follow a hand, and survive transforms, other lines and a saved scene."""

from __future__ import annotations

from typing import Any

import pytest
import slicer
import vtk
from mrml_samples import linearTransform
from spine_nodes import SPACING_MM, addProjection, curve

from MedEnhanceLib.CurveLines import CurveLines, addCurveLines, linesOf, removeCurveLines


@pytest.fixture
def scene() -> Any:
    return slicer.vtkMRMLScene()


def followed(scene: Any, image: Any, moved: list[str] | None = None) -> CurveLines:
    lines = CurveLines(scene, lambda: moved.append("moved") if moved is not None else None)
    lines.follow(image, SPACING_MM)
    return lines


@pytest.mark.parametrize("turned", [False, True])
def test_lines_that_nobody_moved_give_the_angle_of_the_report(scene: Any, turned: bool) -> None:
    image = addProjection(scene, turned=turned)
    addCurveLines(scene, image, [curve()])
    assert followed(scene, image).angles()[0] == pytest.approx(40.0, abs=1e-6)


def test_lines_under_a_parent_transform_give_the_same_angle(scene: Any) -> None:
    image = addProjection(scene)
    image.SetAndObserveTransformNodeID(linearTransform(scene).GetID())
    addCurveLines(scene, image, [curve()])
    assert followed(scene, image).angles()[0] == pytest.approx(40.0, abs=1e-6)


def test_a_line_lies_where_its_pixels_lie(scene: Any) -> None:
    image = addProjection(scene)
    [upper, _lower] = addCurveLines(scene, image, [curve()])
    expected, matrix = [0.0] * 3, vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    expected = matrix.MultiplyPoint((30.0, 40.0, 0.0, 1.0))[:3]
    assert list(upper.GetNthControlPointPositionWorld(0)) == pytest.approx(expected)


def test_dragging_an_end_changes_the_angle_and_tells(scene: Any) -> None:
    image, moved = addProjection(scene), []
    [_upper, lower] = addCurveLines(scene, image, [curve()])
    lines = followed(scene, image, moved)
    assert not moved
    matrix = vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    lower.SetNthControlPointPositionWorld(1, *matrix.MultiplyPoint((90.0, 150.0, 0.0, 1.0))[:3])
    assert moved
    assert lines.angles()[0] == pytest.approx(0.0, abs=1e-6)


def test_the_angle_does_not_depend_on_which_end_comes_first(scene: Any) -> None:
    image = addProjection(scene)
    [_upper, lower] = addCurveLines(scene, image, [curve()])
    ends = [list(lower.GetNthControlPointPositionWorld(n)) for n in range(2)]
    lower.SetNthControlPointPositionWorld(0, ends[1])
    lower.SetNthControlPointPositionWorld(1, ends[0])
    assert followed(scene, image).angles()[0] == pytest.approx(40.0, abs=1e-6)


def test_a_curve_that_lost_a_line_has_no_angle(scene: Any) -> None:
    image = addProjection(scene)
    nodes = addCurveLines(scene, image, [curve(), curve()])
    scene.RemoveNode(nodes[0])
    assert list(followed(scene, image).angles()) == [1]


def test_lines_of_another_image_and_of_the_user_are_left_alone(scene: Any) -> None:
    image, other = addProjection(scene), addProjection(scene, "other")
    addCurveLines(scene, other, [curve()])
    own = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "mine")
    addCurveLines(scene, image, [curve()])
    addCurveLines(scene, image, [curve()])  # in place of the former
    assert len(linesOf(scene, image)) == 2
    removeCurveLines(scene, image)
    assert len(linesOf(scene, other)) == 2
    assert own.GetScene() is scene


def test_nobody_is_told_after_following_has_ended(scene: Any) -> None:
    image, moved = addProjection(scene), []
    [upper, _lower] = addCurveLines(scene, image, [curve()])
    lines = followed(scene, image, moved)
    lines.follow(None, None)
    upper.SetNthControlPointPositionWorld(0, 0.0, 0.0, 0.0)
    assert not moved
    assert lines.angles() == {}


def test_levels_are_named_as_assumed(scene: Any) -> None:
    names = [node.GetName() for node in addCurveLines(scene, addProjection(scene), [curve()])]
    assert names == ["T5 (assumed), upper end of curve 1", "T11 (assumed), lower end of curve 1"]
