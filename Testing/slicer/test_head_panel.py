"""The head CT panel as a user has it, with a worker that answers what the test says."""

from __future__ import annotations

import csv
import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import head_nodes
import numpy as np
import pytest
import slicer
from head_nodes import POINTS, SHAPE, addHead, maskArray, refusal, report
from head_worker import HeadWorker
from mrml_samples import filled
from panel_driver import nodeIds

from medenhance.errors import MedEnhanceError
from medenhance.manifest import load_manifest
from medenhance_host import Host

LIMIT_S = 20.0


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeadWorker:
    import MedEnhanceLib.WorkerSession

    made = HeadWorker(tmp_path)
    monkeypatch.setattr(MedEnhanceLib.WorkerSession, "workerCommand", lambda _settings: made.command(sys.executable))
    return made


@pytest.fixture
def panel(host: Host, worker: HeadWorker) -> HeadPanel:
    """With a scan whose answer is laid ready."""
    made = HeadPanel(host, worker)
    made.scan = addHead(slicer.mrmlScene)
    worker.lay(maskArray(), made.scan)
    worker.answer("detect-hemorrhage", report=report(), outputs={})
    made.ui.inputSelector.setCurrentNode(made.scan)
    return made


class HeadPanel:
    """The panel, open; its Python is known to have what is needed."""

    def __init__(self, host: Host, worker: HeadWorker) -> None:
        from MedEnhanceLib.RequirementsSection import READY_KEY

        self.host, self.worker = host, worker
        self.widget = host.openModule("MedEnhanceHeadCT")
        self.ui, self.logic = self.widget.ui, self.widget.logic
        # Any model will do: the worker that answers has none.
        self.widget.model.setModels([next(iter(load_manifest().values()))])
        slicer.app.userSettings().setValue(READY_KEY, self.widget.requirements._mark())
        self.widget._onModified()
        self.scan: Any = None

    @property
    def parameters(self) -> Any:
        return self.widget._parameterNode

    @property
    def isRunning(self) -> bool:
        return self.ui.applyButton.text == "Cancel"

    def wait(self) -> None:
        self.host.waitFor(lambda: not self.isRunning, LIMIT_S)

    def apply(self) -> None:
        assert self.ui.applyButton.enabled, self.ui.applyButton.toolTip
        self.ui.applyButton.click()
        self.wait()

    def table(self, name: str) -> list[list[str]]:
        table = getattr(self.ui, name)
        columns = range(table.columnCount)
        return [[table.item(r, c).text().replace("\n", " ") for c in columns] for r in range(table.rowCount)]

    def mask(self) -> np.ndarray:
        from MedEnhanceLib.HeadSegmentation import maskOf

        return maskOf(self.parameters.mask, self.scan)

    def draw(self, mask: np.ndarray) -> None:
        """Edit the mask, as the Segment Editor does."""
        from MedEnhanceLib.HeadSegmentation import setMask

        setMask(self.parameters.mask, self.scan, mask)

    def shownSlice(self) -> int | None:
        from MedEnhanceLib.SliceJump import nearestSlice

        matrix = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode().GetSliceToRAS()
        return nearestSlice(self.scan, [matrix.GetElement(r, 3) for r in range(3)])


def test_apply_shows_the_verdict_and_makes_a_mask(panel: HeadPanel) -> None:
    before = slicer.util.arrayFromVolume(panel.scan).copy()
    panel.apply()
    assert "Notification: haemorrhage suspected" in panel.ui.verdictLabel.text
    assert "0.83" in panel.ui.verdictLabel.text
    assert np.array_equal(panel.mask(), maskArray())
    assert np.array_equal(slicer.util.arrayFromVolume(panel.scan), before)
    assert panel.parameters.mask.GetAttribute("MedEnhance.ModelId") == "tiny-head"


def test_research_use_and_notify_only_are_said(panel: HeadPanel) -> None:
    panel.apply()
    for text in (panel.ui.noticeLabel.text, panel.ui.verdictLabel.text):
        assert "Research use only" in text
        assert "every scan is read in full, flagged or not" in text
    assert panel.parameters.mask.GetAttribute("MedEnhance.Notice") == "Research use only"


def test_disagreement_comes_first(panel: HeadPanel) -> None:
    panel.apply()
    text = panel.ui.verdictLabel.text
    assert text.index("contradict each other") < text.index("gantry") < text.index("Notification: ")
    rows = panel.table("evidenceTable")
    assert [row[0] for row in rows] == ["9", "4", "6", "7"]
    assert "mask without probability" in rows[0][3]
    assert "probability without mask" in rows[1][3]


