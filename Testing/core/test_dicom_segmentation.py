"""A DICOM segmentation holds every voxel of a label map at its place, says what it is and by whom it was made."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_samples import (
    ALGORITHM,
    SEGMENTS,
    assert_holds,
    edit,
    enhanced_ct,
    faults,
    frames,
    labels_for,
    missing,
    tilted,
)
from pydicom.dataset import Dataset
from pydicom.sr import _concepts_dict

from medenhance.dicom.objects import codes
from medenhance.dicom.objects.content import Segment
from medenhance.dicom.objects.segmentation import write_segmentation
from medenhance.errors import MedEnhanceError
from medenhance.study import read_study
from medenhance.volume import Volume

WriteDicom = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, write_dicom: WriteDicom) -> Path:
    """Five slices of 6 x 9."""
    return write_dicom(tmp_path / "source", np.zeros((5, 6, 9), np.int16))


def written(volume: Volume, labels: np.ndarray, path: Path, **options: object) -> Dataset:
    """A segmentation of two segments, read back by pydicom."""
    assert volume.series is not None
    arguments = {"segments": SEGMENTS, "algorithm": ALGORITHM, "description": "Intracranial hemorrhage", **options}
    write_segmentation(volume.series, labels, path=path, **arguments)  # type: ignore[arg-type]
    return pydicom.dcmread(path)


def every_code() -> list[codes.Code]:
    quantities = [one for one in vars(codes).values() if isinstance(one, codes.Quantity)]
    found = {one for one in vars(codes).values() if isinstance(one, codes.Code)}
    return sorted(found | {one.name for one in quantities} | {one.unit for one in quantities}, key=repr)


@pytest.mark.parametrize("code", every_code(), ids=lambda code: f"{code.scheme} {code.value}")
def test_every_code_stands_in_the_dictionaries_of_the_standard(code: codes.Code) -> None:
    listed = _concepts_dict.concepts.get(code.scheme, {}).values()
    meanings = {entry[code.value][0] for entry in listed if code.value in entry}
    if code.scheme == codes.PRIVATE_SCHEME:
        assert code.meaning in ("Midline shift", "Ultrasound curve angle")  # what the dictionaries have no code for
        assert code.meaning.replace(" ", "") not in {
            name for names in _concepts_dict.concepts.values() for name in names
        }
    else:
        assert code.meaning in meanings


def test_a_tilted_series_with_unequal_gaps_keeps_every_voxel_and_place(folder: Path, tmp_path: Path) -> None:
    volume = tilted(folder)
    labels = labels_for(volume.array.shape)
    dataset = written(volume, labels, tmp_path / "seg.dcm")
    assert_holds(dataset, labels, volume)
    orientation = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    np.testing.assert_allclose(orientation, volume.series.slices[0].orientation, atol=1e-9)  # type: ignore[union-attr]
    assert faults(tmp_path / "seg.dcm") == []


def test_no_spacing_is_stated_that_is_not_true_of_all_slices(folder: Path, tmp_path: Path) -> None:
    volume = tilted(folder)
    labels = labels_for(volume.array.shape)
    dataset = written(volume, labels, tmp_path / "seg.dcm")
    assert not [one for one in dataset.iterall() if one.keyword == "SpacingBetweenSlices"]
    assert "DimensionOrganizationType" not in dataset  # which would say that the frames form a regular volume
    stated = {}
    for item in dataset.PerFrameFunctionalGroupsSequence:
        level = float(item.PlanePositionSequence[0].ImagePositionPatient[2])
        stated[level] = float(item.PixelMeasuresSequence[0].SliceThickness)
    assert sorted(stated.items()) == [(-50, 4), (-48.92, 4), (-40.48, 7), (-33.48, 7)]


def test_the_spacing_of_even_slices_is_stated_also_where_some_are_empty(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    dataset = written(volume, labels_for(volume.array.shape), tmp_path / "seg.dcm")
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert (measures.SpacingBetweenSlices, measures.SliceThickness) == (2.5, 2.5)
    assert list(measures.PixelSpacing) == [0.7, 0.8]


def test_highdicom_finds_the_mask_by_the_source_images(folder: Path, tmp_path: Path) -> None:
    volume = tilted(folder)
    labels = labels_for(volume.array.shape)
    written(volume, labels, tmp_path / "seg.dcm")
    read = highdicom.seg.segread(tmp_path / "seg.dcm")
    uids = [one.sop_instance_uid for one in volume.series.slices]  # type: ignore[union-attr]
    back = read.get_pixels_by_source_instance(uids, combine_segments=True, assert_missing_frames_are_empty=True)
    np.testing.assert_array_equal(back, labels)
    described = read.get_segment_description(1)
    assert described.segmented_property_type == pydicom.sr.codedict.codes.SCT.Hemorrhage
    assert described.segmented_property_category == pydicom.sr.codedict.codes.SCT.MorphologicallyAbnormalStructure
    assert described.anatomic_regions == [pydicom.sr.codedict.codes.SCT.Brain]
    assert described.AnatomicRegionSequence[0].AnatomicRegionModifierSequence[0].CodeMeaning == "Left"
    (algorithm,) = described.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("tiny-net", "1.2")
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"
    assert "operating point=balanced" in algorithm.AlgorithmParameters
    assert described.SegmentAlgorithmType == "AUTOMATIC"


def test_frames_of_a_multi_frame_source_are_named_whatever_their_order(tmp_path: Path) -> None:
    enhanced_ct(tmp_path / "enhanced.dcm", np.arange(4 * 5 * 3).reshape(4, 5, 3), order=(2, 0, 3, 1))
    volume = read_study(tmp_path / "enhanced.dcm")
    labels = labels_for(volume.array.shape)
    dataset = written(volume, labels, tmp_path / "seg.dcm")
    assert_holds(dataset, labels, volume)
    numbers = {frame for _, _, frame in frames(dataset)}
    assert numbers == {2, 4, 3}  # slices 0, 1 and 3; slice 2 is empty
    (listed,) = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert listed.ReferencedSOPInstanceUID == "1.2.826.0.1.3680043.8.498.8.1"
    read = highdicom.seg.segread(tmp_path / "seg.dcm")
    back = read.get_pixels_by_source_frame(
        "1.2.826.0.1.3680043.8.498.8.1", [2, 4, 1, 3], combine_segments=True, assert_missing_frames_are_empty=True
    )
    np.testing.assert_array_equal(back, labels)


def test_every_attribute_that_the_standard_demands_is_there(folder: Path, tmp_path: Path) -> None:
    volume = tilted(folder)
    dataset = written(volume, labels_for(volume.array.shape), tmp_path / "seg.dcm")
    assert missing(dataset) == []


def test_it_says_research_use_only_and_stays_in_the_patients_study(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    dataset = written(volume, labels_for(volume.array.shape), tmp_path / "seg.dcm")
    source = pydicom.dcmread(next(folder.iterdir()))
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert dataset[keyword].value == source[keyword].value
    assert dataset.SeriesInstanceUID != source.SeriesInstanceUID
    assert dataset.SeriesDescription == "abdomen segmentation (research use only)"
    assert dataset.ContentDescription == "Research use only, not for clinical use: Intracranial hemorrhage"
    assert "Research use only" in dataset.ContributingEquipmentSequence[0].ContributionDescription
    assert (dataset.Manufacturer, dataset.ManufacturerModelName) == ("MedEnhance", "tiny-net")


def test_the_same_input_gives_the_same_bytes_and_any_other_gives_other_identifiers(
    folder: Path, tmp_path: Path
) -> None:
    volume = read_study(folder)
    labels = labels_for(volume.array.shape)
    first, again = (written(volume, labels, tmp_path / name) for name in ("1.dcm", "2.dcm"))
    assert (tmp_path / "1.dcm").read_bytes() == (tmp_path / "2.dcm").read_bytes()
    assert again.ContentDate == "20200102"
    others = [
        written(volume, np.where(labels == 2, 1, labels), tmp_path / "3.dcm"),
        written(volume, labels, tmp_path / "4.dcm", algorithm=replace(ALGORITHM, parameters={"operating point": "x"})),
        written(volume, labels, tmp_path / "5.dcm", made=datetime(2026, 1, 2, 3, 4, 5)),
        written(volume, labels, tmp_path / "6.dcm", segments=(SEGMENTS[1], SEGMENTS[0])),
    ]
    assert others[2].ContentTime == "030405"
    uids = {str(one.SOPInstanceUID) for one in (first, *others)} | {str(one.SeriesInstanceUID) for one in others}
    assert len(uids) == 1 + 2 * len(others)


def test_an_edited_mask_is_not_called_automatic(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    edited = replace(ALGORITHM, edited=True)
    dataset = written(volume, labels_for(volume.array.shape), tmp_path / "seg.dcm", algorithm=edited)
    assert {one.SegmentAlgorithmType for one in dataset.SegmentSequence} == {"SEMIAUTOMATIC"}
    assert "edited by a person" in dataset.ContributingEquipmentSequence[0].ContributionDescription


@pytest.mark.parametrize(
    ("character_set", "name"),
    [("ISO_IR 192", "Müller^Zoë"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"), ("ISO_IR 126", "Διονυσιος")],
)
def test_a_name_in_any_script_is_kept(character_set: str, name: str, folder: Path, tmp_path: Path) -> None:
    edit(folder, SpecificCharacterSet=character_set, PatientName=name, StudyDescription=name.split("=")[-1])
    volume = read_study(folder)
    dataset = written(volume, labels_for(volume.array.shape), tmp_path / "seg.dcm")
    assert str(dataset.PatientName) == name
    assert dataset.StudyDescription == name.split("=")[-1]


def test_a_bare_header_and_malformed_values_are_no_hindrance(folder: Path, tmp_path: Path) -> None:
    bare = ("PatientName", "PatientBirthDate", "StudyDate", "StudyTime", "StudyID", "SeriesNumber", "SeriesDescription")
    bare += ("FrameOfReferenceUID", "AccessionNumber", "SliceThickness", "ReferringPhysicianName", "Manufacturer")
    edit(folder, **dict.fromkeys(bare))
    for path in folder.iterdir():
        _spoil(path)
    volume = read_study(folder)
    labels = labels_for(volume.array.shape)
    dataset = written(volume, labels, tmp_path / "seg.dcm", made=datetime(2026, 1, 2))
    assert_holds(dataset, labels, volume)
    assert missing(dataset) == []
    assert dataset.PatientSex == "unknown sex"  # as it is, although only M, F and O may stand there
    assert dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness is None
    np.testing.assert_array_equal(highdicom.seg.segread(tmp_path / "seg.dcm").pixel_array, dataset.pixel_array)


def _spoil(path: Path) -> None:
    from medenhance.dicom.headers import tolerant_reading

    with tolerant_reading():
        dataset = pydicom.dcmread(path)
        dataset.PatientSex = "unknown sex"
        dataset.PatientID = "7" * 80
        dataset.save_as(path)


def test_a_lossy_source_is_said_to_be_lossy(folder: Path, tmp_path: Path) -> None:
    edit(folder, LossyImageCompression="01", LossyImageCompressionRatio="12", LossyImageCompressionMethod="ISO_15444_1")
    volume = read_study(folder)
    dataset = written(volume, labels_for(volume.array.shape), tmp_path / "seg.dcm")
    assert (dataset.LossyImageCompression, dataset.LossyImageCompressionMethod) == ("01", "ISO_15444_1")


def test_segments_without_voxels_and_three_hundred_segments_are_kept(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    labels = np.arange(5 * 6 * 9, dtype=np.int32).reshape(5, 6, 9)
    many = [Segment(f"Lesion {n}", codes.HEMORRHAGE) for n in range(1, 301)]
    dataset = written(volume, labels, tmp_path / "seg.dcm", segments=many)
    assert_holds(dataset, labels, volume)
    empty = written(volume, np.zeros((5, 6, 9), np.uint8), tmp_path / "none.dcm", segments=many[:2])
    assert len(empty.SegmentSequence) == 2
    assert not empty.pixel_array.any()


def test_labels_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    labels = labels_for(volume.array.shape)
    for wrong, segments, word in (
        (labels[:4], SEGMENTS, "shape"),
        (labels + 1, SEGMENTS, "do not fit 2 segments"),
        (labels.astype(np.float32), SEGMENTS, "float32"),
        (labels * 0, (), "at least one segment"),
    ):
        with pytest.raises(ValueError, match=word):
            written(volume, wrong, tmp_path / "seg.dcm", segments=segments)
    assert not (tmp_path / "seg.dcm").exists()


def test_a_source_that_cannot_be_referred_to_or_is_gone_is_refused(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    assert volume.series is not None
    labels = labels_for(volume.array.shape)
    nameless = tuple(replace(one, sop_instance_uid="") for one in volume.series.slices)
    with pytest.raises(MedEnhanceError, match="no identifier") as caught:
        written(replace(volume, series=replace(volume.series, slices=nameless)), labels, tmp_path / "seg.dcm")
    assert caught.value.kind == "output-refused"
    shutil.rmtree(folder)
    with pytest.raises(MedEnhanceError, match="cannot be read any more"):
        written(volume, labels, tmp_path / "seg.dcm")
    assert list(tmp_path.iterdir()) == []


def test_images_without_series_and_study_get_one_and_a_warning(folder: Path, tmp_path: Path) -> None:
    edit(folder, SeriesInstanceUID=None, StudyInstanceUID=None)
    volume = read_study(folder)
    assert volume.series is not None
    labels = labels_for(volume.array.shape)
    path = tmp_path / "seg.dcm"
    made = write_segmentation(volume.series, labels, SEGMENTS, path, ALGORITHM, description="Test")
    assert "made up" in made.warnings[0]
    assert_holds(pydicom.dcmread(path), labels, volume)
    assert missing(pydicom.dcmread(path)) == []
    assert faults(path) == []


def test_the_head_with_its_tilt_and_gaps_is_held_exactly(shared_data: Path, tmp_path: Path) -> None:
    volume = read_study(shared_data / "head_ct/ge_hispeed_tilt_variable_spacing")
    labels = np.zeros(volume.array.shape, np.uint8)
    labels[8:17, 200:260, 210:280] = 1
    labels[20:, 300:310, 100:130] = 2
    dataset = written(volume, labels, tmp_path / "seg.dcm")
    assert_holds(dataset, labels, volume)
    assert not [one for one in dataset.iterall() if one.keyword == "SpacingBetweenSlices"]
    gaps_mm = np.diff([one.position_mm[2] for one in volume.series.slices])  # type: ignore[union-attr,index]
    assert gaps_mm.max() > 5 * gaps_mm.min()
    assert faults(tmp_path / "seg.dcm") == []


def test_the_liver_of_another_maker_comes_back_voxel_by_voxel(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "body_ct/dcmqi_ct_3slice"
    volume = read_study(folder)
    assert volume.series is not None
    theirs = highdicom.seg.segread(folder / "liver_seg.dcm")
    uids = [one.sop_instance_uid for one in volume.series.slices]
    liver = theirs.get_pixels_by_source_instance(
        uids, combine_segments=True, assert_missing_frames_are_empty=True, ignore_spatial_locations=True
    )
    assert liver.any()
    ours = written(volume, liver, tmp_path / "seg.dcm", segments=(Segment("Liver", codes.HEMORRHAGE),))
    assert_holds(ours, liver, volume)
    for key, (mask, place) in frames(ours).items():
        known, their_place = frames(pydicom.dcmread(folder / "liver_seg.dcm"))[key]
        np.testing.assert_array_equal(mask, known)
        np.testing.assert_allclose(place, their_place, atol=1e-4)


@pytest.mark.parametrize("name", ["dicom_tricky/eCT_Supplemental.dcm", "head_ct/subdural_slice_693"])
def test_real_sources_of_other_kinds_are_held(name: str, shared_data: Path, tmp_path: Path) -> None:
    volume = read_study(shared_data / name)
    labels = labels_for(volume.array.shape)
    labels[0] |= 1
    dataset = written(volume, np.minimum(labels, 2), tmp_path / "seg.dcm")
    assert_holds(dataset, np.minimum(labels, 2), volume)
    assert faults(tmp_path / "seg.dcm") == []
