"""NRRD, MetaImage and NIfTI files keep voxels, voxel type and geometry; SimpleITK is the witness."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from medenhance.errors import MedEnhanceError
from medenhance.image_files import FORMATS, as_dtype, image_format, read_image, write_image
from medenhance.image_headers import nrrd_header
from medenhance.nifti import nifti_header, parse_header
from medenhance.value_checks import fill_threshold
from medenhance.volume import Grid, Volume

DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
EXACT = [suffix for suffix in FORMATS if not suffix.startswith(".nii")]


def itk_image(array: np.ndarray, seed: int, oblique: bool = True) -> sitk.Image:
    """An image with random odd spacing, origin and axes."""
    generator = np.random.default_rng(seed)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(generator.uniform(0.3, 3, 3).tolist())
    image.SetOrigin(generator.uniform(-300, 300, 3).tolist())
    if oblique:
        image.SetDirection(Rotation.from_rotvec(generator.normal(size=3)).as_matrix().ravel().tolist())
    return image


def values(dtype: str, seed: int = 0) -> np.ndarray:
    """(3, 4, 5) values that use the whole range of the type."""
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return generator.normal(0, 1000, (3, 4, 5)).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, (3, 4, 5), dtype=dtype, endpoint=True)


def geometry(image: sitk.Image) -> tuple[tuple[float, ...], ...]:
    return image.GetSpacing(), image.GetOrigin(), image.GetDirection()


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_reading_and_writing_back_gives_what_simpleitk_reads(suffix: str, dtype: str, tmp_path: Path) -> None:
    source, copy = tmp_path / f"Ä 肺 source{suffix}", tmp_path / f"copy {suffix}"
    sitk.WriteImage(itk_image(values(dtype), seed=3), source)
    volume = read_image(source)
    assert write_image(volume, copy, {}) == ()
    before, after = sitk.ReadImage(source), sitk.ReadImage(copy)
    assert after.GetPixelID() == before.GetPixelID()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(before), volume.array)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after), volume.array)
    if suffix in EXACT:
        assert (
            geometry(after)
            == geometry(before)
            == (volume.grid.spacing_mm, volume.grid.origin_mm, volume.grid.direction)
        )
    else:  # single precision in the header, and ITK's own conversion of it
        for one, other in zip(geometry(after), geometry(before), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    again = read_image(copy)
    assert (again.grid, again.file_dtype) == (volume.grid, np.dtype(dtype))


@given(st.integers(0, 10**6), st.booleans())
def test_nrrd_geometry_survives_many_passes_bit_for_bit(tmp_path_factory, seed: int, oblique: bool) -> None:
    path = tmp_path_factory.mktemp("nrrd") / "a.nrrd"
    sitk.WriteImage(itk_image(values("int16"), seed, oblique), path)
    first = read_image(path)
    for _ in range(3):
        write_image(read_image(path), path, {})
    assert read_image(path).grid == first.grid


@given(st.integers(0, 10**6), st.booleans())
def test_nifti_geometry_is_read_as_simpleitk_reads_it(tmp_path_factory, seed: int, oblique: bool) -> None:
    path = tmp_path_factory.mktemp("nifti") / "a.nii"
    sitk.WriteImage(itk_image(values("int16"), seed, oblique), path)
    expected = Grid(*geometry(sitk.ReadImage(path)))
    np.testing.assert_allclose(read_image(path).grid.affine, expected.affine, atol=2e-4)
    np.testing.assert_allclose(read_image(path).grid.direction, expected.direction, atol=2e-6)


@pytest.mark.parametrize("form", ["sform", "qform"])
@pytest.mark.parametrize("flipped", [False, True])
def test_nifti_headers_with_one_form_come_back_bit_for_bit(form: str, flipped: bool) -> None:
    generator = np.random.default_rng(5)
    for _ in range(50):
        direction = Rotation.from_rotvec(generator.normal(size=3)).as_matrix()
        direction[:, 2] *= -1 if flipped else 1
        grid = Grid(tuple(generator.uniform(0.3, 3, 3)), tuple(generator.uniform(-99, 99, 3)), tuple(direction.ravel()))
        raw = bytearray(nifti_header((3, 4, 5), np.dtype(np.int16), grid, ""))
        struct.pack_into("<2h", raw, 252, *((0, 1) if form == "sform" else (1, 0)))
        stated = parse_header(bytes(raw[:348]), "a.nii").grid
        again = parse_header(nifti_header((3, 4, 5), np.dtype(np.int16), stated, "")[:348], "a.nii").grid
        np.testing.assert_allclose(stated.affine, grid.affine, atol=1e-4)
        assert again == stated


def test_nifti_keeps_a_sheared_grid_and_warns(tmp_path: Path) -> None:
    tilt = np.radians(18.5)
    grid = Grid((0.5, 0.5, 2.0), (1, 2, 3), (1, 0, 0, 0, np.cos(tilt), 0, 0, -np.sin(tilt), 1))
    volume = Volume(np.zeros((3, 4, 5), np.int16), grid)
    for name in ("a.nii", "a.nrrd", "a.mha"):
        warnings = write_image(volume, tmp_path / name, {})
        assert [("sheared by 18.5" in w) for w in warnings] == ([True] if name == "a.nii" else [])
        np.testing.assert_allclose(read_image(tmp_path / name).grid.affine, grid.affine, atol=1e-6)
    with pytest.raises(RuntimeError, match=r"orthonormal|direction"):
        sitk.ReadImage(tmp_path / "a.nii")


def test_nifti_scale_unit_and_byte_order_are_applied(tmp_path: Path) -> None:
    array = values("int16")
    raw = bytearray(nifti_header(array.shape, array.dtype, Grid((2.0, 3.0, 4.0)), ""))
    struct.pack_into("<2f", raw, 112, 0.5, -1024.0)
    struct.pack_into("<12f", raw, 280, -0.002, 0, 0, 0, 0, -0.003, 0, 0, 0, 0, 0.004, 0)
    raw[123] = 1  # metres
    (tmp_path / "a.nii").write_bytes(bytes(raw) + array.tobytes())
    volume = read_image(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.array, array.astype(np.float32) * 0.5 - 1024)
    np.testing.assert_allclose(volume.grid.spacing_mm, (2, 3, 4), rtol=1e-6)
    big = bytearray(nifti_header(array.shape, array.dtype, Grid((2.0, 3.0, 4.0)), ""))
    for offset, kind in ((0, "i"), (40, "8h"), (70, "2h"), (76, "8f"), (108, "3f"), (252, "2h"), (256, "18f")):
        struct.pack_into(f">{kind}", big, offset, *struct.unpack_from(f"<{kind}", big, offset))
    (tmp_path / "b.nii").write_bytes(bytes(big) + array.astype(">i2").tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii").array, array)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "b.nii")), array)


def test_nifti_without_orientation_says_so(tmp_path: Path) -> None:
    raw = bytearray(nifti_header((1, 2, 2), np.dtype(np.int16), Grid((2.0, 3.0, 4.0)), ""))
    struct.pack_into("<2h", raw, 252, 0, 0)
    (tmp_path / "a.nii").write_bytes(bytes(raw) + bytes(8))
    volume = read_image(tmp_path / "a.nii")
    assert volume.grid.spacing_mm == (2.0, 3.0, 4.0)
    assert any("states no orientation" in warning for warning in volume.warnings)


def test_results_are_rounded_to_the_type_of_the_file_and_clipped(tmp_path: Path) -> None:
    source = Volume(np.array([[[10, 20, 30, 40]]], np.int16), file_dtype=np.dtype(np.int16))
    result = source.with_array(np.array([[[-0.6, 1.4, 2.6, 40000.0]]], np.float32))
    warnings = write_image(result, tmp_path / "a.nrrd", {})
    assert read_image(tmp_path / "a.nrrd").array.tolist() == [[[-1, 1, 3, 32767]]]
    assert warnings == ("1 voxels lay outside the range of int16 and were clipped to it.",)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint64", "int64"])
def test_clipping_never_wraps_around(dtype: str) -> None:
    limits = np.iinfo(dtype)
    stored, num_clipped = as_dtype(np.array([[-1e30, 1e30, 5.5]], np.float32), np.dtype(dtype))
    assert num_clipped == 2
    assert stored[0, 0] == limits.min
    assert stored[0, 1] > limits.max * 0.999
    assert stored[0, 2] == 6


def test_uneven_slices_are_warned_about_and_come_back(tmp_path: Path) -> None:
    origins = ((0.0, 0.0, 0.1), (0.0, 0.0, 1.3), (0.0, 0.5, 7.7))
    grid = Grid((1.0, 1.0, 3.8), origins[0], slice_origins_mm=origins)
    step = (np.array(origins[2]) - origins[0]) / 2
    grid = replace(grid, spacing_mm=(1.0, 1.0, float(np.linalg.norm(step))))
    grid = replace(grid, direction=tuple(np.column_stack([np.eye(3)[:, :2], step / np.linalg.norm(step)]).ravel()))
    volume = Volume(np.zeros((3, 4, 5), np.int16), grid, modality="CT")
    for name in ("a.nrrd", "a.mha", "a.mhd"):
        (warning,) = write_image(volume, tmp_path / name, {})
        assert "do not lie at equal steps" in warning
        assert "mean step" in warning
        again = read_image(tmp_path / name)
        assert again.grid.slice_origins_mm == origins
        assert again.modality == "CT"
    assert "kept nowhere" in write_image(volume, tmp_path / "a.nii", {})[0]
    assert read_image(tmp_path / "a.nii").grid.slice_origins_mm is None


def test_stored_positions_are_dropped_when_the_image_was_moved(tmp_path: Path) -> None:
    origins = ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 6.0))
    volume = Volume(np.zeros((3, 4, 5), np.int16), Grid((1.0, 1.0, 3.0), origins[0], slice_origins_mm=origins))
    write_image(volume, tmp_path / "a.nrrd", {})
    image = sitk.ReadImage(tmp_path / "a.nrrd")
    sitk.WriteImage(image, tmp_path / "same.nrrd")
    assert read_image(tmp_path / "same.nrrd").grid.slice_origins_mm == origins
    image.SetOrigin((0, 0, 50))
    sitk.WriteImage(image, tmp_path / "moved.nrrd")
    assert read_image(tmp_path / "moved.nrrd").grid.slice_origins_mm is None
    sitk.WriteImage(sitk.ReadImage(tmp_path / "a.nrrd")[:, :, :2], tmp_path / "cropped.nrrd")
    assert read_image(tmp_path / "cropped.nrrd").grid.slice_origins_mm is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_volume_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_image(Volume(values("int16")), tmp_path / folder / f"v{suffix}", {"MedEnhance_model": "m"})
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == (["v.mhd", "v.raw"] if suffix == ".mhd" else [f"v{suffix}"])
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    if suffix == ".nii.gz":  # neither a name nor a time in the header (RFC 1952)
        assert (tmp_path / "a" / "v.nii.gz").read_bytes()[3:8] == bytes(5)


@pytest.mark.parametrize("suffix", FORMATS)
def test_notes_are_written(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"v{suffix}"
    write_image(Volume(values("int16")), path, {"MedEnhance_derivation": "x; research use only"})
    content = gzip.decompress(path.read_bytes()) if suffix == ".nii.gz" else path.read_bytes()
    assert b"research use only" in content


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted_and_located(suffix: str, bad: float, tmp_path: Path) -> None:
    array = np.zeros((3, 4, 5), np.float32)
    array[1, 2, 3] = array[2, 0, 0] = bad
    sitk.WriteImage(sitk.GetImageFromArray(array), tmp_path / f"a{suffix}")
    with pytest.raises(MedEnhanceError, match=r"2 voxels .* slice 1, row 2, column 3") as caught:
        read_image(tmp_path / f"a{suffix}")
    assert caught.value.kind == "input-unsuitable"


@pytest.mark.parametrize("suffix", FORMATS)
def test_time_series_and_colour_are_refused(suffix: str, tmp_path: Path) -> None:
    series = sitk.JoinSeries([itk_image(values("int16"), 1)] * 2)
    colour = sitk.GetImageFromArray(np.zeros((3, 4, 5, 3), np.uint8), isVector=True)
    for image, text in ((series, "axes"), (colour, r"numbers a voxel|number a voxel|axes")):
        sitk.WriteImage(image, tmp_path / f"a{suffix}")
        with pytest.raises(MedEnhanceError, match=text) as caught:
            read_image(tmp_path / f"a{suffix}")
        assert caught.value.kind == "input-unsuitable"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_truncated_files_are_named(suffix: str, keep: float, tmp_path: Path) -> None:
    path = tmp_path / f"short{suffix}"
    generator = np.random.default_rng(0)
    write_image(Volume(generator.integers(-1000, 1000, (9, 20, 20)).astype(np.int16)), path, {})
    target = path.with_suffix(".raw") if suffix == ".mhd" else path
    content = target.read_bytes()
    target.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(MedEnhanceError, match="short") as caught:
        read_image(path)
    assert caught.value.kind == "input-unreadable"


def test_a_2d_image_becomes_a_volume_of_one_slice(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(20, dtype=np.int16).reshape(4, 5)), tmp_path / "a.mha")
    volume = read_image(tmp_path / "a.mha")
    assert volume.array.shape == (1, 4, 5)
    assert any("one 2D image" in warning for warning in volume.warnings)


def test_fill_values_below_ct_are_padding(tmp_path: Path) -> None:
    array = np.full((2, 4, 5), -1000, np.int16)
    write_image(Volume(array), tmp_path / "air.nrrd", {})
    assert read_image(tmp_path / "air.nrrd").padding_below is None
    array[0, 0] = -2000
    write_image(Volume(array), tmp_path / "filled.nrrd", {})
    assert read_image(tmp_path / "filled.nrrd").padding_below == (-2000 - 1024) / 2


@pytest.mark.parametrize("fill", [-3024, -2000, -1500])
def test_fill_is_told_from_noisy_air(fill: int) -> None:
    """Noise of 60 HU, as sharp kernels leave it, puts a third of the air below -1024."""
    noise = np.random.default_rng(0).normal(-1000, 60, (4, 64, 64))
    assert fill_threshold(noise.astype(np.float32)) is None
    assert fill_threshold(np.rint(noise).astype(np.int16)) is None
    filled = np.rint(noise).astype(np.int16)
    filled[:, :8, :8] = fill
    threshold = fill_threshold(filled)
    assert threshold == (fill - 1024) / 2
    np.testing.assert_array_equal(filled <= threshold, filled == fill)


@pytest.mark.parametrize(
    ("soft_tissue", "air", "expected"),
    [(40, -1000, ""), (1040, 0, "offset by about 1000"), (1064, 24, "offset by about 1000"), (32800, 31768, "stored")],
)
def test_values_that_do_not_look_like_hu_are_warned_about(
    soft_tissue: int, air: int, expected: str, tmp_path: Path
) -> None:
    array = np.full((4, 20, 20), air, np.uint16 if soft_tissue > 3000 else np.int16)
    array[:, 4:14, 4:14] = soft_tissue
    write_image(Volume(array), tmp_path / "a.nrrd", {})
    warnings = read_image(tmp_path / "a.nrrd").warnings
    assert bool(warnings) == bool(expected)
    assert all(expected in warning for warning in warnings)


def test_formats_are_told_by_suffix() -> None:
    assert image_format(Path("A.NII.GZ")) == ".nii.gz"
    assert image_format(Path("b.1.2.mha")) == ".mha"
    assert image_format(Path("folder")) is None
    assert image_format(Path("c.gz")) is None


def test_nrrd_header_of_a_plain_grid_reads_as_expected() -> None:
    text = nrrd_header((2, 3, 4), np.dtype(np.int16), Grid((0.5, 0.75, 2.0), (1, 2, 3)), {"key": "a\nb"}).decode()
    assert text.endswith("key:=a\\nb\n\n")
    assert "sizes: 4 3 2\n" in text
    assert "space directions: (0.5,0.0,0.0) (0.0,0.75,0.0) (0.0,0.0,2.0)\n" in text
