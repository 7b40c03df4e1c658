"""The head CT panel with a real worker process and a tiny random model; also on a real tilted series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import slicer
import tiny_head_model
from head_nodes import SHAPE, addHead
from mrml_samples import finish, strangeFolder
from panel_driver import LIMIT_S
from real_studies import copied, loaded
from test_head_panel import HeadPanel

from medenhance.catalog import read_catalog
from medenhance_host import Host
from MedEnhanceLib.BlockingRun import ask
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.VolumeFile import readSteps

GE_HEAD = "head_ct/ge_hispeed_tilt_variable_spacing"


@pytest.fixture(scope="session")
def modelCache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("head") / "cache é"
    tiny_head_model.addTo(cache)
    return cache


@pytest.fixture
def panel(host: Host, modelCache: Path, monkeypatch: pytest.MonkeyPatch) -> HeadPanel:
    monkeypatch.setenv("MEDENHANCE_CACHE", str(modelCache))
    made = HeadPanel(host, None)  # type: ignore[arg-type] - the real worker
    made.widget.model.setModels([read_catalog().entries[tiny_head_model.MODEL]])
    made.parameters.modelId = tiny_head_model.MODEL
    made.widget._onModified()
    return made


def choose(panel: HeadPanel, node: Any) -> None:
    panel.scan = node
    panel.ui.inputSelector.setCurrentNode(node)


def run(panel: HeadPanel) -> None:
    panel.ui.applyButton.click()
    panel.host.waitFor(lambda: not panel.isRunning, LIMIT_S)
    assert "Done in" in panel.ui.statusLabel.text, panel.ui.statusLabel.text


def total(panel: HeadPanel) -> float:
    return float(panel.table("volumeTable")[0][1].split()[0])


def test_the_panel_shows_what_the_task_writes_and_follows_an_edit(panel: HeadPanel, tmp_path: Path) -> None:
    choose(panel, addHead(slicer.mrmlScene))
    run(panel)
    mask = panel.mask()
    assert 0 < mask.sum() < mask.size / 2
    path = strangeFolder(tmp_path) / "head.nrrd"
    finish(exportSteps(panel.scan, path, "CT"))
    request = {"input": str(path), "output": str(tmp_path / "out"), "options": {"model": tiny_head_model.MODEL}}
    result = ask(panel.logic.session.client, "detect-hemorrhage", request)
    assert np.array_equal(finish(readSteps(tmp_path / "out" / "mask.nrrd")), mask)
    found = result["report"]["findings"]
    assert total(panel) == pytest.approx(found["total"]["ml"], abs=0.005)
    assert panel.ui.sliceStrip.columnCount == SHAPE[0]
    assert panel.ui.pointComboBox.currentText == "sensitive"

    half = mask.copy()
    half[: SHAPE[0] // 2] = 0
    panel.draw(half)
    panel.host.waitFor(lambda: panel.widget.findings.state == "measured", LIMIT_S)
    voxelMl = 2.6 * 2.7 * 10.0 / 1000.0
    assert total(panel) == pytest.approx(half.sum() * voxelMl, abs=0.005)
    pieces = [row for row in panel.table("volumeTable") if "slices" in row[0]]
    assert pieces
    assert all(int(row[0].split("slices ")[1].split()[0]) > SHAPE[0] // 2 for row in pieces)


def test_a_worklist_is_made_and_its_studies_open(panel: HeadPanel, tmp_path: Path) -> None:
    studies = strangeFolder(tmp_path)
    head = addHead(slicer.mrmlScene, "head")
    finish(exportSteps(head, studies / "head.nrrd", "CT"))
    finish(exportSteps(head, studies / "other.nrrd", "MR"))
    (tmp_path / "results").mkdir()
    slicer.mrmlScene.RemoveNode(head)
    panel.host.dialogs.answer(str(studies), str(tmp_path / "results"))
    panel.ui.worklistButton.click()
    panel.host.waitFor(lambda: not panel.isRunning, LIMIT_S)
    rows = panel.table("worklistTable")
    assert len(rows) == 2, panel.ui.statusLabel.text
    assert "not processed" in rows[1][0]
    panel.ui.worklistTable.cellClicked.emit(0, 0)
    panel.scan = panel.parameters.inputVolume
    assert panel.mask().sum() > 0
    assert total(panel) > 0
    panel.ui.worklistTable.cellClicked.emit(1, 0)
    assert "Not processed" in panel.ui.verdictLabel.text


def test_a_real_tilted_series_with_unequal_gaps_has_true_volumes_and_dicom_objects(
    panel: HeadPanel, shared_data: Path, tmp_path: Path
) -> None:
    files = copied(shared_data / GE_HEAD, tmp_path, slice(10, 22))
    choose(panel, loaded(files, panel.host.dicomDatabase))
    run(panel)
    report = panel.widget.findings.report
    low, high = report["scan"]["gaps_mm"]
    assert high > 1.5 * low  # what the headers say; the node itself has one mean step
    thickness = {one["index"]: one["thickness_mm"] for one in report["findings"]["slices"]}
    counts = np.count_nonzero(panel.mask(), axis=(1, 2))
    pixel = np.prod(report["scan"]["pixel_mm"])
    ml = sum(counts[index] * mm * pixel / 1000.0 for index, mm in thickness.items())
    assert total(panel) == pytest.approx(ml, abs=0.01)

    panel.host.dialogs.answer(str(tmp_path))
    panel.ui.exportButton.click()
    panel.host.waitFor(lambda: not panel.isRunning, LIMIT_S)
    assert "Exported to" in panel.ui.exportLabel.text, panel.ui.statusLabel.text
    folder = Path(panel.ui.exportLabel.text.removeprefix("Exported to ").removesuffix("."))
    seg = pydicom.dcmread(folder / "seg.dcm")
    assert int(seg.pixel_array.sum()) == panel.mask().sum()
    assert "research use only" in str(seg).lower()
    assert {path.name for path in folder.iterdir()} == {"seg.dcm", "sr.dcm", "ko.dcm"}
