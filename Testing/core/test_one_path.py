"""Library call, command, worker and batch are one path: their outputs are equal bit for bit."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from medenhance.__main__ import main
from medenhance.study import read_study, write_study
from medenhance.tasks.denoise_ct import DenoiseOptions, denoise_ct, derivation
from medenhance.worker import serve


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
