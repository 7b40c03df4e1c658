"""DICOM series in: order, scale, geometry, compression and everything that can be odd about them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from medenhance.dicom.stack import read_stack
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.progress import Silent
from medenhance.study import read_study
from medenhance.volume import Volume

WriteDicom = Callable[..., Path]
Edit = Callable[[int, Dataset], None]


@pytest.fixture
def hu() -> np.ndarray:
    """(6, 9, 7) int16 HU, every voxel different from its neighbours."""
    return np.random.default_rng(4).integers(-1024, 3071, (6, 9, 7)).astype(np.int16)


@pytest.fixture
def folder(tmp_path: Path, write_dicom: WriteDicom, hu: np.ndarray) -> Path:
    return write_dicom(tmp_path / "Schädel 頭 1", hu)


def edit(folder: Path, change: Edit) -> None:
    """Change every file: ``change(index, dataset)``, index counting from 0 in the order of positions."""
    for index, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        change(index, dataset)
        dataset.save_as(path)


def setting(**values: Any) -> Edit:
    def change(_: int, dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return change


def positions(z_mm: list[float], y_mm: list[float] | None = None) -> Edit:
    def change(index: int, dataset: Dataset) -> None:
        dataset.ImagePositionPatient = [-10.5, y_mm[index] if y_mm else 20.25, z_mm[index]]

    return change


def set_stored(dataset: Dataset, stored: np.ndarray, bits: int, signed: bool) -> None:
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = int(signed)
    dataset.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()


def refusal(path: Path, series: str | None = None) -> MedEnhanceError:
    with pytest.raises(MedEnhanceError) as caught:
        read_study(path, series)
    return caught.value


def warned(volume: Volume, text: str) -> bool:
    return any(text in warning for warning in volume.warnings)


def itk_series(folder: Path) -> sitk.Image:
    """The independent witness: GDCM's sorting, rescaling and geometry."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


# What a plain series gives


def test_a_series_is_read_in_hu_with_its_geometry(folder: Path, hu: np.ndarray) -> None:
    volume = read_study(folder)
    np.testing.assert_array_equal(volume.array, hu)
    assert volume.array.dtype == np.float32
    assert volume.grid.spacing_mm == (0.8, 0.7, 2.5)
    assert volume.grid.origin_mm == (-10.5, 20.25, -97.5)
    assert volume.grid.slice_origins_mm is None
    assert (volume.modality, volume.padding_below, volume.warnings) == ("CT", None, ())
    assert volume.file_dtype == np.int16
    assert volume.series is not None
    assert [one.instance_number for one in volume.series.slices] == [1, 2, 3, 4, 5, 6]


