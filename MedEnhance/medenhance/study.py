"""Reads a study from any supported input and writes one to any supported output.

A path's suffix says what it is: .nrrd, .mha, .mhd, .nii and .nii.gz are image files, .dcm is one DICOM file, anything
else a folder of DICOM files.
"""

from __future__ import annotations

from pathlib import Path

from medenhance.atomic_output import is_stage, new_stage, output_error
from medenhance.dicom.derived import Derivation, write_derived
from medenhance.dicom.read import read_dicom
from medenhance.errors import MedEnhanceError
from medenhance.image_files import FORMATS, image_format, raw_file, read_image, write_image
from medenhance.progress import Progress, Silent
from medenhance.volume import Volume

__all__ = ["Derivation", "check_output", "read_study", "write_study"]

ACCEPTED = "a folder of DICOM slices, a .dcm file, or " + ", ".join(FORMATS)
NOT_VOLUMES = ".png .jpg .jpeg .tif .tiff .bmp .gif .raw .npy .npz .zip .gz .csv .txt .json .xml .pdf .mat .h5 .hdf5"
# Volumes that are not written, and how people misspell those that are.
NOT_WRITTEN = ".img .hdr .nhdr .nii2 .nifti .nif .nrd .mnc .mgh .mgz .vtk .vti .ima .dicom"
NO_SOURCE = "A DICOM series can only be derived from a DICOM series, because it takes over its patient and study."


def read_study(path: Path, series_uid: str | None = None, *, progress: Progress | None = None) -> Volume:
    """Read a DICOM folder or file, NRRD, NIfTI, MHA or MHD.

    Args:
        path: Folder (searched with its subfolders) or file.
        series_uid: Series Instance UID to read, when a folder holds several.
        progress: Told how far reading is, and asked whether to stop.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable, series-ambiguous, cancelled.
    """
    path = Path(path)
    progress = progress or Silent()
    if not path.exists():
        raise MedEnhanceError("input-missing", f"There is nothing at {path}.", f"Give {ACCEPTED}.")
    if path.is_file() and image_format(path) is not None:
        return read_image(path)
    if path.is_file() and path.suffix.lower() in NOT_VOLUMES.split():
        raise MedEnhanceError(
            "input-unsuitable",
            f"{path.name} is no volume: {path.suffix} files hold no voxel size, position or HU scale.",
            f"Convert it to one of: {ACCEPTED}.",
        )
    return read_dicom(path, series_uid, progress)


def write_study(
    volume: Volume, path: Path, derivation: Derivation | None = None, *, progress: Progress | None = None
) -> tuple[str, ...]:
    """Write a volume by the suffix of ``path``; the whole of it or nothing.

    Args:
        volume: What to write; values are rounded to its `file_dtype`.
        path: Image file, .dcm file, or a folder for a DICOM series.
        derivation: How the voxels came about, written into the output; a DICOM output needs it.
        progress: Told how far writing is, and asked whether to stop.

    Returns:
        What a user should know about the output, one sentence each.

    Raises:
        MedEnhanceError: output-refused, disk-full, cancelled.
    """
    path = Path(path)
    progress = progress or Silent()
    if image_format(path) is not None:
        return write_image(volume, path, derivation.summary() if derivation else {}, progress)
    _refuse_unknown_suffix(path)
    if volume.series is None:
        raise MedEnhanceError("output-refused", NO_SOURCE, f"Write one of {', '.join(FORMATS)} instead.")
    if derivation is None:
        raise MedEnhanceError("output-refused", "A derived DICOM series must state how it was derived.", "")
    return write_derived(volume, path, derivation, progress)


def check_output(path: Path, input_path: Path) -> None:
    """Refuse an output before any work is done for it.

    Raises:
        MedEnhanceError: output-refused, disk-full.
    """
    path, input_path = Path(path), Path(input_path)
    as_image = image_format(path) is not None
    if not as_image:
        _refuse_unknown_suffix(path)
        if input_path.is_file() and image_format(input_path) is not None:
            raise MedEnhanceError("output-refused", NO_SOURCE, f"Write one of {', '.join(FORMATS)} instead.")
    _refuse_in_the_way(path, input_path, as_image)
    if image_format(path) == ".mhd" and raw_file(path).exists() and not path.exists():
        raise MedEnhanceError(
            "output-refused", f"{raw_file(path)} exists and belongs to something else.", "Choose another name."
        )
    _refuse_occupied(path, is_file=as_image or _is_dicom_file(path))
    _refuse_unwritable(path)


def _is_dicom_file(path: Path) -> bool:
    return path.suffix.lower() == ".dcm"


def _refuse_unknown_suffix(path: Path) -> None:
    """Folder names such as 1.2.840.10008 or 'john.doe' have no suffix in this sense; 'result.png' has."""
    if path.suffix.lower() in (NOT_VOLUMES + " " + NOT_WRITTEN).split() and not path.is_dir():
        raise MedEnhanceError(
            "output-refused",
            f"{path.name}: a volume cannot be written as {path.suffix}.",
            f"Give {ACCEPTED}.",
        )


def _refuse_in_the_way(path: Path, input_path: Path, as_image: bool) -> None:
    target, source = path.resolve(), input_path.resolve()
    if target == source or (path.exists() and input_path.exists() and path.samefile(input_path)):
        raise MedEnhanceError("output-refused", f"{path} is the input itself.", "Choose another name.")
    if input_path.is_dir() and source in target.parents and not as_image:
        raise MedEnhanceError(
            "output-refused",
            f"{path} lies inside the input folder {input_path}, where it would be read as input next time.",
            "Choose a folder outside of it.",
        )


def _refuse_occupied(path: Path, is_file: bool) -> None:
    if is_file and path.is_dir():
        raise MedEnhanceError("output-refused", f"{path} is a folder.", "Choose another name for the file.")
    if not is_file and path.exists() and not path.is_dir():
        raise MedEnhanceError("output-refused", f"{path} is a file, not a folder.", "Choose another name.")
    if not is_file and path.is_dir() and any(not is_stage(inside) for inside in path.iterdir()):
        raise MedEnhanceError(
            "output-refused", f"The output folder {path} is not empty.", "Choose a new or an empty folder."
        )


def _refuse_unwritable(path: Path) -> None:
    """Try it: permission bits do not tell the truth on network drives, on Windows or for root."""
    missing = [p for p in path.parents if not p.exists()]
    try:
        new_stage(missing[-1] if missing else path).rmdir()
    except OSError as error:
        raise output_error(path, error) from error
