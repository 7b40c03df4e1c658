"""`enhance-spine`: the original stays, changes are stated, both angles stand side by side, nothing is half-written."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from scipy.ndimage import label
from spine_samples import SHAPE, SPACING_MM, drawn_back, save_png, spine_model, tilt_deg

import medenhance.enhance_projection
import medenhance.tasks.enhance_spine as task
from medenhance.__main__ import main
from medenhance.added_models import add_model
from medenhance.enhance_projection import EnhancedProjection
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.image_files import write_image
from medenhance.progress import Silent
from medenhance.provenance import Provenance
from medenhance.spine.coronal_input import of_image
from medenhance.spine.support import doubtful_ends, structures
from medenhance.spine.working_scale import working_scale
from medenhance.tasks.enhance_spine import EnhanceSpineOptions, EnhanceSpineRequest, run
from medenhance.tasks.export_dicom import ExportRequest
from medenhance.tasks.export_dicom import run as export
from medenhance.volume import Grid, Volume
from medenhance.worker import serve

MODEL = "tiny-spine"


@pytest.fixture(scope="module")
def back() -> tuple[np.ndarray, np.ndarray]:
    return drawn_back()


@pytest.fixture
def png(tmp_path: Path, back: tuple[np.ndarray, np.ndarray]) -> Path:
    return save_png(tmp_path / "Rücken 背部" / "back.png", back[0])


@pytest.fixture
def model(cache: Path, tmp_path: Path, write_model: Any) -> str:
    """A random model that is added to the cache."""
    write_model(tmp_path / f"{MODEL}.safetensors", **spine_model())
    return add_model(tmp_path / f"{MODEL}.safetensors", cache).id


@pytest.fixture
def knowing(model: str, back: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that fills the dashes and segments as drawn: what is tested here is not its weights."""
    labels = back[1]

    def enhance(_predictor: Any, seen: np.ndarray, _progress: Any = None) -> EnhancedProjection:
        filled = np.where((seen == 0) & (np.arange(SHAPE[1]) >= 12) & (np.arange(SHAPE[1]) < SHAPE[1] - 12), 170, seen)
        return EnhancedProjection(filled.astype(np.uint8), labels, np.zeros((4, *SHAPE), np.float32), seen > 0)

    monkeypatch.setattr(medenhance.enhance_projection, "enhance_projection", enhance)
    monkeypatch.setattr(task, "segment_projection", lambda _segmenter, _seen, _progress=None: labels)


def options(**changes: Any) -> EnhanceSpineOptions:
    return replace(EnhanceSpineOptions(model=MODEL, spacing_mm=SPACING_MM, device="cpu"), **changes)


