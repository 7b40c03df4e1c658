"""Results appear beside their input and look like it, and no window is computed from all voxels."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from mrml_samples import STRANGE_NAME, filled, newScene, ramp

from MedEnhanceLib.OutputNodes import copyDisplay, newOutputNode, nodesOfClass, placeBeside


@pytest.fixture
def scene():
    return newScene()


@pytest.fixture
def hierarchy(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def itemOf(hierarchy, node, parent):
    item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(parent, node)
    hierarchy.SetItemParent(item, parent)
    return item


def childrenOf(hierarchy, parent):
    count = hierarchy.GetNumberOfItemChildren(parent)
    return [hierarchy.GetItemName(hierarchy.GetItemByPositionUnderParent(parent, n)) for n in range(count)]


def displayOf(scene, node, window, level):
    display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.AutoWindowLevelOff()
    display.SetWindowLevel(window, level)
    node.SetAndObserveDisplayNodeID(display.GetID())
    return display


def test_a_new_node_has_the_class_of_the_input_and_a_name_of_its_own(scene):
    source = filled(ramp(), scene)
    first, second = newOutputNode(scene, source, "denoised"), newOutputNode(scene, source, "denoised")
    assert first.GetName() == f"{STRANGE_NAME} denoised"
    assert second.GetName() == f"{STRANGE_NAME} denoised_1"
    assert first.GetClassName() == source.GetClassName()
    assert first.GetDisplayNode() is None


def test_the_result_stands_right_after_its_input_in_the_study(scene, hierarchy):
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    source, other, result = filled(ramp(), scene), filled(ramp(), scene, "other"), filled(ramp(), scene, "result")
    for node in (source, other):
        itemOf(hierarchy, node, study)
    placeBeside(scene, hierarchy, source, result)
    assert childrenOf(hierarchy, study) == [STRANGE_NAME, "result", "other"]
    placeBeside(scene, hierarchy, source, result)
    assert childrenOf(hierarchy, study) == [STRANGE_NAME, "result", "other"]
    last = filled(ramp(), scene, "last")
    placeBeside(scene, hierarchy, other, last)
    assert childrenOf(hierarchy, study) == [STRANGE_NAME, "result", "other", "last"]


def test_without_a_study_or_a_hierarchy_the_result_stays_at_the_top(scene, hierarchy):
    source, result = filled(ramp(), scene), filled(ramp(), scene, "result")
    placeBeside(scene, None, source, result)
    item = hierarchy.GetItemByDataNode(source)
    if item:
        hierarchy.RemoveItem(item, False)
    placeBeside(scene, hierarchy, source, result)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result)) == hierarchy.GetSceneItemID()


def test_window_level_and_colours_are_those_of_the_input(scene):
    source, result = filled(ramp(), scene), filled(ramp(), scene)
    display = displayOf(scene, source, 350.5, 41.25)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeInvertedGrey")
    display.SetInterpolate(0)
    copyDisplay(source, result)
    shown = result.GetDisplayNode()
    assert shown is not display
    assert (shown.GetWindow(), shown.GetLevel()) == (350.5, 41.25)
    assert shown.GetColorNodeID() == "vtkMRMLColorTableNodeInvertedGrey"
    assert shown.GetInterpolate() == 0
    assert nodesOfClass(scene, "vtkMRMLScalarVolumeDisplayNode") == [display, shown]


def test_an_automatic_window_is_fixed_at_what_it_was(scene):
    source, result = filled(ramp(), scene), filled(ramp() // 2, scene)
    source.CreateDefaultDisplayNodes()
    assert source.GetDisplayNode().GetAutoWindowLevel()
    window = source.GetDisplayNode().GetWindow()
    copyDisplay(source, result)
    assert result.GetDisplayNode().GetWindow() == window
    assert not result.GetDisplayNode().GetAutoWindowLevel()
    assert source.GetDisplayNode().GetAutoWindowLevel()


def test_a_difference_is_grey_with_zero_in_the_middle(scene):
    noise = np.random.default_rng(0).normal(0.0, 20.0, (20, 30, 40)).astype(np.float32)
    source, result = filled(noise, scene), filled(noise, scene)
    displayOf(scene, source, 400.0, 40.0).SetAndObserveColorNodeID("vtkMRMLColorTableNodeRainbow")
    copyDisplay(source, result, symmetricAroundZero=True)
    shown = result.GetDisplayNode()
    assert shown.GetLevel() == 0.0
    assert 90.0 < shown.GetWindow() < 140.0
    assert shown.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"


def test_a_difference_without_values_still_has_a_window(scene):
    source, result = filled(np.zeros((2, 3, 4), np.int16), scene), filled(np.zeros((2, 3, 4), np.int16), scene)
    copyDisplay(source, result, symmetricAroundZero=True)
    assert result.GetDisplayNode().GetWindow() > 0


def test_an_input_that_was_never_shown_gives_a_window_from_its_values_or_that_of_ct(scene):
    source, result = filled(np.arange(24000, dtype=np.int32).reshape(20, 30, 40), scene), filled(ramp(), scene)
    copyDisplay(source, result)
    assert result.GetDisplayNode().GetLevel() == pytest.approx(12000, rel=0.02)
    assert result.GetDisplayNode().GetWindow() == pytest.approx(24000, rel=0.03)
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    source.SetVoxelValueUnits(units)
    copyDisplay(source, result)
    assert (result.GetDisplayNode().GetWindow(), result.GetDisplayNode().GetLevel()) == (400.0, 40.0)


def test_nodes_are_those_of_the_given_scene(scene):
    other = newScene()
    node = filled(ramp(), scene)
    assert nodesOfClass(scene, "vtkMRMLScalarVolumeNode") == [node]
    assert nodesOfClass(other, "vtkMRMLScalarVolumeNode") == []