def test_the_operating_point_is_chosen_by_name_without_a_new_run(panel: HeadPanel) -> None:
    panel.apply()
    assert panel.ui.pointComboBox.currentText == "balanced"
    assert panel.table("pointTable")[1] == ["▸ balanced", "0.50", "92.0%", "93.0%"]
    panel.ui.pointComboBox.setCurrentText("specific")
    assert panel.parameters.operatingPoint == "specific"
    assert "No notification at this operating point" in panel.ui.verdictLabel.text
    assert "no all-clear" in panel.ui.verdictLabel.text
    assert "at the operating point balanced of the run" in panel.ui.verdictLabel.text
    assert panel.table("pointTable")[2][0] == "▸ specific"
    assert len(panel.worker.asked()) == 1
    panel.apply()
    assert panel.worker.asked()[1]["options"]["operating_point"] == "specific"


def test_no_word_calls_a_scan_normal(panel: HeadPanel) -> None:
    quiet = head_nodes.findings(np.zeros(SHAPE, np.uint8), probability=0.02, suspected=False, priority="routine")
    quiet |= {"components": [], "disagreements": [], "priority_reasons": [], "top_slices": []}
    panel.worker.lay(np.zeros(SHAPE, np.uint8), panel.scan)
    panel.worker.answer("detect-hemorrhage", report=report(quiet), outputs={})
    panel.apply()
    text = panel.ui.verdictLabel.text.lower()
    assert "no notification" in text
    assert "usual turn" in text
    assert not any(word in text for word in ("normal", "negative", "no haemorrhage", "healthy", "safe"))
    assert panel.mask().sum() == 0


def test_a_scan_that_was_not_processed_is_shown_with_its_reason(panel: HeadPanel) -> None:
    panel.worker.answer("detect-hemorrhage", report=refusal("A contrast agent was given."), outputs={})
    before = nodeIds()
    panel.apply()
    assert "Not processed: A contrast agent was given." in panel.ui.verdictLabel.text
    assert "It keeps its place" in panel.ui.verdictLabel.text
    assert panel.parameters.mask is None
    assert nodeIds() == before
    assert not panel.ui.exportButton.enabled
    panel.ui.inputSelector.setCurrentNode(addHead(slicer.mrmlScene, "another"))
    assert "Not processed" not in panel.ui.verdictLabel.text  # it was said of the first scan alone


def test_the_strip_has_a_column_for_each_slice_and_a_click_shows_it(panel: HeadPanel) -> None:
    panel.apply()
    strip = panel.ui.sliceStrip
    assert strip.columnCount == SHAPE[0]
    assert panel.shownSlice() == 5  # the slice that speaks most for a haemorrhage
    strip.cellClicked.emit(0, 8)
    assert panel.shownSlice() == 8
    assert "Slice 9 of 12" in panel.ui.sliceLabel.text
    strip.setCurrentCell(0, 3)
    strip.setCurrentCell(0, 4)  # the arrow keys
    assert panel.shownSlice() == 4
    assert "0.90" in strip.item(0, 4).toolTip()
    panel.ui.evidenceTable.cellClicked.emit(1, 0)
    assert panel.shownSlice() == 3
    panel.ui.volumeTable.cellClicked.emit(3, 0)  # the only piece, by its largest section
    assert panel.shownSlice() == 6


def test_the_strip_follows_the_axial_view(panel: HeadPanel) -> None:
    panel.apply()
    view = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    view.SetSliceOffset(-20.25 + 2 * 10.0)
    assert "Slice 3 of 12" in panel.ui.sliceLabel.text


def test_other_views_go_to_the_mask_in_that_slice(panel: HeadPanel) -> None:
    from MedEnhanceLib.SliceJump import slicePosition

    panel.apply()
    panel.ui.sliceStrip.cellClicked.emit(0, 6)
    world = slicePosition(panel.scan, 6, 0, [6.0, 33.5, 43.5])
    yellow = slicer.app.layoutManager().sliceWidget("Yellow").mrmlSliceNode().GetSliceToRAS()
    assert yellow.GetElement(0, 3) == pytest.approx(world[0])


