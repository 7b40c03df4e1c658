"""Spine ultrasound as DICOM: pictures and volumes in, derived image and segmentation out, or a clear error."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_samples import capture, enhanced_ultrasound, faults, missing
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sr.codedict import codes as standard
from pydicom.uid import JPEGBaseline8Bit
from spine_samples import save_png, spine_model

import medenhance.enhance_projection
import medenhance.tasks.enhance_spine as task
from medenhance.__main__ import main
from medenhance.added_models import add_model
from medenhance.dicom.picture import read_picture
from medenhance.enhance_projection import EnhancedProjection
from medenhance.errors import MedEnhanceError
from medenhance.image_files import write_image
from medenhance.progress import Silent
from medenhance.provenance import Provenance
from medenhance.spine.projection_files import read_projections
from medenhance.study import read_study
from medenhance.tasks.enhance_spine import EnhanceSpineOptions, EnhanceSpineRequest, run
from medenhance.tasks.export_dicom import ExportRequest
from medenhance.tasks.export_dicom import run as export_image
from medenhance.tasks.export_segmentation import ExportSegmentationRequest
from medenhance.tasks.export_segmentation import run as export_labels
from medenhance.tasks.project_vpi import ProjectionRequest, project_vpi
from medenhance.volume import Grid, Volume
from medenhance.worker import serve

MADE = Provenance("tiny-spine", "0.1", "ab" * 32, 1.0, "fp32", "enhanced")
CORONAL = (-1.0, 0.0, 0.0, 0.0, 0.0, -1.0)  # columns to the patient's right, rows to the feet


@pytest.fixture
def grey() -> np.ndarray:
    """(96, 64) uint8 of a scan with a border, as a projection has it."""
    image = np.random.default_rng(4).integers(40, 256, (96, 64)).astype(np.uint8)
    image[:, :4] = image[:, -4:] = 0
    return image


@pytest.fixture
def model(cache: Path, tmp_path: Path, write_model: Any) -> str:
    """A random model that is added to the cache."""
    write_model(tmp_path / "tiny-spine.safetensors", **spine_model())
    return add_model(tmp_path / "tiny-spine.safetensors", cache).id


@pytest.fixture
def network(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network with a known result, another one in every corner: what is tested here is where it goes."""

    def enhance(_predictor: Any, seen: np.ndarray, _progress: Any = None) -> EnhancedProjection:
        brighter = np.where(seen > 0, np.minimum(seen, 240) + np.arange(len(seen))[:, None] % 9, 0)
        scores = np.zeros((4, *seen.shape), np.float32)
        return EnhancedProjection(brighter.astype(np.uint8), drawn(seen.shape)[::-1].copy(), scores, seen > 0)

    monkeypatch.setattr(medenhance.enhance_projection, "enhance_projection", enhance)
    monkeypatch.setattr(task, "segment_projection", lambda _segmenter, seen, _progress=None: drawn(seen.shape))


def drawn(shape: tuple[int, ...]) -> np.ndarray:
    """(R, C) uint8 of the three classes, without any symmetry."""
    labels = np.zeros(shape, np.uint8)
    labels[2:9, 5:8], labels[20:30, 10:30], labels[33:, 12:15] = 1, 2, 3
    return labels


def options(**changes: Any) -> EnhanceSpineOptions:
    return EnhanceSpineOptions(**{"model": "tiny-spine", "steps": ("enhance", "segment"), "device": "cpu", **changes})


def read(path: Path) -> Dataset:
    return pydicom.dcmread(path)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "RGB"])
def test_a_grey_picture_is_read_however_it_is_stored(photometric: str, grey: np.ndarray, tmp_path: Path) -> None:
    path = capture(tmp_path / "us.dcm", grey, photometric)
    picture = read_picture(path, None, Silent())
    np.testing.assert_array_equal(picture.image, grey)
    assert picture.spacing_mm is None
    assert not picture.grid.spacing_known


