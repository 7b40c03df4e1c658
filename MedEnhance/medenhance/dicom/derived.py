"""Writes a result as a DICOM series derived from the one that was read.

Every slice becomes a single-frame image, also when the source was a multi-frame file. It takes over the source's
header (patient, study, frame of reference, acquisition) without private elements, which describe pixels that are no
longer there. The same input, result and derivation give the same bytes: identifiers are made from them, and no time of
writing is recorded.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pydicom.valuerep import format_number_as_ds

from medenhance.atomic_output import publish_file, publish_folder, staged
from medenhance.dicom.derivation import Derivation, describe, identifier
from medenhance.dicom.encoding import Encoding, choose_encodings
from medenhance.dicom.headers import tolerant_reading
from medenhance.dicom.series import DicomSeries, SliceHeader
from medenhance.dicom.source_header import (
    add_required_elements,
    as_single_frame,
    remove_stale_elements,
    source_headers,
)
from medenhance.dicom.write import write_dataset
from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, checkpoint
from medenhance.volume import Volume

__all__ = ["Derivation", "write_derived"]


def write_derived(volume: Volume, path: Path, derivation: Derivation, progress: Progress) -> tuple[str, ...]:
    """Write ``volume`` as a folder of DICOM files, or as one .dcm file if it has one slice.

    Args:
        volume: Result on the grid of its `series`, in the unit of the source.
        path: New or empty folder, or a .dcm file.
        derivation: How the result came about.
        progress: Told how far writing is.

    Returns:
        What a user should know about the output.

    Raises:
        MedEnhanceError: output-refused, disk-full, input-missing when the source files are gone, cancelled.
    """
    series = _checked_series(volume)
    as_file = path.suffix.lower() == ".dcm"
    if as_file and len(volume.array) > 1:
        raise MedEnhanceError(
            "output-refused",
            f"{path.name} is one file, but the study has {len(volume.array)} slices.",
            "Name a folder, without .dcm.",
        )
    with staged(path) as stage:
        warnings = _write_slices(volume, series, stage, derivation, progress)
        if as_file:
            publish_file(stage / _file_name(0), path)
        else:
            publish_folder(stage, path)
    return warnings


def _checked_series(volume: Volume) -> DicomSeries:
    series = volume.series
    if series is None or len(series.slices) != len(volume.array):
        raise MedEnhanceError(
            "output-refused", "The volume does not belong to a DICOM series.", "Write .nrrd, .mha or .nii.gz instead."
        )
    return series


def _write_slices(
    volume: Volume, series: DicomSeries, stage: Path, derivation: Derivation, progress: Progress
) -> tuple[str, ...]:
    digest, ranges = _content(volume.array)
    encodings = choose_encodings(series.slices, ranges)
    series_uid = identifier("series", series.series_uid, derivation.fingerprint, digest)
    numbers = _instance_numbers(series.slices)
    num_clipped, left_out = 0, set[str]()
    for k, (one, source) in enumerate(source_headers(series.slices)):
        checkpoint(progress, "write", k / len(series.slices))
        stored, clipped = encodings[k].encode(volume.array[k])
        num_clipped += clipped
        with tolerant_reading():
            dataset, malformed = as_single_frame(source, one)
            remove_stale_elements(dataset)
            describe(dataset, one, series, derivation)
            add_required_elements(dataset, series.series_uid or digest)
            dataset.SeriesInstanceUID = series_uid
            dataset.SOPInstanceUID = identifier("slice", series_uid, one.sop_instance_uid, str(one.frame), str(k))
            dataset.InstanceNumber = numbers[k]
            _set_pixels(dataset, stored, encodings[k], one)
            left_out.update(malformed, write_dataset(dataset, stage / _file_name(k)))
    return _warnings(num_clipped, sorted(left_out))


def _content(array: np.ndarray) -> tuple[str, list[tuple[float, float]]]:
    """A hash of all values, and the range of each slice."""
    digest, ranges = hashlib.sha256(), []
    for plane in array:
        digest.update(np.ascontiguousarray(plane, np.float32).tobytes())
        ranges.append((float(plane.min()), float(plane.max())))
    return digest.hexdigest(), ranges


def _instance_numbers(slices: tuple[SliceHeader, ...]) -> list[int]:
    """The source's numbers if they tell the slices apart, else 1, 2, 3 ... by position."""
    numbers = [one.instance_number for one in slices]
    own = [number for number in numbers if number is not None]
    if len(set(own)) == len(slices) and len(own) == len(slices):
        return own
    return list(range(1, len(slices) + 1))


def _set_pixels(dataset: Dataset, stored: np.ndarray, encoding: Encoding, one: SliceHeader) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = one.pixels.photometric
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored = encoding.bits_allocated, encoding.bits_stored
    dataset.HighBit = encoding.bits_stored - 1
    dataset.PixelRepresentation = int(encoding.signed)
    is_plain = dataset.SOPClassUID != CTImageStorage and (encoding.slope, encoding.intercept) == (1.0, 0.0)
    if (one.slope is None or one.intercept is None) and not is_plain:
        dataset.RescaleSlope = format_number_as_ds(encoding.slope)
        dataset.RescaleIntercept = format_number_as_ds(encoding.intercept)
    _set_padding(dataset, encoding, one)
    raw = stored.tobytes()
    dataset.add_new("PixelData", "OW" if encoding.bits_allocated > 8 else "OB", raw + b"\0" * (len(raw) % 2))


def _set_padding(dataset: Dataset, encoding: Encoding, one: SliceHeader) -> None:
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        if keyword in dataset:
            del dataset[keyword]
    if one.padding is None:
        return
    first, last = one.padding
    low, high = encoding.stored_range
    vr = "SS" if encoding.signed else "US"
    if low <= first <= last <= high:
        dataset.add_new("PixelPaddingValue", vr, first)
        if last != first:
            dataset.add_new("PixelPaddingRangeLimit", vr, last)


def _file_name(k: int) -> str:
    return f"{k + 1:04d}.dcm"


def _warnings(num_clipped: int, left_out: list[str]) -> tuple[str, ...]:
    warnings: tuple[str, ...] = ()
    if num_clipped:
        warnings += (f"{num_clipped} voxels lay outside the range that can be stored and were clipped.",)
    if left_out:
        warnings += (f"Malformed header elements of the source were left out: {', '.join(left_out)}.",)
    return warnings