def test_volumes_stand_beside_the_bedside_estimate(panel: HeadPanel) -> None:
    panel.apply()
    rows = panel.table("volumeTable")
    assert rows[0][:3] == ["Total", "33.70 (26.96 to 40.44)", "34.2"]
    assert [row[0] for row in rows[1:3]] == ["Left", "Right"]
    assert rows[3] == ["1: left slices 5 to 9", "33.70 (26.96 to 40.44)", "34.2", "48", "66 ± 3"]
    assert rows[4][0] == "2 below 0.1 mL"
    assert "3.2 mm to the right" in panel.ui.volumeLabel.text
    assert (
        "True volume 30.3 to 50.5 mL in 80% of scans with blood and such masks (120 simulated scans)"
        in panel.ui.volumeLabel.text
    )


def edited() -> np.ndarray:
    mask = maskArray()
    mask[4] = 0
    return mask


def test_volumes_follow_an_edit(panel: HeadPanel) -> None:
    panel.apply()
    panel.worker.answer("measure-hemorrhage", findings=head_nodes.findings(edited(), edited=True))
    panel.draw(edited())
    panel.host.waitFor(lambda: "edited" in panel.ui.volumeLabel.text, LIMIT_S)
    assert panel.table("volumeTable")[0][1].startswith("26.96")  # counted at once: 4 of 5 equal slices
    assert "True volume" not in panel.ui.volumeLabel.text  # known of the network's masks alone
    panel.host.waitFor(lambda: "Measuring" not in panel.ui.volumeLabel.text, LIMIT_S)
    assert panel.table("volumeTable")[0] == ["Total", "26.96 (21.57 to 32.35)", "27.5", "", ""]
    assert np.array_equal(panel.worker.measured(), edited())
    asked = panel.worker.asked()[-1]
    assert asked["report"]["findings"]["total"]["ml"] == pytest.approx(33.6960)  # the run's own
    assert "0.83" in panel.ui.verdictLabel.text
    assert "Slice 5" in panel.ui.sliceStrip.item(0, 4).toolTip()
    assert "mask 0 mm²" in panel.ui.sliceStrip.item(0, 4).toolTip()


def test_an_edit_that_is_undone_brings_the_networks_figures_back(panel: HeadPanel) -> None:
    panel.apply()
    panel.worker.answer("measure-hemorrhage", findings=head_nodes.findings(edited(), edited=True))
    panel.draw(edited())
    panel.host.waitFor(lambda: panel.widget.findings.state == "measured", LIMIT_S)
    panel.draw(maskArray())
    panel.host.waitFor(lambda: panel.widget.findings.state == "network", LIMIT_S)
    assert "edited" not in panel.ui.volumeLabel.text
    assert panel.table("volumeTable")[0][1].startswith("33.70")
    panel.draw(edited())  # measured before: not asked again
    panel.host.waitFor(lambda: panel.widget.findings.state == "measured", LIMIT_S)
    assert sum(one["task"] == "measure-hemorrhage" for one in panel.worker.asked()) == 1


def test_strokes_one_after_the_other_are_measured_once(panel: HeadPanel) -> None:
    panel.apply()
    panel.worker.answer("measure-hemorrhage", findings=head_nodes.findings(edited(), edited=True))
    mask = maskArray()
    for k in (5, 6, 4):
        mask = maskArray()
        mask[k] = 0
        panel.draw(mask)
        panel.host.processEvents(0.05)
    panel.host.waitFor(lambda: panel.widget.findings.state == "measured", LIMIT_S)
    assert sum(one["task"] == "measure-hemorrhage" for one in panel.worker.asked()) == 1
    assert np.array_equal(panel.worker.measured(), mask)


def test_a_mask_that_cannot_be_measured_keeps_its_total(panel: HeadPanel) -> None:
    panel.apply()
    error = {"kind": "input-unsuitable", "message": "So nicht.", "hint": ""}
    panel.worker.answer("measure-hemorrhage", error=error)
    panel.draw(edited())
    panel.host.waitFor(lambda: panel.widget.findings.state == "counted", LIMIT_S)
    assert panel.table("volumeTable")[0][1] == "26.96"
    assert "So nicht." in panel.ui.volumeLabel.text


def test_an_edit_opens_no_question_about_requirements(panel: HeadPanel) -> None:
    panel.apply()
    panel.widget.requirements.forget()
    panel.draw(edited())
    panel.host.waitFor(lambda: panel.widget.findings.state == "counted", LIMIT_S)
    assert "Check the requirements" in panel.ui.volumeLabel.text
    assert len(panel.worker.asked()) == 1