def test_grey_as_compressed_or_uncompressed_luminance_is_grey(tmp_path: Path) -> None:
    smooth = np.add.outer(2 * np.arange(48), np.arange(40)).astype(np.uint8)
    dataset = read(capture(tmp_path / "us.dcm", smooth, "RGB"))
    dataset.PhotometricInterpretation = "YBR_FULL"
    dataset.PixelData = np.stack([smooth, *np.full((2, 48, 40), 128, np.uint8)], axis=-1).tobytes()
    dataset.save_as(tmp_path / "raw.dcm")
    np.testing.assert_array_equal(read_picture(tmp_path / "raw.dcm", None, Silent()).image, smooth)
    encoded = io.BytesIO()
    Image.fromarray(np.repeat(smooth[..., None], 3, axis=2)).save(encoded, "JPEG", quality=95)
    dataset.PhotometricInterpretation, dataset.file_meta.TransferSyntaxUID = "YBR_FULL_422", JPEGBaseline8Bit
    dataset.PixelData = encapsulate([encoded.getvalue() + b"\0" * (len(encoded.getvalue()) % 2)])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "jpeg.dcm")
    np.testing.assert_allclose(read_picture(tmp_path / "jpeg.dcm", None, Silent()).image, smooth, atol=3)


def test_the_pixel_size_of_ultrasound_regions_is_read_in_millimetres(grey: np.ndarray, tmp_path: Path) -> None:
    path = capture(tmp_path / "us.dcm", grey, regions=[(0.04, 0.02), (0.04, 0.02)])
    assert read_picture(path, None, Silent()).spacing_mm == pytest.approx((0.2, 0.4))
    odd = capture(tmp_path / "two.dcm", grey, regions=[(0.04, 0.02), (0.03, 0.02)])
    picture = read_picture(odd, None, Silent())
    assert picture.spacing_mm is None
    assert "several pixel sizes" in picture.warnings[0]
    seconds = capture(tmp_path / "doppler.dcm", grey, regions=[(0.04, 0.02)], units=4)
    assert read_picture(seconds, None, Silent()).spacing_mm is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("examples_rgb_color.dcm", "is a colour image"),
        ("examples_palette.dcm", "is a colour image"),
        ("examples_jpeg2k.dcm", "is a colour image"),
        ("examples_ybr_color.dcm", "30 images or frames"),
    ],
)
def test_colours_and_several_frames_are_no_picture(name: str, words: str) -> None:
    path = get_testdata_file(name)
    assert path is not None
    with pytest.raises(MedEnhanceError, match=words):
        read_picture(Path(str(path)), None, Silent())


def test_an_inverted_picture_is_refused(grey: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(MedEnhanceError, match="inverted"):
        read_picture(capture(tmp_path / "us.dcm", grey, "MONOCHROME1"), None, Silent())


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "RGB"])
def test_a_picture_gives_a_derived_image_and_segmentations_that_refer_to_it(
    photometric: str, grey: np.ndarray, tmp_path: Path
) -> None:
    source = capture(tmp_path / "us.dcm", grey, photometric, regions=[(0.03, 0.03)])
    report = run(EnhanceSpineRequest(source, tmp_path / "out", options(dicom=True)))
    assert report.spacing_mm == pytest.approx((0.3, 0.3))
    enhanced = read(tmp_path / "out" / "enhanced.dcm")
    np.testing.assert_array_equal(enhanced.pixel_array, picture(tmp_path / "out" / "enhanced.png"))
    assert enhanced.SeriesDescription == "back enhanced (research use only)"
    assert enhanced.ImageType[0] == "DERIVED"
    for name in ("original", "enhanced"):
        segmentation = read(tmp_path / "out" / f"seg_{name}.dcm")
        labels = picture(tmp_path / "out" / f"labels_{name}.png")
        np.testing.assert_array_equal(held(segmentation), labels)
        assert segmentation.ContentDescription.startswith("Research use only, not for clinical use")
        assert f"segmented={name} image" in str(
            segmentation.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters
        )
        assert source_uid(segmentation) == read(source).SOPInstanceUID
    for file in sorted((tmp_path / "out").glob("*.dcm")):
        dataset = read(file)
        assert (str(dataset.PatientName), dataset.StudyInstanceUID) == ("Test^Two", read(source).StudyInstanceUID)
        assert missing(dataset) == []
        assert faults(file) == []


