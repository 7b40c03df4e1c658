"""The spine panel as a user has it: with a real worker process and a tiny random model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import tiny_spine_model
import vtk
from panel_driver import nodeIds
from spine_driver import SpinePanel, published
from spine_nodes import addProjection

from medenhance.errors import MedEnhanceError
from medenhance_host import Host


@pytest.fixture(scope="session")
def modelCache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("spine") / "cache é"
    tiny_spine_model.addTo(cache)
    return cache


@pytest.fixture
def panel(host: Host, modelCache: Path, monkeypatch: pytest.MonkeyPatch) -> SpinePanel:
    monkeypatch.setenv("MEDENHANCE_CACHE", str(modelCache))
    return SpinePanel(host)


def imageOf(node: Any) -> np.ndarray:
    return slicer.util.arrayFromVolume(node).copy()


def test_apply_makes_the_enhanced_image_and_leaves_the_original_alone(panel: SpinePanel) -> None:
    image = addProjection(slicer.mrmlScene)
    before = imageOf(image)
    panel.ui.inputSelector.setCurrentNode(image)
    panel.apply()
    enhanced, generated = panel.parameters.outputVolume, panel.parameters.generated
    assert np.array_equal(imageOf(image), before)
    assert not np.array_equal(imageOf(enhanced), before)
    changed = np.abs(imageOf(enhanced).astype(int) - before) > 8
    assert np.array_equal(imageOf(generated) > 0, changed)
    assert slicer.vtkAddonMathUtilities.MatrixAreEqual(*(matrixOf(node) for node in (image, enhanced)), 0.0)
    assert enhanced.GetAttribute("MedEnhance.ModelId") == "tiny-spine"
    names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")}
    assert len(names) == 2


def test_segments_have_names_and_terminology(panel: SpinePanel) -> None:
    from MedEnhanceLib.SpineSegmentation import segmentationOf

    image = addProjection(slicer.mrmlScene)
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    values = np.zeros((1, 220, 120), np.uint8)
    values[0, 50:60, 20:40], values[0, 80:90, 60:80] = 3, 1
    slicer.util.updateVolumeFromArray(labels, values)
    labels.CopyOrientation(image)
    node = segmentationOf(slicer.mrmlScene, labels, image, "found", "original")
    found = node.GetSegmentation()
    segments = [found.GetSegment(one) for one in found.GetSegmentIDs()]
    assert {one.GetName() for one in segments} == {"rib", "lumbar lump"}
    for one in segments:
        text = vtk.reference("")
        assert one.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)
        assert "~SCT^" in str(text)


def test_the_table_shows_both_angles_and_follows_a_dragged_line(panel: SpinePanel) -> None:
    from MedEnhanceLib.CurveLines import linesOf

    image = published(panel)
    [row] = panel.rows()
    curve = "T5 to T11, thoracic, convex right"
    assert row == [curve, "40.0° (37.0 to 43.0)", "38.5° (37.0 to 43.0) -1.5°", "40.0°"]
    assert "(levels assumed)" in panel.ui.curveTable.horizontalHeaderItem(0).text().replace("\n", " ")
    upper, lower = linesOf(slicer.mrmlScene, image)
    for n in range(2):  # the lower line is laid parallel to the upper one
        place = np.array(upper.GetNthControlPointPositionWorld(n)) - (0, 0, 40.0)
        lower.SetNthControlPointPositionWorld(n, *place)
    assert panel.rows()[0][-1] == "0.0°"
    assert panel.rows()[0][1] == row[1]


def test_the_original_is_one_key_away(panel: SpinePanel) -> None:
    image = published(panel)
    composite = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    panel.widget.overlay.show()
    assert composite.GetBackgroundVolumeID() == image.GetID()
    assert composite.GetForegroundOpacity() == 1.0
    assert composite.GetLabelVolumeID() == panel.parameters.generated.GetID()
    assert panel.ui.originalButton.shortcut.toString() == "F8"
    panel.ui.originalButton.click()
    assert composite.GetForegroundOpacity() == 0.0
    assert composite.GetLabelVolumeID() is None
    panel.ui.originalButton.click()
    panel.ui.markCheckBox.setChecked(False)
    assert composite.GetForegroundOpacity() == 1.0
    assert composite.GetLabelVolumeID() is None


def test_warnings_of_the_report_are_shown(panel: SpinePanel) -> None:
    warning = "End levels of enhanced curves that rest on such structures: T5."
    panel.widget.controls.begin()
    for told in (warning, "One file was left out."):  # as the worker tells while it works
        panel.widget.controls.warn(told)
    published(panel, warnings=[warning])
    assert warning in panel.ui.reportLabel.text
    assert "One file was left out." in panel.ui.statusLabel.text
    assert warning not in panel.ui.statusLabel.text, "it is said once"
    assert "3.8%" in panel.ui.reportLabel.text


def test_table_and_report_are_saved(panel: SpinePanel, tmp_path: Path) -> None:
    published(panel)
    for name in ("curves é.csv", "report.json", ""):
        panel.host.dialogs.answer(str(tmp_path / name) if name else None)
        panel.ui.saveButton.click()
    text = (tmp_path / "curves é.csv").read_text(encoding="utf-8")
    saved = ["T5 to T11, thoracic", "right", "40.0° (37.0 to 43.0)", "38.5° (37.0 to 43.0)", "-1.5°", "40.0°"]
    assert list(csv.reader(text.splitlines()))[1] == saved
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["run"]["model_id"] == "tiny-spine"


def test_saving_where_nothing_can_be_written_is_told(panel: SpinePanel, tmp_path: Path) -> None:
    published(panel)
    panel.host.dialogs.answer(str(tmp_path / "absent" / "curves.csv"))
    panel.ui.saveButton.click()
    assert "cannot be written" in panel.ui.statusLabel.text


def test_a_picture_without_pixel_size_cannot_be_run_before_one_is_entered(panel: SpinePanel, tmp_path: Path) -> None:
    image = addProjection(slicer.mrmlScene)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "back.PNG"))
    image.SetAndObserveStorageNodeID(storage.GetID())
    panel.ui.inputSelector.setCurrentNode(image)
    assert not panel.ui.applyButton.enabled
    assert "no pixel size" in panel.ui.inputMessageLabel.text
    panel.ui.pixelSpinBox.value = 0.2
    assert panel.ui.applyButton.enabled


def test_a_volume_of_several_slices_has_to_be_projected_first(panel: SpinePanel) -> None:
    image = addProjection(slicer.mrmlScene)
    slicer.util.updateVolumeFromArray(image, np.ones((4, 30, 20), np.uint8))
    panel.ui.inputSelector.setCurrentNode(image)
    assert not panel.ui.applyButton.enabled
    assert "Project" in panel.ui.inputMessageLabel.text


def test_without_a_model_the_panel_says_so(panel: SpinePanel) -> None:
    panel.widget.model.setModels([])
    panel.ui.inputSelector.setCurrentNode(addProjection(slicer.mrmlScene))
    assert not panel.ui.applyButton.enabled
    assert "No model" in panel.ui.applyButton.toolTip


def test_cancel_leaves_the_scene_as_it_was(panel: SpinePanel) -> None:
    panel.ui.inputSelector.setCurrentNode(addProjection(slicer.mrmlScene))
    before = nodeIds()
    panel.press()
    panel.press()
    panel.host.waitFor(lambda: not panel.isRunning, 10.0)
    assert "Cancelled" in panel.ui.statusLabel.text
    assert nodeIds() == before


def test_each_step_can_be_done_alone(panel: SpinePanel) -> None:
    panel.ui.inputSelector.setCurrentNode(addProjection(slicer.mrmlScene))
    panel.ui.enhanceCheckBox.setChecked(False)
    panel.ui.measureCheckBox.setChecked(False)
    panel.apply()
    assert panel.parameters.outputVolume is None
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1
    panel.ui.segmentCheckBox.setChecked(False)
    assert not panel.ui.applyButton.enabled
    panel.ui.enhanceCheckBox.setChecked(True)
    panel.apply()
    assert panel.parameters.outputVolume is not None
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1


def test_the_logic_gives_the_same_pixels_as_the_panel(panel: SpinePanel) -> None:
    image = addProjection(slicer.mrmlScene)
    panel.ui.inputSelector.setCurrentNode(image)
    panel.apply()
    nodes, found = panel.logic.process(image, modelId="tiny-spine", steps=["enhance"])
    assert np.array_equal(imageOf(nodes["output"]), imageOf(panel.parameters.outputVolume))
    assert found["steps"] == ["enhance"]


def test_a_batch_goes_on_after_one_that_fails(panel: SpinePanel, tmp_path: Path) -> None:
    image, told = addProjection(slicer.mrmlScene, "good"), []
    output = tmp_path / "out é"
    inputs = [tmp_path / "absent.png", image]
    rows = panel.logic.processBatch(inputs, output, modelId="tiny-spine", told=told.append)
    assert told == rows
    assert [row.status for row in rows] == ["failed", "done"]
    assert "absent.png" in rows[0].message
    assert {path.name for path in (output / "good").glob("*.nrrd")} >= {"enhanced.nrrd", "original.nrrd"}
    table = list(csv.DictReader((output / "medenhance_batch.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [row["status"] for row in table] == ["failed", "done"]


def test_a_batch_skips_what_is_done_and_does_a_changed_input_again(panel: SpinePanel, tmp_path: Path) -> None:
    image, output = addProjection(slicer.mrmlScene, "back"), tmp_path / "out"
    batch = panel.logic.processBatch
    assert [row.status for row in batch([image], output, modelId="tiny-spine")] == ["done"]
    assert [row.status for row in batch([image], output, modelId="tiny-spine")] == ["skipped"]
    slicer.util.updateVolumeFromArray(image, imageOf(image)[:, ::-1].copy())
    assert [row.status for row in batch([image], output, modelId="tiny-spine")] == ["done"]
    assert [row.status for row in batch([image], output, modelId="tiny-spine", pixelMm=0.35)] == ["done"]
    assert json.loads((output / "back" / "report.json").read_text(encoding="utf-8"))["spacing_mm"] == [0.35, 0.35]
    assert sorted(path.name for path in output.iterdir()) == ["back", "batch.jsonl", "medenhance_batch.csv"]


def test_a_batch_leaves_a_folder_alone_that_is_not_its_own(panel: SpinePanel, tmp_path: Path) -> None:
    foreign = tmp_path / "back" / "notes.txt"
    foreign.parent.mkdir()
    foreign.write_text("mine", encoding="utf-8")
    image = addProjection(slicer.mrmlScene, "back")
    [row] = panel.logic.processBatch([image], tmp_path, modelId="tiny-spine")
    assert row.status == "failed"
    assert "was not written by a batch" in row.message
    assert foreign.read_text(encoding="utf-8") == "mine"


def test_the_result_of_an_earlier_batch_stays_when_the_new_run_fails(
    panel: SpinePanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedEnhanceLib import BatchRun

    image = addProjection(slicer.mrmlScene, "back")
    panel.logic.processBatch([image], tmp_path, modelId="tiny-spine")
    before = (tmp_path / "back" / "report.json").read_bytes()

    def fail(*_arguments: Any) -> None:
        raise MedEnhanceError("disk-full", "The disk is full.")

    monkeypatch.setattr(BatchRun, "ask", fail)
    [row] = panel.logic.processBatch([image], tmp_path, modelId="tiny-spine", pixelMm=0.35)
    assert row.status == "failed"
    assert (tmp_path / "back" / "report.json").read_bytes() == before


def matrixOf(node: Any) -> Any:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix
