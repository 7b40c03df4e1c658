"""Coronal images and label maps from PNG, NRRD and MetaImage files, with a spacing only where the file states it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.spine.projection import Projection

PICTURES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
# What a header has to hold for its spacing to count; otherwise readers make 1 mm up.
_STATED = {".nrrd": (b"space directions:", b"spacings:"), ".mha": (b"ElementSpacing", b"ElementSize")}


def read_projection(path: Path, spacing_mm: tuple[float, float] | None = None) -> Projection:
    """Read a grey coronal image.

    Args:
        path: PNG, BMP, TIFF, JPEG, NRRD or MetaImage of one slice.
        spacing_mm: Of rows and columns; by default what the file states, if it does.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable (colour, several slices, no picture).
    """
    image, stated = _read_plane(path)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    if not np.isfinite(array).all():
        raise MedEnhanceError("input-unsuitable", f"{path.name} holds values that are no numbers.", "Check the file.")
    if array.min() == array.max():
        raise MedEnhanceError("input-unsuitable", f"{path.name} is empty: every pixel is {array.min():g}.", "")
    return Projection(within_grey(array), spacing_mm or stated, None, path.name)


def read_labels(
    path: Path, spacing_mm: tuple[float, float] | None = None
) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Read a label map of one slice, and its spacing of rows and columns where it is given or stated.

    Raises:
        MedEnhanceError: As `read_projection`.
    """
    if path.suffix.lower() in (".jpg", ".jpeg"):
        message = f"{path.name} is a JPEG, which changes the values of labels."
        raise MedEnhanceError("input-unsuitable", message, "Give the label map as PNG or NRRD.")
    image, stated = _read_plane(path)
    return sitk.GetArrayFromImage(image), spacing_mm or stated


def _read_plane(path: Path) -> tuple[sitk.Image, tuple[float, float] | None]:
    if not path.exists():
        raise MedEnhanceError("input-missing", f"There is nothing at {path}.", "Give a coronal image.")
    suffix = path.suffix.lower()
    if suffix not in (*PICTURES, *_STATED):
        message = f"{path.name} is no coronal image of a kind that is read."
        raise MedEnhanceError("input-unsuitable", message, f"Give {', '.join((*PICTURES, *_STATED))}.")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise MedEnhanceError("input-unreadable", f"{path.name} cannot be read.", "The file is damaged.") from error
    if image.GetNumberOfComponentsPerPixel() != 1:
        message = f"{path.name} is a colour image ({image.GetNumberOfComponentsPerPixel()} numbers a pixel)."
        raise MedEnhanceError("input-unsuitable", message, "Give a grey image, or a label map of one number a pixel.")
    if image.GetDimension() == 3:
        image = _one_slice(image, path)
    column, row = image.GetSpacing()
    stated = states_spacing(path)
    return image, (row, column) if stated else None


def _one_slice(image: sitk.Image, path: Path) -> sitk.Image:
    if image.GetSize()[2] != 1:
        message = f"{path.name} has {image.GetSize()[2]} slices; a coronal image has one."
        raise MedEnhanceError("input-unsuitable", message, "Project a volume first: medenhance project-vpi.")
    return image[:, :, 0]


def states_spacing(path: Path) -> bool:
    """Whether the file itself holds a spacing in mm. That of a picture is for printing, of a sequence in pixels."""
    words = _STATED.get(path.suffix.lower(), ())
    with path.open("rb") as file:
        header = file.read(1 << 14)
    return b"Seq_Frame" not in header and any(word in header for word in words)


def within_grey(array: np.ndarray) -> np.ndarray:
    """(R, C) float32: 8-bit images as they are; anything else stretched to 0..255 by its largest value."""
    return (
        array
        if array.max() > 1 and array.max() <= 255 and array.min() >= 0
        else ((array - min(array.min(), 0)) / (array.max() - min(array.min(), 0)) * 255)
    )
