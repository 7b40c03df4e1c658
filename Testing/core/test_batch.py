"""A batch goes through a tree, skips what is done, survives what is bad, and never touches what is not its own."""

from __future__ import annotations

import csv
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medenhance.__main__ import main
from medenhance.batch import cluster as batch_cluster
from medenhance.batch.engine import run_batch
from medenhance.batch.plan import BatchRequest
from medenhance.batch.state import BatchState
from medenhance.batch.studies import find_studies
from medenhance.batch.table import StudyOutcome, table, write_tables
from medenhance.errors import MedEnhanceError
from medenhance.image_files import write_image
from medenhance.progress import Progress, Silent
from medenhance.study import read_study
from medenhance.tasks.denoise_ct import DenoiseOptions
from medenhance.volume import Volume

UID = "1.2.826.0.1.3680043.8.498.7"
WriteDicom = Callable[..., Path]


class Listener:
    """Keeps what it is told; may stop the batch when a study begins."""

    def __init__(self, stop_at: str = "") -> None:
        self.began: list[str] = []
        self.ended: list[tuple[str, int, int]] = []
        self._stop_at = stop_at

    def scanning(self) -> Progress:
        return Silent()

    def started(self, study: str, *_: int) -> Progress:
        if study == self._stop_at:
            raise KeyboardInterrupt
        self.began.append(study)
        return Silent()

    def finished(self, outcome: StudyOutcome, number: int, total: int) -> None:
        self.ended.append((outcome.study, number, total))


@pytest.fixture
def tree(tmp_path: Path, ct_array: np.ndarray, write_dicom: WriteDicom) -> Path:
    """Folders of every kind that people have."""
    root = tmp_path / "studies"
    write_dicom(root / "anna" / "CT", ct_array)
    write_dicom(root / "bert", ct_array, series="1")
    write_dicom(root / "bert" / "more", ct_array[::-1], series="2")
    write_dicom(root / "bert", ct_array[:2], series="3", modality="MR")
    write_image(Volume(ct_array), root / "carl.nii.gz", {})
    write_image(Volume(ct_array), root / "deep" / "er" / "carl.nrrd", {})
    (root / "deep" / "notes.txt").write_text("not a study", encoding="utf-8")
    (root / "emil.nrrd").write_text("no image at all", encoding="utf-8")
    write_dicom(root / "frida", ct_array[:2], modality="MR")
    return root


GOOD = ["anna/CT", f"bert/{UID}.1", f"bert/{UID}.2", "carl.nii.gz", "deep/er/carl.nrrd"]
BAD = ["emil.nrrd", "frida"]
UNREADABLE = ["emil.nrrd"]  # what only turns out to be bad when it is read
NOT_CT = "there are no CT slices here, only MR."


@pytest.fixture
def request_of(tree: Path, tmp_path: Path, tiny_model: str) -> BatchRequest:
    return BatchRequest(tree, tmp_path / "out", DenoiseOptions(tiny_model))


def statuses(outcomes: list[StudyOutcome]) -> dict[str, str]:
    return {outcome.study: outcome.status for outcome in outcomes}


def test_studies_are_ct_series_of_dicom_folders_and_image_files(tree: Path) -> None:
    assert [study.name for study in find_studies(tree, Silent())] == GOOD + BAD


