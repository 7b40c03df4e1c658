"""A derived DICOM series holds the result exactly, keeps the patient and the place, and says how it was made."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medenhance.dicom.derivation import Derivation, identifier
from medenhance.dicom.encoding import Encoding, choose_encodings
from medenhance.dicom.headers import tolerant_reading
from medenhance.dicom.series import PixelFormat, SliceHeader
from medenhance.dicom.values import rescaled
from medenhance.dicom.write import write_dataset
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.progress import Silent
from medenhance.study import read_study, write_study
from medenhance.volume import Volume

WriteDicom = Callable[..., Path]

DERIVATION = Derivation(
    model_id="tiny-redcnn",
    model_version="1.2",
    weights_sha256="0a" * 32,
    description="Low-dose CT denoising",
    series_suffix="denoised",
    parameters={"strength": "0.8", "device": "cpu"},
)


@pytest.fixture
def hu() -> np.ndarray:
    """(4, 9, 7) int16 HU, every voxel different from its neighbours."""
    return np.random.default_rng(4).integers(-1024, 3071, (4, 9, 7)).astype(np.int16)


@pytest.fixture
def folder(tmp_path: Path, write_dicom: WriteDicom, hu: np.ndarray) -> Path:
    return write_dicom(tmp_path / "source", hu)


def edit(folder: Path, change: Callable[[int, Dataset], None]) -> None:
    for index, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        change(index, dataset)
        dataset.save_as(path)


def set_all(folder: Path, **values: Any) -> None:
    def change(_: int, dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    edit(folder, change)


def written(volume: Volume, folder: Path) -> list[Dataset]:
    write_study(volume, folder, DERIVATION)
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def assert_same_study(source: Volume, copy: Volume) -> None:
    np.testing.assert_array_equal(copy.array, source.array)
    assert copy.grid == source.grid
    assert copy.padding_below == source.padding_below
    assert copy.modality == source.modality


# Voxels


def test_the_same_voxels_come_back_with_the_same_geometry(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    assert write_study(volume, tmp_path / "out", DERIVATION) == ()
    assert_same_study(volume, read_study(tmp_path / "out"))
    for path in (tmp_path / "out").iterdir():
        number = pydicom.dcmread(path).InstanceNumber
        assert pydicom.dcmread(path).PixelData == pydicom.dcmread(folder / f"1-{number:03}.dcm").PixelData


@given(
    slope=st.sampled_from([1.0, 0.5, 2.0, 0.1, 0.244140625, 1.00134, -1.0]),
    intercept=st.sampled_from([0.0, -1024.0, -8192.0, -1000.25, 317.3]),
    bits=st.sampled_from([8, 12, 13, 16]),
    signed=st.booleans(),
)
def test_every_stored_value_survives_the_way_through_hu(
    slope: float, intercept: float, bits: int, signed: bool
) -> None:
    encoding = Encoding(slope, intercept, signed, 8 if bits == 8 else 16, bits)
    first, last = encoding.stored_range
    stored = np.arange(first, last + 1)
    hu = rescaled(stored, header(slope, intercept, bits, signed))
    again, num_clipped = encoding.encode(hu)
    assert num_clipped == 0
    np.testing.assert_array_equal(again, stored)


def header(slope: float, intercept: float, bits: int = 12, signed: bool = False) -> SliceHeader:
    pixels = PixelFormat(4, 5, 8 if bits == 8 else 16, bits, bits - 1, signed, 1, "MONOCHROME2")
    fields = dict.fromkeys(SliceHeader.__dataclass_fields__)
    known = {"path": Path("a.dcm"), "frame": 0, "num_frames": 1, "image_type": (), "pixels": pixels}
    return SliceHeader(**{**fields, **known, "slope": slope, "intercept": intercept})  # type: ignore[arg-type]


@given(
    slope=st.sampled_from([1.0, 0.5, 2.0]),
    bits=st.sampled_from([8, 12, 15]),
    beyond=st.floats(-5000, 5000),
)
def test_what_the_source_cannot_store_changes_the_encoding_but_no_value(slope: float, bits: int, beyond: float) -> None:
    source = header(slope, -1024.0, bits)
    first, last = (v * slope - 1024.0 for v in source.pixels.stored_range)
    assume(not first <= beyond <= last)
    limits = min(first, beyond), max(last, beyond)
    assume(limits[1] - limits[0] < 60000 * slope)
    (encoding,) = choose_encodings((source,), [limits])
    assert encoding.signed
    assert encoding.bits_stored == 16
    assert encoding.fits(*limits)
    values = np.arange(first, last + slope, slope)
    stored, num_clipped = encoding.encode(values)
    assert num_clipped == 0
    np.testing.assert_array_equal(stored * encoding.slope + encoding.intercept, values)


def test_results_are_rounded_to_nearest(folder: Path, tmp_path: Path, hu: np.ndarray) -> None:
    volume = read_study(folder)
    result = np.clip(hu + np.random.default_rng(0).uniform(-0.49, 0.49, hu.shape), -1024, 3071).astype(np.float32)
    write_study(volume.with_array(result), tmp_path / "out", DERIVATION)
    np.testing.assert_array_equal(read_study(tmp_path / "out").array, hu)


def test_results_below_the_source_range_are_kept(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    result = volume.array.copy()
    result[0, 0, 0], result[3, 8, 6] = -1100, 9000
    datasets = written(volume.with_array(result), tmp_path / "out")
    np.testing.assert_array_equal(read_study(tmp_path / "out").array, result)
    assert {d.PixelRepresentation for d in datasets} == {1}
    assert {(d.BitsStored, d.HighBit) for d in datasets} == {(16, 15)}


def test_what_no_encoding_holds_is_clipped_with_a_warning(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    result = volume.array.copy()
    result[0, 0, :2] = -60000, 60000
    (warning,) = write_study(volume.with_array(result), tmp_path / "out", DERIVATION)
    assert warning.startswith("2 voxels lay outside")
    result[0, 0, :2] = -32768 - 1024, 32767 - 1024  # signed 16 bit with the source's intercept
    np.testing.assert_array_equal(read_study(tmp_path / "out").array, result)


@pytest.mark.parametrize("padding", [-2000, -32768])
def test_padding_keeps_its_stored_value(folder: Path, tmp_path: Path, hu: np.ndarray, padding: int) -> None:
    stored = hu.astype(np.int32) + 1024
    stored[:, 0] = padding

    def change(k: int, dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, 1
        dataset.add_new("PixelPaddingValue", "SS", padding)
        dataset.PixelData = stored[k].astype("<i2").tobytes()

    edit(folder, change)
    volume = read_study(folder)
    datasets = written(volume, tmp_path / "out")
    assert all((d.pixel_array[0] == padding).all() for d in datasets)
    assert {d.PixelPaddingValue for d in datasets} == {padding}
    assert_same_study(volume, read_study(tmp_path / "out"))


def test_padding_moves_with_the_encoding(folder: Path, tmp_path: Path) -> None:
    def change(_: int, dataset: Dataset) -> None:
        dataset.add_new("PixelPaddingValue", "US", 0)
        dataset.add_new("PixelPaddingRangeLimit", "US", 3)
        dataset.RescaleIntercept = "-1100"

    edit(folder, change)
    volume = read_study(folder)
    result = volume.array.copy()
    result[0, 0, 0] = -5000
    datasets = written(volume.with_array(result), tmp_path / "out")
    first = datasets[0]
    assert first["PixelPaddingValue"].VR == "SS"
    assert first.PixelPaddingValue * first.RescaleSlope + first.RescaleIntercept == -1100
    assert first.PixelPaddingRangeLimit * first.RescaleSlope + first.RescaleIntercept == -1097
    assert read_study(tmp_path / "out").padding_below == -1097


def test_the_full_range_of_16_bit_is_kept(folder: Path, tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 1 << 16, (4, 9, 7))

    def change(k: int, dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit = 16, 15
        dataset.PixelData = stored[k].astype("<u2").tobytes()

    edit(folder, change)
    volume = read_study(folder)
    assert volume.file_dtype == np.int32
    datasets = written(volume, tmp_path / "out")
    assert {d.PixelRepresentation for d in datasets} == {0}
    assert_same_study(volume, read_study(tmp_path / "out"))
    write_study(volume, tmp_path / "out.nrrd")
    np.testing.assert_array_equal(read_study(tmp_path / "out.nrrd").array, volume.array)


def test_each_slice_keeps_its_own_scale(folder: Path, tmp_path: Path) -> None:
    edit(folder, lambda k, dataset: setattr(dataset, "RescaleSlope", f"{0.1 * (k + 1):.4f}"))
    volume = read_study(folder)
    datasets = written(volume, tmp_path / "out")
    assert [float(d.RescaleSlope) for d in datasets] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert_same_study(volume, read_study(tmp_path / "out"))


# Geometry


def test_odd_geometry_is_kept_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    def tilt(k: int, dataset: Dataset) -> None:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0.9483237, -0.3173047]
        dataset.ImagePositionPatient = [-125.0, -123.5404569, [5.8360586, 10.05605, 14.27, 33.33333333][k]]
        dataset.PixelSpacing = ["0.488281250000", "0.48828125"]

    edit(folder, tilt)
    volume = read_study(folder)
    assert volume.grid.slice_origins_mm is not None
    write_study(volume, tmp_path / "out", DERIVATION)
    copy = read_study(tmp_path / "out")
    assert_same_study(volume, copy)
    assert copy.grid.slice_origins_mm == volume.grid.slice_origins_mm
    for path in (tmp_path / "out").iterdir():
        dataset = pydicom.dcmread(path)
        source = pydicom.dcmread(folder / f"1-{dataset.InstanceNumber:03}.dcm")
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
            assert str(dataset[keyword].value) == str(source[keyword].value)


def test_simpleitk_reads_source_and_copy_alike(folder: Path, tmp_path: Path) -> None:
    write_study(read_study(folder), tmp_path / "out", DERIVATION)
    images = []
    for place in (folder, tmp_path / "out"):
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(place)))
        images.append(reader.Execute())
    source, copy = images
    np.testing.assert_array_equal(sitk.GetArrayFromImage(source), sitk.GetArrayFromImage(copy))
    assert source.GetSpacing() == copy.GetSpacing()
    assert source.GetOrigin() == copy.GetOrigin()
    assert source.GetDirection() == copy.GetDirection()


def test_slices_left_out_on_reading_stay_out(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "1-002.dcm", folder / "copy.dcm")
    volume = read_study(folder)
    datasets = written(volume, tmp_path / "out")
    assert [d.InstanceNumber for d in datasets] == [1, 2, 3, 4]
    assert_same_study(volume, read_study(tmp_path / "out"))


def test_unclear_instance_numbers_are_replaced_by_the_order_of_slices(folder: Path, tmp_path: Path) -> None:
    set_all(folder, InstanceNumber=7)
    assert [d.InstanceNumber for d in written(read_study(folder), tmp_path / "out")] == [1, 2, 3, 4]


# What the header says


def test_the_header_says_what_was_done(folder: Path, tmp_path: Path) -> None:
    sources = {d.InstanceNumber: d for d in map(pydicom.dcmread, folder.iterdir())}
    for dataset in written(read_study(folder), tmp_path / "out"):
        source = sources[dataset.InstanceNumber]
        assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        assert dataset.SOPClassUID == CTImageStorage
        assert list(dataset.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
        assert dataset.SeriesDescription == "abdomen denoised"
        assert dataset.SeriesNumber == source.SeriesNumber + 1000
        assert dataset.DerivationDescription == (
            "Low-dose CT denoising; model tiny-redcnn 1.2; device cpu, strength 0.8; research use only"
        )
        assert "research use only" in dataset.ImageComments
        (code,) = dataset.DerivationCodeSequence
        assert (code.CodeValue, code.CodingSchemeDesignator) == ("113087", "DCM")
        (equipment,) = dataset.ContributingEquipmentSequence
        assert equipment.ManufacturerModelName == "tiny-redcnn"
        assert equipment.SoftwareVersions[1:] == ["0a" * 32, "model 1.2"]
        assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        (image,) = dataset.SourceImageSequence
        assert image.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert image.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        (series,) = dataset.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == source.SeriesInstanceUID
        assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        for keyword in (
            "PatientName",
            "PatientID",
            "StudyInstanceUID",
            "FrameOfReferenceUID",
            "StudyDate",
            "KVP",
            "Manufacturer",
        ):
            assert dataset[keyword].value == source[keyword].value


def test_codes_are_those_of_the_standard() -> None:
    from pydicom.sr.codedict import codes

    from medenhance.dicom import derivation

    for context, name, (value, meaning) in (
        (codes.cid7203, "Smoothing", derivation.SMOOTHING),
        (codes.cid7202, "SourceImageForImageProcessingOperation", derivation.SOURCE_IMAGE),
        (codes.cid7005, "ProcessingEquipment", derivation.PROCESSING_EQUIPMENT),
    ):
        code = getattr(context, name)
        assert (code.value, code.scheme_designator, code.meaning) == (value, "DCM", meaning)


def test_identifiers_are_new_and_valid(folder: Path, tmp_path: Path) -> None:
    sources = [pydicom.dcmread(path) for path in folder.iterdir()]
    datasets = written(read_study(folder), tmp_path / "out")
    old = {d.SOPInstanceUID for d in sources} | {d.SeriesInstanceUID for d in sources}
    new = {d.SOPInstanceUID for d in datasets}
    assert len(new) == len(datasets)
    assert len({d.SeriesInstanceUID for d in datasets}) == 1
    assert not old & (new | {datasets[0].SeriesInstanceUID})
    for uid in (*new, datasets[0].SeriesInstanceUID):
        assert re.fullmatch(r"2\.25\.(0|[1-9][0-9]*)", uid)
        assert len(uid) <= 64


def test_the_same_result_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    for name in ("a", "b"):
        write_study(volume, tmp_path / name, DERIVATION)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_another_process_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_study(read_study(folder), tmp_path / "a", DERIVATION)
    code = (
        "from pathlib import Path; from medenhance.study import *;"
        f"d = Derivation(**{vars(DERIVATION)!r});"
        f"write_study(read_study(Path({str(folder)!r})), Path({str(tmp_path / 'b')!r}), d)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize(
    "other",
    [
        replace(DERIVATION, model_version="1.3"),
        replace(DERIVATION, weights_sha256="0b" * 32),
        replace(DERIVATION, parameters={"strength": "0.7", "device": "cpu"}),
        replace(DERIVATION, series_suffix="removed"),
    ],
)
def test_another_derivation_gives_other_identifiers(folder: Path, tmp_path: Path, other: Derivation) -> None:
    volume = read_study(folder)
    write_study(volume, tmp_path / "a", DERIVATION)
    write_study(volume, tmp_path / "b", other)
    a, b = (pydicom.dcmread(tmp_path / name / "0001.dcm") for name in "ab")
    assert a.SOPInstanceUID != b.SOPInstanceUID
    assert a.SeriesInstanceUID != b.SeriesInstanceUID


def test_another_result_gives_other_identifiers(folder: Path, tmp_path: Path) -> None:
    """The same model rounds differently on another device: two results must not share identifiers."""
    volume = read_study(folder)
    changed = volume.array.copy()
    changed[2, 3, 4] += 1
    a = written(volume, tmp_path / "a")[0]
    b = written(volume.with_array(changed), tmp_path / "b")[0]
    assert a.PixelData == b.PixelData
    assert a.SOPInstanceUID != b.SOPInstanceUID
    assert a.SeriesInstanceUID != b.SeriesInstanceUID


def test_identifiers_do_not_mix_up_their_parts() -> None:
    assert identifier("a", "bc") == identifier("a", "bc") != identifier("ab", "c")


def test_stale_and_private_elements_are_gone(folder: Path, tmp_path: Path) -> None:
    def change(_: int, dataset: Dataset) -> None:
        dataset.add_new("SmallestImagePixelValue", "US", 1)
        dataset.add_new("LargestImagePixelValue", "US", 2)
        dataset.InstanceCreationTime = "101112"
        dataset.IconImageSequence = [Dataset()]
        dataset.add_new((0x0029, 0x0010), "LO", "SIEMENS CSA HEADER")
        dataset.add_new((0x0029, 0x1010), "OB", b"abcd")
        dataset.add_new((0x6000, 0x0102), "US", 12)  # an overlay in unused bits of the pixels
        dataset.add_new((0x6002, 0x0010), "US", 9)
        dataset.add_new((0x6002, 0x3000), "OW", b"\0" * 8)  # one of its own

    edit(folder, change)
    for dataset in written(read_study(folder), tmp_path / "out"):
        assert not any(element.tag.is_private for element in dataset)
        for keyword in (
            "SmallestImagePixelValue",
            "LargestImagePixelValue",
            "InstanceCreationTime",
            "IconImageSequence",
        ):
            assert keyword not in dataset
        assert (0x6000, 0x0102) not in dataset
        assert (0x6002, 0x3000) in dataset


def test_earlier_processing_steps_stay_recorded(folder: Path, tmp_path: Path) -> None:
    step = Dataset()
    step.CodeValue, step.CodingSchemeDesignator, step.CodeMeaning = "113085", "DCM", "Spatial resampling"
    set_all(folder, DerivationCodeSequence=[step], DerivationDescription="resampled", ImageComments="good one")
    volume = read_study(folder)
    for dataset in written(volume, tmp_path / "out"):
        assert [item.CodeValue for item in dataset.DerivationCodeSequence] == ["113085", "113087"]
        assert dataset.DerivationDescription.endswith("research use only resampled")
        assert dataset.ImageComments.endswith("research use only. good one")
    again = written(read_study(tmp_path / "out"), tmp_path / "twice")
    assert len(again[0].ContributingEquipmentSequence) == 2


def test_lossy_compression_stays_recorded(folder: Path, tmp_path: Path) -> None:
    set_all(folder, LossyImageCompression="01", LossyImageCompressionRatio="8.5")
    dataset = written(read_study(folder), tmp_path / "out")[0]
    assert (dataset.LossyImageCompression, float(dataset.LossyImageCompressionRatio)) == ("01", 8.5)
    jpeg = read_study(Path(str(get_testdata_file("JPGExtended.dcm"))))
    assert written(jpeg, tmp_path / "jpeg")[0].LossyImageCompression == "01"


@pytest.mark.parametrize(
    ("charset", "name", "description"),
    [
        ("ISO_IR 192", "山田^太郎", "Lunge Übersicht"),
        ("ISO_IR 100", "Müller^Jürgen", "Schädel"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "head"),
    ],
)
def test_names_in_any_script_are_kept(folder: Path, tmp_path: Path, charset: Any, name: str, description: str) -> None:
    set_all(folder, SpecificCharacterSet=charset, PatientName=name, SeriesDescription=description)
    for dataset in written(read_study(folder), tmp_path / "out"):
        assert str(dataset.PatientName) == name
        assert dataset.SeriesDescription == f"{description} denoised"


def test_what_an_anonymised_source_lacks_is_added(folder: Path, tmp_path: Path) -> None:
    def strip(_: int, dataset: Dataset) -> None:
        for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientSex", "KVP", "SOPClassUID"):
            delattr(dataset, keyword)

    edit(folder, strip)
    datasets = written(read_study(folder), tmp_path / "out")
    again = written(read_study(folder), tmp_path / "again")
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        assert len({d[keyword].value for d in (*datasets, *again)}) == 1
        assert datasets[0][keyword].value.startswith("2.25.")
    assert datasets[0].StudyInstanceUID != datasets[0].FrameOfReferenceUID
    assert not datasets[0].PatientSex
    assert datasets[0].KVP is None
    assert datasets[0].SOPClassUID == CTImageStorage


def test_long_descriptions_keep_the_suffix(folder: Path, tmp_path: Path) -> None:
    set_all(folder, SeriesDescription="x" * 64)
    description = written(read_study(folder), tmp_path / "out")[0].SeriesDescription
    assert len(description) == 64
    assert description.endswith("x denoised")


def test_research_use_is_always_said() -> None:
    assert replace(DERIVATION, description="Anything").text.endswith("; research use only")
    assert replace(DERIVATION, description="Research use only.").text.count("use only") == 1
    assert all("MedEnhance_" in key for key in DERIVATION.summary())


# Sources that are odd


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_sources_in_other_encodings(folder: Path, tmp_path: Path, syntax: str, hu: np.ndarray) -> None:
    for k, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = syntax
        little = syntax == ImplicitVRLittleEndian
        dataset.PixelData = (hu[k].astype(np.int32) + 1024).astype("<u2" if little else ">u2").tobytes()
        pydicom.dcmwrite(path, dataset, implicit_vr=little, little_endian=little, force_encoding=True)
    volume = read_study(folder)
    datasets = written(volume, tmp_path / "out")
    assert datasets[0].KVP == 120
    assert_same_study(volume, read_study(tmp_path / "out"))


@pytest.mark.parametrize("rubbish", [b"SQ\0\0\x04\0\0\0abcd", b"US\x03\0abc"], ids=["sequence", "size"])
def test_malformed_elements_are_left_out_and_named(folder: Path, tmp_path: Path, rubbish: bytes) -> None:
    birth_date = b"\x10\x00\x30\x00"
    for path in folder.iterdir():
        before, after = path.read_bytes().split(birth_date + b"DA\0\0")
        path.write_bytes(before + birth_date + rubbish + after)
    volume = read_study(folder)
    warnings = write_study(volume, tmp_path / "out", DERIVATION)
    assert warnings == ("Malformed header elements of the source were left out: (0010,0030).",)
    assert_same_study(volume, read_study(tmp_path / "out"))


def test_elements_that_cannot_be_written_are_dropped(tmp_path: Path) -> None:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.PatientID = CTImageStorage, "1.2", "7"
    with tolerant_reading():
        dataset.add_new("Rows", "US", 1 << 20)
        assert write_dataset(dataset, tmp_path / "a.dcm") == ["(0028,0010)"]
    assert pydicom.dcmread(tmp_path / "a.dcm").PatientID == "7"


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
def test_an_enhanced_file_becomes_single_frame_slices(folder: Path, tmp_path: Path) -> None:
    def change(k: int, dataset: Dataset) -> None:
        dataset.ImagePositionPatient = [1, 2, [0, 1.1, 2.2, 5.9][k]]
        dataset.RescaleSlope = f"{k + 1}"
        dataset.PatientPosition, dataset.ConvolutionKernel, dataset.BurnedInAnnotation = "HFS", "B30f", "NO"

    edit(folder, change)
    slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    enhanced = highdicom.legacy.LegacyConvertedEnhancedCTImage(slices, "1.2.3.4", 3, "1.2.3.4.5", 1)
    enhanced.save_as(tmp_path / "enhanced.dcm")
    volume = read_study(tmp_path / "enhanced.dcm")
    datasets = written(volume, tmp_path / "out")
    assert_same_study(volume, read_study(tmp_path / "out"))
    assert volume.series is not None
    for k, dataset in enumerate(datasets):
        assert dataset.SOPClassUID == CTImageStorage
        assert dataset.SeriesNumber == 1003
        assert dataset.DerivationDescription == DERIVATION.text
        assert "NumberOfFrames" not in dataset
        assert "PerFrameFunctionalGroupsSequence" not in dataset
        assert dataset.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5"
        assert dataset.SourceImageSequence[0].ReferencedFrameNumber == volume.series.slices[k].frame + 1
        assert list(dataset.PixelSpacing) == [0.7, 0.8]
        assert dataset.PatientID == "7"


def test_the_source_must_still_be_there_and_the_same(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder)
    (folder / "1-003.dcm").rename(tmp_path / "moved")
    with pytest.raises(MedEnhanceError, match="cannot be read any more") as caught:
        write_study(volume, tmp_path / "out", DERIVATION)
    assert caught.value.kind == "input-missing"
    shutil.copy(folder / "1-002.dcm", folder / "1-003.dcm")
    with pytest.raises(MedEnhanceError, match="has changed"):
        write_study(volume, tmp_path / "out", DERIVATION)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


# One file, refusals, cancelling


def test_one_slice_can_be_one_file(folder: Path, tmp_path: Path) -> None:
    volume = read_study(folder / "1-002.dcm")
    write_study(volume, tmp_path / "out.dcm", DERIVATION)
    assert_same_study(volume, read_study(tmp_path / "out.dcm"))
    with pytest.raises(MedEnhanceError, match="has 4 slices"):
        write_study(read_study(folder), tmp_path / "all.dcm", DERIVATION)


def test_cancelling_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    class StopAtThird(Silent):
        calls = 0

        def cancelled(self) -> bool:
            self.calls += 1
            return self.calls == 3

    with pytest.raises(Cancelled):
        write_study(read_study(folder), tmp_path / "new" / "out", DERIVATION, progress=StopAtThird())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize(
    "name",
    [
        "head_ct/ge_hispeed_tilt_variable_spacing",
        "head_ct/slicer_cthead_64px",
        "head_ct/subdural_slice_693",
        "body_ct/siemens_abdomen_j2k_20slices",
        "body_ct/dcmqi_ct_3slice",
        "dicom_tricky/bad_sequence.dcm",
        "dicom_tricky/eCT_Supplemental.dcm",
        "dicom_tricky/explicit_VR-UN.dcm",
        "dicom_tricky/vlut_04.dcm",
    ],
)
def test_real_studies_come_back_bit_for_bit(shared_data: Path, tmp_path: Path, name: str) -> None:
    volume = read_study(shared_data / name)
    assert write_study(volume, tmp_path / "out", DERIVATION) == ()
    assert_same_study(volume, read_study(tmp_path / "out"))


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "693_J2KI.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "MR_small_expb.dcm",
        "MR_small_padded.dcm",
        "examples_overlay.dcm",
        "JPEG2000.dcm",
        "JPEGLSNearLossless_08.dcm",
        "image_dfl.dcm",
    ],
)
def test_pydicoms_files_come_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    volume = read_study(Path(str(get_testdata_file(name))))
    assert write_study(volume, tmp_path / "out", DERIVATION) == ()
    assert_same_study(volume, read_study(tmp_path / "out"))
