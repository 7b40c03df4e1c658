"""Runs that end early, and runs of a real worker with the bundled model, as a user starts and stops them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import slicer
from mrml_samples import ijkToRas, memoryMb
from panel_driver import (
    LowDosePanel,
    addCt,
    atStage,
    ctArray,
    handlerTimes,
    nodeIds,
    pathWith,
    useStrangeTemporaryFolder,
)
from stand_in_python import FOLDER, StandInPython

from MedEnhanceLib.Provenance import provenanceOf

# Two seconds are promised; a machine that does other things needs some more.
CANCEL_LIMIT_S = 2.0 + 3.0
# What the worker is told to stay in, and what the panel says then.
STAGES = {"start": "Starting", "load": "Loading", "denoise": "Denoising", "measure": "Measuring", "write": "Writing"}


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandInPython:
    made = StandInPython(tmp_path / "a python 蛇 é")
    monkeypatch.setenv(FOLDER, str(made.folder))
    monkeypatch.setenv("PATH", pathWith(made.program))
    return made


@pytest.fixture
def panel(host: Any, python: StandInPython) -> LowDosePanel:
    """With a volume, ready for Apply."""
    made = LowDosePanel(host)
    made.choose(addCt())
    return made


@pytest.fixture(autouse=True)
def others() -> list[psutil.Process]:
    """Processes that tests of other folders have left to this one; they are none of ours."""
    OTHERS[:] = psutil.Process().children(recursive=True)
    return OTHERS


OTHERS: list[psutil.Process] = []


def workers() -> list[psutil.Process]:
    running = [one for one in psutil.Process().children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in running if one not in OTHERS]


def temporaryFiles() -> list[Path]:
    return list(Path(slicer.app.temporaryPath).iterdir())


def assertCancels(panel: LowDosePanel, cancel: Callable[[], None]) -> float:
    """A run that stops when asked to leaves everything as it was before; returns the seconds that it takes."""
    begun = time.monotonic()
    cancel()
    panel.host.waitFor(lambda: not panel.isRunning, CANCEL_LIMIT_S)
    seconds = time.monotonic() - begun
    assert panel.status.startswith("Cancelled; nothing was changed.")
    assert temporaryFiles() == []
    return seconds


class TestCancel:
    """At any moment: nothing is left of the run, and the next one works."""

    @pytest.mark.parametrize("stage", STAGES)
    def test_while_the_worker_is_busy(self, stage: str, panel: LowDosePanel, python: StandInPython) -> None:
        ids = nodeIds()
        python.order(stall=stage)
        panel.press()
        panel.waitForStage(STAGES[stage])
        assertCancels(panel, panel.press)
        assert nodeIds() == ids
        python.order()
        panel.apply()

    @pytest.mark.parametrize("stage", ["start", "write"])
    def test_while_the_worker_does_not_hear(self, stage: str, panel: LowDosePanel, python: StandInPython) -> None:
        ids = nodeIds()
        python.order(stall=stage, deaf=True)
        panel.press()
        panel.waitForStage(STAGES[stage])
        assertCancels(panel, panel.press)
        assert nodeIds() == ids
        psutil.wait_procs(workers(), timeout=CANCEL_LIMIT_S)
        assert workers() == []
        python.order()
        panel.apply()

    def test_before_anything_has_begun(self, panel: LowDosePanel, python: StandInPython) -> None:
        ids = nodeIds()
        panel.press()
        panel.press()  # no event of Qt lies between the two
        assert not panel.isRunning
        assert (nodeIds(), temporaryFiles(), workers()) == (ids, [], [])
        panel.apply()

    @pytest.mark.parametrize("stage", ["prepare", "start", "show"])
    def test_while_slicer_itself_is_busy(self, stage: str, panel: LowDosePanel) -> None:
        ids = nodeIds()
        with atStage(panel, stage, panel.ui.applyButton.click) as stages:
            panel.press()
            panel.host.waitFor(lambda: not panel.isRunning)
        assert stages[-1] == stage
        assert panel.status == "Cancelled; nothing was changed."
        assert (nodeIds(), temporaryFiles()) == (ids, [])
        panel.apply()

    def test_of_a_run_that_waits_for_another(self, panel: LowDosePanel, python: StandInPython) -> None:
        from MedEnhanceLib.WorkerClient import RunCallbacks

        python.order(stall="denoise")
        first = panel.logic.session.client.submit(
            "denoise-ct", {"input": "", "output": "", "options": {}}, RunCallbacks()
        )
        panel.press()
        panel.host.waitFor(lambda: temporaryFiles() != [] and panel.logic.session.client._queue)
        assertCancels(panel, panel.press)
        assert first.isActive
        first.cancel()
        panel.host.waitFor(lambda: not first.isActive)
        python.order()
        panel.apply()

    def test_an_output_that_was_there_keeps_its_voxels(self, panel: LowDosePanel, python: StandInPython) -> None:
        output = panel.apply()
        slicer.util.updateVolumeFromArray(output, np.full((3, 96, 96), 7, np.int16))
        python.order(stall="write")
        panel.press()
        panel.waitForStage("Writing")
        assertCancels(panel, panel.press)
        assert np.unique(slicer.util.arrayFromVolume(output)).tolist() == [7]
        assert panel.parameters.outputVolume is output


def test_a_worker_that_is_killed_is_told_with_a_hint_and_a_retry_works(
    panel: LowDosePanel, python: StandInPython
) -> None:
    ids = nodeIds()
    python.order(stall="denoise")
    panel.press()
    panel.waitForStage("Denoising")
    for process in workers():
        process.kill()
    panel.wait()
    message, hint = panel.status.split("</b>")
    assert "killed" in message or "code" in message
    assert len(hint) > len("</p><p></p>")
    assert (nodeIds(), temporaryFiles()) == (ids, [])
    python.order()
    panel.apply()


def test_a_worker_that_gives_up_leaves_its_last_words_in_the_log(panel: LowDosePanel, python: StandInPython) -> None:
    python.order(stall="measure", dies=True)
    panel.press()
    panel.wait()
    assert "<b>" in panel.status
    panel.ui.settingsSection.collapsed = False
    assert "Killed: out of memory" in panel.ui.logText.plainText
    panel.ui.settingsSection.collapsed = True
    python.order()
    panel.apply()


@pytest.mark.parametrize("which", ["input", "output"])
@pytest.mark.parametrize("stage", ["start", "denoise"])
def test_a_node_that_is_deleted_ends_the_run(
    stage: str, which: str, panel: LowDosePanel, python: StandInPython
) -> None:
    node = panel.parameters.inputVolume
    if which == "output":
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "output")
        panel.ui.outputSelector.setCurrentNode(node)
    others = nodeIds() - {node.GetID()}
    python.order(stall=stage)
    panel.press()
    panel.waitForStage(STAGES[stage])
    assertCancels(panel, lambda: slicer.mrmlScene.RemoveNode(node))
    assert f"{node.GetName()} was deleted" in panel.status
    assert nodeIds() == others
    python.order()
    panel.choose(panel.parameters.inputVolume or addCt("another"))
    panel.apply()


@pytest.mark.parametrize("stage", ["start", "denoise", "write"])
def test_a_scene_that_is_closed_ends_the_run(stage: str, panel: LowDosePanel, python: StandInPython) -> None:
    python.order(stall=stage)
    panel.press()
    panel.waitForStage(STAGES[stage])
    assertCancels(panel, lambda: slicer.mrmlScene.Clear(0))
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    python.order()
    panel.choose(addCt("of another scene"))
    panel.apply()


@pytest.mark.parametrize("stage", ["prepare", "start", "show"])
@pytest.mark.parametrize("what", ["node", "scene"])
def test_what_goes_while_slicer_is_busy_ends_the_run(what: str, stage: str, panel: LowDosePanel) -> None:
    gone = panel.parameters.inputVolume

    def go() -> None:
        slicer.mrmlScene.RemoveNode(gone) if what == "node" else slicer.mrmlScene.Clear(0)

    with atStage(panel, stage, go):
        panel.press()
        panel.host.waitFor(lambda: not panel.isRunning)
    assert panel.status.startswith("Cancelled")
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []
    assert temporaryFiles() == []


def test_an_input_that_changes_its_size_meanwhile_is_an_error_and_no_hang(
    panel: LowDosePanel, python: StandInPython
) -> None:
    ids = nodeIds()
    python.order(stall="denoise")
    panel.press()
    panel.waitForStage("Denoising")
    slicer.util.updateVolumeFromArray(panel.parameters.inputVolume, np.zeros((2, 5, 7), np.int16))
    python.order()
    panel.wait()
    assert "does not fit" in panel.status
    assert (nodeIds(), temporaryFiles()) == (ids, [])


def test_a_temporary_folder_that_is_gone_is_an_error_and_no_hang(panel: LowDosePanel) -> None:
    folder = Path(slicer.app.temporaryPath)
    folder.rmdir()
    panel.press()
    panel.wait()
    assert "<b>" in panel.status
    assert "temporary folder" in panel.status
    folder.mkdir()
    panel.apply()


def test_a_panel_that_is_closed_takes_its_run_with_it(panel: LowDosePanel, python: StandInPython) -> None:
    python.order(stall="denoise", deaf=True)
    panel.press()
    panel.waitForStage("Denoising")
    assert workers()
    panel.host.closeModule("MedEnhanceLowDoseCT")
    assert temporaryFiles() == []
    psutil.wait_procs(workers(), timeout=CANCEL_LIMIT_S)
    assert workers() == []


def addSequence(numFrames: int = 3) -> Any:
    """A CT that changes with time; returns the volume that shows its frames."""
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "4D")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    for n in range(numFrames):
        frame = addCt(f"frame {n}", seed=n)
        sequence.SetDataNodeAtValue(frame, f"{0.5 * n}")
        slicer.mrmlScene.RemoveNode(frame)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    shown = addCt("4D CT")
    browser.AddProxyNode(shown, sequence, False)
    return shown


def test_a_sequence_is_done_frame_by_frame_into_a_sequence_of_its_own(host: Any, python: StandInPython) -> None:
    panel = LowDosePanel(host)
    panel.choose(addCt("a volume that stands alone"))
    assert not panel.ui.allFramesCheckBox.enabled
    panel.choose(addSequence())
    panel.ui.allFramesCheckBox.click()
    ids = nodeIds()
    python.order(stall="write")
    panel.press()
    panel.waitForStage("Writing")
    assertCancels(panel, panel.press)
    assert nodeIds() == ids
    python.order()
    result = panel.apply()
    browser = slicer.util.getNode("browser")
    frames = browser.GetSequenceNode(result)
    assert frames.GetNumberOfDataNodes() == 3
    for n in range(3):
        frame = frames.GetNthDataNode(n)
        assert np.array_equal(slicer.util.arrayFromVolume(frame), ctArray(seed=n))
        assert provenanceOf(frame)["model_id"]
    assert panel.ui.tissueTable.rowCount == 2
    names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLSequenceNode")}
    assert names == {"4D", "4D denoised", "4D removed noise"}


def test_a_frame_that_does_not_fit_is_an_error_and_no_hang(host: Any, python: StandInPython) -> None:
    panel = LowDosePanel(host)
    shown = addSequence()
    panel.choose(shown)
    panel.ui.allFramesCheckBox.click()
    python.order(stall="denoise")
    panel.press()
    panel.waitForStage("Denoising")
    sequence = slicer.util.getNode("browser").GetSequenceNode(shown)
    slicer.util.updateVolumeFromArray(sequence.GetNthDataNode(0), np.zeros((2, 5, 7), np.int16))
    python.order()
    panel.wait()
    assert "does not fit" in panel.status
    assert temporaryFiles() == []


SITE = """
import socket
def refused(*_arguments, **_keywords):
    raise OSError("the network is off")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refused
