"""A worklist of a folder of head CTs in the panel: its order, what was not processed, a click that opens a study."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from head_nodes import SHAPE, addHead, maskArray, report
from head_worker import HeadWorker
from mrml_samples import finish, ijkToRas
from test_head_panel import HeadPanel

from medenhance.errors import MedEnhanceError
from medenhance_host import Host
from MedEnhanceLib.HeadStudy import onGridOf
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.VolumeBridge import ijkToRas as matrixOf
from MedEnhanceLib.VolumeFile import writeSteps


@pytest.fixture
def panel(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeadPanel:
    import MedEnhanceLib.WorkerSession

    worker = HeadWorker(tmp_path)
    monkeypatch.setattr(MedEnhanceLib.WorkerSession, "workerCommand", lambda _settings: worker.command(sys.executable))
    return HeadPanel(host, worker)


def study(folder: Path, name: str, **changes: Any) -> dict[str, Any]:
    """A row of a worklist, with its scan and its result in files."""
    scan = addHead(slicer.mrmlScene, name)
    path, output = folder / f"{name}.nrrd", folder / f"{name}.hemorrhage"
    finish(exportSteps(scan, path, "CT"))
    output.mkdir()
    finish(writeSteps(maskArray(), matrixOf(scan), output / "mask.nrrd", None))
    (output / "report.json").write_text(json.dumps(report()), encoding="utf-8")
    slicer.mrmlScene.RemoveNode(scan)
    return {
        "place": 1, "study": name, "series": None, "priority": "critical", "status": "processed", "reason": "",
        "suspected": True, "probability": 0.97, "volume_ml": 33.7, "path": str(path), "output": str(output),
        "notice": "Research use only. Not for diagnosis.", **changes,
    }  # fmt: skip


@pytest.fixture
def rows(host: Host, tmp_path: Path) -> list[dict[str, Any]]:
    refused = {"status": "not processed", "priority": "not processed", "probability": None, "volume_ml": None}
    return [
        study(tmp_path, "erste é"),
        study(tmp_path, "second", **refused, reason="A contrast agent was given."),
        study(tmp_path, "third", priority="routine", probability=0.02, volume_ml=0.0),
    ]


def test_a_folder_is_read_and_listed_in_its_order(panel: HeadPanel, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    panel.worker.answer("worklist-hemorrhage", rows=rows, outputs={})
    panel.host.dialogs.answer(str(tmp_path), str(tmp_path / "results"))
    panel.ui.worklistButton.click()
    panel.wait()
    shown = panel.table("worklistTable")
    assert shown[0] == ["erste é", "critical", "0.97", "33.7"]
    assert shown[1][0] == "second not processed: A contrast agent was given."
    assert shown[2][1] == "usual turn"
    assert "read as every other: 1." in panel.ui.worklistLabel.text
    asked = panel.worker.asked()[0]
    assert (asked["input"], asked["output"]) == (str(tmp_path), str(tmp_path / "results"))


def test_a_click_opens_a_study_with_its_result(panel: HeadPanel, rows: list[dict[str, Any]]) -> None:
    panel.widget.worklist.show(rows)
    panel.ui.worklistTable.cellClicked.emit(0, 0)
    panel.scan = panel.parameters.inputVolume
    assert panel.scan.GetName() == "erste é"
    assert np.array_equal(panel.mask(), maskArray())
    assert "Notification: haemorrhage suspected" in panel.ui.verdictLabel.text
    assert panel.ui.sliceStrip.columnCount == SHAPE[0]
    assert panel.scan.GetDisplayNode().GetWindow() == 80.0


def test_a_study_that_was_not_processed_opens_with_its_reason(panel: HeadPanel, rows: list[dict[str, Any]]) -> None:
    panel.widget.worklist.show(rows)
    panel.ui.worklistTable.cellClicked.emit(1, 0)
    assert panel.parameters.mask is None
    assert "Not processed: A contrast agent was given." in panel.ui.verdictLabel.text


def test_a_worklist_of_before_is_opened(panel: HeadPanel, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "worklist.json").write_text(json.dumps({"schema": 1, "studies": rows}), encoding="utf-8")
    panel.host.dialogs.answer(str(tmp_path))
    panel.ui.openWorklistButton.click()
    assert len(panel.table("worklistTable")) == 3


@pytest.mark.parametrize("text", [None, "[]", "{"])
def test_a_folder_without_one_is_told(panel: HeadPanel, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "worklist.json").write_text(text, encoding="utf-8")
    panel.host.dialogs.answer(str(tmp_path))
    panel.ui.openWorklistButton.click()
    assert "no worklist" in panel.ui.statusLabel.text


def test_a_result_that_is_gone_is_told_and_leaves_no_scan(panel: HeadPanel, rows: list[dict[str, Any]]) -> None:
    (Path(rows[0]["output"]) / "mask.nrrd").write_bytes(b"no")
    panel.widget.worklist.show(rows)
    panel.ui.worklistTable.cellClicked.emit(0, 0)
    assert "cannot be read" in panel.ui.statusLabel.text
    assert panel.parameters.inputVolume is None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_a_mask_is_turned_into_the_order_of_its_scan(host: Host) -> None:
    scan = addHead(slicer.mrmlScene, oblique=True)
    matrix = ijkToRas(scan)
    turned = matrix.copy()
    turned[:3, 2] *= -1.0  # the slices run the other way
    turned[:3, 3] = (matrix @ [0, 0, SHAPE[0] - 1, 1])[:3]
    assert np.array_equal(onGridOf(scan, maskArray()[::-1], turned.tolist()), maskArray())
    assert np.array_equal(onGridOf(scan, maskArray(), matrix.tolist()), maskArray())


def test_a_mask_of_another_scan_is_refused(host: Host) -> None:
    scan = addHead(slicer.mrmlScene)
    moved = ijkToRas(scan)
    moved[2, 3] += 3.0
    with pytest.raises(MedEnhanceError):
        onGridOf(scan, maskArray(), moved.tolist())
    with pytest.raises(MedEnhanceError):
        onGridOf(scan, maskArray()[1:], ijkToRas(scan).tolist())


def test_the_console_gets_the_rows(panel: HeadPanel, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    panel.worker.answer("worklist-hemorrhage", rows=rows, outputs={})
    assert panel.logic.worklist(tmp_path, tmp_path / "out") == rows