@pytest.mark.usefixtures("knowing")
def test_both_angles_stand_in_the_report_with_interval_difference_and_assumed_levels(png: Path, tmp_path: Path) -> None:
    report = run(EnhanceSpineRequest(png, tmp_path / "out", options()))
    truth = tilt_deg(90 + 13 * 60) - tilt_deg(90)
    [pair] = report.pairs
    assert pair.original is not None
    assert pair.original.angle_deg == pytest.approx(truth, abs=3)
    assert pair.original.interval_deg[0] < pair.original.angle_deg < pair.original.interval_deg[1]
    assert pair.difference_deg == pytest.approx(0, abs=1e-9)
    stored = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert stored["levels_assumed"] is True
    assert "not Cobb" in stored["notice"]
    text = (tmp_path / "out" / "curves.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["image"] for row in rows] == ["original", "enhanced"]
    assert {row["levels"] for row in rows} == {"assumed"}


@pytest.mark.usefixtures("knowing")
def test_the_original_stays_beside_the_enhanced_image_and_the_generated_share_is_that_of_the_dashes(
    png: Path, back: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    report = run(EnhanceSpineRequest(png, tmp_path / "out", options()))
    image = back[0]
    read = {one: np.array(Image.open(tmp_path / "out" / f"{one}.png")) for one in ("original", "enhanced", "generated")}
    assert np.array_equal(read["original"], image)
    dashes = np.zeros(SHAPE, bool)
    dashes[200:420:9, 60:200:3] = True
    assert np.array_equal(read["generated"] > 0, dashes)
    assert np.array_equal(read["enhanced"][~dashes], image[~dashes])
    assert report.changes is not None
    assert report.changes.generated_share == pytest.approx(dashes.sum() / (SHAPE[0] * (SHAPE[1] - 24)), rel=1e-6)
    overlay = np.array(Image.open(tmp_path / "out" / "overlay.png"))
    assert (overlay[dashes] == (255, 140, 0)).all()


def test_with_no_model_at_hand_it_says_so_and_writes_nothing(
    cache: Path, png: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not cache.exists()
    assert main(["enhance-spine", str(png), str(tmp_path / "out"), "--spacing-mm", "0.4", "0.4"]) == 1
    told = capsys.readouterr().err
    assert "No model for spine ultrasound" in told
    assert "medenhance models add" in told
    assert not (tmp_path / "out").exists()


def test_the_command_the_task_and_the_worker_write_the_same_pixels(model: str, png: Path, tmp_path: Path) -> None:
    steps = ("enhance", "segment")
    run(EnhanceSpineRequest(png, tmp_path / "task", options(steps=steps)))
    words = ["enhance-spine", str(png), str(tmp_path / "command"), "--model", model, "--steps", *steps]
    assert main([*words, "--spacing-mm", "0.4", "0.4", "--device", "cpu"]) == 0
    asked = {"model": model, "steps": steps, "spacing_mm": SPACING_MM, "device": "cpu"}
    last = by_worker("enhance-spine", png, tmp_path / "worker", asked)
    assert last["report"]["run"]["model_id"] == model
    names = sorted(path.name for path in (tmp_path / "task").iterdir())
    assert {"original.png", "enhanced.nrrd", "labels_original.png", "labels_enhanced.png", "report.json"} <= set(names)
    for way in ("command", "worker"):
        assert sorted(path.name for path in (tmp_path / way).iterdir()) == names
        for name in names:
            if name != "report.json":  # that states the time it took
                assert (tmp_path / way / name).read_bytes() == (tmp_path / "task" / name).read_bytes(), (way, name)


@pytest.mark.parametrize(
    ("steps", "written"),
    [
        (("enhance",), {"enhanced.png", "generated.png"}),
        (("segment",), {"labels_original.png"}),
        (("enhance", "segment"), {"enhanced.png", "generated.png", "labels_original.png", "labels_enhanced.png"}),
    ],
)
def test_each_step_can_be_done_alone(model: str, png: Path, tmp_path: Path, steps: Any, written: set[str]) -> None:
    report = run(EnhanceSpineRequest(png, tmp_path / "out", options(model=model, steps=steps)))
    pictures = {path.name for path in (tmp_path / "out").glob("*.png")} - {"original.png", "overlay.png"}
    assert pictures == written
    assert report.original is None


def test_segmentation_of_the_original_does_not_depend_on_the_enhancer(
    model: str, cache: Path, png: Path, tmp_path: Path, write_model: Any
) -> None:
    without = {**spine_model()["config"], "enhancer": None}
    entry = write_model(tmp_path / "plain.safetensors", **spine_model(config=without))
    import torch

    from medenhance.predict import Predictor
    from medenhance.segment_projection import segment_projection, segmenter_of
    from medenhance.weights import locate

    chosen = task.require_model(options(model=model))
    whole = Predictor.load(chosen, locate(chosen), device="cpu")
    plain = Predictor.load(entry, tmp_path / "plain.safetensors", device="cpu")
    assert isinstance(whole.network.segmenter, torch.nn.Module)
    plain.network.segmenter.load_state_dict(whole.network.segmenter.state_dict())
    image = drawn_back(3)[0]
    alone, expected, joint = (one.restore_and_classify(image)[1] for one in (segmenter_of(whole), plain, whole))
    assert np.array_equal(alone, expected)
    assert np.abs(alone - joint).max() > 1e-3  # else nothing was compared
    found = segment_projection(segmenter_of(whole), image)
    assert np.array_equal(found[image > 0], expected.argmax(axis=0)[image > 0])


def test_angles_are_refused_without_a_pixel_size_and_nothing_is_written(model: str, png: Path, tmp_path: Path) -> None:
    with pytest.raises(MedEnhanceError, match="no pixel size") as error:
        run(EnhanceSpineRequest(png, tmp_path / "out", options(model=model, spacing_mm=None)))
    assert error.value.kind == "input-unsuitable"
    assert not (tmp_path / "out").exists()


def test_measuring_needs_segmenting(model: str, png: Path, tmp_path: Path) -> None:
    with pytest.raises(MedEnhanceError, match="needs a segmentation"):
        run(EnhanceSpineRequest(png, tmp_path / "out", options(model=model, steps=("enhance", "measure"))))


def test_a_colour_image_is_refused(model: str, tmp_path: Path) -> None:
    path = save_png(tmp_path / "colour.png", np.zeros((64, 64, 3), np.uint8) + np.arange(64, dtype=np.uint8)[:, None])
    with pytest.raises(MedEnhanceError, match="colour image"):
        run(EnhanceSpineRequest(path, tmp_path / "out", options(model=model)))


def test_an_empty_image_is_refused(model: str, tmp_path: Path) -> None:
    path = save_png(tmp_path / "empty.png", np.zeros((64, 64), np.uint8))
    with pytest.raises(MedEnhanceError, match="empty"):
        run(EnhanceSpineRequest(path, tmp_path / "out", options(model=model)))


def test_a_volume_without_the_step_project_is_refused(model: str, tmp_path: Path) -> None:
    path = tmp_path / "volume.nrrd"
    write_image(Volume(np.ones((4, 5, 6), np.uint8)), path, {})
    with pytest.raises(MedEnhanceError, match="is a volume"):
        run(EnhanceSpineRequest(path, tmp_path / "out", options(model=model, steps=("segment",))))


@pytest.mark.parametrize(
    ("direction", "word"),
    [((-1.0, 0, 0, 0, 0, 1, 0, 1, 0), "upside down"), ((1.0, 0, 0, 0, 0, 1, 0, -1, 0), "mirrored")],
)
def test_a_coronal_slice_that_is_turned_is_refused(direction: tuple[float, ...], word: str, tmp_path: Path) -> None:
    path = tmp_path / "turned.nrrd"
    write_image(Volume(drawn_back()[0][None], Grid((0.4, 0.4, 10), (0, 0, 0), direction)), path, {})
    with pytest.raises(MedEnhanceError, match=word):
        of_image(path, None)
    assert of_image(path, None, trust_axes=True).spacing_mm == (0.4, 0.4)


@pytest.mark.usefixtures("knowing")
def test_files_keep_the_geometry_of_their_input(back: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    path, grid = tmp_path / "in.nrrd", Grid((0.37, 0.39, 9.5), (40.25, -7, 310.5), (-1.0, 0, 0, 0, 0, 1, 0, -1, 0))
    write_image(Volume(back[0][None], grid), path, {})
    run(EnhanceSpineRequest(path, tmp_path / "out", options(spacing_mm=None)))
    expected = sitk.ReadImage(str(path))
    for name in ("enhanced", "generated", "labels_enhanced"):
        found = sitk.ReadImage(str(tmp_path / "out" / f"{name}.nrrd"))
        assert found.GetSpacing() == expected.GetSpacing()
        assert found.GetOrigin() == expected.GetOrigin()
        assert found.GetDirection() == expected.GetDirection()


class CancelledAt(Silent):
    """Cancels when a stage is reached."""

    def __init__(self, stage: str) -> None:
        self._stage, self._now = stage, False

    def update(self, stage: str, _fraction: float) -> None:
        self._now = self._now or stage == self._stage

    def cancelled(self) -> bool:
        return self._now


@pytest.mark.parametrize("stage", ["read", "enhance", "segment", "measure"])
def test_a_run_that_is_cancelled_leaves_nothing(model: str, png: Path, tmp_path: Path, stage: str) -> None:
    before = set(tmp_path.rglob("*"))
    with pytest.raises(Cancelled):
        run(EnhanceSpineRequest(png, tmp_path / "out", options(model=model)), CancelledAt(stage))
    assert set(tmp_path.rglob("*")) == before


def test_a_process_that_no_original_shows_is_told_apart_from_one_that_was_seen(
    back: tuple[np.ndarray, np.ndarray],
) -> None:
    image, labels = back
    numbered, _ = label(labels == 2)
    victim = numbered == numbered[163, 154]  # the left process of the second level
    assert labels[163, 154] == 2
    erased = image.copy()
    erased[victim] = np.random.default_rng(1).normal(170, 25, int(victim.sum())).clip(1, 255)
    found = structures(labels, image, [erased])
    assert [(one.row, one.column) for one in found if not one.supported] == [tuple(np.argwhere(victim).mean(axis=0))]
    assert all(one.supported for one in structures(labels, image, [erased, image]))  # another depth shows it


@pytest.mark.usefixtures("knowing")
def test_an_end_level_without_support_in_any_depth_is_warned_of(
    back: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, labels = back
    top = (labels == 2) & (np.arange(SHAPE[0])[:, None] < 115)  # both processes of the uppermost level
    seen = image.copy()
    seen[top] = np.random.default_rng(2).normal(170, 25, int(top.sum())).clip(1, 255)

    def enhance(_predictor: Any, _seen: np.ndarray, _progress: Any = None) -> EnhancedProjection:
        return EnhancedProjection(image, labels, np.ones((4, *SHAPE), np.float32), image > 0)

    monkeypatch.setattr(medenhance.enhance_projection, "enhance_projection", enhance)
    path = save_png(tmp_path / "seen.png", seen)
    report = run(EnhanceSpineRequest(path, tmp_path / "out", options()))
    assert report.enhanced is not None
    assert report.doubtful_levels == (report.enhanced.curves[0].upper,)
    assert any("End levels" in warning for warning in report.warnings)
    other = save_png(tmp_path / "other.png", image)
    report = run(EnhanceSpineRequest(path, tmp_path / "again", options(other_depths=(other,))))
    assert report.doubtful_levels == ()


def test_a_structure_that_the_network_is_not_sure_of_is_doubtful(back: tuple[np.ndarray, np.ndarray]) -> None:
    from medenhance.spine.angle import measure

    image, labels = back
    confidence = np.full(SHAPE, 0.9, np.float32)
    confidence[:115] = 0.6  # both processes of the uppermost level
    found = structures(labels, image, [image], confidence)
    assert [one.confidence for one in found if one.doubtful] == pytest.approx([0.6, 0.6], abs=0.05)
    assert all(one.supported for one in found)
    measured = measure(labels, SPACING_MM)
    assert doubtful_ends(found, measured) == (measured.curves[0].upper,)
    assert not any(one.doubtful for one in structures(labels, image, [image])), "nothing is known of its confidence"


@pytest.mark.usefixtures("knowing")
def test_the_report_counts_what_the_network_is_not_sure_of(
    back: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, labels = back
    probabilities = np.full((4, *SHAPE), 0.1, np.float32)
    probabilities[0] = np.where(np.arange(SHAPE[0])[:, None] < 115, 0.5, 0.9)

    def enhance(_predictor: Any, _seen: np.ndarray, _progress: Any = None) -> EnhancedProjection:
        return EnhancedProjection(image, labels, probabilities, image > 0)

    monkeypatch.setattr(medenhance.enhance_projection, "enhance_projection", enhance)
    report = run(EnhanceSpineRequest(save_png(tmp_path / "seen.png", image), tmp_path / "out", options()))
    assert report.enhanced is not None
    assert report.doubtful_levels == (report.enhanced.curves[0].upper,)
    assert any("not sure of 2 of" in warning for warning in report.warnings)


def test_levels_are_named_only_by_structures_on_their_lines(back: tuple[np.ndarray, np.ndarray]) -> None:
    from medenhance.spine.angle import measure

    image, labels = back
    measured = measure(labels, SPACING_MM)
    found = structures(labels, image, [image])
    away = [replace(one, supported=False) for one in found if 250 < one.row < 500]
    assert away
    assert doubtful_ends(away, measured) == ()


def test_an_image_of_other_pixels_is_taken_to_the_models_scale_and_back() -> None:
    image = drawn_back()[0]
    scale = working_scale(SHAPE, (0.5, 0.5), (0.1, 0.4))
    assert scale.working_shape == (2500, 900)
    assert np.abs(scale.leave(scale.enter(image)) - image)[image > 0].mean() < 8
    assert scale.leave_labels(np.full(scale.working_shape, 2, np.uint8)).tolist() == np.full(SHAPE, 2).tolist()
    assert working_scale(SHAPE, (0.3, 0.2), (0.1, 0.4)).is_own


def test_the_worker_projects_and_measures_too(back: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    labels = save_png(tmp_path / "labels.png", back[1])
    last = by_worker("measure-uca", labels, None, {"spacing_mm": SPACING_MM})
    assert last["report"]["original"]["curves"][0]["angle_deg"] > 20
    last = by_worker("project-vpi", labels, tmp_path / "out", {})
    assert last["kind"] == "input-unsuitable"
    assert not (tmp_path / "out").exists()


def by_worker(name: str, source: Path, output: Path | None, asked: dict[str, Any]) -> dict[str, Any]:
    """The last event of a request."""
    request = {"id": "1", "task": name, "input": str(source), "options": asked}
    request["output"] = None if output is None else str(output)
    events = io.StringIO()
    serve(io.BytesIO(json.dumps(request).encode() + b"\n"), events)
    return json.loads(events.getvalue().splitlines()[-1])


def test_an_enhanced_image_is_exported_beside_its_dicom_source(tmp_path: Path) -> None:
    source, image = tmp_path / "source.dcm", drawn_back()[0]
    coronal(image).save_as(source, enforce_file_format=True)
    grid = Grid((0.4, 0.4, 1.0), (-70.0, 15.0, 200.0), (1.0, 0, 0, 0, 0, 1, 0, -1, 0))
    enhanced = np.clip(image.astype(int) + 9 * (image > 0), 0, 255).astype(np.uint8)
    write_image(Volume(enhanced[None], grid, "US"), tmp_path / "enhanced.nrrd", {})
    facts = Provenance("tiny-spine", "0.1", "ab" * 32, 1.0, "fp32", "enhanced")
    export(ExportRequest(tmp_path / "enhanced.nrrd", (source,), tmp_path / "out", facts))
    [path] = (tmp_path / "out").rglob("*.dcm")
    written = pydicom.dcmread(path)
    assert np.array_equal(written.pixel_array, enhanced)
    assert written.PatientID == "7"
    assert written.ImageType[0] == "DERIVED"
    assert "enhanced (research use only)" in written.SeriesDescription
    assert "CT" not in written.DerivationDescription


def coronal(image: np.ndarray) -> Dataset:
    """A coronal ultrasound image with a place in the patient."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SecondaryCaptureImageStorage
    uid = "1.2.826.0.1.3680043.8.498.9"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = f"{uid}.1.1"
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = f"{uid}.1", uid, f"{uid}.9"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Test^One", "7", "", ""
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20200102", "030405", "1", ""
    dataset.ReferringPhysicianName, dataset.Manufacturer, dataset.PositionReferenceIndicator = "", "Test", ""
    dataset.Modality, dataset.SeriesDescription, dataset.ConversionType = "US", "back", "WSD"
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.ImageType = 2, 1, ["ORIGINAL", "PRIMARY"]
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [-70.0, 15.0, 200.0], [1, 0, 0, 0, 0, -1]
    dataset.PixelSpacing, dataset.SliceThickness = [0.4, 0.4], 1.0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = image.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = image.tobytes()
    return dataset
