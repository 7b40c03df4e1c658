"""A result in an image file becomes a DICOM series again, the same as if it had been made from DICOM."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from medenhance.__main__ import main
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.progress import Silent
from medenhance.provenance import Provenance
from medenhance.study import NO_SOURCE, read_study
from medenhance.tasks.denoise_ct import DenoiseOptions, DenoiseRequest
from medenhance.tasks.denoise_ct import run as denoise
from medenhance.tasks.export_dicom import ExportRequest, run
from medenhance.worker import serve

WriteDicom = Callable[..., Path]
MADE = Provenance("tiny-redcnn", "1.2", "ab" * 32, 0.5, "fp32")


@pytest.fixture
def folder(tmp_path: Path, ct_array: np.ndarray, write_dicom: WriteDicom) -> Path:
    return write_dicom(tmp_path / "DICOM", ct_array)


@pytest.fixture
def volume(folder: Path, tmp_path: Path) -> Path:
    """The study as another program saves it."""
    return saved(read_study(folder).array, folder, tmp_path / "volume.nrrd")


def saved(array: np.ndarray, like: Path, path: Path) -> Path:
    grid = read_study(like).grid
    image = sitk.GetImageFromArray(array.astype(np.int16))
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction)
    sitk.WriteImage(image, path)
    return path


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def spread(folder: Path, positions: list[list[float]]) -> None:
    """Put the slices of a series at other places."""
    for path, position in zip(sorted(folder.iterdir()), positions, strict=True):
        dataset = pydicom.dcmread(path)
        dataset.ImagePositionPatient = position
        dataset.save_as(path)


def test_an_export_equals_the_series_that_is_made_from_dicom_at_once(
    folder: Path, volume: Path, tiny_model: str, tmp_path: Path
) -> None:
    options = DenoiseOptions(tiny_model, strength=0.7)
    denoise(DenoiseRequest(folder, tmp_path / "direct", tmp_path / "direct removed", options=options))
    made = denoise(DenoiseRequest(volume, tmp_path / "out.nrrd", tmp_path / "removed.nrrd", options=options))
    for file, what, expected in (
        ("out.nrrd", "denoised", "direct"),
        ("removed.nrrd", "removed", "direct removed"),
    ):
        provenance = Provenance.of_run(made.run, what)  # type: ignore[arg-type]
        assert run(ExportRequest(tmp_path / file, (folder,), tmp_path / what, provenance)) == ()
        assert contents_of(tmp_path / what) == contents_of(tmp_path / expected)
    assert not np.array_equal(read_study(tmp_path / "denoised").array, read_study(folder).array)


def test_the_series_says_how_it_was_made(folder: Path, volume: Path, tmp_path: Path) -> None:
    run(ExportRequest(volume, (folder,), tmp_path / "out", MADE))
    dataset = pydicom.dcmread(tmp_path / "out" / "0001.dcm")
    assert dataset.SeriesDescription == "abdomen denoised (research use only)"
    assert "tiny-redcnn 1.2" in dataset.DerivationDescription
    assert "strength 0.5" in dataset.DerivationDescription
    assert "ab" * 32 in dataset.ContributingEquipmentSequence[0].SoftwareVersions
    assert dataset.PatientName == "Test^One"
    sources = {path: pydicom.dcmread(path).SOPInstanceUID for path in folder.iterdir()}
    assert dataset.SourceImageSequence[0].ReferencedSOPInstanceUID in sources.values()


def test_a_volume_stored_the_other_way_round_gives_the_same_series(folder: Path, volume: Path, tmp_path: Path) -> None:
    turned = sitk.Flip(sitk.ReadImage(volume), (True, False, True))
    sitk.WriteImage(turned, tmp_path / "turned.nrrd")
    assert np.array_equal(read_study(tmp_path / "turned.nrrd").array, read_study(folder).array[::-1, :, ::-1])
    for name in ("volume", "turned"):
        run(ExportRequest(tmp_path / f"{name}.nrrd", (folder,), tmp_path / name, MADE))
    assert contents_of(tmp_path / "turned") == contents_of(tmp_path / "volume")


def test_files_of_the_source_may_be_named_one_by_one_in_any_order(folder: Path, volume: Path, tmp_path: Path) -> None:
    files = tuple(sorted(folder.iterdir(), reverse=True))
    run(ExportRequest(volume, files, tmp_path / "by file", MADE))
    run(ExportRequest(volume, (folder,), tmp_path / "by folder", MADE))
    assert contents_of(tmp_path / "by file") == contents_of(tmp_path / "by folder")
    with pytest.raises(MedEnhanceError, match="its DICOM series 4 slices"):
        run(ExportRequest(volume, files[1:], tmp_path / "too few", MADE))


def test_unequal_gaps_and_a_tilted_gantry_are_kept(folder: Path, tmp_path: Path, ct_array: np.ndarray) -> None:
    """The volume is what other programs make of it: slices at the mean step along the tilted axis."""
    z = [0.0, 2.0, 5.5, 6.0, 11.0]
    spread(folder, [[-10.5, 20.25 - 0.3 * height, height] for height in z])
    assert read_study(folder).grid.slice_origins_mm is not None
    volume = saved(read_study(folder).array, folder, tmp_path / "volume.nrrd")
    assert read_study(volume).grid.slice_origins_mm is None
    run(ExportRequest(volume, (folder,), tmp_path / "out", MADE))
    assert read_study(tmp_path / "out").grid == read_study(folder).grid
    assert np.array_equal(read_study(tmp_path / "out").array, read_study(folder).array)


def test_one_of_several_series_is_named(tmp_path: Path, ct_array: np.ndarray, write_dicom: WriteDicom) -> None:
    folder = write_dicom(tmp_path / "DICOM", ct_array, series="1")
    volume = saved(ct_array, folder, tmp_path / "volume.nrrd")
    write_dicom(folder, ct_array[:3], series="2")
    with pytest.raises(MedEnhanceError) as caught:
        run(ExportRequest(volume, (folder,), tmp_path / "out", MADE))
    assert caught.value.kind == "series-ambiguous"
    run(ExportRequest(volume, (folder,), tmp_path / "out", MADE, series="1.2.826.0.1.3680043.8.498.7.1"))
    assert len(contents_of(tmp_path / "out")) == len(ct_array)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"source": ()}, "output-refused", "can only be derived from a DICOM series"),
        ({"source": ("volume.nrrd",)}, "output-refused", "can only be derived from a DICOM series"),
        ({"source": ("gone",)}, "input-missing", "gone"),
        ({"input": "gone.nrrd"}, "input-missing", "gone.nrrd"),
        ({"input": "DICOM"}, "input-unsuitable", "no volume file"),
        ({"output": "out.nrrd"}, "output-refused", "no name for a DICOM series"),
        ({"output": "DICOM"}, "output-refused", "is the input itself"),
        ({"output": "DICOM/inside"}, "output-refused", "inside the input folder"),
        ({"output": "full"}, "output-refused", "not empty"),
        ({"output": "one.dcm"}, "output-refused", "5 slices"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_is_written(
    change: dict[str, Any], kind: str, words: str, folder: Path, volume: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    asked = {"input": "volume.nrrd", "source": ("DICOM",), "output": "out", **change}
    source = tuple(tmp_path / name for name in asked["source"])
    with pytest.raises(MedEnhanceError, match=words) as caught:
        run(ExportRequest(tmp_path / asked["input"], source, tmp_path / asked["output"], MADE))
    assert caught.value.kind == kind
    assert caught.value.hint
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("stage", ["scan", "write"])
def test_a_cancelled_export_leaves_nothing(stage: str, folder: Path, volume: Path, tmp_path: Path) -> None:
    class StopsAt(Silent):
        stopped = False

        def update(self, reached: str, fraction: float) -> None:
            self.stopped = self.stopped or (reached == stage and fraction > 0)

        def cancelled(self) -> bool:
            return self.stopped

    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Cancelled):
        run(ExportRequest(volume, (folder,), tmp_path / "new" / "out", MADE), StopsAt())
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_takes_the_provenance_from_the_trust_report(
    folder: Path, volume: Path, tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path / name) for name in ("volume.nrrd", "out.nrrd", "report.json", "exported")]
    source, output, report, exported = words
    assert main(["denoise-ct", source, output, "--model", tiny_model, "--report", report]) == 0
    assert main(["export-dicom", output, str(folder), exported, "--report", report]) == 0
    assert exported in capsys.readouterr().out
    assert main(["denoise-ct", str(folder), str(tmp_path / "direct"), "--model", tiny_model]) == 0
    assert contents_of(tmp_path / "exported") == contents_of(tmp_path / "direct")


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"run": {"model_id": 3}}'])
def test_the_command_refuses_what_is_no_trust_report(
    text: str | None, folder: Path, volume: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    if text is not None:
        report.write_text(text, encoding="utf-8")
    assert main(["export-dicom", str(volume), str(folder), str(tmp_path / "out"), "--report", str(report)]) == 1
    assert "report.json" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


PROVENANCE = {
    "model_id": MADE.model_id,
    "model_version": MADE.model_version,
    "weights_sha256": MADE.weights_sha256,
    "strength": MADE.strength,
    "precision": MADE.precision,
    "what": "denoised",
}


def by_worker(**payload: object) -> list[dict[str, Any]]:
    request = {"id": "1", "task": "export-dicom", "provenance": PROVENANCE, **payload}
    events = io.StringIO()
    serve(io.BytesIO(json.dumps(request).encode() + b"\n"), events)
    return [json.loads(line) for line in events.getvalue().splitlines()]


def test_the_worker_exports_like_the_function(folder: Path, volume: Path, tmp_path: Path) -> None:
    run(ExportRequest(volume, (folder,), tmp_path / "expected", MADE))
    sources = {"folder": str(folder), "files": list(map(str, folder.iterdir()))}
    for name, source in sources.items():
        output = str(tmp_path / name)
        events = by_worker(input=str(volume), source=source, output=output)
        assert events[-1] == {
            "id": "1",
            "event": "result",
            "outputs": {"output": output},
            "warnings": [],
        }
        assert {"load", "scan", "read", "write"} <= {event.get("stage") for event in events}
        assert contents_of(tmp_path / name) == contents_of(tmp_path / "expected")


def test_the_worker_refuses_an_export_without_a_source(volume: Path, tmp_path: Path) -> None:
    error = by_worker(input=str(volume), source=None, output=str(tmp_path / "out"))[-1]
    assert (error["event"], error["kind"], error["message"]) == ("error", "output-refused", NO_SOURCE)


def test_the_worker_refuses_a_provenance_with_an_unknown_key(volume: Path, tmp_path: Path) -> None:
    error = by_worker(input=str(volume), source=None, output="out", provenance={**PROVENANCE, "device": "cpu"})[-1]
    assert (error["kind"], "request.provenance.device" in error["message"]) == ("worker-protocol", True)
