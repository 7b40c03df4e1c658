"""A whole module in the host: opening, binding, closing the scene, saving and loading, errors, its own test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medenhance_host.sample_panel import writeSamplePanel


@pytest.fixture
def panel(host, tmp_path: Path):
    host.loadModule(writeSamplePanel(tmp_path / "modules"))
    return host.openModule("SamplePanel")


def volume(name: str):
    import slicer

    return slicer.util.addVolumeFromArray(np.zeros((2, 3, 4), np.int16), name=name)


def test_opening_enters_the_panel_and_closing_leaves_and_cleans_up(panel, host):
    import slicer

    assert slicer.util.getModuleWidget("SamplePanel") is panel
    assert slicer.modules.samplepanel.title == "Sample panel"
    assert panel.parent.isEntered is True
    with pytest.raises(TypeError):
        panel.parent.isEntered()
    host.closeModule("SamplePanel")
    assert panel.calls == ["enter", "exit", "cleanup"]


def test_widgets_and_parameters_follow_each_other(panel, host):
    ui, parameters = panel.ui, panel._parameterNode
    assert (ui.strengthSlider.value, ui.deviceComboBox.currentText, ui.residualCheckBox.checked) == (0.75, "auto", True)
    assert (ui.passesBox.value, ui.passesBox.maximum, ui.noteEdit.text) == (3, 9, "none")
    ct = volume("ct")
    ui.inputSelector.setCurrentNode(ct)
    ui.strengthSlider.value = 0.5
    ui.folderEdit.currentPath = "/data/a b"
    assert (parameters.inputVolume, parameters.strength, parameters.folder) == (ct, 0.5, Path("/data/a b"))
    parameters.device, parameters.residual, parameters.inputVolume = "cuda", False, None
    assert (ui.deviceComboBox.currentIndex, ui.residualCheckBox.checked, ui.inputSelector.currentNode()) == (
        2,
        False,
        None,
    )


def test_a_saved_scene_brings_everything_back(panel, host, tmp_path: Path):
    import slicer

    panel.ui.inputSelector.setCurrentNode(volume("ct"))
    panel.ui.strengthSlider.value = 0.25
    panel.ui.deviceComboBox.setCurrentIndex(1)
    slicer.util.saveNode(slicer.util.getNode("ct"), str(tmp_path / "ct.nrrd"), {})
    assert slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    slicer.mrmlScene.Clear(0)
    assert (panel.ui.strengthSlider.value, panel.ui.inputSelector.currentNode()) == (0.75, None)
    slicer.util.loadScene(str(tmp_path / "scene.mrml"))
    host.processEvents()
    assert (panel.ui.strengthSlider.value, panel.ui.deviceComboBox.currentText) == (0.25, "cpu")
    assert panel.ui.inputSelector.currentNode().GetName() == "ct"
    assert panel._parameterNode.inputVolume is panel.ui.inputSelector.currentNode()


def test_deleting_the_input_changes_it_silently_to_the_neighbour(panel, host):
    import slicer

    first, second = volume("first"), volume("second")
    panel.ui.inputSelector.setCurrentNode(first)
    slicer.mrmlScene.RemoveNode(first)
    assert panel._parameterNode.inputVolume is second


def test_an_error_behind_a_button_is_shown_and_reported(panel, host):
    host.dialogs.expect()
    panel.ui.applyButton.click()
    assert [(shown.kind, shown.text) for shown in host.dialogs.shown] == [("ctkMessageBox", "Failed.\n\nno volume")]
    assert [type(error) for error, _ in host.errors] == [ValueError]
    host.errors.clear()


def test_an_error_in_an_observer_is_reported(panel, host, capfd):
    import slicer

    def observed(caller, event):
        raise KeyError("observer")

    panel.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAddedEvent, observed)
    volume("ct")
    assert {type(error) for error, _ in host.errors} == {KeyError}
    host.errors.clear()


def test_the_longest_hold_of_the_main_thread_is_measured(panel, host):
    import time

    panel.ui.residualCheckBox.toggled.connect(lambda: time.sleep(0.06))
    host.forgetCalls()
    panel.ui.residualCheckBox.click()
    assert host.longestCall[1] >= 0.06


def test_a_dialog_that_nobody_expected_is_written_down(panel, host):
    panel.ui.applyButton.click()
    assert [shown.kind for shown in host.dialogs.unexpected] == ["ctkMessageBox"]
    host.dialogs.clear()
    host.errors.clear()


def test_testing_mode_opens_no_message(host):
    import slicer

    host.app.testing = True
    slicer.util.errorDisplay("Failed.")
    slicer.util.confirmOkCancelDisplay("Delete?")
    assert host.dialogs.shown == []


@pytest.mark.parametrize(("button", "confirmed"), [("Ok", True), ("Cancel", False)])
def test_confirmations_are_answered_by_the_test(host, button, confirmed):
    import qt
    import slicer

    host.dialogs.answer(getattr(qt.QMessageBox, button))
    assert slicer.util.confirmOkCancelDisplay("Delete?") is confirmed
    assert host.dialogs.shown[0].text == "Delete?"


def test_file_dialogs_return_plain_paths(host):
    import qt

    host.dialogs.answer("/a b/检查.zip", None)
    assert qt.QFileDialog.getOpenFileName(None, "Import", "") == "/a b/检查.zip"
    assert qt.QFileDialog.getSaveFileName(None, "Export", "") == ""


def test_the_self_test_of_a_module_runs(panel, host):
    import slicer

    slicer.selfTests["SamplePanel"]()
    assert slicer.sampleRan


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ((("<receiver>inputSelector<", "<receiver>nobody<"),), "nobody"),
        ((("<signal>mrmlSceneChanged(vtkMRMLScene*)<", "<signal>sceneChanged(vtkMRMLScene*)<"),), "No such signal"),
        ((("<slot>setMRMLScene(vtkMRMLScene*)<", "<slot>setScene(vtkMRMLScene*)<"),), "No such slot"),
        ((('class="QProgressBar"', 'class="qMRMLNoSuchWidget"'),), "does not know"),
        (((">device</string>", ">devices</string>"),), "Cannot find a param"),
        ((("Annotated[float, WithinRange(0.0, 1.0)]", "float"),), "unbounded"),
        ((('class="QComboBox"', 'class="ctkComboBox"'),), "Unable to create GUI connector"),
        ((("self.parent.isEntered:", "self.parent.isEntered():"), ("self.initialize()\n\n    def cleanup",
          "self.initialize()\n        self.onSceneEndClose(None, None)\n\n    def cleanup")), "not callable"),
        ((("self.calls = []", "self.calls = []\n        parent.state = 3"),), "creation of new attributes"),
    ],
)  # fmt: skip
def test_what_slicer_refuses_the_host_refuses(host, tmp_path: Path, changes, says):
    host.loadModule(writeSamplePanel(tmp_path, *changes))
    with pytest.raises(Exception, match=says):
        host.openModule("SamplePanel")


def test_every_test_starts_in_an_empty_scene(host):
    import slicer

    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 0
    assert slicer.app.userSettings().value("left") is None
    slicer.app.userSettings().setValue("left", "over")


test_every_test_starts_in_an_empty_scene_again = test_every_test_starts_in_an_empty_scene