def test_headers_are_read_without_what_reads_voxels(folder: Path) -> None:
    """Slicer 5.10 reads headers by this code with its own pydicom 2, which lacks what reads voxels."""
    code = (
        "import sys; from pathlib import Path; from medenhance.dicom.stack import read_stack; "
        "from medenhance.progress import Silent; "
        f"print(len(read_stack(Path({str(folder)!r}), None, Silent()).series.slices)); "
        "print('medenhance.dicom.pixels' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(len(list(folder.iterdir()))), "False"]


def test_slices_are_sorted_by_position_not_by_name_or_number(folder: Path, hu: np.ndarray) -> None:
    order = np.random.default_rng(1).permutation(6)

    def shuffle(index: int, dataset: Dataset) -> None:
        dataset.ImagePositionPatient = [-10.5, 20.25, 2.5 * int(order[index]) - 97.5]
        dataset.InstanceNumber = 100 - index

    edit(folder, shuffle)
    np.testing.assert_array_equal(read_study(folder).array, hu[np.argsort(order)])


@pytest.mark.parametrize(
    "orientation",
    [
        [1, 0, 0, 0, 1, 0],
        [-1, 0, 0, 0, -1, 0],
        [0, 1, 0, 0, 0, -1],
        [0.8, 0.6, 0, -0.48, 0.64, 0.6],
    ],
)
def test_geometry_and_voxels_agree_with_gdcm(folder: Path, orientation: list[float]) -> None:
    normal = np.cross(orientation[:3], orientation[3:])

    def turn(index: int, dataset: Dataset) -> None:
        dataset.ImageOrientationPatient = orientation
        dataset.ImagePositionPatient = [round(float(v), 6) for v in np.array([5.0, -7.0, 11.0]) + 2.5 * index * normal]

    edit(folder, turn)
    volume, witness = read_study(folder), itk_series(folder)
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(witness))
    np.testing.assert_allclose(volume.grid.spacing_mm, witness.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(volume.grid.origin_mm, witness.GetOrigin(), rtol=1e-6)
    np.testing.assert_allclose(volume.grid.direction, witness.GetDirection(), atol=1e-6)


def test_files_lie_anywhere_below_the_folder(folder: Path, hu: np.ndarray) -> None:
    for index, path in enumerate(sorted(folder.iterdir())):
        place = folder / f"sub {index % 2}" / "名前"
        place.mkdir(parents=True, exist_ok=True)
        path.rename(place / f"{index}")
    np.testing.assert_array_equal(read_study(folder).array, hu)


def test_one_file_is_a_study_of_one_slice(folder: Path, hu: np.ndarray) -> None:
    volume = read_study(sorted(folder.iterdir())[2])
    np.testing.assert_array_equal(volume.array, hu[2:3])
    assert volume.grid.spacing_mm == (0.8, 0.7, 2.5)
    assert volume.warnings == ()


def test_progress_can_stop_reading(folder: Path) -> None:
    class Stop(Silent):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Cancelled):
        read_study(folder, progress=Stop())


# Values


def test_every_slice_has_its_own_slope_and_intercept(folder: Path, hu: np.ndarray) -> None:
    edit(folder, lambda k, d: setting(RescaleSlope=f"{0.5 + k}", RescaleIntercept=f"{-1000.25 * k}")(k, d))
    stored = hu.astype(np.float32) + 1024
    expected = np.stack([stored[k] * np.float32(0.5 + k) + np.float32(-1000.25 * k) for k in range(6)])
    volume = read_study(folder)
    np.testing.assert_array_equal(volume.array, expected)
    assert volume.file_dtype == np.float32


@pytest.mark.parametrize(("bits", "signed"), [(8, False), (12, False), (12, True), (13, True), (16, False), (16, True)])
def test_all_stored_values_are_read_exactly(folder: Path, bits: int, signed: bool) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    stored = np.random.default_rng(2).integers(low, low + (1 << bits), (6, 9, 7))
    edit(folder, lambda k, d: set_stored(d, stored[k], bits, signed))
    np.testing.assert_array_equal(read_study(folder).array, stored - 1024)


def test_bits_outside_the_stored_ones_are_ignored(folder: Path, hu: np.ndarray) -> None:
    """Old files keep overlays there."""
    rubbish = np.random.default_rng(2).integers(0, 16, hu.shape) << 12

    def change(k: int, dataset: Dataset) -> None:
        dataset.PixelData = ((hu[k].astype(np.int32) + 1024) | rubbish[k]).astype("<u2").tobytes()

    edit(folder, change)
    np.testing.assert_array_equal(read_study(folder).array, hu)


def test_values_in_the_upper_bits_are_shifted_down(folder: Path, hu: np.ndarray) -> None:
    def change(k: int, dataset: Dataset) -> None:
        dataset.HighBit = 15
        dataset.PixelData = ((hu[k].astype(np.int32) + 1024) << 4).astype("<u2").tobytes()

    edit(folder, change)
    np.testing.assert_array_equal(read_study(folder).array, hu)


def test_missing_scale_is_said(folder: Path) -> None:
    def change(_: int, dataset: Dataset) -> None:
        del dataset.RescaleSlope, dataset.RescaleIntercept

    edit(folder, change)
    volume = read_study(folder)
    assert volume.array.min() >= 0
    assert warned(volume, "6 of 6 slices state no rescale slope and intercept")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"RescaleType": "US"}, "said to be US rather than HU"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "derived already"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "screen captures"),
    ],
)
def test_doubtful_values_are_said(folder: Path, values: dict[str, Any], text: str) -> None:
    edit(folder, setting(**values))
    assert warned(read_study(folder), text)