def picture(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def held(segmentation: Dataset) -> np.ndarray:
    """(R, C) label map in a segmentation of one image, as highdicom reads it."""
    read_back = highdicom.seg.Segmentation.from_dataset(segmentation)
    frames = read_back.get_pixels_by_source_instance(
        [source_uid(segmentation)], combine_segments=True, assert_missing_frames_are_empty=True
    )
    return np.asarray(frames[0])


def source_uid(segmentation: Dataset) -> str:
    (frame, *_) = segmentation.PerFrameFunctionalGroupsSequence
    return str(frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)


@pytest.mark.usefixtures("network")
def test_the_classes_have_the_codes_of_what_they_are(grey: np.ndarray, tmp_path: Path) -> None:
    run(EnhanceSpineRequest(capture(tmp_path / "us.dcm", grey), tmp_path / "out", options(dicom=True)))
    segmentation = highdicom.seg.segread(tmp_path / "out" / "seg_original.dcm")
    rib, process, lump = (segmentation.get_segment_description(number) for number in (1, 2, 3))
    assert rib.segmented_property_type == standard.SCT.Rib
    assert process.segmented_property_type == standard.SCT.TransverseProcessOrVertebra
    assert process.anatomic_regions == [standard.SCT.ThoracicSpine]
    assert lump.segmented_property_type == standard.SCT.Vertebra
    assert lump.anatomic_regions == [standard.SCT.LumbarSpine]
    assert {one.segmented_property_category.meaning for one in (rib, process, lump)} == {"Anatomical Structure"}
    assert [one.segment_label for one in (rib, process, lump)] == ["Rib", "Thoracic transverse process", "Lumbar lump"]


@pytest.mark.usefixtures("network")
def test_a_picture_with_a_place_keeps_it_and_a_mirrored_one_is_refused(grey: np.ndarray, tmp_path: Path) -> None:
    placed = capture(tmp_path / "placed.dcm", grey, position=(-70, 15, 200), orientation=CORONAL)
    run(EnhanceSpineRequest(placed, tmp_path / "out", options(dicom=True)))
    segmentation = read(tmp_path / "out" / "seg_enhanced.dcm")
    frame = segmentation.PerFrameFunctionalGroupsSequence[0]
    assert frame.PlanePositionSequence[0].ImagePositionPatient == [-70, 15, 200]
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    assert tuple(shared.PlaneOrientationSequence[0].ImageOrientationPatient) == CORONAL
    assert read_study(tmp_path / "out" / "enhanced.dcm").grid.origin_mm == (-70, 15, 200)
    turned = capture(tmp_path / "turned.dcm", grey, position=(-70, 15, 200), orientation=(1, 0, 0, 0, 0, -1))
    with pytest.raises(MedEnhanceError, match="is mirrored"):
        run(EnhanceSpineRequest(turned, tmp_path / "none", options()))


def test_without_a_dicom_source_dicom_is_refused_before_any_work(
    cache: Path, grey: np.ndarray, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    png = save_png(tmp_path / "back.png", grey)
    words = ["enhance-spine", str(png), str(tmp_path / "out"), "--model", model, "--steps", "enhance", "--dicom"]
    assert main(words) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "back.png is not DICOM. DICOM can only be written where the input is DICOM" in told
    assert not (tmp_path / "out").exists()
    deep = capture(tmp_path / "deep.dcm", grey.astype(np.uint16) * 9)
    with pytest.raises(MedEnhanceError, match="other values than 0 to 255"):
        run(EnhanceSpineRequest(deep, tmp_path / "out", options(dicom=True)))


def back() -> np.ndarray:
    """(frames 60, rows 50, columns 40) of a back: depth, head to feet, left to right; skin at 8 mm, bone at 30 mm."""
    depth, _, column = np.ogrid[0:60, 0:50, 0:40]
    below, aside = depth - 8.0, np.abs(column - 19.5)
    value = (
        30 + 110 * np.exp(-below / 15) + 160 * np.exp(-0.5 * ((below - 28) / 1.2) ** 2) * ((aside > 10) & (aside < 18))
    )
    speckle = np.random.default_rng(5).rayleigh(0.8, (60, 50, 40))
    return np.rint(np.clip(np.where(below >= 0, np.maximum(value * speckle, 3), 0), 0, 255)).astype(np.uint8)


def test_an_ultrasound_volume_of_frames_is_projected_like_the_same_volume_in_a_file(tmp_path: Path) -> None:
    enhanced_ultrasound(tmp_path / "us.dcm", back(), in_patient=False)
    write_image(Volume(back(), Grid((1.0, 1.0, 1.0)), "US"), tmp_path / "us.nrrd", {})
    for name in ("us.dcm", "us.nrrd"):
        project_vpi(ProjectionRequest(tmp_path / name, tmp_path / f"of {name}", axes="RIA"))
    ours, known = (read_projections(tmp_path / f"of {name}") for name in ("us.dcm", "us.nrrd"))
    for one, other in zip(ours.projections, known.projections, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
    with pytest.raises(MedEnhanceError, match="does not say which way the patient lies"):
        project_vpi(ProjectionRequest(tmp_path / "us.dcm", tmp_path / "none"))


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("in_patient", [True, False])
def test_the_projection_of_a_volume_becomes_a_capture_that_the_segmentation_refers_to(
    in_patient: bool, tmp_path: Path
) -> None:
    source = enhanced_ultrasound(tmp_path / "us.dcm", back(), in_patient=in_patient)
    how = ProjectionRequest(Path(), Path(), axes=None if in_patient else "RIA")
    run(
        EnhanceSpineRequest(source, tmp_path / "out", options(steps=("project", "enhance", "segment"), dicom=True), how)
    )
    projection = read(tmp_path / "out" / "projection.dcm")
    np.testing.assert_array_equal(projection.pixel_array, picture(tmp_path / "out" / "original.png"))
    (reference,) = projection.SourceImageSequence
    assert (reference.ReferencedSOPInstanceUID, reference.SpatialLocationsPreserved) == (
        read(source).SOPInstanceUID,
        "NO",
    )
    segmentation = read(tmp_path / "out" / "seg_enhanced.dcm")
    assert source_uid(segmentation) == projection.SOPInstanceUID
    np.testing.assert_array_equal(held(segmentation), picture(tmp_path / "out" / "labels_enhanced.png"))
    assert ("ImagePositionPatient" in projection) is in_patient
    if in_patient:
        known = read_projections(tmp_path / "out" / "projections").grid(2)
        assert read_study(tmp_path / "out" / "projection.dcm").grid.origin_mm == pytest.approx(known.origin_mm)
        place = segmentation.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient
        assert list(place) == pytest.approx(known.origin_mm)
    for file in (tmp_path / "out").glob("*.dcm"):
        assert missing(read(file)) == []
        assert faults(file) == []


def test_labels_of_another_program_are_exported_and_reversed_axes_put_right(grey: np.ndarray, tmp_path: Path) -> None:
    source = capture(tmp_path / "us.dcm", grey, position=(-70, 15, 200), orientation=CORONAL)
    grid = read_study(source).grid
    labels = (grey % 4).astype(np.uint8)
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (grey.shape[1] - 1)
    affine[:3, 0] *= -1
    reversed_labels = Volume(np.ascontiguousarray(labels[None, :, ::-1]), Grid.from_affine(affine))
    write_image(reversed_labels, tmp_path / "labels.nrrd", {})
    assert exported(tmp_path, source, edited=True) == ()
    segmentation = read(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(held(segmentation), labels)
    assert {one.SegmentAlgorithmType for one in segmentation.SegmentSequence} == {"SEMIAUTOMATIC"}
    assert segmentation.ManufacturerModelName == "tiny-spine"


def exported(folder: Path, dicom: Path, **changes: Any) -> tuple[str, ...]:
    kinds = ("rib", "thoracic-transverse-process", "lumbar-lump")
    arguments = {"input": folder / "labels.nrrd", "source": (dicom,), "output": folder / "seg.dcm", "kinds": kinds}
    return export_labels(ExportSegmentationRequest(**{**arguments, "provenance": MADE, **changes}))


def test_labels_that_do_not_fit_their_source_are_refused(grey: np.ndarray, tmp_path: Path) -> None:
    source = capture(tmp_path / "us.dcm", grey)
    write_image(Volume(grey[None], Grid(), "US"), tmp_path / "labels.nrrd", {})
    with pytest.raises(MedEnhanceError, match="whole numbers from 0 to 3"):
        exported(tmp_path, source)
    with pytest.raises(MedEnhanceError, match="can only be made of a DICOM series"):
        exported(tmp_path, source, source=())
    with pytest.raises(MedEnhanceError, match="2 names do not fit 3 kinds"):
        exported(tmp_path, source, names=("a", "b"))
    write_image(Volume(grey[None, 1:] % 4, Grid(), "US"), tmp_path / "labels.nrrd", {})
    with pytest.raises(MedEnhanceError, match="its DICOM image 96 x 64"):
        exported(tmp_path, source)
    turned = Grid(direction=(-1.0, 0, 0, 0, 1.0, 0, 0, 0, -1.0))
    write_image(Volume(grey[None] % 4, turned, "US"), tmp_path / "labels.nrrd", {})
    with pytest.raises(MedEnhanceError, match="with turned axes"):
        exported(tmp_path, source)
    with pytest.raises(MedEnhanceError, match="no name for a DICOM file"):
        exported(tmp_path, source, output=tmp_path / "seg.nrrd")
    assert not (tmp_path / "seg.dcm").exists()


def test_command_and_worker_write_the_same_segmentation(
    grey: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = capture(tmp_path / "us.dcm", grey, "RGB")
    write_image(Volume((grey % 4)[None], Grid(), "US"), tmp_path / "labels.nrrd", {})
    run_facts = {"model_id": "tiny-spine", "model_version": "0.1", "weights_sha256": "ab" * 32, "device": "cpu"}
    run_facts |= {"precision": "fp32", "strength": 1.0, "seconds": 1.0, "peak_memory_mb": None}
    (tmp_path / "report.json").write_text(json.dumps({"run": run_facts}), encoding="utf-8")
    labels, report = str(tmp_path / "labels.nrrd"), str(tmp_path / "report.json")
    words = ["export-segmentation", labels, str(source), str(tmp_path / "command.dcm"), "--report", report]
    assert main(words) == 0
    assert "segmentation:" in capsys.readouterr().out
    asked = {"input": labels, "source": [str(source)], "output": str(tmp_path / "worker.dcm")}
    asked |= {"kinds": ["rib", "thoracic-transverse-process", "lumbar-lump"]}
    last = by_worker({"task": "export-segmentation", "provenance": vars(MADE), **asked})
    assert last["outputs"] == {"output": str(tmp_path / "worker.dcm")}
    assert (tmp_path / "worker.dcm").read_bytes() == (tmp_path / "command.dcm").read_bytes()
    np.testing.assert_array_equal(held(read(tmp_path / "worker.dcm")), grey % 4)
    refused = by_worker({"task": "export-segmentation", "provenance": vars(MADE), **asked, "source": None})
    assert (refused["event"], refused["kind"]) == ("error", "output-refused")


def by_worker(request: dict[str, Any]) -> dict[str, Any]:
    """The last event of a request."""
    events = io.StringIO()
    serve(io.BytesIO(json.dumps({"id": "1", **request}).encode() + b"\n"), events)
    last: dict[str, Any] = json.loads(events.getvalue().splitlines()[-1])
    return last


def test_a_capture_without_a_place_gets_its_enhanced_image_back(grey: np.ndarray, tmp_path: Path) -> None:
    source = capture(tmp_path / "us.dcm", grey, "RGB")
    enhanced = np.clip(grey.astype(int) + 9, 0, 255).astype(np.uint8)
    write_image(Volume(enhanced[None], Grid(), "US"), tmp_path / "enhanced.nrrd", {})
    export_image(ExportRequest(tmp_path / "enhanced.nrrd", (source,), tmp_path / "out", MADE))
    derived = read(tmp_path / "out" / "0001.dcm")
    np.testing.assert_array_equal(derived.pixel_array, enhanced)
    assert (derived.PhotometricInterpretation, "PlanarConfiguration" in derived) == ("MONOCHROME2", False)
    assert faults(tmp_path / "out" / "0001.dcm") == []
