"""Puts the voxels of an image file on the DICOM series that they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medenhance.dicom.picture import read_picture
from medenhance.dicom.placement import SAME_PLACE_MM, placed
from medenhance.dicom.scan import choose_series, find_series
from medenhance.dicom.stack import read_stack
from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress
from medenhance.volume import Volume


def on_source(volume: Volume, source: Sequence[Path], series_uid: str | None, progress: Progress) -> Volume:
    """The voxels in the order of a series, with that series and its grid.

    Args:
        volume: Of an image file.
        source: A DICOM folder, a DICOM file, or all files of the series.
        series_uid: When the source holds several.
        progress: Told how far reading is, and asked whether to stop.

    Raises:
        MedEnhanceError: input-unreadable, series-ambiguous, cancelled; input-unsuitable when the volume does not lie
            on the series.
    """
    place = source[0] if len(source) == 1 else source
    series, _ = choose_series(find_series(place, progress)[0], series_uid)
    if len(series.slices) == 1 and series.slices[0].position_mm is None:
        picture = read_picture(place, series_uid, progress)
        _refuse_other_pixels(volume, picture.image.shape)
        return Volume(volume.array, picture.grid, picture.series.modality or None, series=picture.series)
    stack = read_stack(place, series_uid, progress)
    array = placed(volume.array, volume.grid, stack.shape, stack.grid)
    return Volume(array, stack.grid, stack.series.modality or None, series=stack.series)


def _refuse_other_pixels(volume: Volume, shape: tuple[int, ...]) -> None:
    """A picture has no place: what was made of it has its size, and axes that are not turned."""
    rows_and_columns = np.reshape(volume.grid.direction, (3, 3))[:, :2]
    turned = not np.allclose(rows_and_columns, np.eye(3)[:, :2], atol=SAME_PLACE_MM)
    if volume.array.shape == (1, *shape) and not turned:
        return
    depth, height, width = volume.array.shape
    what = f"{depth} slices of {height} x {width}{' with turned axes' if turned else ''}"
    message = f"The volume has {what}, its DICOM image {shape[0]} x {shape[1]}."
    raise MedEnhanceError("input-unsuitable", message, "Give a volume with the pixels of its DICOM image.")
