"""Reads a DICOM series into a volume in HU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from medenhance.dicom.pixels import open_frames
from medenhance.dicom.series import SliceHeader
from medenhance.dicom.stack import read_stack
from medenhance.dicom.values import rescaled
from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, checkpoint
from medenhance.value_checks import LOWEST_CT_HU, fill_threshold, scale_warnings
from medenhance.volume import Volume

HU_TYPES = ("", "HU", "HU_MOD")


def read_dicom(path: Path, series_uid: str | None, progress: Progress) -> Volume:
    """Read one series of a DICOM file or folder.

    Slices are decoded one by one into the volume's array, so that memory is needed for that and one slice.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable, series-ambiguous, cancelled.
    """
    stack = read_stack(path, series_uid, progress)
    slices, modality = stack.series.slices, stack.series.modality
    array = _decode(slices, progress)
    ct_warnings = _ct_warnings(slices, array) if modality == "CT" else ()
    padding, padding_warnings = _padding_below(slices, array, modality)
    return Volume(
        array=array,
        grid=stack.grid,
        modality=modality or None,
        padding_below=padding,
        series=stack.series,
        warnings=stack.warnings + ct_warnings + padding_warnings,
        file_dtype=_smallest_exact_type(slices, array),
    )


def _decode(slices: Sequence[SliceHeader], progress: Progress) -> np.ndarray:
    array = np.empty((len(slices), slices[0].pixels.rows, slices[0].pixels.columns), np.float32)
    by_file = sorted(range(len(slices)), key=lambda k: (str(slices[k].path), slices[k].frame))
    num_done = 0
    for _, indices in groupby(by_file, key=lambda k: slices[k].path):
        for k, stored in _stored_of_file(slices, list(indices)):
            checkpoint(progress, "read", num_done / len(slices))
            rescaled(stored, slices[k], out=array[k])
            num_done += 1
    return array


def _stored_of_file(slices: Sequence[SliceHeader], indices: list[int]) -> Iterator[tuple[int, np.ndarray]]:
    first = slices[indices[0]]
    with open_frames(first.path, first.pixels, first.num_frames) as frames:
        for k in indices:
            stored = frames.stored(slices[k].frame)
            if stored.dtype.itemsize > 2 and np.abs(stored.astype(np.int64)).max() > 2**24:
                raise MedEnhanceError(
                    "input-unsuitable",
                    f"{slices[k].label} holds values beyond 24 bits, which would lose digits.",
                    "CT images store 16 bits or less.",
                )
            yield k, stored


def _ct_warnings(slices: Sequence[SliceHeader], array: np.ndarray) -> tuple[str, ...]:
    warnings: tuple[str, ...] = ()
    unscaled = [one for one in slices if one.slope is None or one.intercept is None]
    if unscaled:
        warnings += (
            f"{len(unscaled)} of {len(slices)} slices state no rescale slope and intercept: stored values are taken "
            "as HU.",
        )
    types = sorted({one.rescale_type for one in slices} - set(HU_TYPES))
    if types:
        warnings += (f"The values are said to be {', '.join(types)} rather than HU.",)
    if any("DERIVED" in one.image_type[:1] for one in slices):
        warnings += (f"The images are derived already ({chr(92).join(slices[0].image_type)}).",)
    if any(one.is_capture for one in slices):
        warnings += ("The images are screen captures, whose values need not be HU.",)
    return warnings + scale_warnings(array)


def _padding_below(
    slices: Sequence[SliceHeader], array: np.ndarray, modality: str
) -> tuple[float | None, tuple[str, ...]]:
    """The threshold from declared padding and, for CT, from values that no reconstruction gives.

    Declared padding counts if it lies at or below -1024 or is the lowest value that can be stored: otherwise a
    threshold would take tissue for padding.
    """
    found = fill_threshold(array) if modality == "CT" else None
    refused: set[float] = set()
    for one in slices:
        if one.padding is None:
            continue
        slope, intercept = one.rescale
        value = float(np.float32(one.padding[1] * np.float32(slope)) + np.float32(intercept))
        if value <= LOWEST_CT_HU or one.padding[1] <= one.pixels.stored_range[0]:
            found = value if found is None else max(found, value)
        else:
            refused.add(value)
    if found is not None and min(float(plane.min()) for plane in array) > found:
        found = None
    if not refused:
        return found, ()
    return found, (
        f"The files declare {sorted(refused)[0]:g} as padding, which is a possible value of tissue; it is not masked.",
    )


def _smallest_exact_type(slices: Sequence[SliceHeader], array: np.ndarray) -> np.dtype:
    if any(value != int(value) for one in slices for value in one.rescale):
        return np.dtype(np.float32)
    low, high = min(float(p.min()) for p in array), max(float(p.max()) for p in array)
    for dtype in (np.int16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    return np.dtype(np.float32)
