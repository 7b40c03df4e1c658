"""From a head CT to a folder of results: all of them or none, whatever way the scan is stored."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import head_samples as samples
import numpy as np
import pydicom
import pytest

from medenhance.__main__ import main
from medenhance.batch import hemorrhage_work
from medenhance.commands.detect_hemorrhage import summary
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.head_ct.figure import chosen_slices
from medenhance.head_ct.figure_rows import summary_rows
from medenhance.head_ct.prediction import HeadPrediction
from medenhance.head_ct.report import HemorrhageReport
from medenhance.image_files import read_image, write_image
from medenhance.progress import Silent
from medenhance.strict_json import from_json
from medenhance.study import read_study
from medenhance.tasks import hemorrhage_findings
from medenhance.tasks.detect_hemorrhage import (
    DetectHemorrhageOptions,
    DetectHemorrhageRequest,
    detect_hemorrhage,
    run,
)
from medenhance.volume import Volume

by_hu = samples.by_hu


class Stops(Silent):
    """Cancels when a stage is reached."""

    def __init__(self, stage: str) -> None:
        self.stage, self.reached = stage, False

    def update(self, stage: str, fraction: float) -> None:
        self.reached = self.reached or stage == self.stage

    def cancelled(self) -> bool:
        return self.reached


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    volume, _ = samples.bleeding_head()
    path = tmp_path / "Étude 检查" / "head.nrrd"
    path.parent.mkdir()
    write_image(replace(volume, array=np.rint(volume.array).astype(np.int16)), path, {})
    return path


@pytest.mark.usefixtures("by_hu")
def test_a_bleed_is_found_and_written(scan: Path, tmp_path: Path) -> None:
    report = run(DetectHemorrhageRequest(scan, tmp_path / "out"), predictor=samples.predictor())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mask.nrrd", "report.json"]
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert from_json(HemorrhageReport, written) == report
    assert written["notice"] == "Research use only. Not for diagnosis."
    mask = read_image(tmp_path / "out" / "mask.nrrd")
    assert mask.grid == read_study(scan).grid
    _, blood = samples.bleeding_head()
    assert 2 * (mask.array.astype(bool) & blood).sum() / (mask.array.sum() + blood.sum()) > 0.9
    found = report.findings
    assert found is not None
    assert found.suspected
    assert found.total.ml == pytest.approx(mask.array.sum() * 0.02)
    assert found.components[0].side == "left"
    assert found.operating_point.name == "balanced"
    assert report.seconds > found.run.seconds


def test_what_the_network_may_not_have_seen_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsure(*args) -> HeadPrediction:
        return replace(samples.blood_by_hu(*args), warnings=("Blood on both sides may hide.",))

    monkeypatch.setattr(hemorrhage_findings, "predict_head", unsure)
    volume = Volume(samples.head_array(), samples.head_grid(), "CT")
    report = detect_hemorrhage(volume, predictor=samples.predictor()).report
    assert "Blood on both sides may hide." in report.warnings


@pytest.mark.usefixtures("by_hu")
def test_a_head_without_blood_is_not_flagged() -> None:
    found = detect_hemorrhage(Volume(samples.head_array(), samples.head_grid(), "CT"), predictor=samples.predictor())
    assert found.report.findings is not None
    assert not found.report.findings.suspected
    assert found.report.findings.priority == "routine"
    assert found.report.findings.total.ml == 0.0
    assert found.report.findings.top_slices  # the evidence is there all the same


@pytest.mark.usefixtures("by_hu")
@pytest.mark.parametrize(
    ("axes", "flips"),
    [
        ((0, 1, 2), (True, False, False)),
        ((0, 2, 1), (False, True, True)),
        ((2, 1, 0), (True, True, True)),
        ((1, 2, 0), (False, True, False)),
    ],
)
def test_the_result_is_the_same_in_every_orientation(
    axes: tuple[int, int, int], flips: tuple[bool, bool, bool]
) -> None:
    volume, _ = samples.bleeding_head()
    straight = detect_hemorrhage(volume, predictor=samples.predictor())
    other = detect_hemorrhage(samples.laid(volume, axes, flips), predictor=samples.predictor())
    assert straight.mask is not None
    assert other.mask is not None
    assert np.array_equal(samples.laid_back(other.mask, axes, flips), straight.mask)
    one, two = straight.report.findings, other.report.findings
    assert one is not None
    assert two is not None
    assert two.total == one.total
    assert (two.left_ml, two.right_ml) == (one.left_ml, one.right_ml)
    assert two.components[0].center_mm == pytest.approx(one.components[0].center_mm)
    assert [s.probability for s in two.slices] == [s.probability for s in one.slices]
    assert [s.center_mm[2] for s in two.slices] == pytest.approx([s.center_mm[2] for s in one.slices])
    own = axes.index(0)
    flipped = flips[own]
    assert [s.index for s in two.slices] == [23 - s.index if flipped else s.index for s in one.slices]
    assert other.report.scan is not None
    assert other.report.scan.slice_axis == own


@pytest.mark.usefixtures("by_hu")
def test_the_order_of_the_files_does_not_matter(tmp_path: Path, write_dicom) -> None:
    volume, _ = samples.bleeding_head()
    one = samples.write_head_dicom(tmp_path / "one", volume.array, write_dicom)
    other = tmp_path / "other"
    other.mkdir()
    for name, path in zip(np.random.default_rng(2).permutation(24), sorted(one.iterdir()), strict=True):
        (other / f"{name:02}.dcm").write_bytes(path.read_bytes())
    found = [detect_hemorrhage(read_study(folder), predictor=samples.predictor()) for folder in (one, other)]
    assert np.array_equal(found[0].mask, found[1].mask)
    assert found[0].report.findings is not None
    assert found[1].report.findings is not None
    same = replace(found[1].report.findings, run=found[0].report.findings.run)
    assert same == found[0].report.findings


@pytest.mark.usefixtures("by_hu")
def test_a_thin_series_gives_the_volume_of_the_thick_one(tmp_path: Path) -> None:
    thin = samples.head_array(200)
    blood = samples.ball((10.0, 10.0, 34.0), 16.0, 200)
    thin[blood] += samples.BLOOD_HU - samples.BRAIN_HU
    grid = samples.head_grid(spacing_mm=(2.0, 2.0, 0.6))
    found = detect_hemorrhage(Volume(thin, grid, "CT"), predictor=samples.predictor())
    report = found.report
    assert report.findings is not None
    assert report.scan is not None
    assert report.scan.averaged_to == 24
    assert len(report.findings.slices) == 24
    assert found.mask is not None
    assert found.mask.shape == thin.shape
    assert report.findings.total.ml == pytest.approx(blood.sum() * 0.0024, rel=0.12)
    assert [s.index for s in report.findings.slices][:3] == [4, 12, 21]
    assert any("thin" in warning for warning in report.warnings)


@pytest.mark.usefixtures("by_hu")
def test_an_offset_is_corrected_for_the_network_and_the_figures() -> None:
    volume, _ = samples.bleeding_head()
    shifted = volume.with_array(volume.array + np.float32(1024))
    found = detect_hemorrhage(shifted, predictor=samples.predictor()).report
    assert found.findings is not None
    assert found.scan is not None
    assert found.scan.hu_offset == 1024.0
    assert found.findings.components[0].mean_hu == pytest.approx(samples.BLOOD_HU, abs=3.0)
    assert any("offset by +1024" in warning for warning in found.warnings)


def test_a_scan_of_something_else_is_not_processed_and_says_why(tmp_path: Path, capsys, monkeypatch) -> None:
    path = tmp_path / "chest.nrrd"
    write_image(Volume(samples.body_array(), samples.head_grid(), "CT"), path, {})
    request = DetectHemorrhageRequest(path, tmp_path / "out", figure=True)
    report = run(request, predictor=samples.predictor())
    assert report.status == "not processed"
    assert "this is no head CT" in report.reason
    assert report.findings is None
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["report.json", "report.png"]
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert (written["status"], written["findings"]) == ("not processed", None)


def test_the_model_is_not_loaded_for_a_scan_that_is_refused(tmp_path: Path, installed, write_model) -> None:
    entry = write_model(tmp_path / "tiny.safetensors", **samples.head_model())
    installed(entry)  # its weights are nowhere
    volume = Volume(samples.body_array(), samples.head_grid(), "CT")
    assert detect_hemorrhage(volume).report.status == "not processed"
    with pytest.raises(MedEnhanceError) as refused:
        detect_hemorrhage(Volume(samples.head_array(), samples.head_grid(), "CT"))
    assert refused.value.kind == "weights-missing"


@pytest.mark.usefixtures("by_hu")
@pytest.mark.parametrize("stage", ["read", "check", "measure", "write"])
def test_cancelling_leaves_nothing(stage: str, scan: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Cancelled):
        run(DetectHemorrhageRequest(scan, tmp_path / "out", figure=True), Stops(stage), samples.predictor())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("by_hu")
def test_a_failure_while_writing_leaves_nothing(scan: Path, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("medenhance.tasks.hemorrhage_files.write_json", full)
    with pytest.raises(MedEnhanceError) as failed:
        run(DetectHemorrhageRequest(scan, tmp_path / "out"), predictor=samples.predictor())
    assert failed.value.kind == "disk-full"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"options": DetectHemorrhageOptions(operating_point="other")}, "balanced, sensitive"),
        ({"options": DetectHemorrhageOptions(mask_threshold=1.5)}, "1.5 is outside"),
        ({"options": DetectHemorrhageOptions(top_slices=0)}, "0 top slices"),
        ({"dicom": ("seg",)}, "only be derived from a DICOM series"),
        ({"prior": Path("nowhere")}, "no report at nowhere"),
    ],
)
@pytest.mark.usefixtures("by_hu")
def test_what_cannot_be_done_is_refused(changes: dict[str, object], words: str, scan: Path, tmp_path: Path) -> None:
    request = replace(DetectHemorrhageRequest(scan, tmp_path / "out"), **changes)  # type: ignore[arg-type]
    with pytest.raises(MedEnhanceError, match=words):
        run(request, predictor=samples.predictor())
    assert not (tmp_path / "out").exists()


def test_an_output_within_the_input_is_refused(tmp_path: Path, write_dicom) -> None:
    folder = samples.write_head_dicom(tmp_path / "head", samples.head_array()[:3], write_dicom)
    with pytest.raises(MedEnhanceError, match="inside the input"):
        run(DetectHemorrhageRequest(folder, folder / "out"), predictor=samples.predictor())


@pytest.mark.usefixtures("by_hu")
def test_growth_is_measured_against_an_earlier_report(scan: Path, tmp_path: Path) -> None:
    first = run(DetectHemorrhageRequest(scan, tmp_path / "first"), predictor=samples.predictor())
    smaller, _ = samples.bleeding_head(radius_mm=10.0)
    earlier = tmp_path / "earlier.nrrd"
    write_image(smaller, earlier, {})
    run(DetectHemorrhageRequest(earlier, tmp_path / "prior"), predictor=samples.predictor())
    request = DetectHemorrhageRequest(scan, tmp_path / "now", prior=tmp_path / "prior")
    found = run(request, predictor=samples.predictor()).findings
    assert first.findings is not None
    assert first.findings.growth is None
    assert found is not None
    assert found.growth is not None
    assert found.growth.expanded
    assert found.priority == "critical"
    assert found.growth.prior_ml + found.growth.change_ml == pytest.approx(found.total.ml)


@pytest.mark.usefixtures("by_hu")
def test_another_operating_point_gives_another_verdict() -> None:
    volume = Volume(samples.head_array(), samples.head_grid(), "CT")
    low = replace(
        samples.CALIBRATION, operating_points=(replace(samples.CALIBRATION.operating_points[0], threshold=0.001),)
    )
    found = detect_hemorrhage(volume, predictor=samples.predictor(calibration=low)).report.findings
    assert found is not None
    assert found.suspected  # at a threshold of 0.001
    assert found.scan_disagrees
    assert "shows nothing of it" in found.priority_reasons[0]


@pytest.mark.usefixtures("by_hu")
def test_the_true_volume_is_stated_for_masks_by_the_rule_of_the_model_alone() -> None:
    volume, _ = samples.bleeding_head()
    report = detect_hemorrhage(volume, predictor=samples.predictor()).report
    found = report.findings
    assert found is not None
    assert found.true_volume is not None
    assert found.true_volume.low_ml == pytest.approx(0.9 * found.total.ml)
    assert found.true_volume.high_ml == pytest.approx(1.5 * found.total.ml)
    low, high = found.true_volume.low_ml, found.true_volume.high_ml
    said = f"{low:.1f} to {high:.1f} mL in 80% of scans with blood and such masks"
    assert ("True volume", said) in summary_rows(found)
    assert any(said in line for line in summary(report))
    other = DetectHemorrhageOptions(mask_threshold=0.3)
    found = detect_hemorrhage(volume, other, predictor=samples.predictor()).report.findings
    assert found is not None
    assert found.true_volume is None


@pytest.mark.usefixtures("by_hu")
def test_the_figure_shows_top_slices_and_disagreements(scan: Path, tmp_path: Path) -> None:
    request = DetectHemorrhageRequest(scan, tmp_path / "out", figure=True, format="nifti")
    report = run(request, predictor=samples.predictor())
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["mask.nii.gz", "report.json", "report.png"]
    picture = (tmp_path / "out" / "report.png").read_bytes()
    assert picture[:4] == b"\x89PNG"
    assert report.findings is not None
    shown = [one.index for one in chosen_slices(report.findings, 10)]
    assert set(report.findings.top_slices) <= set(shown)
    assert shown == sorted(shown)
    assert len(shown) == 10


@pytest.mark.usefixtures("by_hu")
def test_dicom_objects_say_what_the_report_says(tmp_path: Path, write_dicom) -> None:
    volume, _ = samples.bleeding_head()
    folder = samples.write_head_dicom(tmp_path / "head", volume.array, write_dicom)
    request = DetectHemorrhageRequest(folder, tmp_path / "out", dicom=("seg", "sr", "ko"))
    report = run(request, predictor=samples.predictor())
    assert report.findings is not None
    seg = pydicom.dcmread(tmp_path / "out" / "seg.dcm")
    mask = read_image(tmp_path / "out" / "mask.nrrd").array
    assert int(seg.pixel_array.sum()) == int(mask.sum())
    sources = {str(pydicom.dcmread(path).SOPInstanceUID): k for k, path in enumerate(sorted(folder.iterdir()))}
    ko = pydicom.dcmread(tmp_path / "out" / "ko.dcm")
    (evidence,) = ko.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    keyed = {sources[str(one.ReferencedSOPInstanceUID)] for one in evidence.ReferencedSOPSequence}
    assert keyed == set(report.findings.top_slices)
    sr = pydicom.dcmread(tmp_path / "out" / "sr.dcm")
    numbers = [float(one.value) for one in sr.iterall() if one.keyword == "NumericValue"]
    found, (piece,) = report.findings, report.findings.components
    assert piece.abc2 is not None
    for value in (found.probability, found.total.ml, piece.max_diameter_mm, piece.mean_hu, piece.abc2.ml):
        assert min(abs(value - number) for number in numbers) < 1e-4 * value
    texts = [str(one.value) for one in sr.iterall() if one.keyword == "TextValue"]
    assert any("Research use only" in text for text in texts)
    assert any("Notification only" in text for text in texts)
    assert any(text == f"True volume {found.true_volume} (a drawing)." for text in texts)


@pytest.fixture
def folder_of_studies(tmp_path: Path, write_dicom, installed, write_model, monkeypatch) -> Path:
    """Two heads, one of them bleeding, an abdomen, an MR, a file that is none; and a model for them."""
    monkeypatch.setattr(hemorrhage_work, "load_predictor", lambda _options: samples.predictor())
    installed(write_model(tmp_path / "tiny.safetensors", **samples.head_model()))
    root, (bleeding, _) = tmp_path / "studies", samples.bleeding_head()
    root.mkdir()
    write_image(Volume(samples.head_array(), samples.head_grid(), "CT"), root / "a normal.nrrd", {})
    samples.write_head_dicom(root / "b bleeding" / "CT", bleeding.array, write_dicom)
    write_image(Volume(samples.body_array(), samples.head_grid(), "CT"), root / "c chest.nii.gz", {})
    write_dicom(root / "d MR", np.zeros((2, 8, 8), np.int16), modality="MR")
    (root / "e broken.nrrd").write_text("nothing", encoding="utf-8")
    return root


ORDER = ["b bleeding/CT", "c chest.nii.gz", "d MR", "e broken.nrrd", "a normal.nrrd"]


@pytest.mark.usefixtures("by_hu")
def test_a_batch_writes_a_worklist_in_order_of_priority(folder_of_studies: Path, tmp_path: Path, capsys) -> None:
    words = ["batch", "detect-hemorrhage", str(folder_of_studies), str(tmp_path / "out"), "--dicom", "seg"]
    assert main(words) == 1  # two could not be read
    listed = json.loads((tmp_path / "out" / "worklist.json").read_text(encoding="utf-8"))
    rows = listed["studies"]
    assert [row["study"] for row in rows] == ORDER
    assert [row["priority"] for row in rows] == ["review", *["not processed"] * 3, "routine"]
    assert [row["status"] for row in rows] == ["processed", *["not processed"] * 3, "processed"]
    assert "this is no head CT" in rows[1]["reason"]
    assert "only MR" in rows[2]["reason"]
    assert rows[0]["volume_ml"] == pytest.approx(16.9, rel=0.1)
    assert (rows[0]["model"], rows[0]["suspected"], rows[1]["probability"]) == ("drawn 0.1", True, None)
    assert (Path(rows[0]["output"]) / "seg.dcm").is_file()
    with (tmp_path / "out" / "worklist.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["study"] for row in table] == ORDER
    assert {row["notice"] for row in table} == {listed["notice"]}
    out = capsys.readouterr().out
    assert "worklist.csv" in out
    assert "not processed" in out


@pytest.mark.usefixtures("by_hu")
def test_a_batch_goes_on_where_it_was(folder_of_studies: Path, tmp_path: Path) -> None:
    words = ["batch", "detect-hemorrhage", str(folder_of_studies), str(tmp_path / "out")]
    main(words)
    report = tmp_path / "out" / "b bleeding" / "CT.hemorrhage" / "report.json"
    stamp, first = report.stat().st_mtime_ns, worklist(tmp_path / "out")
    main(words)
    assert report.stat().st_mtime_ns == stamp
    assert worklist(tmp_path / "out") == first
    main([*words, "--mask-threshold", "0.4"])  # another result: done again in its place
    assert report.stat().st_mtime_ns != stamp
    assert not [path for path in (tmp_path / "out").rglob("*") if path.name.startswith(".medenhance-")]


def worklist(folder: Path) -> list[dict[str, object]]:
    """The rows, without the time that it took to fail again."""
    rows = json.loads((folder / "worklist.json").read_text(encoding="utf-8"))["studies"]
    return [{**row, "seconds": row["seconds"] if row["finished"] else 0.0} for row in rows]