def test_a_segment_that_is_removed_leaves_no_volume(panel: HeadPanel) -> None:
    from MedEnhanceLib.HeadSegmentation import SEGMENT

    panel.apply()
    panel.worker.answer("measure-hemorrhage", findings=head_nodes.findings(np.zeros(SHAPE, np.uint8), edited=True))
    panel.parameters.mask.GetSegmentation().RemoveSegment(SEGMENT)
    panel.host.waitFor(lambda: panel.widget.findings.state == "measured", LIMIT_S)
    assert panel.worker.measured().sum() == 0


def test_a_saved_scene_keeps_mask_report_and_edit(panel: HeadPanel, tmp_path: Path) -> None:
    panel.apply()
    panel.worker.answer("measure-hemorrhage", findings=head_nodes.findings(edited(), edited=True))
    panel.draw(edited())
    panel.host.waitFor(lambda: panel.widget.findings.state == "measured", LIMIT_S)
    assert slicer.util.saveNode(panel.scan, str(tmp_path / "scan.nrrd"), {})
    assert slicer.util.saveNode(panel.parameters.mask, str(tmp_path / "mask.seg.nrrd"), {})
    assert slicer.util.saveScene(str(tmp_path / "scene é.mrml"))
    slicer.mrmlScene.Clear(0)
    panel.host.processEvents()
    assert panel.table("volumeTable") == []
    slicer.util.loadScene(str(tmp_path / "scene é.mrml"))
    panel.host.processEvents(0.2)
    panel.scan = panel.parameters.inputVolume
    assert np.array_equal(panel.mask(), edited())
    assert panel.widget.findings.state == "measured"
    assert panel.table("volumeTable")[0][1].startswith("26.96")
    assert len([one for one in panel.worker.asked() if one["task"] == "measure-hemorrhage"]) == 1


def test_the_mask_of_another_scan_is_not_taken(panel: HeadPanel) -> None:
    panel.apply()
    panel.ui.inputSelector.setCurrentNode(addHead(slicer.mrmlScene, "another"))
    assert "Run a scan" in panel.ui.verdictLabel.text
    assert panel.ui.sliceStrip.columnCount == 0
    assert panel.parameters.mask is None
    panel.ui.inputSelector.setCurrentNode(panel.scan)  # with a scan comes its own mask
    assert "Notification" in panel.ui.verdictLabel.text
    slicer.mrmlScene.RemoveNode(panel.parameters.mask)
    assert panel.parameters.mask is None
    assert "Run a scan" in panel.ui.verdictLabel.text


def test_the_mask_can_be_hidden(panel: HeadPanel) -> None:
    panel.apply()
    assert panel.parameters.mask.GetDisplayVisibility()
    panel.ui.showMaskCheckBox.click()
    assert not panel.parameters.mask.GetDisplayVisibility()


def test_cancel_leaves_the_scene_as_it_was(panel: HeadPanel) -> None:
    panel.worker.answer("detect-hemorrhage", hang=True)
    before = nodeIds()
    panel.ui.applyButton.click()
    panel.host.waitFor(lambda: bool(panel.worker.asked()), LIMIT_S)
    panel.ui.applyButton.click()
    panel.wait()
    assert "Cancelled; nothing was changed." in panel.ui.statusLabel.text
    assert nodeIds() == before


def test_a_scan_that_is_deleted_ends_its_run(panel: HeadPanel) -> None:
    panel.worker.answer("detect-hemorrhage", hang=True)
    panel.ui.applyButton.click()
    panel.host.waitFor(lambda: bool(panel.worker.asked()), LIMIT_S)
    slicer.mrmlScene.RemoveNode(panel.scan)
    panel.wait()
    assert "was deleted" in panel.ui.statusLabel.text
    assert panel.parameters.inputVolume is None


def test_a_closed_scene_leaves_an_empty_panel(panel: HeadPanel) -> None:
    panel.apply()
    slicer.mrmlScene.Clear()
    panel.host.processEvents()
    assert panel.ui.sliceStrip.columnCount == 0
    assert "Run a scan" in panel.ui.verdictLabel.text
    view = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    view.SetSliceOffset(12.0)
    assert not panel.ui.applyButton.enabled


