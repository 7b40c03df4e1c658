"""The node selector follows Slicer's: it lists, falls on neighbours, and survives the scene."""

from __future__ import annotations

import pytest


@pytest.fixture
def selector(host):
    import slicer

    combo = slicer.qMRMLNodeComboBox()
    combo.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    return combo


def added(name: str, nodeClass: str = "vtkMRMLScalarVolumeNode"):
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass(nodeClass, name)


def watched(selector) -> list[str | None]:
    names: list[str | None] = []
    selector.currentNodeChanged.connect(lambda node: names.append(node.GetName() if node else None))
    return names


def test_the_scene_enables_it_whatever_was_set_before(selector, host):
    import slicer

    assert not selector.enabled
    selector.enabled = False
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.enabled


def test_without_none_it_takes_the_first_node_that_appears(selector, host):
    import slicer

    selector.setMRMLScene(slicer.mrmlScene)
    names = watched(selector)
    assert selector.currentNode() is None
    added("a")
    added("b")
    assert (selector.currentNode().GetName(), names) == ("a", ["a"])


def test_with_none_it_waits_for_a_choice(selector, host):
    import slicer

    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    node = added("a")
    assert (selector.currentNode(), selector.currentNodeID) == (None, "")
    selector.setCurrentNode(node)
    assert selector.currentNodeID == node.GetID()


@pytest.mark.parametrize(("deleted", "then"), [("a", "b"), ("b", "c"), ("c", "b")])
@pytest.mark.parametrize("addEnabled", [False, True])
def test_when_the_chosen_node_is_deleted_its_neighbour_is_chosen(selector, host, deleted, then, addEnabled):
    import slicer

    selector.addEnabled = selector.removeEnabled = addEnabled
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    nodes = {name: added(name) for name in "abc"}
    selector.setCurrentNode(nodes[deleted])
    names = watched(selector)
    slicer.mrmlScene.RemoveNode(nodes[deleted])
    assert selector.currentNode().GetName() == then
    assert names == [then]


def test_the_last_node_leaves_no_choice(selector, host):
    import slicer

    selector.setMRMLScene(slicer.mrmlScene)
    names, node = watched(selector), added("a")
    slicer.mrmlScene.RemoveNode(node)
    assert (selector.currentNode(), names) == (None, ["a", None])


def test_hidden_nodes_other_classes_and_subclasses_are_filtered(selector, host):
    import slicer

    selector.setMRMLScene(slicer.mrmlScene)
    added("hidden").SetHideFromEditors(True)
    added("table", "vtkMRMLTableNode")
    added("label", "vtkMRMLLabelMapVolumeNode")
    assert selector.nodeCount() == 1
    selector.showChildNodeTypes = False
    assert selector.nodeCount() == 0


def test_attributes_filter_and_are_given_to_new_nodes(selector, host):
    import slicer

    selector.addAttribute("vtkMRMLScalarVolumeNode", "MedEnhance.Derived", "1")
    selector.baseName = "Denoised"
    selector.setMRMLScene(slicer.mrmlScene)
    added("plain")
    made = selector.addNode()
    assert (selector.nodeCount(), made.GetName(), made.GetAttribute("MedEnhance.Derived")) == (1, "Denoised", "1")
    assert selector.currentNode() is made


def test_closing_the_scene_ends_the_choice(selector, host):
    import slicer

    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    selector.setCurrentNode(added("a"))
    names = watched(selector)
    slicer.mrmlScene.Clear(0)
    assert (selector.currentNode(), names, selector.nodeCount()) == (None, [None], 0)


def test_a_choice_made_before_the_scene_is_kept_for_it(selector, host):
    import slicer

    added("a")
    node = added("b")
    selector.setCurrentNode(node)
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is node


def test_it_takes_nodes_and_nothing_else(selector, host):
    with pytest.raises(ValueError, match="MRML node"):
        selector.setCurrentNode("vtkMRMLScalarVolumeNode1")
    with pytest.raises(TypeError):
        selector.currentNodeID()


def test_what_the_real_class_does_not_expose_is_not_there(selector, host):
    for name in ("setNodeTypes", "noneEnabledValue", "_fill", "comboBox"):
        with pytest.raises(AttributeError):
            getattr(selector, name)
