"""The low-dose CT panel without a network: a Python of our own answers at once what a user waits for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from mrml_samples import memoryMb
from panel_driver import LowDosePanel, addCt, atStage, ctArray, handlerTimes, nodeIds, pathWith
from stand_in_python import FOLDER, REPORT, StandInPython

from MedEnhanceLib.CompareLayout import LAYOUT_ID, VIEWS
from MedEnhanceLib.Provenance import provenanceOf
from MedEnhanceLib.Settings import readSettings


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandInPython:
    made = StandInPython(tmp_path / "a python 蛇 é")
    monkeypatch.setenv(FOLDER, str(made.folder))
    monkeypatch.setenv("PATH", pathWith(made.program))
    return made


@pytest.fixture
def panel(host: Any, python: StandInPython) -> LowDosePanel:
    return LowDosePanel(host)


@pytest.fixture
def done(panel: LowDosePanel) -> LowDosePanel:
    """The panel after a run."""
    panel.choose(addCt())
    panel.apply()
    return panel


def composite(view: str) -> Any:
    return slicer.mrmlScene.GetSingletonNode(view, "vtkMRMLSliceCompositeNode")


def shown(view: str) -> tuple[str | None, str | None, float]:
    node = composite(view)
    return node.GetBackgroundVolumeID(), node.GetForegroundVolumeID(), node.GetForegroundOpacity()


def layout() -> int:
    return slicer.app.layoutManager().layout


def test_what_is_missing_stands_on_the_button(panel: LowDosePanel) -> None:
    assert not panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip == "Select a CT volume first."
    panel.choose(addCt())
    assert panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip == "Denoise the input volume."


def test_a_volume_that_is_no_ct_is_refused_in_words(panel: LowDosePanel) -> None:
    mr = addCt("MR")
    mr.SetAttribute("DICOM.Modality", "MR")
    panel.choose(mr)
    assert not panel.ui.applyButton.enabled
    assert "MR is MR, but this model is made for CT" in panel.ui.inputMessageLabel.text
    assert panel.ui.inputMessageLabel.isVisibleTo(panel.ui.inputsSection)
    panel.choose(addCt("CT"))
    assert panel.ui.applyButton.enabled
    assert not panel.ui.inputMessageLabel.isVisibleTo(panel.ui.inputsSection)


def test_the_input_is_never_a_place_for_the_result(panel: LowDosePanel) -> None:
    ct = addCt()
    panel.choose(ct)
    panel.ui.outputSelector.setCurrentNode(ct)
    assert not panel.ui.applyButton.enabled
    assert "never changed" in panel.ui.applyButton.toolTip
    other = addCt("other")
    panel.ui.outputSelector.setCurrentNode(other)
    panel.ui.residualSelector.setCurrentNode(other)
    assert not panel.ui.applyButton.enabled


def test_the_model_is_the_default_one_and_its_card_is_shown(panel: LowDosePanel) -> None:
    default = panel.logic.defaultModel()
    assert panel.widget.model.modelId == default.id
    assert "Research use only" in panel.ui.modelCardBrowser.toPlainText()
    others = [n for n in range(panel.ui.modelComboBox.count) if panel.ui.modelComboBox.itemData(n) != default.id]
    if others:
        panel.ui.modelComboBox.setCurrentIndex(others[0])
        assert panel.parameters.modelId == panel.widget.model.modelId != default.id
        assert panel.widget.model.entry.title in panel.ui.modelCardBrowser.toPlainText()


def test_what_the_user_chose_is_what_is_asked_of_the_worker(panel: LowDosePanel, python: StandInPython) -> None:
    panel.choose(addCt())
    panel.ui.strengthSlider.value = 0.4
    panel.ui.deviceComboBox.setCurrentText("cpu")
    panel.ui.precisionComboBox.setCurrentText("fp32")
    panel.ui.residualCheckBox.click()
    panel.apply()
    options = python.request["options"]
    assert options == {"model": panel.widget.model.modelId, "strength": 0.4, "device": "cpu", "precision": "fp32"}
    assert panel.parameters.residualVolume is None


def test_the_selectors_and_the_trust_section_are_filled(done: LowDosePanel) -> None:
    parameters = done.parameters
    assert done.ui.outputSelector.currentNode() is parameters.outputVolume
    assert done.ui.residualSelector.currentNode() is parameters.residualVolume
    assert parameters.outputVolume.GetName() == "CT Schädel 头部 é denoised"
    assert done.table("tissueTable") == [
        ["Soft tissue", "30.0", "10.0", "-0.6 ± 0.1"],
        ["Lung: none found", "", "", ""],
    ]
    text = done.ui.trustLabel.text
    assert "Größe: &quot;1&quot; &amp; &lt;2&gt;; é 像素: 5 %" in text
    assert REPORT["notice"] in text
    assert "0.50 s a slice" in done.ui.modelCardBrowser.toPlainText()


def test_another_input_does_not_borrow_the_result_of_the_first(done: LowDosePanel) -> None:
    assert done.ui.compareButton.enabled
    assert done.ui.exportButton.enabled
    done.choose(addCt("another patient"))
    for name in ("compareButton", "flickerCheckBox", "exportButton", "noisePlotButton"):
        assert not getattr(done.ui, name).enabled
    assert done.ui.tissueTable.rowCount == 0


def test_the_input_selector_does_not_jump_to_a_neighbour(done: LowDosePanel) -> None:
    addCt("another patient")
    for selector in (done.ui.residualSelector, done.ui.outputSelector, done.ui.inputSelector):
        slicer.mrmlScene.RemoveNode(selector.currentNode())
        assert selector.currentNode() is None
    assert done.parameters.inputVolume is None
    assert not done.ui.applyButton.enabled


def test_a_saved_scene_brings_every_parameter_back(done: LowDosePanel, tmp_path: Path) -> None:
    parameters, ui = done.parameters, done.ui
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "region")
    roi.SetCenter(*centreOf(parameters.inputVolume))
    roi.SetSize(10.0, 10.0, 5.0)
    ui.regionSelector.setCurrentNode(roi)
    ui.strengthSlider.value, ui.blendSlider.value = 0.25, 0.5
    ui.addToDatabaseCheckBox.click()
    ui.modelComboBox.setCurrentIndex(ui.modelComboBox.count - 1)
    wanted, rows, region = values(done), done.table("tissueTable"), done.table("regionTable")
    assert len(region) == 3
    for n, node in enumerate([*slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"), roi]):
        ending = "mrk.json" if node is roi else "nrrd"
        assert slicer.util.saveNode(node, str(tmp_path / f"{n}.{ending}"))
    assert slicer.util.saveScene(str(tmp_path / "scene é.mrml"))

    slicer.mrmlScene.Clear(0)
    assert ui.inputSelector.currentNode() is None
    assert (ui.strengthSlider.value, ui.tissueTable.rowCount, ui.regionTable.rowCount) == (1.0, 0, 0)
    assert not ui.applyButton.enabled

    slicer.util.loadScene(str(tmp_path / "scene é.mrml"))
    done.host.processEvents()
    assert values(done) == wanted
    assert (done.table("tissueTable"), done.table("regionTable")) == (rows, region)
    assert provenanceOf(done.parameters.outputVolume)["input"] is done.parameters.inputVolume
    assert ui.compareButton.enabled
    done.apply()


def values(panel: LowDosePanel) -> dict[str, Any]:
    """Of every parameter, as the parameter node has them and as the widgets show them; nodes by name."""
    parameters, ui = panel.parameters, panel.ui
    stored = {name: getattr(parameters, name) for name in type(parameters).allParameters}
    seen = {
        "inputVolume": ui.inputSelector.currentNode(),
        "outputVolume": ui.outputSelector.currentNode(),
        "residualVolume": ui.residualSelector.currentNode(),
        "region": ui.regionSelector.currentNode(),
        "allFrames": ui.allFramesCheckBox.checked,
        "strength": ui.strengthSlider.value,
        "createResidual": ui.residualCheckBox.checked,
        "blend": ui.blendSlider.value,
        "addToDatabase": ui.addToDatabaseCheckBox.checked,
        "modelId": panel.widget.model.modelId,
    }
    assert stored == seen
    return {name: value.GetName() if hasattr(value, "GetName") else value for name, value in stored.items()}


def centreOf(volume: Any) -> list[float]:
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    return [(low + high) / 2.0 for low, high in zip(bounds[::2], bounds[1::2], strict=True)]


def test_the_region_is_read_again_when_it_moves(done: LowDosePanel) -> None:
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetCenter(*centreOf(done.parameters.inputVolume))
    roi.SetSize(8.0, 8.0, 20.0)
    done.ui.regionSelector.setCurrentNode(roi)
    rows = done.table("regionTable")
    assert [row[0] for row in rows] == ["Original", "Denoised", "Removed"]
    assert all(float(row[2]) > 5.0 for row in rows)
    roi.SetCenter(1000.0, 0.0, 0.0)
    done.host.waitFor(lambda: done.table("regionTable")[0][1] == "outside")
    roi.SetCenter(*centreOf(done.parameters.inputVolume))
    done.host.waitFor(lambda: done.table("regionTable") == rows)
    slicer.mrmlScene.RemoveNode(roi)
    assert done.table("regionTable") == []


def test_the_result_is_compared_side_by_side_and_the_views_come_back(done: LowDosePanel) -> None:
    parameters, ui = done.parameters, done.ui
    volumes = [node.GetID() for node in (parameters.inputVolume, parameters.outputVolume, parameters.residualVolume)]
    before, layoutBefore = shown("Red"), layout()
    assert before[:2] == (volumes[0], volumes[1])
    ui.compareButton.click()
    assert layout() == LAYOUT_ID
    assert [shown(view)[0] for view in VIEWS] == volumes
    ui.strengthSlider.value = 0.5
    zoomed = slicer.mrmlScene.GetSingletonNode(VIEWS[0], "vtkMRMLSliceNode")
    zoomed.SetFieldOfView(7.0, 7.0, 1.0)
    ui.strengthSlider.value = 0.6
    assert zoomed.GetFieldOfView()[0] == 7.0
    done.apply()
    assert [shown(view)[0] for view in VIEWS] == volumes
    ui.compareButton.click()
    assert (layout(), shown("Red")) == (layoutBefore, before)


def test_the_result_is_blended_and_flickers(done: LowDosePanel) -> None:
    ui, before = done.ui, shown("Red")
    ui.blendSlider.value = 0.25
    volumes = (done.parameters.inputVolume.GetID(), done.parameters.outputVolume.GetID())
    assert shown("Red") == (*volumes, 0.25)
    opacities = []
    ui.flickerCheckBox.click()
    for _tick in range(3):
        opacities.append(shown("Red")[2])
        done.widget.compare._timer.timeout.emit()
    assert opacities == [1.0, 0.0, 1.0]
    done.host.openModule("MedEnhanceModels")
    assert (ui.flickerCheckBox.checked, shown("Red")[2]) == (False, 0.25)
    slicer.mrmlScene.RemoveNode(done.parameters.outputVolume)
    assert not ui.blendSlider.enabled
    assert shown("Red") == (before[0], None, before[2])


def test_the_noise_power_is_plotted_once(done: LowDosePanel) -> None:
    done.ui.noisePlotButton.click()
    ids = nodeIds()
    chart = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")[0]
    assert slicer.app.applicationLogic().GetSelectionNode().GetActivePlotChartID() == chart.GetID()
    assert chart.GetTitle() == "Noise power of CT Schädel 头部 é denoised"
    table = chart.GetNthPlotSeriesNode(1).GetTableNode().GetTable()
    assert [table.GetValue(row, 2).ToDouble() for row in range(3)] == REPORT["noise_power_after"]["power"]
    done.ui.noisePlotButton.click()
    assert nodeIds() == ids


def test_the_sample_is_loaded_and_chosen(panel: LowDosePanel) -> None:
    panel.ui.sampleDataButton.click()
    assert panel.ui.inputSelector.currentNode().GetName() == "Simulated low-dose CT"
    assert panel.ui.applyButton.enabled
    assert slicer.util.getNode("Simulated normal-dose CT (truth)") is not None


def test_an_export_without_a_dicom_input_says_so(done: LowDosePanel) -> None:
    done.ui.exportButton.click()
    assert "does not come from DICOM" in done.ui.exportLabel.text


def test_nothing_else_can_be_started_during_a_run(panel: LowDosePanel, python: StandInPython) -> None:
    panel.choose(addCt())
    panel.apply()
    python.order(stall="denoise")
    panel.press()
    panel.waitForStage("Denoising")
    assert not panel.ui.exportButton.enabled
    assert not panel.ui.installButton.enabled
    assert not panel.ui.interpreterPath.enabled
    panel.press()
    panel.wait()
    assert panel.ui.exportButton.enabled
    assert panel.ui.installButton.enabled


def test_the_panel_may_be_opened_again_and_again(panel: LowDosePanel) -> None:
    panel.choose(addCt())
    for _visit in range(3):
        panel.host.openModule("MedEnhanceModels")
        panel.host.openModule("MedEnhanceLowDoseCT")
    panel.ui.strengthSlider.value = 0.5
    assert panel.parameters.strength == 0.5
    panel.apply()


def test_a_run_goes_on_while_the_user_is_elsewhere(panel: LowDosePanel, python: StandInPython) -> None:
    python.order(stall="denoise")
    panel.choose(addCt())
    panel.press()
    panel.waitForStage("Denoising")
    panel.host.openModule("MedEnhanceModels")
    python.order()
    panel.wait()
    panel.host.openModule("MedEnhanceLowDoseCT")
    assert panel.ui.outputSelector.currentNode().GetName().endswith("denoised")


def test_the_logic_waits_and_opens_no_dialog(panel: LowDosePanel) -> None:
    ct, output = addCt(), slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "output")
    report = slicer.util.getModuleLogic("MedEnhanceLowDoseCT").process(ct, output, strength=0.5)
    assert report["run"]["strength"] == 0.5
    assert np.array_equal(slicer.util.arrayFromVolume(output), ctArray())
    assert panel.host.dialogs.shown == []


class TestRequirements:
    """The first run on a computer."""

    @pytest.fixture
    def panel(self, host: Any, python: StandInPython) -> LowDosePanel:
        made = LowDosePanel(host, isReady=False)
        made.choose(addCt())
        return made

    def test_everything_is_there_and_nobody_is_asked(self, panel: LowDosePanel, python: StandInPython) -> None:
        panel.apply()
        panel.apply()
        assert python.numProbes == 1

    def test_what_is_missing_is_asked_once_with_its_size(self, panel: LowDosePanel, python: StandInPython) -> None:
        import qt

        def install(*_arguments: Any, completedCallback: Any = None, **_keywords: Any) -> None:
            python.order()
            if completedCallback is not None:
                completedCallback(0)

        python.order(missing=("scipy", "tqdm"))
        panel.host.packages.onInstall = install
        panel.host.dialogs.answer(qt.QMessageBox.Ok)
        panel.apply()
        question = panel.host.dialogs.shown[0].text
        assert "scipy>=1.11" in question
        assert "About 41 MB" in question
        assert "Python Package Index" in question
        assert [call[1][0][:2] for call in panel.host.packages.calls] == [["scipy>=1.11", "tqdm>=4.66"]]
        panel.apply()
        assert len(panel.host.dialogs.shown) == 1

    def test_a_no_changes_nothing(self, panel: LowDosePanel, python: StandInPython) -> None:
        import qt

        python.order(missing=("scipy",))
        ids = nodeIds()
        panel.host.dialogs.answer(qt.QMessageBox.Cancel)
        panel.press()
        panel.wait()
        assert panel.status == "Cancelled; nothing was changed."
        assert (panel.host.packages.calls, nodeIds()) == ([], ids)
        assert panel.ui.applyButton.enabled

    def test_another_python_is_left_alone_and_the_command_is_told(
        self, panel: LowDosePanel, python: StandInPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = StandInPython(tmp_path / "own python")
        own.order(missing=("scipy",))
        monkeypatch.setenv(FOLDER, str(own.folder))
        panel.host.app.environment[FOLDER] = str(own.folder)
        panel.ui.interpreterPath.currentPath = str(own.program)
        assert panel.ui.settingsMessageLabel.text == ""
        panel.press()
        panel.wait()
        assert "lacks what is needed" in panel.status
        assert f"&quot;{own.program}&quot; -m pip install &quot;scipy&gt;=1.11&quot;" in panel.status
        assert panel.host.packages.calls == []

    def test_a_check_is_cancelled(self, panel: LowDosePanel, python: StandInPython) -> None:
        python.order(stall="check")
        panel.press()
        panel.host.waitFor(lambda: python.numProbes == 1)
        panel.press()
        assert not panel.isRunning
        python.order()
        panel.apply()

    def test_an_empty_interpreter_is_slicers_own_again(self, panel: LowDosePanel, tmp_path: Path) -> None:
        panel.ui.cachePath.currentPath = str(tmp_path)
        panel.ui.interpreterPath.currentPath = str(tmp_path / "nobody")
        panel.ui.interpreterPath.currentPath = ""
        panel.ui.cachePath.currentPath = ""
        assert panel.ui.settingsMessageLabel.text == ""
        settings = readSettings(slicer.app.userSettings())
        assert (settings.interpreter, settings.cacheFolder) == ("", "")

    def test_an_interpreter_that_is_none_is_named(self, panel: LowDosePanel, tmp_path: Path) -> None:
        panel.ui.interpreterPath.currentPath = str(tmp_path / "nobody")
        assert "There is no file" in panel.ui.settingsMessageLabel.text
        assert panel.ui.settingsMessageLabel.isVisibleTo(panel.ui.settingsSection)


def test_ten_runs_leave_what_was_asked_for_and_no_memory(panel: LowDosePanel) -> None:
    panel.choose(addCt(shape=(20, 256, 256)))
    for _warmUp in range(3):
        panel.apply()
    ids, before = nodeIds(), memoryMb()
    for _run in range(7):
        panel.apply()
    assert nodeIds() == ids
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert sorted(node.GetName().rsplit(" ", 1)[-1] for node in volumes) == ["denoised", "noise", "é"]
    # Each result alone holds 2.5 MB, twice.
    assert memoryMb() - before < 10.0


def test_no_call_of_ours_holds_the_window_while_a_large_volume_is_done(panel: LowDosePanel) -> None:
    with handlerTimes() as times:
        panel.choose(addCt(shape=(60, 512, 512)))
        with atStage(panel, "", lambda: None) as stages:
            for _run in range(2):  # the second one takes the place of the first
                panel.apply()
        panel.ui.compareButton.click()
        panel.ui.strengthSlider.value = 0.5
    assert {"prepare", "denoise", "write", "show"} <= set(stages)
    assert panel.parameters.outputVolume.GetImageData().GetDimensions() == (512, 512, 60)
    assert len(times) > 30
    assert max(times) < (50.0,)