def test_what_the_verdict_says_is_not_said_twice(panel: HeadPanel) -> None:
    found = report(warnings=["The gantry was tilted by 17 degrees."])
    told = ["The gantry was tilted by 17 degrees.", "Two files were left out."]
    panel.worker.answer("detect-hemorrhage", report=found, outputs={}, told=told)
    panel.apply()
    assert "Two files were left out." in panel.ui.statusLabel.text
    assert "gantry" not in panel.ui.statusLabel.text
    assert panel.ui.verdictLabel.text.count("gantry") == 1


def test_a_failure_is_told(panel: HeadPanel) -> None:
    error = {"kind": "weights-missing", "message": "No weights.", "hint": "Fetch them."}
    panel.worker.answer("detect-hemorrhage", error=error)
    panel.apply()
    assert "No weights." in panel.ui.statusLabel.text
    assert "Fetch them." in panel.ui.statusLabel.text


def test_what_is_no_ct_is_refused_before_a_run(panel: HeadPanel) -> None:
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(labels, maskArray())
    panel.ui.inputSelector.setCurrentNode(labels)
    assert not panel.ui.applyButton.enabled
    assert "not CT numbers" in panel.ui.inputMessageLabel.text
    with pytest.raises(MedEnhanceError) as error:
        panel.logic.detect(labels)
    assert error.value.kind == "input-unsuitable"


def test_without_a_model_the_panel_says_so(panel: HeadPanel) -> None:
    panel.widget.model.setModels([])
    panel.widget._onModified()
    assert not panel.ui.applyButton.enabled
    assert "No model" in panel.ui.applyButton.toolTip
    assert not panel.ui.worklistButton.enabled


