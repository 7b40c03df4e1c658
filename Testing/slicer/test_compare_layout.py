"""The views for comparison show the same slice of each volume, and everything can be put back."""

from __future__ import annotations

import gc
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import numpy as np
import pytest
import slicer
import vtk
from mrml_samples import filled, ijkToRas, linearTransform, newScene, ramp, warpTransform

from MedEnhanceLib.CompareLayout import LAYOUT_ID, VIEWS, CompareLayout, _showAllViews, layoutDescription
from MedEnhanceLib.OutputNodes import nodesOfClass

USERS_LAYOUT = 3  # four up


@pytest.fixture
def scene():
    """A scene with Slicer's layout node and a red slice view."""
    scene = newScene()
    layout = scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    layout.AddLayoutDescription(USERS_LAYOUT, '<layout type="horizontal"></layout>')
    layout.SetViewArrangement(USERS_LAYOUT)
    for className in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"):
        node = getattr(slicer, className)()
        node.SetLayoutName("Red")
        scene.AddNode(node)
    return scene


@pytest.fixture
def volumes(scene):
    return [filled(ramp((5, 6, 8)), scene, name) for name in ("original", "denoised", "residual")]


def composite(scene, view):
    return scene.GetSingletonNode(view, "vtkMRMLSliceCompositeNode")


def sliceNode(scene, view):
    return scene.GetSingletonNode(view, "vtkMRMLSliceNode")


def arrangement(scene):
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement()


def shownIn(scene, view):
    node = composite(scene, view)
    return node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetForegroundOpacity()


def test_the_layout_is_what_slicer_parses(scene):
    root = ElementTree.fromstring(layoutDescription())
    assert [view.get("singletontag") for view in root.iter("view")] == list(VIEWS)
    assert len({prop.text for prop in root.iter("property") if prop.get("name") == "viewgroup"}) == 1
    assert scene.GetFirstNodeByClass("vtkMRMLLayoutNode").ParseLayout(layoutDescription()) is not None


def test_each_view_shows_its_volume_and_all_are_linked(scene, volumes):
    refreshed = []
    CompareLayout(scene, lambda: refreshed.append(arrangement(scene))).show(*volumes)
    assert refreshed == [LAYOUT_ID]
    for view, volume in zip(VIEWS, volumes, strict=True):
        assert shownIn(scene, view) == (volume.GetID(), None, 0.0)
        assert composite(scene, view).GetLinkedControl()
    groups = {sliceNode(scene, view).GetViewGroup() for view in VIEWS}
    assert len(groups) == 1
    assert sliceNode(scene, "Red").GetViewGroup() not in groups


def test_a_residual_that_is_not_there_leaves_its_view_empty(scene, volumes):
    layout = CompareLayout(scene)
    layout.show(*volumes)
    layout.show(*volumes[:2])
    assert shownIn(scene, VIEWS[2]) == (None, None, 0.0)


def test_the_nodes_of_the_views_go_with_the_scene(scene, volumes):
    CompareLayout(scene).show(*volumes)
    deleted = []
    for className in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"):
        node = scene.GetSingletonNode(VIEWS[1], className)
        node.AddObserver("DeleteEvent", lambda _caller, _event, name=className: deleted.append(name))
        scene.RemoveNode(node)
        del node
    gc.collect()
    assert deleted == ["vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"]


def test_volumes_without_an_image_are_shown_as_they_are(scene):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    CompareLayout(scene).show(empty, empty)
    assert shownIn(scene, VIEWS[1])[0] == empty.GetID()


@pytest.mark.parametrize("kind", ["none", "linear", "warped"])
def test_all_views_show_the_whole_of_one_stored_slice(scene, volumes, kind):
    if kind != "none":
        parent = linearTransform(scene) if kind == "linear" else warpTransform(scene)
        for volume in volumes:
            volume.SetAndObserveTransformNodeID(parent.GetID())
    CompareLayout(scene).show(*volumes)
    original = volumes[0]
    planes = [slicer.util.arrayFromVTKMatrix(sliceNode(scene, view).GetSliceToRAS()) for view in VIEWS]
    for plane in planes[1:]:
        np.testing.assert_array_equal(plane, planes[0])
    # The middle of the middle slice is in the middle of the view.
    world = [0.0, 0.0, 0.0]
    original.TransformPointToWorld((ijkToRas(original) @ [3.5, 2.5, 2.0, 1.0])[:3], world)
    np.testing.assert_allclose(planes[0][:3, 3], world, atol=1e-9)
    if kind == "none":
        # The slice axes are the volume's own I and J, so that nothing is resampled.
        axes = ijkToRas(original)[:3, :2] / np.linalg.norm(ijkToRas(original)[:3, :2], axis=0)
        np.testing.assert_allclose(np.abs(np.sum(planes[0][:3, :2] * axes, axis=0)), 1.0, atol=1e-9)


def test_the_field_of_view_holds_the_volume_and_keeps_pixels_square(scene, volumes):
    layout = CompareLayout(scene)
    layout.show(*volumes)
    sliceNode(scene, VIEWS[0]).SetDimensions(300, 200, 1)
    layout.show(*volumes)
    width, height, _depth = sliceNode(scene, VIEWS[0]).GetFieldOfView()
    assert width / 300 == pytest.approx(height / 200)
    # From side to side of all voxels, seen along the view's axes.
    plane = slicer.util.arrayFromVTKMatrix(sliceNode(scene, VIEWS[0]).GetSliceToRAS())[:3, :2]
    corners = np.array([[i, j, k, 1.0] for i in (-0.5, 7.5) for j in (-0.5, 5.5) for k in (-0.5, 4.5)])
    needed = np.ptp(corners @ ijkToRas(volumes[0]).T[:, :3] @ plane, axis=0)
    assert min(width / needed[0], height / needed[1]) == pytest.approx(1.0)