"""


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process that is started reaches any network."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")])))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.mark.usefixtures("offline")
def test_a_real_worker_denoises_without_a_network(host: Any) -> None:
    useStrangeTemporaryFolder(host)
    panel = LowDosePanel(host, isReady=False)
    ct = addCt(transformed=True)
    study = subjectHierarchy().CreateStudyItem(subjectHierarchy().GetSceneItemID(), "study")
    subjectHierarchy().SetItemParent(subjectHierarchy().GetItemByDataNode(ct), study)
    panel.choose(ct)
    before = nodeIds()
    with handlerTimes() as times:
        output = panel.apply()
    residual = panel.parameters.residualVolume
    assert max(times) < (50.0,)
    assert len([one for one in nodeIds() - before if "Volume" in one and "Display" not in one]) == 2

    assert np.array_equal(ijkToRas(output), ijkToRas(ct))
    assert output.GetTransformNodeID() == ct.GetTransformNodeID()
    display = output.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == (350.0, 41.0, 0)
    for node in (output, residual):
        assert subjectHierarchy().GetItemParent(subjectHierarchy().GetItemByDataNode(node)) == study
    made, given = (slicer.util.arrayFromVolume(node).astype(float) for node in (output, ct))
    assert made.shape == given.shape
    assert not np.array_equal(made, given)
    assert np.abs(given - made - slicer.util.arrayFromVolume(residual)).max() <= 1.0
    provenance = provenanceOf(output)
    assert provenance["model_id"] == panel.logic.defaultModel().id
    assert provenance["weights_sha256"] == panel.logic.defaultModel().files[0].sha256
    assert provenance["input"] is ct
    assert provenanceOf(residual)["what"] == "removed"
    assert panel.table("tissueTable")[3][0].startswith("Soft tissue")

    # The same worker, again and again.
    panel.ui.strengthSlider.value = 0.0
    worker = workers()
    assert panel.apply() is output
    assert workers() == worker
    assert np.array_equal(slicer.util.arrayFromVolume(output), given)
    panel.ui.strengthSlider.value = 1.0
    panel.apply()
    assert np.array_equal(slicer.util.arrayFromVolume(output), made)
    ids, rss = nodeIds(), memoryMb()
    for _run in range(7):
        panel.apply()
    assert nodeIds() == ids
    assert memoryMb() - rss < 10.0
    assert temporaryFiles() == []


def test_a_real_worker_stops_while_it_loads_and_while_it_denoises(host: Any) -> None:
    panel = LowDosePanel(host)
    panel.choose(addCt(shape=(6, 160, 160)))
    ids = nodeIds()
    seconds = []
    for stage in ("Starting", "Loading", "Denoising"):
        panel.press()
        panel.waitForStage(stage)
        seconds.append(assertCancels(panel, panel.press))
        assert nodeIds() == ids
    print("seconds to cancel:", seconds)
    panel.press()
    panel.waitForStage("Denoising")
    for process in workers():
        process.kill()
    panel.wait()
    assert "<b>" in panel.status
    assert nodeIds() == ids
    panel.apply()


def subjectHierarchy() -> Any:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