def test_padding_that_could_be_tissue_is_not_masked(folder: Path) -> None:
    edit(folder, lambda _, dataset: dataset.add_new("PixelPaddingValue", "US", 1024))
    volume = read_study(folder)
    assert volume.padding_below is None
    assert warned(volume, "declare 0 as padding")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"RescaleSlope": "0"}, "slope is 0"),
        ({"RescaleSlope": "1e-9"}, "single precision cannot hold both"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour"),
        ({"Rows": 0}, "makes no sense"),
        ({"BitsStored": 20}, "makes no sense"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.5, 0.5, 0]}, "not two unit vectors"),
        ({"ImageOrientationPatient": [1, 0, 0, 0]}, "6 numbers were expected"),
    ],
)
def test_impossible_headers_are_refused(folder: Path, values: dict[str, Any], text: str) -> None:
    edit(folder, setting(**values))
    assert text in str(refusal(folder))


# Padding


@pytest.mark.parametrize("declared", [None, -2000, 63536])
def test_padding_is_marked_whether_declared_or_not(folder: Path, hu: np.ndarray, declared: int | None) -> None:
    stored = hu.astype(np.int32) + 1024
    stored[:, 0] = -2000

    def change(k: int, dataset: Dataset) -> None:
        set_stored(dataset, stored[k], 16, signed=True)
        if declared is not None:
            dataset.add_new("PixelPaddingValue", "US" if declared > 0 else "SS", declared)

    edit(folder, change)
    volume = read_study(folder)
    assert volume.padding_below is not None
    np.testing.assert_array_equal(volume.array <= volume.padding_below, stored == -2000)
    assert volume.array.min() == -3024
    assert volume.warnings == ()


def test_declared_padding_is_a_range(folder: Path) -> None:
    def change(_: int, dataset: Dataset) -> None:
        dataset.add_new("PixelPaddingValue", "US", 0)
        dataset.add_new("PixelPaddingRangeLimit", "US", 7)

    edit(folder, change)
    assert read_study(folder).padding_below is None  # -1017 may be air
    edit(folder, setting(RescaleIntercept=-1100))
    assert read_study(folder).padding_below == -1093


def test_padding_is_none_when_nothing_is_padded(folder: Path) -> None:
    def change(k: int, dataset: Dataset) -> None:
        set_stored(dataset, np.full((9, 7), 100 + k), 16, signed=True)
        dataset.add_new("PixelPaddingValue", "SS", -2000)

    edit(folder, change)
    assert read_study(folder).padding_below is None


# Transfer syntaxes