def test_the_slice_that_the_user_looks_at_stays(scene, volumes):
    original = filled(ramp((5, 6, 8)), scene, "upright", oblique=False)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    axial = vtk.vtkMatrix3x3()
    slicer.vtkMRMLSliceNode.GetAxialSliceToRASMatrix(axial)
    red = sliceNode(scene, "Red")
    red.AddSliceOrientationPreset("Axial", axial)
    red.SetOrientation("Axial")
    red.SetSliceOffset(3.2)
    composite(scene, "Red").SetBackgroundVolumeID(original.GetID())
    CompareLayout(scene).show(original, *volumes[1:])
    assert sliceNode(scene, VIEWS[1]).GetSliceToRAS().GetElement(2, 3) == pytest.approx(3.0)


def test_blending_lays_the_denoised_volume_over_the_original_in_the_users_views(scene, volumes):
    original, denoised, _residual = (volume.GetID() for volume in volumes)
    layout = CompareLayout(scene)
    layout.blend(*volumes[:2], 0.25)
    assert shownIn(scene, "Red") == (original, denoised, 0.25)
    layout.blend(*volumes[:2], 7.0)
    assert shownIn(scene, "Red") == (original, denoised, 1.0)


def test_side_by_side_only_the_first_view_is_blended(scene, volumes):
    composite(scene, "Red").SetBackgroundVolumeID(volumes[2].GetID())
    layout = CompareLayout(scene)
    layout.show(*volumes)
    layout.blend(*volumes[:2], 0.5)
    assert shownIn(scene, VIEWS[0]) == (volumes[0].GetID(), volumes[1].GetID(), 0.5)
    assert shownIn(scene, VIEWS[1]) == (volumes[1].GetID(), None, 0.0)
    assert shownIn(scene, "Red")[0] == volumes[2].GetID()


def test_everything_is_put_back(scene, volumes):
    before = composite(scene, "Red")
    before.SetBackgroundVolumeID(volumes[2].GetID())
    before.SetForegroundOpacity(0.125)
    layout = CompareLayout(scene)
    layout.blend(*volumes[:2], 0.5)
    layout.blend(*volumes[:2], 0.75)
    layout.show(*volumes)
    layout.show(*volumes)
    assert layout.isShown
    layout.restore()
    assert arrangement(scene) == USERS_LAYOUT
    assert shownIn(scene, "Red") == (volumes[2].GetID(), None, 0.125)
    assert not layout.isShown
    layout.restore()
    assert arrangement(scene) == USERS_LAYOUT


def test_a_volume_that_was_deleted_meanwhile_is_not_put_back(scene, volumes):
    composite(scene, "Red").SetBackgroundVolumeID(volumes[2].GetID())
    layout = CompareLayout(scene)
    layout.blend(*volumes[:2], 0.5)
    scene.RemoveNode(volumes[2])
    layout.restore()
    assert shownIn(scene, "Red")[0] is None


def test_a_layout_that_the_user_chose_meanwhile_stays(scene, volumes):
    layout = CompareLayout(scene)
    layout.show(*volumes)
    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    node.AddLayoutDescription(6, '<layout type="vertical"></layout>')
    node.SetViewArrangement(6)
    layout.restore()
    assert arrangement(scene) == 6


def test_a_second_layout_object_finds_the_layout_registered(scene, volumes):
    CompareLayout(scene).show(*volumes)
    again = CompareLayout(scene)
    again.show(*volumes)
    again.restore()
    assert len(nodesOfClass(scene, "vtkMRMLSliceNode")) == 4


def test_a_scene_that_was_closed_can_be_shown_and_put_back_again(scene, volumes):
    layout = CompareLayout(scene)
    layout.show(*volumes)
    layout.blend(*volumes[:2], 0.5)
    scene.Clear(False)
    layout.restore()
    fresh = [filled(ramp(), scene, name) for name in "abc"]
    layout.show(*fresh)
    assert shownIn(scene, VIEWS[1])[0] == fresh[1].GetID()


def test_a_view_that_fills_the_window_gives_way(scene, volumes):
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    compare = CompareLayout(scene)
    for show in (lambda: compare.show(*volumes), lambda: compare.show(*volumes), compare.restore):
        layout.AddMaximizedViewNode(sliceNode(scene, "Red"))
        show()
        assert layout.GetNumberOfMaximizedViewNodes() == 0
    assert arrangement(scene) == USERS_LAYOUT


def test_the_one_view_that_fills_the_window_of_slicer_5_10_gives_way():
    shown = []
    _showAllViews(SimpleNamespace(SetMaximizedViewNode=shown.append))
    assert shown == [None]


def test_a_scene_that_was_saved_side_by_side_gets_its_views(scene, volumes):
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(LAYOUT_ID)  # by its number alone, as a file brings it
    changes = []
    layout.AddObserver("ModifiedEvent", lambda *_: changes.append(layout.GetViewArrangement()))
    compare = CompareLayout(scene)
    compare.show(*volumes)
    assert layout.IsLayoutDescription(LAYOUT_ID)
    assert changes[-1] == LAYOUT_ID
    assert any(number != LAYOUT_ID for number in changes), "Slicer builds views when the number changes"
    compare.restore()
    assert arrangement(scene) == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
