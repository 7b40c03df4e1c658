"""Reads a DICOM image that stands alone: a secondary capture, an ultrasound image, a projection.

Such an image often has no place in the patient, states its pixel size in ultrasound regions, and stores grey values as
three equal colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset

from medenhance.dicom.geometry import grid_of
from medenhance.dicom.headers import read_dataset, tolerant_reading, unreadable
from medenhance.dicom.scan import choose_series, find_series
from medenhance.dicom.series import DicomSeries, SliceHeader
from medenhance.dicom.values import read_slice
from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress
from medenhance.volume import Grid

CENTIMETRES = 3  # PS3.3, C.8.5.5.1.15: physical units of an ultrasound region
SAME_DELTA = 1e-6
# JPEG changes equal colours by a few levels (pydicom's YBR test images: up to 2); a coloured mark differs by more.
GREY_SPREAD = 8
EIGHT_BITS = 255.0


@dataclass(frozen=True)
class Picture:
    """One image.

    Attributes:
        series: With this image alone, described as grey values.
        image: (H, W) float32, grey as stored.
        spacing_mm: Of rows and columns; None when it is not stated.
        grid: Of the image as a volume of one slice.
        warnings: What a user should know about it, one sentence each.
    """

    series: DicomSeries
    image: np.ndarray
    spacing_mm: tuple[float, float] | None
    grid: Grid
    warnings: tuple[str, ...] = ()


def read_picture(path: Path | Sequence[Path], series_uid: str | None, progress: Progress) -> Picture:
    """Read the one image of a series.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, series-ambiguous, cancelled; input-unsuitable when the series
            holds several images, or one in colour or stored inverted.
    """
    found, skipped = find_series(path, progress)
    series, left_out = choose_series(found, series_uid)
    one = only_image(series)
    with tolerant_reading():
        header = read_dataset(one.path)
    image = _grey(one)
    one = replace(one, pixels=replace(one.pixels, samples=1, photometric="MONOCHROME2"))
    spacing, doubts = _spacing_mm(one, header)
    grid, _ = grid_of([replace(one, pixel_spacing_mm=spacing)])
    return Picture(replace(series, slices=(one,)), image, spacing, grid, (*skipped, *left_out, *doubts))


def only_image(series: DicomSeries) -> SliceHeader:
    """The image of a series that has one.

    Raises:
        MedEnhanceError: input-unsuitable.
    """
    if len(series.slices) != 1:
        message = f"The series holds {len(series.slices)} images or frames, not one."
        raise MedEnhanceError("input-unsuitable", message, "Give the file of one of them.")
    return series.slices[0]


def _grey(one: SliceHeader) -> np.ndarray:
    if one.pixels.photometric == "MONOCHROME1":
        message = f"{one.label} is stored inverted (MONOCHROME1: low values are bright)."
        raise MedEnhanceError("input-unsuitable", message, "Export it as MONOCHROME2.")
    if one.pixels.samples == 1 and one.pixels.photometric == "MONOCHROME2":
        return read_slice(one)
    colours = _colours(one)
    spread = colours.max(axis=-1) - colours.min(axis=-1)
    if spread.max() > GREY_SPREAD:
        message = f"{one.label} is a colour image: {np.mean(spread > GREY_SPREAD):.2%} of its pixels are not grey."
        raise MedEnhanceError("input-unsuitable", message, "Export the grey image, without marks in colour.")
    return np.asarray(np.rint(colours.mean(axis=-1)), np.float32)


def _colours(one: SliceHeader) -> np.ndarray:
    """(H, W, 3) float32 red, green and blue, decoded by GDCM in SimpleITK."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(one.path))
    try:
        colours = sitk.GetArrayFromImage(reader.Execute()).astype(np.float32)
    except RuntimeError as error:
        raise unreadable(one.path, f"its colours ({one.pixels.photometric}) do not decode") from error
    if colours.shape != (1, one.pixels.rows, one.pixels.columns, 3):
        raise unreadable(one.path, f"its colours ({one.pixels.photometric}) decode to shape {colours.shape}")
    return np.asarray(colours[0])


def _spacing_mm(one: SliceHeader, header: Dataset) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """Of rows and columns: as the image states it, else as all of its ultrasound regions do."""
    if one.pixel_spacing_mm is not None:
        return one.pixel_spacing_mm, ()
    stated = [_of_region(region) for region in header.get("SequenceOfUltrasoundRegions") or ()]
    known = [spacing for spacing in stated if spacing is not None]
    if not known:
        return None, ()
    if np.ptp(known, axis=0).max() > SAME_DELTA:
        return None, (f"{one.label} states several pixel sizes, one for each region of it; none is taken.",)
    return known[0], ()


def _of_region(region: Dataset) -> tuple[float, float] | None:
    units = region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection")
    across, down = region.get("PhysicalDeltaX"), region.get("PhysicalDeltaY")
    if units != (CENTIMETRES, CENTIMETRES) or not across or not down:
        return None
    return abs(float(down)) * 10, abs(float(across)) * 10
