"""What is no plain head CT is not processed, and the reason is said; the rest is, with what speaks against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import head_samples as samples
import numpy as np
import pytest
from scipy import ndimage

from medenhance.head_ct.acceptance import Accepted, accept
from medenhance.head_ct.ct_numbers import ct_numbers
from medenhance.head_ct.report import Check
from medenhance.image_files import read_image
from medenhance.study import read_study
from medenhance.volume import Grid, Volume


def head(**changes: object) -> Volume:
    return replace(Volume(samples.head_array(), samples.head_grid(), "CT"), **changes)  # type: ignore[arg-type]


def looked_at(volume: Volume) -> Accepted:
    return accept(volume, samples.ACCEPTED)


def check(found: Accepted, name: str) -> Check:
    return next(one for one in found.checks if one.name == name)


def test_a_plain_head_passes_every_check() -> None:
    found = looked_at(head())
    assert found.refusals == ()
    assert [one.name for one in found.checks if one.outcome != "passed"] == ["voxel size"]  # 2 mm pixels are coarse
    assert "slices show brain" in check(found, "body part").message


@pytest.mark.parametrize("offset_hu", [1000.0, 1024.0, -1000.0])
def test_an_offset_of_all_values_is_taken_off_and_said(offset_hu: float) -> None:
    volume = head()
    found = looked_at(volume.with_array(volume.array + np.float32(offset_hu)))
    assert found.refusals == ()
    assert found.hu_offset == offset_hu
    assert check(found, "CT numbers").outcome == "warning"
    assert found.turned is not None
    assert found.turned.volume.array == pytest.approx(volume.array, abs=0.01)


@pytest.mark.parametrize("offset_hu", [500.0, 300.0, 5000.0])
def test_another_offset_is_refused(offset_hu: float) -> None:
    volume = head()
    found = looked_at(volume.with_array(volume.array + np.float32(offset_hu)))
    assert any("no CT numbers" in why for why in found.refusals)


def test_a_brain_that_is_too_bright_is_refused() -> None:
    volume = head()
    brain = (volume.array > -50) & (volume.array < 100)
    array = np.where(brain, volume.array + np.float32(30), volume.array)
    assert any("brain is 20 to 45" in why for why in looked_at(volume.with_array(array)).refusals)


def test_another_modality_is_refused_at_once() -> None:
    found = looked_at(head(modality="MR"))
    assert found.refusals == ("This study is MR, not CT.",)
    assert len(found.checks) == 1


@pytest.mark.parametrize("array", [np.full((20, 60, 60), 7, np.uint8), np.arange(72000).reshape(20, 60, 60) % 4000])
def test_grey_values_of_a_file_without_a_modality_are_refused(array: np.ndarray) -> None:
    assert looked_at(Volume(array, samples.head_grid())).refusals


def test_a_body_is_no_head() -> None:
    found = looked_at(head(array=samples.body_array()))
    assert "this is no head CT" in check(found, "body part").message
    assert check(found, "body part").outcome == "refused"


def test_a_head_without_a_third_of_its_skull_is_a_head() -> None:
    array = samples.head_array()
    _, back, left = samples.coordinates()
    removed = (np.abs(np.arctan2(back, left)) < np.pi / 4) & (array > 300)
    assert looked_at(head().with_array(np.where(removed, 35.0, array).astype(np.float32))).refusals == ()


def test_a_neck_with_a_bit_of_brain_is_refused() -> None:
    head_part, neck = samples.head_array()[12:16], np.full((30, *samples.SHAPE[1:]), -1000.0, np.float32)
    _, back, left = samples.coordinates(30)
    neck[:, np.hypot(back, left)[0] < 60] = 55.0
    found = looked_at(head(array=np.concatenate([neck, head_part])))
    assert any("neck or the face" in why for why in found.refusals)


def test_a_scan_of_half_a_body_is_refused() -> None:
    repeated = np.repeat(samples.head_array()[8:16], 9, axis=0)
    assert any("360 mm long" in why for why in looked_at(head(array=repeated)).refusals)


def test_a_part_of_a_head_is_looked_at_with_a_warning() -> None:
    found = looked_at(head(array=samples.head_array()[10:16]))
    assert found.refusals == ()
    assert check(found, "body part").outcome == "warning"
    assert check(found, "slices").outcome == "warning"


def test_one_slice_is_looked_at_with_a_warning() -> None:
    found = looked_at(head(array=samples.head_array()[12:13]))
    assert found.refusals == ()
    assert "There is one slice" in check(found, "slices").message


def test_an_upside_down_scan_is_warned_of() -> None:
    found = looked_at(head(array=samples.head_array()[::-1].copy()))
    assert check(found, "orientation").outcome == "warning"
    assert "lies above the brain" in check(found, "orientation").message


def test_an_unknown_voxel_size_is_refused() -> None:
    assert any("no voxel size" in why for why in looked_at(head(grid=replace(Grid(), spacing_known=False))).refusals)


@pytest.mark.parametrize(
    ("spacing_mm", "name", "words"),
    [
        ((3.0, 3.0, 5.0), "voxel size", "the model takes 0.3 to 2.5 mm"),
        ((2.0, 2.0, 11.0), "slices", "too thick"),
    ],
)
def test_a_size_that_hides_bleeds_is_refused(spacing_mm: tuple[float, ...], name: str, words: str) -> None:
    found = looked_at(head(grid=samples.head_grid(spacing_mm=spacing_mm)))
    assert check(found, name).outcome == "refused"
    assert words in check(found, name).message


def levels(*gaps: float) -> Volume:
    steps = np.concatenate([[0.0], np.cumsum(gaps)])
    grid = samples.head_grid(slice_origins_mm=tuple((-95.0, -103.0, float(z)) for z in steps))
    return head(array=samples.head_array(len(steps)), grid=grid)


def test_a_missing_slice_is_warned_of_and_three_are_refused() -> None:
    warned = looked_at(levels(*[5.0] * 9, 10.0, *[5.0] * 9))
    assert warned.refusals == ()
    assert "missing between 10 and 11" in check(warned, "gaps").message
    refused = looked_at(levels(*[5.0] * 9, 20.0, *[5.0] * 9))
    assert any("over 20 mm between slices 10 and 11" in why for why in refused.refusals)


def test_two_kinds_of_gaps_are_no_missing_slices() -> None:
    found = looked_at(levels(*[4.0] * 10, 1.0, *[7.0] * 10))
    assert "1 to 7 mm apart" in check(found, "gaps").message


def test_a_tilt_is_said_and_more_than_a_gantry_tilts_refused() -> None:
    for degrees, outcome in ((18.5, "warning"), (38.0, "refused")):
        tilt = np.radians(degrees)
        direction = (1, 0, 0, 0, np.cos(tilt), 0, 0, -np.sin(tilt), 1)
        assert check(looked_at(head(grid=samples.head_grid(direction=direction))), "tilt").outcome == outcome


def test_vessels_with_contrast_agent_are_warned_of() -> None:
    array = samples.head_array()
    vessels = ndimage.binary_dilation(np.random.default_rng(3).random(array.shape) > 0.996, iterations=2)
    array[vessels & (np.abs(array - samples.BRAIN_HU) < 20)] = 160.0
    assert check(looked_at(head(array=array)), "contrast agent").outcome == "warning"


@pytest.mark.parametrize(
    ("tags", "name", "outcome"),
    [
        ({"ContrastBolusAgent": "Iomeron 300"}, "contrast agent", "refused"),
        ({"ContrastBolusAgent": "NONE"}, "contrast agent", "passed"),
        ({"BodyPartExamined": "CHEST"}, "body part", "warning"),
        ({"ConvolutionKernel": "H60s"}, "kernel", "warning"),
        ({"ConvolutionKernel": ["Hr38f", "2"]}, "kernel", "passed"),
        ({"ConvolutionKernel": "BONEPLUS"}, "kernel", "warning"),
        ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}, "image type", "warning"),
    ],
)
def test_what_the_header_says_counts(
    tags: dict[str, object], name: str, outcome: str, tmp_path: Path, write_dicom
) -> None:
    folder = samples.write_head_dicom(tmp_path / "head", samples.head_array()[6:18], write_dicom, **tags)
    found = looked_at(read_study(folder))
    assert check(found, name).outcome == outcome


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("body_ct/siemens_abdomen_j2k_20slices", "A contrast agent was given"),
        ("body_ct/siemens_abdomen_j2k_20slices", "no head CT"),
        ("body_ct/dcmqi_ct_3slice", "no head CT"),
        ("body_ct/thorax_aorta_1p5mm/ct_cropped.nii.gz", "no head CT"),
        ("body_ct/sts_petct_lowdose/STS_005_CT_image.nii.gz", "no head CT"),
        ("body_ct/sts_petct_lowdose/STS_019_CT_image.nii.gz", "no head CT"),
        ("dicom_tricky/bad_sequence.dcm", "no head CT"),
        ("dicom_tricky/explicit_VR-UN.dcm", "no head CT"),
        ("dicom_tricky/eCT_Supplemental.dcm", "no head CT"),
        ("head_ct/slicer_cthead_64px", "Pixels of 3.2 x 3.2 mm"),
    ],
)
def test_real_scans_of_something_else_are_refused(name: str, words: str, shared_data: Path) -> None:
    assert any(words in why for why in looked_at(read_study(shared_data / name)).refusals)


def test_the_real_head_with_an_offset_is_never_silently_processed(shared_data: Path) -> None:
    volume = read_study(shared_data / "head_ct/slicer_cthead_64px")
    assert ct_numbers(volume).offset_hu == 1024.0
    found = looked_at(volume)
    assert found.refusals
    assert check(found, "CT numbers").outcome != "passed"


def test_real_magnetic_resonance_is_refused(shared_data: Path, write_dicom, tmp_path: Path) -> None:
    folder = samples.write_head_dicom(tmp_path / "mr", samples.head_array()[:6], write_dicom, Modality="MR")
    assert looked_at(read_study(folder)).refusals == ("This study is MR, not CT.",)
    sweep = shared_data / "spine_us/plus_testimages"
    volumes = [path for path in sweep.glob("*.mha") if "Reconstruct" in path.name or "Vol" in path.name]
    for path in volumes:
        assert looked_at(read_image(path)).refusals


def test_the_real_heads_are_accepted_with_their_warnings(shared_data: Path) -> None:
    tilted = looked_at(read_study(shared_data / "head_ct/ge_hispeed_tilt_variable_spacing"))
    assert tilted.refusals == ()
    assert "18.5 degrees" in check(tilted, "tilt").message
    assert "1.08 to 7 mm" in check(tilted, "gaps").message
    single = looked_at(read_study(shared_data / "head_ct/subdural_slice_693"))
    assert single.refusals == ()
    assert len(single.warnings) == 1
