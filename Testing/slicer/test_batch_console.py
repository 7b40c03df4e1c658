"""Slicer's Python console: one volume, many volumes, and the same voxels whichever way they are asked for."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from mrml_samples import filled, ijkToRas, linearTransform, strangeFolder
from panel_driver import LIMIT_S, LowDosePanel, addCt, ctArray, nodeIds, pathWith
from real_studies import loaded, newVolume, onGridOf, writeSeries
from stand_in_python import FOLDER, StandInPython

from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.manifest import load_manifest
from MedEnhanceLib import BatchRun
from MedEnhanceLib.SceneJob import JobCallbacks

needs_model = pytest.mark.skipif(not load_manifest(), reason="this checkout brings no model")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def logic(host: Any) -> Any:
    host.openModule("MedEnhanceLowDoseCT")
    return slicer.modules.MedEnhanceLowDoseCTWidget.logic


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandInPython:
    """Answers at once; what it "denoises" is the input itself."""
    made = StandInPython(tmp_path / "a python 蛇 é")
    monkeypatch.setenv(FOLDER, str(made.folder))
    monkeypatch.setenv("PATH", pathWith(made.program))
    return made


def saved(node: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert slicer.util.saveNode(node, str(path), {})
    return path


def voxels(path: str | Path) -> np.ndarray:
    from medenhance.study import read_study

    return read_study(Path(path)).array


def medenhance(*words: object) -> str:
    """The real command, in a process of its own."""
    command = [sys.executable, "-m", "medenhance", *map(str, words)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_model
def test_panel_logic_batches_and_commands_give_the_same_voxels(host: Any, tmp_path: Path) -> None:
    """A small CT, oblique, sheared and under a transform."""
    panel = LowDosePanel(host)
    ct = addCt("ct 1 é 头部", transformed=True)
    study = saved(ct, strangeFolder(tmp_path) / "studies" / "ct 1 é 头部.nrrd")
    panel.choose(ct)
    expected = slicer.util.arrayFromVolume(panel.apply()).copy()
    removed = slicer.util.arrayFromVolume(panel.parameters.residualVolume)
    assert not np.array_equal(expected, slicer.util.arrayFromVolume(ct))

    output, residual = newVolume(), newVolume("residual")
    panel.logic.process(ct, output, residualVolume=residual)
    assert np.array_equal(slicer.util.arrayFromVolume(output), expected)
    assert np.array_equal(slicer.util.arrayFromVolume(residual), removed)

    rows = panel.logic.processBatch([ct, study, str(study)], tmp_path / "batch")
    assert [row.status for row in rows] == ["done"] * 3, rows
    assert [row.name for row in rows] == ["ct 1 é 头部", "ct 1 é 头部_2", "ct 1 é 头部_3"]
    for row in rows:
        again = slicer.util.loadVolume(row.output, {"show": False})
        assert np.array_equal(slicer.util.arrayFromVolume(again), expected)
        np.testing.assert_allclose(ijkToRas(again), ijkToRas(ct), rtol=0, atol=1e-9)

    medenhance("denoise-ct", study, tmp_path / "by command.nrrd", "--residual", tmp_path / "removed.nrrd")
    assert np.array_equal(onGridOf(tmp_path / "by command.nrrd", ct), expected)
    assert np.array_equal(onGridOf(tmp_path / "removed.nrrd", ct), removed)
    medenhance("batch", "denoise-ct", study.parent, tmp_path / "by batch command")
    assert np.array_equal(onGridOf(tmp_path / "by batch command" / study.name, ct), expected)
    assert host.dialogs.shown == []


@needs_model
def test_a_bad_one_in_the_middle_stops_nothing_and_a_second_run_does_the_rest(
    host: Any, logic: Any, tmp_path: Path
) -> None:
    series = writeSeries(strangeFolder(tmp_path) / "DICOM 检查", ctArray((2, 64, 64), seed=1))
    broken = tmp_path / "broken.nrrd"
    broken.write_bytes(b"NRRD0005\nnot at all\n")
    node = loaded(series, host.dicomDatabase)
    mr = addCt("MR")
    mr.SetAttribute("DICOM.Modality", "MR")
    inputs = [node, broken, tmp_path / "gone", mr, None, 3, newVolume("empty"), series[0].parent]
    ids, folder = nodeIds(), tmp_path / "out é"

    told: list[Any] = []
    rows = logic.processBatch(inputs, folder, strength=0.75, told=told.append)
    assert told == rows
    assert [row.status for row in rows] == ["done", *["failed"] * 6, "done"]
    messages = ["broken.nrrd", "There is nothing at", "MR", "None is no volume", "3 is no volume", "holds no image"]
    for row, words in zip(rows[1:7], messages, strict=True):
        assert words in row.message
        assert row.output == ""
    assert nodeIds() == ids
    first, last = (voxels(row.output) for row in (rows[0], rows[-1]))
    output = newVolume()
    report = logic.process(node, output, strength=0.75)
    assert np.array_equal(first, slicer.util.arrayFromVolume(output))
    assert np.array_equal(np.sort(last, axis=None), np.sort(first, axis=None))
    written = json.loads(Path(rows[0].output).with_suffix(".json").read_text(encoding="utf-8"))
    assert written["tissues"] == report["tissues"]
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".nrrd") == [
        f"{rows[-1].name}_denoised.nrrd",
        f"{rows[0].name}_denoised.nrrd",
    ]
    assert table(folder)[1]["message"] == rows[1].message

    before = {row.output: Path(row.output).stat().st_mtime_ns for row in (rows[0], rows[-1])}
    shutil.copy(saved(node, tmp_path / "good.nrrd"), broken)
    again = logic.processBatch(inputs, folder, strength=0.75)
    assert [row.status for row in again] == ["skipped", "done", *["failed"] * 5, "skipped"]
    assert {path: Path(path).stat().st_mtime_ns for path in before} == before
    assert np.array_equal(voxels(again[1].output), first)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / BatchRun.TABLE).open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


class TestWithAStandIn:
    """What a batch keeps, redoes and refuses, and how it ends; the worker gives the input back."""

    def test_the_result_of_another_volume_of_the_same_name_is_not_taken_for_it(
        self, logic: Any, python: StandInPython, tmp_path: Path
    ) -> None:
        first, second = (filled(ctArray((1, 8, 9), seed), slicer.mrmlScene, "CT") for seed in range(2))
        for node, statuses in ((first, ["done", "skipped"]), (second, ["done", "skipped"])):
            for status in statuses:
                (row,) = logic.processBatch([node], tmp_path / "out")
                assert row.status == status
                assert np.array_equal(voxels(row.output), slicer.util.arrayFromVolume(node))

    def test_other_options_and_a_changed_file_are_done_again(
        self, logic: Any, python: StandInPython, tmp_path: Path
    ) -> None:
        study = saved(addCt(), tmp_path / "in" / "ct.nrrd")

        def status(**options: Any) -> str:
            return logic.processBatch([study], tmp_path / "out", **options)[0].status

        assert [status(), status()] == ["done", "skipped"]
        assert [status(strength=0.5), status(strength=0.5)] == ["done", "skipped"]
        assert [status(modelId="mtdgan-compact"), status()] == ["done", "done"]
        saved(addCt(seed=5), study)
        assert [status(), status()] == ["done", "skipped"]
        (tmp_path / "out" / "ct_denoised.nrrd").unlink()
        assert [status(), status()] == ["done", "skipped"]

    def test_a_file_of_somebody_else_is_not_overwritten(
        self, logic: Any, python: StandInPython, tmp_path: Path
    ) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "CT_denoised.nrrd").write_text("mine", encoding="utf-8")
        (row,) = logic.processBatch([addCt("CT")], tmp_path / "out")
        assert (row.status, "was not written by a batch" in row.message) == ("failed", True)
        assert (tmp_path / "out" / "CT_denoised.nrrd").read_text(encoding="utf-8") == "mine"

    def test_names_are_kept_apart_and_fit_every_file_system(
        self, logic: Any, python: StandInPython, tmp_path: Path
    ) -> None:
        names = ["a", "a_2", "A", "a", 'C:/x*?"<>|', "  ..", "头" * 300, "ct.nii.gz"]
        rows = logic.processBatch([filled(ctArray((1, 4, 5)), slicer.mrmlScene, name) for name in names], tmp_path)
        assert [row.status for row in rows] == ["done"] * len(names)
        assert [row.name for row in rows[:6]] == ["a", "a_2", "A_3", "a_4", "C__x______", "volume"]
        assert (rows[6].name, rows[7].name) == ("头" * 33, "ct")
        assert len({row.output.lower() for row in rows}) == len(names)
        assert [row["input"] for row in table(tmp_path)] == names

    def test_a_worker_that_dies_costs_one_volume(self, logic: Any, python: StandInPython, tmp_path: Path) -> None:
        def lives(row: Any) -> None:
            python.order()

        python.order(stall="denoise", dies=True)
        rows = logic.processBatch([addCt("one"), addCt("two")], tmp_path, told=lives)
        assert [row.status for row in rows] == ["failed", "done"]
        assert "the run was lost" in rows[0].message

    def test_whoever_interrupts_it_stops_the_worker_and_gets_the_table(
        self, host: Any, logic: Any, python: StandInPython, tmp_path: Path
    ) -> None:
        inputs = [addCt(name) for name in ("one", "two", "three")]

        def stop(row: Any) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            logic.processBatch(inputs, tmp_path, told=stop)
        assert [row["status"] for row in table(tmp_path)] == ["done"]
        assert [row.status for row in logic.processBatch(inputs, tmp_path)] == ["skipped", "done", "done"]

    def test_what_would_fail_every_time_ends_it(
        self, logic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MedEnhanceError, match="PythonSlicer") as caught:
            logic.processBatch([addCt("one"), addCt("two")], tmp_path / "out")
        assert caught.value.hint
        (tmp_path / "file").touch()
        with pytest.raises(MedEnhanceError, match="cannot be made"):
            logic.processBatch([], tmp_path / "file")


class TestProcess:
    """The blocking call, as a script uses it."""

    @pytest.fixture(autouse=True)
    def stand_in(self, python: StandInPython) -> StandInPython:
        return python

    def test_the_input_is_never_a_place_for_the_result(self, logic: Any) -> None:
        ct, output = addCt(), newVolume()
        for given in ((ct, ct, None), (ct, output, ct), (ct, output, output)):
            with pytest.raises(MedEnhanceError) as caught:
                logic.process(given[0], given[1], residualVolume=given[2])
            assert caught.value.kind == "output-refused"
        assert np.array_equal(slicer.util.arrayFromVolume(ct), ctArray())

    def test_an_interrupted_run_is_stopped_and_the_next_one_works(
        self, logic: Any, python: StandInPython, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from MedEnhanceLib.WorkerRun import WorkerRun

        ct, output, waits = addCt(), newVolume(), []
        wait = WorkerRun.wait

        def interrupted(run: WorkerRun, timeoutS: float | None = None) -> None:
            waits.append(timeoutS)
            if len(waits) == 3:
                raise KeyboardInterrupt
            wait(run, timeoutS)

        python.order(stall="denoise")
        monkeypatch.setattr(WorkerRun, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            logic.process(ct, output)
        assert output.GetImageData() is None
        assert list(Path(slicer.app.temporaryPath).iterdir()) == []
        assert not logic.session.client.busy()
        python.order()
        logic.process(ct, output)
        assert output.GetImageData() is not None

    def test_callbacks_tell_a_run_that_does_not_block(self, host: Any, logic: Any, python: StandInPython) -> None:
        ct, stages, ended = addCt(), [], []
        ct.SetAndObserveTransformNodeID(linearTransform(slicer.mrmlScene).GetID())
        callbacks = JobCallbacks(
            progress=lambda stage, fraction, etaS: stages.append(stage),
            finished=lambda nodes, result: ended.append((nodes, result)),
            failed=ended.append,
            cancelled=lambda: ended.append("cancelled"),
        )
        logic.start(ct, callbacks, createResidual=True)
        assert (logic.isRunning, ended) == (True, [])
        host.waitFor(lambda: bool(ended), LIMIT_S)
        ((nodes, result),) = ended
        assert {"prepare", "denoise", "show"} <= set(stages)
        assert [nodes[name].GetName() for name in ("output", "residual")] == [
            f"{ct.GetName()} denoised",
            f"{ct.GetName()} removed noise",
        ]
        assert result["report"]["run"]["strength"] == 1.0
        python.order(stall="denoise")
        ended.clear()
        logic.start(ct, callbacks)
        logic.cancel()
        host.waitFor(lambda: bool(ended), LIMIT_S)
        assert ended == ["cancelled"]

    def test_an_error_says_what_to_do(self, logic: Any) -> None:
        mr = addCt("MR")
        mr.SetAttribute("DICOM.Modality", "MR")
        with pytest.raises(MedEnhanceError, match="MR is MR") as caught:
            logic.process(mr, newVolume())
        assert not isinstance(caught.value, Cancelled)
