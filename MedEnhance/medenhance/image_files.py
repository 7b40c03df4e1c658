"""Volumes in NRRD, MetaImage and NIfTI files.

Written slice by slice, so that writing needs memory for one slice; reading needs twice the file's voxels for a moment.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import SimpleITK as sitk

from medenhance.atomic_output import publish_file, staged
from medenhance.errors import MedEnhanceError
from medenhance.image_headers import META_TYPES, meta_header, nrrd_header
from medenhance.nifti import is_sheared, nifti_header, read_nifti
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.value_checks import check_finite, fill_threshold, scale_warnings
from medenhance.volume import Grid, Vector, Volume

FORMATS = (".nrrd", ".mha", ".mhd", ".nii", ".nii.gz")
MODALITY_KEY = "MedEnhance_modality"
POSITIONS_KEY = "MedEnhance_slice_origins_mm"
MOVED_MM = 1e-3


def image_format(path: Path) -> str | None:
    """The suffix of `FORMATS` that ``path`` ends in, whatever its case; None when it is no such file."""
    name = Path(path).name.lower()
    return next((suffix for suffix in sorted(FORMATS, key=len, reverse=True) if name.endswith(suffix)), None)


def read_image(path: Path) -> Volume:
    """Read a volume with its geometry and its own voxel type.

    Raises:
        MedEnhanceError: input-unreadable, input-unsuitable.
    """
    suffix = image_format(path)
    if suffix in (".nii", ".nii.gz"):
        array, header = read_nifti(path)
        grid, notes, warnings = header.grid, dict[str, str](), header.warnings
    else:
        array, grid, notes, warnings = _read_with_itk(path)
    check_finite(array, path.name)
    modality = notes.get(MODALITY_KEY)
    return Volume(
        array=array,
        grid=grid,
        modality=modality,
        padding_below=fill_threshold(array),
        warnings=warnings + (scale_warnings(array) if modality in (None, "CT") else ()),
        file_dtype=array.dtype,
    )


def raw_file(path: Path) -> Path:
    """Where the voxels of a .mhd file go."""
    return path.with_suffix(".raw")


def write_image(volume: Volume, path: Path, notes: dict[str, str], progress: Progress | None = None) -> tuple[str, ...]:
    """Write a volume in its `file_dtype`: rounded to nearest and clipped to the type's range.

    Args:
        volume: What to write.
        path: Its suffix is one of `FORMATS`.
        notes: How the voxels came about; NRRD and MetaImage keep them as fields, NIfTI as its description.
        progress: Told how far writing is.

    Returns:
        What a user should know about the output.

    Raises:
        MedEnhanceError: output-refused, disk-full, cancelled.
    """
    suffix = image_format(path)
    dtype = np.dtype(volume.file_dtype or volume.array.dtype)
    if suffix is None or dtype.name not in META_TYPES:
        raise MedEnhanceError("output-refused", f"{path.name}: no volume of type {dtype} can be written so.", "")
    warnings = _geometry_warnings(volume.grid, suffix)
    with staged(path) as stage:
        num_clipped = _write_files(volume, stage / path.name, suffix, dtype, notes, progress or Silent())
        for written in sorted(stage.iterdir(), key=lambda file: file.name == path.name):  # the header last
            publish_file(written, path.parent / written.name)
    if num_clipped:
        warnings += (f"{num_clipped} voxels lay outside the range of {dtype} and were clipped to it.",)
    return warnings


def _read_with_itk(path: Path) -> tuple[np.ndarray, Grid, dict[str, str], tuple[str, ...]]:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _refuse_other_than_scalar_volume(reader, path.name)
        image = reader.Execute()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    notes = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    warnings: tuple[str, ...] = ()
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
        warnings = (f"{path.name} is one 2D image; it is taken as a volume of one slice.",)
    array = sitk.GetArrayFromImage(image)
    grid = Grid(image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    return array, _with_stored_positions(grid, notes.get(POSITIONS_KEY), len(array)), notes, warnings


def _refuse_other_than_scalar_volume(reader: sitk.ImageFileReader, name: str) -> None:
    size = tuple(s for s in reader.GetSize())
    if reader.GetDimension() not in (2, 3):
        raise MedEnhanceError(
            "input-unsuitable",
            f"{name} has {reader.GetDimension()} axes of sizes {size}; a volume has three.",
            "Split a time series into single volumes.",
        )
    if reader.GetNumberOfComponents() != 1:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{name} holds {reader.GetNumberOfComponents()} numbers a voxel (colour, complex or vectors), not one.",
            "Give a volume of grey values.",
        )


def _unreadable(path: Path, error: RuntimeError) -> MedEnhanceError:
    reason = str(error).strip().splitlines()[-1].removeprefix("ITK ERROR: ").strip()
    return MedEnhanceError(
        "input-unreadable", f"{path.name} cannot be read: {reason}", "The file is damaged or not what its name says."
    )


def _with_stored_positions(grid: Grid, text: str | None, num_slices: int) -> Grid:
    """The grid with the slice positions that `write_image` stored, if they still belong to it."""
    if text is None:
        return grid
    try:
        positions = np.array([[float(v) for v in point.split()] for point in text.split(";")])
    except ValueError:
        return grid
    if positions.shape != (num_slices, 3):
        return grid
    expected = np.stack([grid.slice_positions(num_slices)[0], grid.slice_positions(num_slices)[-1]])
    if np.abs(positions[[0, -1]] - expected).max() > MOVED_MM:  # moved or resampled by another program
        return grid
    origins: list[Vector] = [(float(x), float(y), float(z)) for x, y, z in positions]
    return Grid(grid.spacing_mm, grid.origin_mm, grid.direction, tuple(origins))


def _geometry_warnings(grid: Grid, suffix: str) -> tuple[str, ...]:
    warnings: tuple[str, ...] = ()
    if grid.slice_origins_mm is not None:
        kept = "in a note that only MedEnhance reads" if suffix not in (".nii", ".nii.gz") else "nowhere in this format"
        warnings += (
            f"The slices do not lie at equal steps, but {suffix} files can only hold equal ones: the mean step of "
            f"{grid.spacing_mm[2]:.4g} mm was written, so lengths and positions across slices are wrong in other "
            f"programs; the true positions are kept {kept}. Write a DICOM folder to keep them.",
        )
    if suffix in (".nii", ".nii.gz") and is_sheared(grid):
        warnings += (
            f"The slices are sheared by {grid.shear_deg:.1f} degrees (gantry tilt). NIfTI holds that in its sform, "
            "which programs built on ITK, such as 3D Slicer, refuse or straighten wrongly: prefer .nrrd or .mha.",
        )
    return warnings


def _write_files(
    volume: Volume, path: Path, suffix: str, dtype: np.dtype, notes: dict[str, str], progress: Progress
) -> int:
    """Write header and voxels; returns how many voxels were clipped."""
    shape, grid = volume.array.shape, volume.grid
    stored_dtype = dtype.newbyteorder("<")
    if suffix == ".mhd":
        target, header = raw_file(path), b""
        path.write_bytes(meta_header(shape, dtype, grid, _all_notes(volume, notes), target.name))
    else:
        header, target = _header(suffix, volume, dtype, notes), path
    num_clipped = 0
    with _open_for_writing(target) as file:
        file.write(header)
        for index, plane in enumerate(volume.array):
            checkpoint(progress, "write", index / len(volume.array))
            stored, clipped = as_dtype(plane, stored_dtype)
            num_clipped += clipped
            file.write(stored.tobytes())
    return num_clipped


def _header(suffix: str, volume: Volume, dtype: np.dtype, notes: dict[str, str]) -> bytes:
    shape, grid = volume.array.shape, volume.grid
    if suffix == ".mha":
        return meta_header(shape, dtype, grid, _all_notes(volume, notes), "LOCAL")
    if suffix == ".nrrd":
        return nrrd_header(shape, dtype, grid, _all_notes(volume, notes))
    return nifti_header(shape, dtype, grid, "; ".join(notes.values()))


def _all_notes(volume: Volume, notes: dict[str, str]) -> dict[str, str]:
    """With what these formats cannot say otherwise."""
    notes = dict(notes)
    if volume.modality:
        notes[MODALITY_KEY] = volume.modality
    if volume.grid.slice_origins_mm is not None:
        notes[POSITIONS_KEY] = "; ".join(" ".join(repr(v) for v in point) for point in volume.grid.slice_origins_mm)
    return notes


@contextmanager
def _open_for_writing(path: Path) -> Iterator[BinaryIO]:
    if path.suffix.lower() != ".gz":
        with path.open("wb") as file:
            yield file
        return
    # No name and no time in the gzip header: the same voxels give the same bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0) as file:
        yield cast(BinaryIO, file)


def as_dtype(plane: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, int]:
    """Round to nearest and clip to the range of an integer type; returns the plane and how many voxels were clipped."""
    if plane.dtype.newbyteorder("<") == dtype or dtype.kind == "f":
        return plane.astype(dtype, copy=False), 0
    low: float = np.iinfo(dtype).min
    high: float = np.iinfo(dtype).max
    if plane.dtype.kind == "f":
        # float64 holds every 32-bit limit; the limits of 64 bit are taken to the next value inside.
        plane = np.rint(plane.astype(np.float64))
        low, high = (float(v) if int(float(v)) == v else float(np.nextafter(float(v), 0)) for v in (low, high))
    outside = int(np.count_nonzero((plane < low) | (plane > high)))
    return np.clip(plane, low, high).astype(dtype), outside