def jpeg_lossless(image: np.ndarray) -> bytes:
    """An independent encoder (ITU-T T.81, annex H): 16 bit, predictor 1, all Huffman codes 5 bits long."""
    rows, columns = image.shape
    left = np.roll(image.astype(np.int64), 1, axis=1)
    left[:, 0] = np.roll(image[:, 0].astype(np.int64), 1)
    left[0, 0] = 1 << 15
    bits = ""
    for difference in ((image - left + (1 << 15)) % (1 << 16) - (1 << 15)).ravel().tolist():
        size = int(abs(difference)).bit_length()
        bits += f"{size:05b}"
        if 0 < size < 16:
            bits += f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}"
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\x00")
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])
    segments = (
        (0xC3, bytes([16, *rows.to_bytes(2, "big"), *columns.to_bytes(2, "big"), 1, 1, 0x11, 0])),
        (0xC4, table),
        (0xDA, bytes([1, 1, 0, 1, 0, 0])),
    )
    head = b"".join(bytes([0xFF, code, *(len(body) + 2).to_bytes(2, "big")]) + body for code, body in segments)
    return b"\xff\xd8" + head + data + b"\xff\xd9"


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEGLSLossless]
)
@pytest.mark.parametrize(("bits", "signed"), [(12, False), (12, True), (16, True)])
def test_transfer_syntaxes_that_pydicom_writes(folder: Path, syntax: str, bits: int, signed: bool) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    stored = np.random.default_rng(2).integers(low, low + (1 << bits), (6, 9, 7))

    def change(k: int, dataset: Dataset) -> None:
        set_stored(dataset, stored[k], bits, signed)
        if pydicom.uid.UID(syntax).is_encapsulated:
            dataset.compress(syntax, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = stored[k].astype(">i2" if signed else ">u2").tobytes()

    for index, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        change(index, dataset)
        little = syntax != ExplicitVRBigEndian
        pydicom.dcmwrite(
            path, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=little, force_encoding=True
        )
    np.testing.assert_array_equal(read_study(folder).array, stored - 1024)


@pytest.mark.parametrize("signed", [False, True])
def test_jpeg_lossless_from_an_encoder_of_our_own(folder: Path, signed: bool) -> None:
    stored = np.random.default_rng(2).integers(0, 1 << 16, (6, 9, 7)) - (signed << 15)

    def change(k: int, dataset: Dataset) -> None:
        set_stored(dataset, stored[k], 16, signed)
        dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        dataset.PixelData = encapsulate([jpeg_lossless(stored[k] % (1 << 16))])

    edit(folder, change)
    np.testing.assert_array_equal(read_study(folder).array, stored - 1024)


def test_jpeg_2000_from_pillow(folder: Path) -> None:
    from io import BytesIO

    from PIL import Image

    stored = np.random.default_rng(2).integers(0, 4096, (6, 40, 33)).astype(np.uint16)

    def change(k: int, dataset: Dataset) -> None:
        buffer = BytesIO()
        Image.fromarray(stored[k]).save(buffer, "JPEG2000", no_jp2=True, irreversible=False)
        dataset.Rows, dataset.Columns = 40, 33
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        dataset.PixelData = encapsulate([buffer.getvalue()])

    edit(folder, change)
    np.testing.assert_array_equal(read_study(folder).array, stored.astype(np.int32) - 1024)


@pytest.mark.parametrize(
    ("name", "uncompressed"),
    [
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("MR_small_implicit.dcm", "MR_small.dcm"),
        ("MR_small_padded.dcm", "MR_small.dcm"),
    ],
)
def test_pydicoms_compressed_files_equal_their_originals(name: str, uncompressed: str) -> None:
    expected = pydicom.dcmread(str(get_testdata_file(uncompressed))).pixel_array
    volume = read_study(Path(str(get_testdata_file(name))))
    np.testing.assert_array_equal(volume.array[0], expected)
    assert volume.modality == "MR"


@pytest.mark.parametrize(
    "name", ["J2K_pixelrep_mismatch.dcm", "693_J2KI.dcm", "JPEG2000.dcm", "JPEGLSNearLossless_16.dcm", "image_dfl.dcm"]
)
def test_pydicoms_decoders_agree(name: str) -> None:
    """Signed header over an unsigned stream, lossy streams, deflated."""
    path = str(get_testdata_file(name))
    dataset = pydicom.dcmread(path)
    expected = dataset.pixel_array * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    np.testing.assert_array_equal(read_study(Path(path)).array[0], expected)


def test_unknown_compression_is_refused_by_name(folder: Path) -> None:
    def change(_: int, dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
        dataset.PixelData = encapsulate([b"\xff\x4f"])

    edit(folder, change)
    error = refusal(folder)
    assert error.kind == "input-unsuitable"
    assert "High-Throughput JPEG 2000" in error.message


def test_12_bit_jpeg_is_decoded() -> None:
    volume = read_study(Path(str(get_testdata_file("JPGExtended.dcm"))))
    assert volume.array.shape == (1, 1024, 256)
    assert volume.array.max() == 264


# Geometry that is odd


def test_a_tilted_gantry_is_kept(folder: Path) -> None:
    tilt = np.radians(18.5)
    edit(folder, setting(ImageOrientationPatient=[1, 0, 0, 0, round(np.cos(tilt), 7), round(-np.sin(tilt), 7)]))
    volume = read_study(folder)
    assert volume.grid.shear_deg == pytest.approx(18.5, abs=1e-4)
    assert warned(volume, "sheared by 18.5 degrees")
    assert volume.grid.slice_origins_mm is None
    np.testing.assert_allclose(volume.grid.affine[:3, 2], [0, 0, 2.5])


def test_missing_slices_are_named(folder: Path, hu: np.ndarray) -> None:
    files = sorted(folder.iterdir())
    files[2].unlink()
    files[3].unlink()
    volume = read_study(folder)
    np.testing.assert_array_equal(volume.array, hu[[0, 1, 4, 5]])
    assert warned(volume, "Slices are missing: 2 between slices 2 and 3 (2.5 mm apart elsewhere)")
    assert volume.grid.slice_origins_mm is not None
    assert [z for _, _, z in volume.grid.slice_origins_mm] == [-97.5, -95.0, -87.5, -85.0]


def test_unequal_gaps_are_kept(folder: Path) -> None:
    z = [0.0, 1.1, 2.2, 5.9, 9.6, 13.3]
    edit(folder, positions(z))
    volume = read_study(folder)
    assert warned(volume, "1.1 to 3.7 mm apart")
    assert volume.grid.slice_origins_mm == tuple((-10.5, 20.25, value) for value in z)
    assert volume.grid.spacing_mm[2] == pytest.approx(13.3 / 5)


def test_rounded_positions_count_as_even(folder: Path) -> None:
    edit(folder, positions([round(k * 2.0 / 3.0, 3) for k in range(6)]))
    volume = read_study(folder)
    assert volume.grid.slice_origins_mm is None
    assert volume.warnings == ()


def test_slices_that_slide_sideways_are_uneven(folder: Path) -> None:
    edit(folder, positions([2.5 * k for k in range(6)], [0, 0, 0, 5, 0, 0]))
    assert read_study(folder).grid.slice_origins_mm is not None


def test_nearly_equal_orientations_are_one(folder: Path) -> None:
    """Values on both sides of a rounding step must not split a series."""
    edit(folder, lambda k, d: setting(ImageOrientationPatient=[1, 0.0005 + 1e-6 * (k % 2), 0, 0, 1, 0])(k, d))
    assert len(read_study(folder).array) == 6


def test_missing_pixel_spacing_is_said(folder: Path) -> None:
    edit(folder, lambda _, d: d.__delitem__("PixelSpacing"))
    volume = read_study(folder)
    assert not volume.grid.spacing_known
    assert warned(volume, "no pixel spacing")


@pytest.mark.parametrize(
    ("keyword", "value", "text"),
    [
        ("ImageOrientationPatient", [0, 1, 0, 0, 0, -1], "mixes 2 orientations"),
        ("PixelSpacing", [0.9, 0.8], "mixes 2 pixel spacings"),
        ("ImagePositionPatient", None, "state no position"),
    ],
)
def test_mixed_slices_are_refused(folder: Path, keyword: str, value: Any, text: str) -> None:
    edit(folder, lambda k, d: setattr(d, keyword, value) if k == 4 else None)
    error = refusal(folder)
    assert error.kind == "input-unsuitable"
    assert text in error.message
    assert "005.dcm" in error.message


def test_mixed_sizes_are_refused(folder: Path) -> None:
    def change(k: int, dataset: Dataset) -> None:
        if k == 4:
            dataset.Rows, dataset.Columns = 7, 9

    edit(folder, change)
    assert "mixes 2 image sizes" in refusal(folder).message


def test_a_localizer_in_the_series_is_left_out(folder: Path, hu: np.ndarray) -> None:
    def change(k: int, dataset: Dataset) -> None:
        if k == 0:
            dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
            dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    edit(folder, change)
    volume = read_study(folder)
    np.testing.assert_array_equal(volume.array, hu[1:])
    assert warned(volume, "1 localizers or screen captures")
    assert "only localizers" in refusal(sorted(folder.iterdir())[0]).message


def test_screen_captures_in_the_series_are_left_out(folder: Path, hu: np.ndarray) -> None:
    def change(k: int, dataset: Dataset) -> None:
        if k == 5:
            dataset.SOPClassUID = SecondaryCaptureImageStorage
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"

    edit(folder, change)
    np.testing.assert_array_equal(read_study(folder).array, hu[:5])


# Slices at one position


def test_copies_of_slices_are_left_out(folder: Path, hu: np.ndarray) -> None:
    for name in ("1-002.dcm", "1-005.dcm"):
        shutil.copy(folder / name, folder / f"copy of {name}")
    volume = read_study(folder)
    np.testing.assert_array_equal(volume.array, hu)
    assert warned(volume, "2 copies of slices were left out")


def test_repeated_slices_are_refused_where_voxels_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(sorted(folder.iterdir())[0], folder / "again.dcm")
    monkeypatch.setitem(sys.modules, "medenhance.dicom.values", None)  # as with pydicom 2
    with pytest.raises(MedEnhanceError, match=r"same position.*cannot compare"):
        read_stack(folder, None, Silent())


def test_different_slices_at_one_position_are_refused(folder: Path) -> None:
    edit(folder, positions([0, 1, 2, 2, 3, 4]))
    error = refusal(folder)
    assert error.kind == "input-unsuitable"
    assert "1-003.dcm and 1-004.dcm lie at the same position" in error.message


def test_several_phases_in_one_series_are_refused(folder: Path) -> None:
    edit(folder, positions([0, 1, 2, 0, 1, 2]))
    assert "up to 2 different images at each of 3 positions" in refusal(folder).message


def test_shifted_reconstructions_at_one_level_are_refused(folder: Path) -> None:
    edit(folder, positions([0, 1, 2, 2, 3, 4], [0, 0, 0, 9, 0, 0]))
    assert "same level at different places" in refusal(folder).message


# Choosing what to read


def test_several_series_are_listed_and_one_can_be_named(folder: Path, write_dicom: WriteDicom, hu: np.ndarray) -> None:
    write_dicom(folder / "other", hu[:2] // 2, series="2")
    error = refusal(folder)
    assert error.kind == "series-ambiguous"
    one, other = "1.2.826.0.1.3680043.8.498.7.1", "1.2.826.0.1.3680043.8.498.7.2"
    assert f'{one}  CT  "abdomen"  6 slices' in error.message
    assert f'{other}  CT  "abdomen"  2 slices' in error.message
    assert "--series" in error.hint
    np.testing.assert_array_equal(read_study(folder, other).array, hu[:2] // 2)
    missing = refusal(folder, "1.2.3")
    assert missing.kind == "input-missing"
    assert one in missing.message


def test_ct_goes_before_other_modalities_localizers_and_captures(
    folder: Path, write_dicom: WriteDicom, hu: np.ndarray
) -> None:
    write_dicom(folder / "mr", hu, modality="MR", series="2")
    write_dicom(folder / "scout", hu[:1], series="3")
    edit(folder / "scout", setting(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    write_dicom(folder / "dose report", hu[:1], series="4")
    edit(folder / "dose report", setting(SOPClassUID=SecondaryCaptureImageStorage))
    volume = read_study(folder)
    np.testing.assert_array_equal(volume.array, hu)
    assert warned(volume, "Other series were left out")
    assert all(warned(volume, f"498.7.{series}  ") for series in (2, 3, 4))


def test_what_is_no_image_is_skipped_and_said(folder: Path, hu: np.ndarray) -> None:
    shutil.copy(str(get_testdata_file("test-SR.dcm")), folder / "report.dcm")
    shutil.copy(str(get_testdata_file("rtplan.dcm")), folder / "plan.dcm")
    shutil.copy(str(get_testdata_file("DICOMDIR")), folder / "DICOMDIR")
    (folder / "notes.txt").write_text("hello")
    (folder / ".DS_Store").write_text("hidden")
    volume = read_study(folder)
    np.testing.assert_array_equal(volume.array, hu)
    assert warned(volume, "skipped: 1 x Comprehensive SR Storage, 1 x RT Plan Storage.") or warned(
        volume, "skipped: 1 x RT Plan Storage, 1 x Comprehensive SR Storage."
    )
    assert warned(volume, "not DICOM were skipped: notes.txt.")
    assert not warned(volume, "DICOMDIR")


def test_a_file_without_preamble_is_read(folder: Path, hu: np.ndarray) -> None:
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.file_meta
        dataset.preamble = None
        pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_study(folder).array, hu)


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ({}, "input-missing", "is empty"),
        ({"a.png": b"\x89PNG", "b.png": b"\x89PNG"}, "input-unsuitable", "2 x .png). Pictures hold no voxel size"),
        ({"a.txt": b"hello"}, "input-unsuitable", "holds no DICOM files (1 x .txt)"),
    ],
)
def test_folders_without_dicom_are_refused(tmp_path: Path, content: dict[str, bytes], kind: str, text: str) -> None:
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    error = refusal(tmp_path)
    assert error.kind == kind
    assert text in error.message


# Damaged files


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.999])
def test_a_truncated_slice_is_named(folder: Path, keep: float) -> None:
    path = folder / "1-004.dcm"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    if keep < 0.05:  # not even the marker of a DICOM file is left
        assert warned(read_study(folder), "Slices are missing: 1 between slices 3 and 4")
        return
    error = refusal(folder)
    assert error.kind == "input-unreadable"
    assert "1-004.dcm" in error.message


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEGLosslessSV1])
def test_a_truncated_compressed_slice_is_named(folder: Path, syntax: str, hu: np.ndarray) -> None:
    def change(k: int, dataset: Dataset) -> None:
        if syntax == JPEGLosslessSV1:
            encoded = jpeg_lossless(hu[k].astype(np.int64) + 1024)
            dataset.file_meta.TransferSyntaxUID = syntax
        else:
            dataset.compress(syntax, generate_instance_uid=False)
            encoded = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
        dataset.PixelData = encapsulate([encoded[: len(encoded) * 3 // 5] if k == 3 else encoded])

    edit(folder, change)
    error = refusal(folder)
    assert error.kind == "input-unreadable"
    assert "1-004.dcm" in error.message


def test_malformed_values_are_refused_with_the_file(folder: Path) -> None:
    path = folder / "1-002.dcm"
    path.write_bytes(path.read_bytes().replace(b"-1024", b"abcde"))
    error = refusal(folder)
    assert error.kind == "input-unreadable"
    assert "1-002.dcm" in error.message


def test_damage_in_another_series_does_not_stop_reading(folder: Path, write_dicom: WriteDicom, hu: np.ndarray) -> None:
    write_dicom(folder / "other", hu[:1], series="2")
    edit(folder / "other", setting(Rows=0))
    volume = read_study(folder)
    np.testing.assert_array_equal(volume.array, hu)
    assert warned(volume, "Damaged files of other series were skipped: 2-001.dcm")


def test_pixel_data_may_be_missing(folder: Path) -> None:
    edit(folder, lambda k, d: d.__delitem__("PixelData") if k == 1 else None)
    assert "1-002.dcm" in refusal(folder).message
    assert "holds no pixel data" in refusal(folder).message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MR_truncated.dcm", "cut short"),
        ("SC_rgb_jpeg.dcm", "colour image"),
        ("examples_palette.dcm", "colour image"),
        ("rtdose.dcm", "holds no images: 1 x RT Dose Storage"),
        ("liver_1frame.dcm", "holds no images: 1 x Segmentation Storage"),
        ("DICOMDIR", "holds no images"),
        ("crayons.icc", "is not a DICOM file"),
    ],
)
def test_pydicoms_odd_files_are_refused(name: str, text: str) -> None:
    path = Path(str(get_testdata_file("CT_small.dcm"))).parent / ("dicomdirtests" if name == "DICOMDIR" else "") / name
    assert text in refusal(path).message


# Enhanced multi-frame CT, made by highdicom


@pytest.fixture
def enhanced(folder: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A function that converts ``folder`` to one enhanced file of a transfer syntax."""

    def convert(syntax: str) -> Path:
        slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
        for one in slices:
            one.PatientPosition, one.ConvolutionKernel, one.BurnedInAnnotation = "HFS", "B30f", "NO"
        path = tmp_path / "enhanced.dcm"
        highdicom.legacy.LegacyConvertedEnhancedCTImage(
            slices, "1.2.3.4", 3, "1.2.3.4.5", 1, transfer_syntax_uid=syntax
        ).save_as(path)
        return path

    return convert


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless, JPEGLSLossless])
@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
def test_enhanced_files_equal_the_slices_they_were_made_of(
    folder: Path, enhanced: Callable[[str], Path], syntax: str
) -> None:
    edit(folder, lambda k, d: setting(RescaleSlope=f"{1 + k}")(k, d))
    edit(folder, positions([0, 1.1, 2.2, 5.9, 9.6, 13.3]))
    expected, volume = read_study(folder), read_study(enhanced(syntax))
    np.testing.assert_array_equal(volume.array, expected.array)
    assert volume.grid == expected.grid
    assert volume.modality == "CT"
    assert volume.series is not None
    assert sorted(one.frame for one in volume.series.slices) == [0, 1, 2, 3, 4, 5]


def test_frames_without_functional_groups_are_refused(folder: Path, hu: np.ndarray) -> None:
    path = folder / "1-001.dcm"
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames = 2
    dataset.PixelData = (hu[:2].astype(np.int32) + 1024).astype("<u2").tobytes()
    dataset.save_as(path)
    assert "up to 2 different images at each of 1 positions" in refusal(path).message


# Real studies, with GDCM as witness

REAL = (
    "head_ct/ge_hispeed_tilt_variable_spacing",
    "head_ct/slicer_cthead_64px",
    "head_ct/subdural_slice_693",
    "body_ct/siemens_abdomen_j2k_20slices",
    "body_ct/dcmqi_ct_3slice",
)


@pytest.mark.parametrize("name", REAL)
def test_real_studies_agree_with_gdcm(shared_data: Path, name: str) -> None:
    volume = read_study(shared_data / name)
    assert volume.series is not None
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    witness = sitk.ReadImage([str(one.path) for one in volume.series.slices])
    sitk.ProcessObject.SetGlobalWarningDisplay(True)
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(witness))
    np.testing.assert_allclose(volume.grid.spacing_mm[:2], witness.GetSpacing()[:2])
    np.testing.assert_allclose(volume.grid.origin_mm, witness.GetOrigin())
    in_plane = np.reshape(witness.GetDirection(), (3, 3))[:, :2]
    np.testing.assert_allclose(np.reshape(volume.grid.direction, (3, 3))[:, :2], in_plane, atol=1e-6)
    for k, one in enumerate(volume.series.slices):
        dataset = pydicom.dcmread(one.path, stop_before_pixels=True)
        np.testing.assert_allclose(volume.grid.slice_positions(len(volume.array))[k], dataset.ImagePositionPatient)


def test_what_is_odd_about_the_real_head_study_is_said(shared_data: Path) -> None:
    volume = read_study(shared_data / "head_ct/ge_hispeed_tilt_variable_spacing")
    assert warned(volume, "sheared by 18.5 degrees")
    assert warned(volume, "1.14 to 7.38 mm apart")
    assert volume.padding_below is not None
    assert warned(read_study(shared_data / "head_ct/slicer_cthead_64px"), "offset by about 1000 HU")


@pytest.mark.parametrize("name", ["bad_sequence", "eCT_Supplemental", "explicit_VR-UN"])
def test_tricky_files_are_read(shared_data: Path, name: str) -> None:
    path = shared_data / "dicom_tricky" / f"{name}.dcm"
    witness = sitk.ReadImage(path)
    volume = read_study(path)
    expected = sitk.GetArrayFromImage(witness)
    flipped = name == "eCT_Supplemental"  # GDCM keeps the frames of this file in the order of the file
    np.testing.assert_array_equal(volume.array, expected[::-1] if flipped else expected)


def test_pictures_and_raw_files_are_refused(shared_data: Path) -> None:
    assert "Pictures hold no voxel size" in refusal(shared_data / "body_ct/deeplesion_000088_03_01").message
    assert refusal(shared_data / "ct_lowdose/sfrc_L506_slice32_pair").kind == "input-unsuitable"
    assert refusal(shared_data / "chest_ct/nlst_nodule_100040_T1F2").kind == "input-unsuitable"
