"""A mask that a person edited: measured on its scan as the run was, placed on its DICOM series, written as objects."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import head_samples as samples
import numpy as np
import pydicom
import pytest

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.report import HemorrhageReport
from medenhance.image_files import read_image, write_image
from medenhance.progress import Silent
from medenhance.strict_json import to_json
from medenhance.study import read_study
from medenhance.tasks.detect_hemorrhage import DetectHemorrhageRequest, run
from medenhance.tasks.edited_mask import MaskRequest, export_mask, measure_mask
from medenhance.tasks.placed_scan import placed_scan
from medenhance.volume import Grid, Volume
from medenhance.worker_tasks import export_hemorrhage, measure_hemorrhage
from medenhance.worker_tasks.running import Running

by_hu = samples.by_hu
pytestmark = pytest.mark.usefixtures("by_hu")
# Slices lie closer at the base of the skull, as they often did; all are within the drawn head.
LEVELS_MM = np.concatenate([[0.0], np.cumsum([3.0] * 8 + [5.0] * 8 + [7.0] * 7)]) - 57.5


@pytest.fixture
def series(tmp_path: Path, write_dicom: Any) -> Path:
    """A bleeding head as DICOM, with unequal gaps."""
    volume, _ = samples.bleeding_head()
    folder = samples.write_head_dicom(tmp_path / "séries 头", volume.array, write_dicom)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.ImagePositionPatient = [-95.0, -103.0, LEVELS_MM[int(dataset.InstanceNumber) - 1]]
        dataset.save_as(path)
    return folder


def as_image(folder: Path, path: Path, *, reverse: bool = False) -> Path:
    """The series as a program such as Slicer stores it: at one mean step, perhaps with its slices the other way."""
    volume = read_study(folder)
    affine = volume.grid.affine
    last = affine[:3, 3] + affine[:3, 2] * (len(volume.array) - 1)
    if reverse:
        affine[:3, 2] *= -1.0
        affine[:3, 3] = last
    array = volume.array[::-1] if reverse else volume.array
    stored = np.ascontiguousarray(np.rint(array)).astype(np.int16)
    write_image(Volume(stored, Grid.from_affine(affine), "CT"), path, {})
    return path


def files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.iterdir()))


def detected(image: Path, output: Path, source: tuple[Path, ...] = ()) -> HemorrhageReport:
    return run(DetectHemorrhageRequest(image, output, source=source), predictor=samples.predictor())


def drawn(mask: Path, path: Path, slices: slice) -> Path:
    """A mask without what it has in some slices."""
    found = read_image(mask)
    array = found.array.copy()
    array[slices] = 0
    write_image(replace(found, array=array), path, {})
    return path


@pytest.mark.parametrize("reverse", [False, True])
def test_an_image_with_its_source_is_judged_as_the_series_itself(series: Path, tmp_path: Path, reverse: bool) -> None:
    direct = detected(series, tmp_path / "direct").findings
    image = as_image(series, tmp_path / "image.nrrd", reverse=reverse)
    report = detected(image, tmp_path / "placed", files(series))
    found = report.findings
    assert direct is not None
    assert found is not None
    assert report.scan is not None
    assert report.scan.thickness_mm == pytest.approx((3.0, 7.0))
    assert found.total == direct.total
    assert found.probability == direct.probability
    assert (found.left_ml, found.right_ml, found.abc2_ml) == (direct.left_ml, direct.right_ml, direct.abc2_ml)
    last = len(LEVELS_MM) - 1
    order = [last - one.index if reverse else one.index for one in direct.slices]
    assert [one.index for one in found.slices] == order
    mask, scan = read_image(tmp_path / "placed" / "mask.nrrd"), read_image(image)
    assert mask.grid == scan.grid
    own = read_image(tmp_path / "direct" / "mask.nrrd").array
    assert np.array_equal(mask.array, own[::-1] if reverse else own)
    areas = np.count_nonzero(mask.array, axis=(1, 2)) * samples.PIXEL_MM**2
    assert [one.area_mm2 for one in found.slices] == [areas[one.index] for one in found.slices]


def test_without_its_source_the_gaps_are_lost(series: Path, tmp_path: Path) -> None:
    image = as_image(series, tmp_path / "image.nrrd")
    blind = detected(image, tmp_path / "blind")
    assert blind.scan is not None
    low, high = blind.scan.thickness_mm
    assert low == pytest.approx(high)


def test_tags_of_the_source_count(series: Path, tmp_path: Path) -> None:
    image = as_image(series, tmp_path / "image.nrrd")
    for path in series.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.ContrastBolusAgent = "Iohexol"
        dataset.save_as(path)
    assert detected(image, tmp_path / "blind").status == "processed"
    refused = detected(image, tmp_path / "seen", files(series))
    assert refused.status == "not processed"
    assert "Iohexol" in refused.reason


def test_an_image_that_is_not_of_the_series_is_refused(series: Path, tmp_path: Path) -> None:
    image = read_image(as_image(series, tmp_path / "image.nrrd"))
    moved = replace(image, grid=replace(image.grid, origin_mm=(0.0, 0.0, 0.0)))
    for one in (moved, replace(image, array=image.array[1:])):
        with pytest.raises(MedEnhanceError) as error:
            placed_scan(one, files(series), Silent())
        assert error.value.kind == "input-unsuitable"


@pytest.mark.parametrize(("reverse", "with_source"), [(False, False), (True, True)])
def test_a_mask_that_nobody_changed_measures_as_in_the_run(
    series: Path, tmp_path: Path, reverse: bool, with_source: bool
) -> None:
    image = as_image(series, tmp_path / "image.nrrd", reverse=reverse)
    source = files(series) if with_source else ()
    report = detected(image, tmp_path / "out", source)
    again = measure_mask(MaskRequest(image, tmp_path / "out" / "mask.nrrd", report, source))
    assert report.findings is not None
    before = replace(
        report.findings,
        edited=True,
        true_volume=None,
        components=tuple(replace(one, mean_probability=None) for one in report.findings.components),
    )
    assert to_json(again) == to_json(before)


def test_volumes_areas_and_agreement_follow_an_edit(series: Path, tmp_path: Path) -> None:
    image = as_image(series, tmp_path / "image.nrrd")
    report = detected(image, tmp_path / "out", files(series))
    assert report.findings is not None
    hidden = report.findings.components[0].slices[0]
    mask = drawn(tmp_path / "out" / "mask.nrrd", tmp_path / "edited.nrrd", slice(hidden, hidden + 1))
    found = measure_mask(MaskRequest(image, mask, report, files(series)))
    taken = next(one for one in report.findings.slices if one.index == hidden)
    lost = taken.area_mm2 * taken.thickness_mm / 1000.0
    assert found.total.ml == pytest.approx(report.findings.total.ml - lost)
    assert next(one for one in found.slices if one.index == hidden).area_mm2 == 0
    assert hidden in found.disagreements
    assert found.edited
    assert (found.probability, found.run) == (report.findings.probability, report.findings.run)


def test_an_emptied_mask_has_no_volume_and_contradicts_the_verdict(series: Path, tmp_path: Path) -> None:
    image = as_image(series, tmp_path / "image.nrrd")
    report = detected(image, tmp_path / "out")
    mask = drawn(tmp_path / "out" / "mask.nrrd", tmp_path / "empty.nrrd", slice(None))
    found = measure_mask(MaskRequest(image, mask, report))
    assert found.total.ml == 0
    assert found.components == ()
    assert found.scan_disagrees


def test_the_mask_of_another_scan_is_refused(series: Path, tmp_path: Path) -> None:
    image = as_image(series, tmp_path / "image.nrrd")
    report = detected(image, tmp_path / "out")
    other = tmp_path / "other.nrrd"
    write_image(Volume(np.zeros((3, 4, 5), np.uint8)), other, {})
    with pytest.raises(MedEnhanceError, match="shape"):
        measure_mask(MaskRequest(image, other, report))
    refused = replace(report, findings=None, status="not processed")
    with pytest.raises(MedEnhanceError, match="not processed"):
        measure_mask(MaskRequest(image, tmp_path / "out" / "mask.nrrd", refused))


@pytest.mark.parametrize(("edited", "reverse"), [(False, True), (True, False)])
def test_objects_hold_the_mask_as_it_is_now(series: Path, tmp_path: Path, edited: bool, reverse: bool) -> None:
    image = as_image(series, tmp_path / "image.nrrd", reverse=reverse)
    report = detected(image, tmp_path / "out", files(series))
    mask = tmp_path / "out" / "mask.nrrd"
    if edited:
        mask = drawn(mask, tmp_path / "edited.nrrd", slice(0, 12))
    request = MaskRequest(image, mask, report, files(series))
    export_mask(request, tmp_path / "dicom", ("seg", "sr", "ko"), edited)
    seg = pydicom.dcmread(tmp_path / "dicom" / "seg.dcm")
    assert int(seg.pixel_array.sum()) == np.count_nonzero(read_image(mask).array)
    assert {one.SegmentedPropertyTypeCodeSequence[0].CodeValue for one in seg.SegmentSequence} == {"50960005"}
    text = str(pydicom.dcmread(tmp_path / "dicom" / "sr.dcm")) + str(seg)
    assert ("edited" in text.lower()) == edited
    if not edited:
        direct = tmp_path / "direct"
        run(DetectHemorrhageRequest(series, direct, dicom=("seg", "ko")), predictor=samples.predictor())
        own = pydicom.dcmread(direct / "seg.dcm")
        assert np.array_equal(own.pixel_array, seg.pixel_array)
        shown = [key_images(folder / "ko.dcm") for folder in (direct, tmp_path / "dicom")]
        assert shown[0] == shown[1]


def key_images(path: Path) -> list[str]:
    study = pydicom.dcmread(path).CurrentRequestedProcedureEvidenceSequence[0]
    return [
        str(image.ReferencedSOPInstanceUID)
        for one in study.ReferencedSeriesSequence
        for image in one.ReferencedSOPSequence
    ]


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(series: Path, tmp_path: Path) -> None:
    image = as_image(series, tmp_path / "image.nrrd")
    report = detected(image, tmp_path / "out")
    request = MaskRequest(image, tmp_path / "out" / "mask.nrrd", report)
    with pytest.raises(MedEnhanceError) as error:
        export_mask(request, tmp_path / "dicom", ("seg",), edited=False)
    assert error.value.kind == "output-refused"
    with pytest.raises(MedEnhanceError) as error:
        export_mask(replace(request, source=files(series)), tmp_path / "dicom", (), edited=False)
    assert error.value.kind == "bad-option"
    assert not (tmp_path / "dicom").exists()


def test_the_worker_takes_the_report_as_it_gave_it(series: Path, tmp_path: Path) -> None:
    image = as_image(series, tmp_path / "image.nrrd")
    said = json.loads(json.dumps(detected(image, tmp_path / "out", files(series)).to_json()))
    running = Running(Silent(), None)  # type: ignore[arg-type] - no model is asked for
    mask, source = str(tmp_path / "out" / "mask.nrrd"), tuple(map(str, files(series)))
    message = measure_hemorrhage.MeasureHemorrhageMessage("1", "measure-hemorrhage", str(image), mask, said, source)
    found = measure_hemorrhage.run(message, running)["findings"]
    assert found["total"] == said["findings"]["total"]
    order = export_hemorrhage.ExportHemorrhageMessage(
        "2", "export-hemorrhage", str(image), mask, said, source, str(tmp_path / "dicom")
    )
    assert set(export_hemorrhage.run(order, running)["outputs"]) == {"output", "seg", "sr", "ko"}