def test_one_series_that_is_spread_over_folders_is_one_study(
    tmp_path: Path, ct_array: np.ndarray, write_dicom: WriteDicom
) -> None:
    write_dicom(tmp_path / "cd", ct_array)
    for name in ("a", "b"):
        (tmp_path / "cd" / name).mkdir()
    for index, file in enumerate(sorted((tmp_path / "cd").glob("*.dcm"))[1:]):
        file.rename(tmp_path / "cd" / "ab"[index % 2] / file.name)
    (study,) = find_studies(tmp_path / "cd", Silent())
    assert (study.name, len(study.files)) == ("cd", len(ct_array))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_are_followed_but_not_in_circles(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(tree, target_is_directory=True)
    (tree / "deep" / "back").symlink_to(tree, target_is_directory=True)
    assert [study.name for study in find_studies(tmp_path / "linked", Silent())] == GOOD + BAD


def test_the_output_mirrors_the_input_and_bad_studies_stop_nothing(request_of: BatchRequest) -> None:
    listener = Listener()
    outcomes = run_batch(request_of, listener)
    assert statuses(outcomes) == {name: "failed" if name in BAD else "done" for name in GOOD + BAD}
    out = request_of.output_root
    for name in GOOD:
        assert read_study(out / name).array.shape == (5, 44, 60)
    assert read_study(out / "bert" / f"{UID}.2").series is not None
    assert (out / "deep" / "er" / "carl.report.json").is_file()
    assert listener.began == GOOD + UNREADABLE
    assert [number for _, number, _ in listener.ended] == list(range(1, 8))
    hidden = [path for path in out.rglob("*") if path.name.startswith(".")]
    assert hidden == []


def test_the_tables_say_what_became_of_each_study(request_of: BatchRequest) -> None:
    outcomes = run_batch(request_of, Listener())
    stored = json.loads((request_of.output_root / "batch.json").read_text(encoding="utf-8"))
    with (request_of.output_root / "batch.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == [study["status"] for study in stored["studies"]]
    assert [row["study"] for row in rows] == GOOD + BAD
    failed = {row["study"]: (row["kind"], row["message"]) for row in rows if row["status"] == "failed"}
    assert failed["emil.nrrd"][0] == "input-unreadable"
    assert failed["frida"] == ("input-unsuitable", NOT_CT)
    assert float(rows[0]["noise_sd_before_hu"]) == pytest.approx(20, rel=0.15)
    text = "\n".join(table(outcomes))
    assert NOT_CT in text
    assert "5 done, 2 failed" in text


def test_done_studies_are_skipped_and_failed_ones_tried_again(request_of: BatchRequest) -> None:
    run_batch(request_of, Listener())
    stamps = {name: (request_of.output_root / name).stat().st_mtime_ns for name in GOOD}
    again = Listener()
    outcomes = run_batch(request_of, again)
    assert again.began == UNREADABLE
    assert statuses(outcomes) == {name: "failed" if name in BAD else "skipped" for name in GOOD + BAD}
    assert outcomes[0].noise_sd_before_hu is not None
    assert stamps == {name: (request_of.output_root / name).stat().st_mtime_ns for name in GOOD}


def test_a_tree_that_was_moved_is_still_done(request_of: BatchRequest, tmp_path: Path) -> None:
    run_batch(request_of, Listener())
    moved = {"input_root": tmp_path / "studies moved", "output_root": tmp_path / "out moved"}
    request_of.input_root.rename(moved["input_root"])
    request_of.output_root.rename(moved["output_root"])
    again = Listener()
    run_batch(replace(request_of, **moved), again)
    assert again.began == UNREADABLE


@pytest.mark.parametrize("name", ["anna/CT", "carl.nii.gz"])
def test_a_changed_input_is_done_again_and_replaces_its_own_output(request_of: BatchRequest, name: str) -> None:
    run_batch(request_of, Listener())
    before = read_study(request_of.output_root / name).array
    change(request_of.input_root / name)
    again = Listener()
    run_batch(request_of, again)
    assert again.began == [name, *UNREADABLE]
    assert not np.array_equal(before, read_study(request_of.output_root / name).array)


def change(study: Path) -> None:
    if study.is_dir():
        next(study.iterdir()).unlink()
    else:
        volume = read_study(study)
        write_image(volume.with_array(volume.array[::-1]), study, {})


def test_other_options_are_done_again(request_of: BatchRequest) -> None:
    run_batch(request_of, Listener())
    again = Listener()
    run_batch(replace(request_of, options=replace(request_of.options, strength=0.5)), again)
    assert again.began == GOOD + UNREADABLE


def test_a_missing_output_or_companion_is_done_again(request_of: BatchRequest) -> None:
    run_batch(request_of, Listener())
    (request_of.output_root / "carl.nii.gz").unlink()
    (request_of.output_root / "anna" / "CT.report.json").unlink()
    again = Listener()
    run_batch(request_of, again)
    assert again.began == ["anna/CT", "carl.nii.gz", *UNREADABLE]


def test_a_file_that_the_batch_did_not_write_is_never_replaced(request_of: BatchRequest) -> None:
    mine = request_of.output_root / "carl.nii.gz"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    for _ in range(2):  # the second run knows of the first one's refusal
        outcomes = {outcome.study: outcome for outcome in run_batch(request_of, Listener())}
        assert outcomes["carl.nii.gz"].kind == "output-refused"
        assert mine.read_text(encoding="utf-8") == "mine"


def test_the_data_file_of_a_metaimage_header_is_not_replaced_either(
    request_of: BatchRequest, ct_array: np.ndarray
) -> None:
    write_image(Volume(ct_array), request_of.input_root / "gerd.mhd", {})
    mine = request_of.output_root / "gerd.raw"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    outcomes = {outcome.study: outcome for outcome in run_batch(request_of, Listener())}
    assert outcomes["gerd.mhd"].kind == "output-refused"
    mine.unlink()
    outcomes = {outcome.study: outcome for outcome in run_batch(request_of, Listener())}
    assert outcomes["gerd.mhd"].status == "done"
    assert read_study(request_of.output_root / "gerd.mhd").array.shape == ct_array.shape


def test_a_place_that_a_failed_study_left_free_is_not_the_batchs_own(request_of: BatchRequest) -> None:
    run_batch(request_of, Listener())
    mine = request_of.output_root / "emil.nrrd"
    mine.write_text("mine", encoding="utf-8")
    outcomes = {outcome.study: outcome for outcome in run_batch(request_of, Listener())}
    assert outcomes["emil.nrrd"].kind == "output-refused"
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_stopped_batch_keeps_what_is_done_and_goes_on(request_of: BatchRequest) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_batch(request_of, Listener(stop_at="carl.nii.gz"))
    stored = json.loads((request_of.output_root / "batch.json").read_text(encoding="utf-8"))
    assert [study["status"] for study in stored["studies"]] == ["done"] * 3 + ["not run"] * 3 + ["failed"]
    again = Listener()
    run_batch(request_of, again)
    assert again.began == GOOD[3:] + UNREADABLE


def test_a_batch_that_was_killed_between_writing_and_noting_goes_on(request_of: BatchRequest) -> None:
    run_batch(request_of, Listener())
    state = request_of.output_root / "batch.jsonl"
    lines = state.read_text(encoding="utf-8").splitlines()
    last = max(i for i, text in enumerate(lines) if '"facts"' in text)
    state.write_text("\n".join(lines[:last]) + "\n" + lines[last][:25], encoding="utf-8")
    again = Listener()
    outcomes = run_batch(request_of, again)
    assert again.began == ["deep/er/carl.nrrd", *UNREADABLE]
    assert statuses(outcomes)["deep/er/carl.nrrd"] == "done"
    assert BatchState(request_of.output_root).record_of(request_of.output_root / "deep/er/carl.nrrd").done


def test_formats_are_converted_without_two_studies_sharing_a_name(
    request_of: BatchRequest, ct_array: np.ndarray
) -> None:
    root = request_of.input_root
    write_image(Volume(ct_array), root / "carl.nrrd", {})
    write_image(Volume(ct_array), root / "carl.mha", {})
    outcomes = run_batch(replace(request_of, format="nrrd", report=False), Listener())
    out = request_of.output_root
    written = {path.relative_to(out).as_posix() for path in out.rglob("*.nrrd")}
    converted = {"anna/CT.nrrd", f"bert/{UID}.1.nrrd", f"bert/{UID}.2.nrrd", "deep/er/carl.nrrd"}
    assert written == converted | {"carl.nrrd", "carl.nii.gz.nrrd", "carl.mha.nrrd"}
    assert statuses(outcomes)["carl.mha"] == "done"
    assert not list(out.rglob("*.json.report*"))


def test_image_files_cannot_become_dicom(request_of: BatchRequest) -> None:
    outcomes = {o.study: o for o in run_batch(replace(request_of, format="dicom"), Listener())}
    assert outcomes["anna/CT"].status == "done"
    assert outcomes["carl.nii.gz"].kind == "output-refused"
    assert "derived from a DICOM series" in outcomes["carl.nii.gz"].message


def test_companions_are_written_where_they_are_asked_for(request_of: BatchRequest) -> None:
    run_batch(replace(request_of, residual=True, figure=True), Listener())
    names = {path.name for path in (request_of.output_root / "deep" / "er").iterdir()}
    assert names == {"carl.nrrd", "carl.residual.nrrd", "carl.report.json", "carl.figure.png"}
    assert len(list((request_of.output_root / "anna" / "CT.residual").iterdir())) == 5


def test_two_studies_whose_files_would_clash_do_not_overwrite_each_other(
    request_of: BatchRequest, ct_array: np.ndarray
) -> None:
    write_image(Volume(ct_array[::-1]), request_of.input_root / "deep" / "er" / "carl.residual.nrrd", {})
    outcomes = {o.study: o for o in run_batch(replace(request_of, residual=True), Listener())}
    states = sorted(outcomes[f"deep/er/carl{infix}.nrrd"].status for infix in ("", ".residual"))
    assert states == ["done", "failed"]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"options": DenoiseOptions("no-such-model")}, "model-unknown"),
        ({"options": DenoiseOptions("tiny-redcnn", strength=2)}, "bad-option"),
        ({"options": DenoiseOptions("tiny-redcnn", device="cuda:77")}, "device-unavailable"),
        ({"output_root": "{tree}/out"}, "output-refused"),
        ({"output_root": "{tree}/.."}, "output-refused"),
        ({"output_root": "{tree}/emil.nrrd/x"}, "output-refused"),
        ({"input_root": "{tree}/nowhere"}, "input-missing"),
        ({"input_root": "{tree}/empty"}, "input-missing"),
    ],
)
def test_what_concerns_all_studies_stops_the_batch_before_it_writes(
    changes: dict[str, object], kind: str, request_of: BatchRequest, tree: Path
) -> None:
    (tree / "empty").mkdir()
    paths = {name: Path(str(value).format(tree=tree)) for name, value in changes.items() if name.endswith("root")}
    with pytest.raises(MedEnhanceError) as refused:
        run_batch(replace(request_of, **{**changes, **paths}), Listener())
    assert refused.value.kind == kind
    assert not list(request_of.output_root.rglob("*.nrrd"))