def test_the_mask_goes_to_the_segment_editor(panel: HeadPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slicer's own module is not here: what its editor widget is told is recorded."""
    from MedEnhanceLib.HeadSegmentation import SEGMENT

    opened, told = list[str](), dict[str, Any]()
    names = ("setSegmentationNode", "setSourceVolumeNode", "setCurrentSegmentID")
    editor = SimpleNamespace(**{name: partial(told.__setitem__, name) for name in names})
    module = SimpleNamespace(widgetRepresentation=lambda: SimpleNamespace(self=lambda: SimpleNamespace(editor=editor)))
    monkeypatch.setattr(slicer.util, "selectModule", opened.append)
    monkeypatch.setattr(slicer.modules, "segmenteditor", module, raising=False)
    assert not panel.ui.editButton.enabled, "there is no mask yet"
    panel.apply()
    panel.ui.editButton.click()
    assert opened == ["SegmentEditor"]
    assert told == dict(zip(names, (panel.parameters.mask, panel.scan, SEGMENT), strict=True))


def test_table_and_report_are_saved_with_their_notice(panel: HeadPanel, tmp_path: Path) -> None:
    panel.apply()
    for name in ("volumes é.csv", "report.json", ""):
        panel.host.dialogs.answer(str(tmp_path / name) if name else None)
        panel.ui.saveButton.click()
    rows = list(csv.reader((tmp_path / "volumes é.csv").read_text(encoding="utf-8").splitlines()))
    assert any("Research use only" in cell for row in rows for cell in row)
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["findings"]["probability"] == 0.83
    assert written["mask_edited"] is False
    panel.host.dialogs.answer(str(tmp_path / "absent" / "volumes.csv"))
    panel.ui.saveButton.click()
    assert "cannot be written" in panel.ui.statusLabel.text


def test_the_console_gets_mask_and_report(panel: HeadPanel) -> None:
    mask, found = panel.logic.detect(panel.scan, operatingPoint="sensitive")
    assert found["findings"]["probability"] == 0.83
    assert mask.GetSegmentation().GetNumberOfSegments() == 1
    assert panel.worker.asked()[0]["options"]["operating_point"] == "sensitive"
    panel.worker.answer("detect-hemorrhage", report=refusal(), outputs={})
    assert panel.logic.detect(panel.scan)[0] is None


def test_dicom_objects_are_written_with_the_edit(panel: HeadPanel, tmp_path: Path) -> None:
    panel.apply()
    panel.ui.exportButton.click()
    assert "does not come from DICOM" in panel.ui.exportLabel.text
    source = tmp_path / "slice.dcm"
    source.write_bytes(b"\0" * 128 + b"DICM")
    panel.host.dicomDatabase["1.2.3"] = str(source)
    panel.scan.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    panel.worker.answer("measure-hemorrhage", findings=head_nodes.findings(edited(), edited=True))
    panel.worker.answer("export-hemorrhage", outputs={}, warnings=[])
    panel.draw(edited())
    panel.host.waitFor(lambda: panel.widget.findings.state == "measured", LIMIT_S)
    panel.ui.koCheckBox.click()
    panel.host.dialogs.answer(str(tmp_path))
    panel.ui.exportButton.click()
    panel.wait()
    assert "Exported to" in panel.ui.exportLabel.text, panel.ui.statusLabel.text
    asked = panel.worker.asked()[-1]
    assert (asked["edited"], asked["objects"], asked["source"]) == (True, ["seg", "sr"], [str(source)])
    assert asked["report"]["findings"]["total"]["ml"] == pytest.approx(33.6960)  # measured anew by the export itself
    assert sorted(path.name for path in Path(asked["output"]).iterdir()) == ["seg.dcm", "sr.dcm"]


def test_the_worker_is_told_of_the_dicom_source(panel: HeadPanel, tmp_path: Path) -> None:
    source = tmp_path / "slice.dcm"
    source.write_bytes(b"\0" * 128 + b"DICM")
    panel.host.dicomDatabase["1.2.3"] = str(source)
    panel.scan.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    panel.apply()
    assert panel.worker.asked()[0]["options"]["source"] == [str(source)]


def test_no_object_chosen_is_no_export(panel: HeadPanel) -> None:
    panel.apply()
    for box in (panel.ui.segCheckBox, panel.ui.srCheckBox, panel.ui.koCheckBox):
        assert panel.ui.exportButton.enabled
        box.click()
    assert not panel.ui.exportButton.enabled


def test_the_sample_is_loaded_with_its_truth(panel: HeadPanel) -> None:
    from MedEnhanceLib.HeadSample import SCAN
    from MedEnhanceLib.HeadSegmentation import maskOf

    panel.ui.sampleDataButton.click()
    scan = panel.parameters.inputVolume
    assert panel.ui.applyButton.enabled, panel.ui.inputMessageLabel.text
    assert (scan.GetDisplayNode().GetWindow(), scan.GetDisplayNode().GetLevel()) == (80.0, 40.0)
    [truth] = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert not truth.GetDisplayVisibility()
    facts = json.loads(SCAN.with_suffix(".json").read_text(encoding="utf-8"))
    mask = maskOf(truth, scan)
    assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == facts["slices_with_haemorrhage"]
    # Labelled voxels of slices that average over 5 mm, against the volume before that.
    ml = mask.sum() * np.prod(scan.GetSpacing()) / 1000.0
    assert ml == pytest.approx(facts["volumes_ml"]["intraparenchymal"], rel=0.15)
    files = [SCAN, SCAN.with_suffix(".json"), SCAN.with_name("demo_head_ct_truth.nrrd")]
    assert sum(path.stat().st_size for path in files) < 700_000


def test_the_modules_own_test_passes(panel: HeadPanel) -> None:
    import MedEnhanceHeadCT

    panel.widget.model.setModels([])  # as in a checkout that brings none
    test = MedEnhanceHeadCT.MedEnhanceHeadCTTest()
    test.delayDisplay = lambda *_arguments: None
    for one in (test.test_mask, test.test_jump):
        test.setUp()
        one()


def test_points_of_the_model_are_shown_before_a_run(panel: HeadPanel) -> None:
    from dataclasses import replace

    from medenhance.head_ct.calibration import Calibration, OperatingPoint
    from medenhance.head_ct.mask_rule import MaskRule

    entry = next(iter(load_manifest().values()))
    points = tuple(OperatingPoint(**point) for point in POINTS)
    panel.widget.model.setModels([replace(entry, calibration=Calibration(1.0, 0.0, points, MaskRule(0.5)))])
    panel.widget._onModified()  # as the panel does when the worker has listed its models
    assert panel.table("pointTable")[0][0] == "▸ sensitive"
    assert "40 scans" in panel.ui.pointSourceLabel.text


def test_a_volume_that_is_no_volume_of_values_is_refused(panel: HeadPanel) -> None:
    vector = filled(np.zeros(SHAPE, np.float32), slicer.mrmlScene, "NaN", oblique=False)
    slicer.util.arrayFromVolume(vector)[:] = np.nan
    panel.ui.inputSelector.setCurrentNode(vector)
    assert not panel.ui.applyButton.enabled
