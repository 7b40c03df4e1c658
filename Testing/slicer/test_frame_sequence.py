"""A 4D volume is processed frame by frame into a sequence that moves with the input's."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from mrml_samples import REPORT, filled, finish, ijkToRas, linearTransform, newScene, ramp

from MedEnhanceLib.FrameSequence import FrameResults, sequenceOf
from MedEnhanceLib.Provenance import provenanceOf, setProvenance
from MedEnhanceLib.VolumeBridge import exportSteps, volumeArray

NUM_FRAMES = 3


@pytest.fixture
def scene():
    return newScene()


@pytest.fixture
def logic(scene):
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    return logic


@pytest.fixture
def proxy(scene, logic):
    """The volume that shows the frames."""
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "heart 心")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("ms")
    for k in range(NUM_FRAMES):
        frame = filled(ramp() + k, name=f"frame {k}")
        frame.SetOrigin(k, 0.0, -k)
        sequence.SetDataNodeAtValue(frame, f"{12.5 * k}")
    node = filled(ramp(), scene, "shown")
    node.CreateDefaultDisplayNodes()
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    wasModifying = browser.StartModify()
    browser.AddSynchronizedSequenceNode(sequence)
    browser.AddProxyNode(node, sequence, False)
    browser.EndModify(wasModifying)
    logic.UpdateProxyNodesFromSequences(browser)
    return node


def results(source, suffix="denoised"):
    collected = FrameResults(source, suffix)
    for k in range(source.numFrames):
        setProvenance(collected.add(k, -volumeArray(source.frame(k))), REPORT, None)
    return collected


def test_a_volume_that_stands_alone_has_no_sequence(scene, proxy):
    assert sequenceOf(filled(ramp(), scene)) is None
    assert sequenceOf(None) is None
    assert sequenceOf(filled(ramp())) is None


def test_the_frames_are_those_of_the_sequence(proxy):
    source = sequenceOf(proxy)
    assert source.numFrames == NUM_FRAMES
    assert source.proxyNode is proxy
    for k in range(NUM_FRAMES):
        np.testing.assert_array_equal(volumeArray(source.frame(k)), ramp() + k)


def test_looking_at_a_frame_adds_nothing_to_the_sequence(proxy, tmp_path):
    frame = sequenceOf(proxy).frame(1)
    before = frame.GetScene().GetNumberOfNodes()
    finish(exportSteps(frame, tmp_path / "frame.nrrd"))
    assert b"modality" not in (tmp_path / "frame.nrrd").read_bytes()
    finish(exportSteps(frame, tmp_path / "frame.nrrd", "CT"))
    assert b"MedEnhance_modality:=CT" in (tmp_path / "frame.nrrd").read_bytes()
    assert frame.GetScene().GetNumberOfNodes() == before


def test_nothing_enters_the_scene_before_the_end(scene, proxy):
    before = scene.GetNumberOfNodes()
    results(sequenceOf(proxy))
    assert scene.GetNumberOfNodes() == before


def test_the_result_moves_with_the_input(scene, proxy, logic):
    source = sequenceOf(proxy)
    source.browserNode.SetSelectedItemNumber(1)
    shown = results(source).publish()
    assert shown.GetName() == "shown denoised"
    np.testing.assert_array_equal(volumeArray(shown), -(ramp() + 1))
    for k in (2, 0):
        source.browserNode.SetSelectedItemNumber(k)
        logic.UpdateProxyNodesFromSequences(source.browserNode)
        np.testing.assert_array_equal(volumeArray(shown), -(ramp() + k))
        np.testing.assert_array_equal(volumeArray(proxy), ramp() + k)
        # Shown, not copied: a copy of a large frame takes a third of a second.
        frame = sequenceOf(shown).frame(k)
        assert volumeArray(shown).ctypes.data == volumeArray(frame).ctypes.data
        np.testing.assert_array_equal(ijkToRas(shown), ijkToRas(source.frame(k)))
        assert provenanceOf(shown)["model_id"] == "redcnn-compact"
    assert source.browserNode.GetSequenceNode(shown).GetName() == "heart 心 denoised"


def test_one_volume_and_one_sequence_are_added_and_the_window_is_the_inputs(scene, proxy):
    names = {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}
    shown = results(sequenceOf(proxy)).publish()
    added = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes()) if scene.GetNthNode(n).GetID() not in names]
    classes = sorted(node.GetClassName() for node in added)
    assert classes == ["vtkMRMLScalarVolumeDisplayNode", "vtkMRMLScalarVolumeNode", "vtkMRMLSequenceNode"]
    assert not shown.GetDisplayNode().GetAutoWindowLevel()
    assert shown.GetDisplayNode().GetWindow() == proxy.GetDisplayNode().GetWindow()


def test_index_values_and_units_are_the_inputs(proxy):
    source = sequenceOf(proxy)
    shown = results(source).publish()
    made = source.browserNode.GetSequenceNode(shown)
    values = [made.GetNthIndexValue(k) for k in range(made.GetNumberOfDataNodes())]
    assert values == ["0.0", "12.5", "25.0"]
    assert (made.GetIndexName(), made.GetIndexUnit(), made.GetIndexTypeAsString()) == ("time", "ms", "numeric")


def test_a_parent_transform_of_the_input_is_that_of_the_result(scene, proxy):
    proxy.SetAndObserveTransformNodeID(linearTransform(scene).GetID())
    assert results(sequenceOf(proxy)).publish().GetParentTransformNode() is proxy.GetParentTransformNode()


def test_a_difference_is_shown_around_zero(proxy):
    shown = results(sequenceOf(proxy), "removed noise").publish(symmetricAroundZero=True)
    assert shown.GetDisplayNode().GetLevel() == 0.0
