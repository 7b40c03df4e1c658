"""DICOM as input for the spine: one coronal image, or an ultrasound volume that has to be projected."""

from __future__ import annotations

from pathlib import Path

from medenhance.dicom.headers import is_dicom
from medenhance.dicom.picture import Picture, read_picture
from medenhance.dicom.scan import choose_series, files_below, find_series
from medenhance.dicom.series import DicomSeries
from medenhance.errors import MedEnhanceError
from medenhance.image_files import image_format
from medenhance.progress import Progress, Silent
from medenhance.spine.pictures import PICTURES
from medenhance.spine.projection_files import GEOMETRY_FILE
from medenhance.study import read_study
from medenhance.volume import Volume

AXES_HINT = "Name with --axes what its columns, rows and frames run to, such as RIA, or give a region of interest."


def is_dicom_input(path: Path) -> bool:
    """Whether this is a DICOM file, or a folder with one that is no folder of projections."""
    if path.is_dir():
        return not (path / GEOMETRY_FILE).exists() and any(is_dicom(file) for file in files_below(path))
    return path.suffix.lower() not in PICTURES and image_format(path) is None and path.is_file() and is_dicom(path)


def dicom_series(path: Path, series_uid: str | None, progress: Progress | None = None) -> DicomSeries:
    """The series that is meant, from the headers of its files.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable, series-ambiguous, cancelled.
    """
    series, _ = choose_series(find_series(path, progress or Silent())[0], series_uid)
    return series


def read_coronal_picture(path: Path, series_uid: str | None) -> Picture:
    """Read the one image of a series.

    Raises:
        MedEnhanceError: As `read_picture`; input-unsuitable when it is empty.
    """
    picture = read_picture(path, series_uid, Silent())
    if picture.image.min() == picture.image.max():
        message = f"{path.name} is empty: every pixel is {picture.image.min():g}."
        raise MedEnhanceError("input-unsuitable", message, "Give an image of the back.")
    return picture


def read_dicom_volume(path: Path, series_uid: str | None, *, has_axes: bool, progress: Progress) -> Volume:
    """Read an ultrasound volume of several frames or images.

    Args:
        path: Folder or file.
        series_uid: When it holds several series.
        has_axes: Whether the user says how the volume lies.
        progress: Told how far reading is, and asked whether to stop.

    Raises:
        MedEnhanceError: As `read_study`; input-unsuitable when its frames lie at unequal steps; bad-option when it
            does not say how it lies in the patient and the user does not either.
    """
    volume = read_study(path, series_uid, progress=progress)
    assert volume.series is not None
    name = path.name
    if volume.grid.slice_origins_mm is not None or not volume.grid.spacing_known:
        what = "state no pixel size" if volume.grid.slice_origins_mm is None else "lie at unequal steps"
        message = f"The frames of {name} {what}, so they are no volume that can be projected."
        raise MedEnhanceError("input-unsuitable", message, "Export the volume again, at equal steps and in mm.")
    if not has_axes and not all(one.is_in_patient for one in volume.series.slices):
        message = f"{name} is an ultrasound volume in a frame of its own: it does not say which way the patient lies."
        raise MedEnhanceError("bad-option", message, AXES_HINT)
    return volume