def test_the_command_prints_the_table_and_fails_when_a_study_failed(
    request_of: BatchRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["batch", "denoise-ct", str(request_of.input_root), str(request_of.output_root), "--model", "tiny-redcnn"]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert "5 done, 2 failed" in out
    assert "batch.csv" in out
    assert f"frida failed: {NOT_CT}" in err
    for name in BAD:
        path = request_of.input_root / name
        path.unlink() if path.is_file() else [file.unlink() for file in path.iterdir()]
    assert main(words) == 0
    assert "5 skipped" in capsys.readouterr().out


def test_tables_take_names_that_are_no_unicode(tmp_path: Path) -> None:
    write_tables([StudyOutcome("caf\udce9", None, "failed", "x", message='bad, "very" bad\nindeed')], tmp_path)
    with (tmp_path / "batch.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["message"] == 'bad, "very" bad\nindeed'
    assert json.loads((tmp_path / "batch.json").read_text(encoding="utf-8"))["studies"][0]["study"] == "caf\udce9"


@pytest.fixture(scope="module")
def scheduler() -> object:
    """A Dask cluster with one worker in this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp", host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_bytes(request_of: BatchRequest, scheduler: str, tmp_path: Path) -> None:
    here = run_batch(request_of, Listener())
    there = run_batch(replace(request_of, output_root=tmp_path / "there", scheduler=scheduler), Listener())
    assert statuses(here) == statuses(there)
    for name in GOOD:
        assert contents(request_of.output_root / name) == contents(tmp_path / "there" / name)
    again = run_batch(replace(request_of, output_root=tmp_path / "there", scheduler=scheduler), Listener())
    assert [outcome.status for outcome in again].count("skipped") == len(GOOD)


def contents(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in ([path] if path.is_file() else sorted(path.iterdir()))]


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_does_not_answer_is_named(request_of: BatchRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(batch_cluster, "CONNECT_S", 1)
    with pytest.raises(MedEnhanceError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_batch(replace(request_of, scheduler="tcp://127.0.0.1:9"), Listener())


def test_without_distributed_the_scheduler_option_says_how_to_get_it(
    request_of: BatchRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MedEnhanceError, match=r"medenhance\[cluster\]"):
        run_batch(replace(request_of, scheduler="tcp://127.0.0.1:9"), Listener())


@pytest.mark.filterwarnings("ignore")
def test_workers_of_another_version_are_refused(
    request_of: BatchRequest, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_cluster, "__version__", "0.0.0")
    monkeypatch.setattr(batch_cluster, "installed_version", platform.python_version)
    with pytest.raises(MedEnhanceError, match=r"this is 0\.0\.0"):
        run_batch(replace(request_of, scheduler=scheduler), Listener())
