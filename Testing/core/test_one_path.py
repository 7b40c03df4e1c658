"""Library call, command, worker and batch are one path: their outputs are equal bit for bit."""

from __future__ import annotations

import io
import json
from pathlib import Path

import head_samples
import numpy as np
import pytest

from medenhance.__main__ import main
from medenhance.added_models import add_model
from medenhance.image_files import read_image
from medenhance.study import read_study, write_study
from medenhance.tasks.denoise_ct import DenoiseOptions, denoise_ct, derivation
from medenhance.tasks.detect_hemorrhage import (
    DetectHemorrhageOptions,
    DetectHemorrhageRequest,
    detect_hemorrhage,
    run,
)
from medenhance.worker import serve

# Between the probabilities that the tiny random network gives, so that the mask is neither empty nor full.
MASK_THRESHOLD = 0.5


@pytest.fixture(params=["ct.nrrd", "ct.nii.gz", "DICOM"])
def study(request: pytest.FixtureRequest, ct_nrrd: Path, ct_array: np.ndarray, write_dicom) -> Path:
    """The same kind of study in three formats."""
    if request.param == "DICOM":
        return write_dicom(ct_nrrd.parent / "DICOM", ct_array)
    if request.param != ct_nrrd.name:
        write_study(read_study(ct_nrrd), ct_nrrd.parent / request.param, None)
    return ct_nrrd.parent / request.param


def test_every_way_in_writes_the_same_bytes(study: Path, tiny_model: str, tmp_path: Path) -> None:
    out = {way: tmp_path / way / study.name for way in ("library", "command", "worker", "batch")}
    by_library(study, out["library"], tiny_model)
    by_command(study, out["command"], tiny_model)
    by_worker(study, out["worker"], tiny_model)
    by_batch(study, out["batch"], tiny_model)
    contents = {way: contents_of(path) for way, path in out.items()}
    assert contents["library"]
    for way in ("command", "worker", "batch"):
        assert contents[way] == contents["library"], way


def test_the_model_changes_the_study(ct_nrrd: Path, tiny_model: str) -> None:
    volume = read_study(ct_nrrd)
    result = denoise_ct(volume, DenoiseOptions(tiny_model))
    assert not np.array_equal(result.volume.array, volume.array)


def by_library(study: Path, output: Path, model: str) -> None:
    result = denoise_ct(read_study(study), DenoiseOptions(model))
    write_study(result.volume, output, derivation(result.report))


def by_command(study: Path, output: Path, model: str) -> None:
    assert main(["denoise-ct", str(study), str(output), "--model", model]) == 0


def by_worker(study: Path, output: Path, model: str) -> None:
    request = {"id": "1", "task": "denoise-ct", "input": str(study), "output": str(output), "options": {"model": model}}
    events = io.StringIO()
    serve(io.BytesIO(json.dumps(request).encode() + b"\n"), events)
    assert json.loads(events.getvalue().splitlines()[-1])["event"] == "result"


def by_batch(study: Path, output: Path, model: str) -> None:
    root = output.parent.parent / "batch input"
    root.mkdir()
    (root / study.name).symlink_to(study, target_is_directory=study.is_dir())
    assert main(["batch", "denoise-ct", str(root), str(output.parent), "--model", model]) == 0


def contents_of(path: Path) -> dict[str, bytes]:
    """Name and bytes of a file, or of the files of a folder."""
    files = [path] if path.is_file() else sorted(path.iterdir())
    return {file.name: file.read_bytes() for file in files}


@pytest.fixture
def head(tmp_path: Path, write_dicom) -> Path:
    """A head with a bleed as a DICOM series."""
    volume, _ = head_samples.bleeding_head()
    return head_samples.write_head_dicom(tmp_path / "Kopf 头" / "CT", volume.array, write_dicom)


@pytest.fixture
def tiny_head_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_model) -> str:
    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path / "model cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_model(tmp_path / "tiny-head.safetensors", seed=3, **head_samples.head_model())
    return add_model(tmp_path / "tiny-head.safetensors", tmp_path / "model cache").id


def test_every_way_in_says_the_same_of_a_head(head: Path, tiny_head_model: str, tmp_path: Path) -> None:
    out = {way: tmp_path / way for way in ("task", "command", "worker", "batch")}
    options = DetectHemorrhageOptions(tiny_head_model, mask_threshold=MASK_THRESHOLD)
    run(DetectHemorrhageRequest(head, out["task"], options, dicom=("seg", "sr", "ko")))
    words = ["--model", tiny_head_model, "--mask-threshold", str(MASK_THRESHOLD), "--dicom", "seg", "sr", "ko"]
    assert main(["detect-hemorrhage", str(head), str(out["command"]), *words]) == 0
    asked = {"model": tiny_head_model, "mask_threshold": MASK_THRESHOLD, "dicom": ["seg", "sr", "ko"]}
    request = {"id": "1", "task": "detect-hemorrhage", "input": str(head), "output": str(out["worker"])}
    events = io.StringIO()
    serve(io.BytesIO(json.dumps({**request, "options": asked}).encode() + b"\n"), events)
    assert json.loads(events.getvalue().splitlines()[-1])["event"] == "result"
    assert main(["batch", "detect-hemorrhage", str(head.parent), str(out["batch"]), *words]) == 0
    found = {way: said_of(path if way != "batch" else path / "CT.hemorrhage") for way, path in out.items()}
    assert set(found["task"]) == {"mask.nrrd", "report.json", "seg.dcm", "sr.dcm", "ko.dcm"}
    for way in ("command", "worker", "batch"):
        assert found[way] == found["task"], way
    volume = read_study(head)
    result = detect_hemorrhage(volume, options, source=head.name)
    assert np.array_equal(read_image(out["task"] / "mask.nrrd").array, result.mask)
    assert timeless(result.report.to_json()) == found["task"]["report.json"]
    assert result.mask is not None
    assert 0 < result.mask.sum() < result.mask.size


def said_of(folder: Path) -> dict[str, object]:
    """Bytes of the files; of the report all but times and memory."""
    found: dict[str, object] = {path.name: path.read_bytes() for path in folder.iterdir()}
    found["report.json"] = timeless(json.loads((folder / "report.json").read_text(encoding="utf-8")))
    return found


def timeless(report: dict) -> dict:
    """A report without what no two runs share."""
    run_facts = {**report["findings"]["run"], "seconds": 0, "peak_memory_mb": 0}
    return {**report, "seconds": 0, "findings": {**report["findings"], "run": run_facts}}
