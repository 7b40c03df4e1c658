"""What `enhance-spine` is given: a coronal image, projections, or a volume that is projected first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.image_files import image_format, read_image
from medenhance.spine.dicom_input import dicom_series, is_dicom_input, read_coronal_picture
from medenhance.spine.pictures import PICTURES, read_projection, within_grey
from medenhance.spine.projection import ProjectionSet
from medenhance.spine.tracked import is_sequence
from medenhance.volume import Grid

if TYPE_CHECKING:
    from medenhance.dicom.series import DicomSeries

_OBLIQUE = 0.5  # cosine: an axis nearer than 60 degrees to one of the body's says which way it runs


@dataclass(frozen=True)
class Coronal:
    """One coronal image, with what else is known of it.

    Attributes:
        image: (R, C) uint8 grey, row 0 at the head, column 0 the patient's left.
        spacing_mm: Of rows and columns; None when it is not known.
        grid: As a volume of one slice.
        originals: All depths, (R, C) uint8 each, this one among them.
        projections: Where the image comes from; None for a single image.
        depth: Its number among them, from 1.
        source: DICOM series that it is an image of, or that it was projected from; None when there is none.
    """

    image: np.ndarray
    spacing_mm: tuple[float, float] | None
    grid: Grid
    originals: tuple[np.ndarray, ...]
    projections: ProjectionSet | None = None
    depth: int | None = None
    source: DicomSeries | None = None


def is_volume(path: Path, series_uid: str | None = None) -> bool:
    """Whether this has to be projected: a tracked sweep, a file of several slices, or a DICOM series of several images.

    Raises:
        MedEnhanceError: input-missing, input-unreadable.
    """
    if not path.exists():
        raise MedEnhanceError("input-missing", f"There is nothing at {path}.", "Give an image, a volume or a folder.")
    if is_dicom_input(path):
        return len(dicom_series(path, series_uid).slices) > 1
    if path.is_dir() or path.suffix.lower() in PICTURES:
        return False
    if is_sequence(path):
        return True
    if image_format(path) is None:
        message = f"{path.name} is neither a coronal image nor a volume of a kind that is read."
        accepted = f"Give {', '.join(PICTURES)}, .nrrd, .mha, .mhd, .nii or DICOM."
        raise MedEnhanceError("input-unsuitable", message, accepted)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise MedEnhanceError("input-unreadable", f"{path.name} cannot be read.", "The file is damaged.") from error
    size = reader.GetSize()
    return len(size) >= 3 and size[2] > 1


def of_projections(known: ProjectionSet, depth: int) -> Coronal:
    """One depth of a set.

    Raises:
        MedEnhanceError: bad-option: there is no such depth.
    """
    if not 1 <= depth <= len(known.projections):
        message = f"There is no depth {depth}; the projections have 1 to {len(known.projections)}."
        raise MedEnhanceError("bad-option", message, "Name one of them.")
    originals = tuple(_grey(one.image) for one in known.projections)
    chosen = known.projections[depth - 1]
    return Coronal(originals[depth - 1], chosen.spacing_mm, known.grid(depth - 1), originals, known, depth)


def of_image(
    path: Path,
    spacing_mm: tuple[float, float] | None,
    others: tuple[Path, ...] = (),
    *,
    trust_axes: bool = False,
    series_uid: str | None = None,
) -> Coronal:
    """A single image, and the same back at other depths where there are any.

    Args:
        path: The image.
        spacing_mm: Of rows and columns; by default what the file states.
        others: Images at other depths.
        trust_axes: Its directions are not the patient's: take row 0 as the head end whatever they say.
        series_uid: Of a DICOM image, when its folder holds several series.

    Raises:
        MedEnhanceError: As `read_projection` or `read_coronal_picture`; stored upside down or mirrored; depths of
            other sizes.
    """
    if is_dicom_input(path):
        return _of_dicom(path, series_uid, spacing_mm, others, trust_axes)
    found = read_projection(path, spacing_mm)
    image = _grey(found.image)
    grid = Grid(spacing_known=False)
    if image_format(path) is not None:
        grid = read_image(path).grid
        if not trust_axes:
            _refuse_turned(grid, path.name)
    grid = _with_spacing(grid, found.spacing_mm)
    return Coronal(image, found.spacing_mm, grid, (image, *(_other(one, image.shape) for one in others)))


def _of_dicom(
    path: Path,
    series_uid: str | None,
    spacing_mm: tuple[float, float] | None,
    others: tuple[Path, ...],
    trust_axes: bool,
) -> Coronal:
    picture = read_coronal_picture(path, series_uid)
    if not trust_axes and picture.series.slices[0].is_in_patient:
        _refuse_turned(picture.grid, path.name)
    image = _grey(within_grey(picture.image))
    spacing = spacing_mm or picture.spacing_mm
    grid = _with_spacing(picture.grid, spacing)
    originals = (image, *(_other(one, image.shape) for one in others))
    return Coronal(image, spacing, grid, originals, source=picture.series)


def _with_spacing(grid: Grid, spacing_mm: tuple[float, float] | None) -> Grid:
    if spacing_mm is None:
        return grid
    rows, columns = spacing_mm
    return replace(grid, spacing_mm=(columns, rows, grid.spacing_mm[2]), spacing_known=True)


def _other(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    found = read_coronal_picture(path, None) if is_dicom_input(path) else read_projection(path)
    image = _grey(within_grey(found.image))
    if image.shape != shape:
        message = f"{path.name} is {image.shape[0]} x {image.shape[1]} pixels, the image {shape[0]} x {shape[1]}."
        raise MedEnhanceError("input-unsuitable", message, "All depths have to be on one grid.")
    return image


def _refuse_turned(grid: Grid, name: str) -> None:
    """A coronal slice whose rows run to the head, or whose columns run to the patient's left."""
    columns, rows, _ = np.reshape(grid.direction, (3, 3)).T
    if abs(grid.slice_normal[1]) < 1 - _OBLIQUE:  # not coronal in the file's frame: a picture, or a tracker's frame
        return
    if rows[2] > _OBLIQUE:
        message = f"{name} is upside down: its first row lies at the feet by its own directions."
        raise MedEnhanceError("input-unsuitable", message, "Flip the rows; row 0 of a projection is the head end.")
    if columns[0] > _OBLIQUE:
        message = f"{name} is mirrored: its first column is the patient's right by its own directions."
        raise MedEnhanceError("input-unsuitable", message, "Flip the columns; column 0 is the patient's left.")


def _grey(image: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(image), 0, 255).astype(np.uint8))
