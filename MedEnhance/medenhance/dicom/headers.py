"""Reads the headers of one DICOM file, classic or enhanced multi-frame, into plain values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import dcmread
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage

from medenhance.dicom.series import PixelFormat, SliceHeader
from medenhance.errors import MedEnhanceError
from medenhance.volume import Vector

# First bytes of a data set without the 128-byte preamble: group 0002 or 0008, little endian, in its lower elements.
BARE_STARTS = tuple(group + element for group in (b"\x02\x00", b"\x08\x00") for element in (b"\x00\x00", b"\x05\x00"))
BARE_STARTS += (b"\x08\x00\x08\x00", b"\x08\x00\x12\x00", b"\x08\x00\x16\x00", b"\x08\x00\x01\x00")
NO_IMAGES = {"SEG", "SR", "PR", "KO", "REG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "DOC", "ECG", "RWV", "AU"}


@dataclass(frozen=True)
class FileHeader:
    """One DICOM file.

    Attributes:
        path: The file.
        series_uid, study_uid, modality, description: Of its series; "" when not stated.
        sop_class_uid: What kind of object it is; "" when not stated.
        slices: Its frames; empty when it holds no image (a report, a plan, a directory ...).
        problem: Why its frames cannot be read although it should hold some; None when all is well.
    """

    path: Path
    series_uid: str
    study_uid: str
    modality: str
    description: str
    sop_class_uid: str
    slices: tuple[SliceHeader, ...] = ()
    problem: MedEnhanceError | None = None

    @property
    def kind(self) -> str:
        """How a message names what it is."""
        name = UID(self.sop_class_uid).name if self.sop_class_uid else ""
        return name or f"modality {self.modality or 'unknown'}"


@contextmanager
def tolerant_reading() -> Iterator[None]:
    """Let pydicom be silent about values that break the rules of their type (over-long texts, malformed UIDs).

    They are common in clinical files and of no consequence for the image. Only pydicom is called in such a block.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def is_dicom(path: Path) -> bool:
    """Whether the first bytes are those of a DICOM file, with or without preamble."""
    with path.open("rb") as file:
        start = file.read(132)
    return start[128:] == b"DICM" or start[:4] in BARE_STARTS


def read_header(path: Path) -> FileHeader:
    """Read all but the pixels.

    Raises:
        MedEnhanceError: input-unreadable, when it does not even say which series it belongs to.
    """
    with tolerant_reading():
        try:
            dataset = read_dataset(path)
            header = _identity(dataset, path)
        except OSError as error:
            raise unreadable(path, error.strerror or str(error)) from error
        except Exception as error:  # pydicom lets anything through that a malformed value can cause
            raise unreadable(path, f"{type(error).__name__}: {error}") from error
        try:
            return replace(header, slices=tuple(_frames(dataset, header)))
        except MedEnhanceError as error:
            return replace(header, problem=error)
        except Exception as error:
            return replace(header, problem=unreadable(path, f"{type(error).__name__}: {error}"))


def read_dataset(path: Path) -> Dataset:
    """Everything before the pixel data.

    Raises:
        InvalidDicomError: No DICOM.
    """
    try:
        return dcmread(path, stop_before_pixels=True)
    except InvalidDicomError:
        if not is_dicom(path):
            raise
        return dcmread(path, stop_before_pixels=True, force=True)


def unreadable(path: Path, reason: str) -> MedEnhanceError:
    return MedEnhanceError(
        "input-unreadable",
        f"{path.name} cannot be read as DICOM ({path}): {reason}.",
        "The file is damaged; copy or export it again.",
    )


def _identity(dataset: Dataset, path: Path) -> FileHeader:
    return FileHeader(
        path=path,
        series_uid=str(dataset.get("SeriesInstanceUID") or ""),
        study_uid=str(dataset.get("StudyInstanceUID") or ""),
        modality=str(dataset.get("Modality") or ""),
        description=str(dataset.get("SeriesDescription") or ""),
        sop_class_uid=str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or ""),
    )


def _frames(dataset: Dataset, header: FileHeader) -> Iterator[SliceHeader]:
    if header.modality in NO_IMAGES:
        return
    if "Rows" not in dataset or "BitsAllocated" not in dataset:
        if header.sop_class_uid in (CTImageStorage, EnhancedCTImageStorage):
            raise unreadable(header.path, "it says that it is a CT image but states no image size")
        return
    pixels = _pixel_format(dataset, header.path)
    yield from _slices(dataset, header.path, header.sop_class_uid, pixels)


def _pixel_format(dataset: Dataset, path: Path) -> PixelFormat:
    allocated = int(dataset.BitsAllocated)
    stored = int(dataset.get("BitsStored") or allocated)
    high = dataset.get("HighBit")
    pixels = PixelFormat(
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high is None else int(high),
        signed=int(dataset.get("PixelRepresentation") or 0) == 1,
        samples=int(dataset.get("SamplesPerPixel") or 1),
        photometric=str(dataset.get("PhotometricInterpretation") or "MONOCHROME2"),
    )
    if min(pixels.rows, pixels.columns) < 1 or not stored - 1 <= pixels.high_bit < allocated:
        raise unreadable(path, f"its image format makes no sense: {pixels}")
    return pixels


def _slices(dataset: Dataset, path: Path, sop_class: str, pixels: PixelFormat) -> Iterator[SliceHeader]:
    num_frames = int(dataset.get("NumberOfFrames") or 1)
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if groups is not None and len(groups) != num_frames:
        raise unreadable(path, f"it has {num_frames} frames but describes {len(groups)}")
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    for frame in range(num_frames):
        per_frame = groups[frame] if groups is not None else Dataset()
        yield _slice(_Attributes(dataset, shared, per_frame), path, frame, num_frames, sop_class, pixels)


class _Attributes:
    """Finds an attribute in a frame's functional group, else in the shared one, else at the top of the file."""

    def __init__(self, dataset: Dataset, shared: Dataset, per_frame: Dataset) -> None:
        self._dataset, self._places = dataset, (per_frame, shared)

    def get(self, keyword: str, group: str | None = None) -> Any:
        for place in self._places if group else ():
            value = _first(place, group or "").get(keyword)
            if value is not None:
                return value
        return self._dataset.get(keyword)


def _first(dataset: Dataset, sequence: str) -> Dataset:
    items = dataset.get(sequence)
    return items[0] if items else Dataset()


def _slice(
    attributes: _Attributes, path: Path, frame: int, num_frames: int, sop_class: str, pixels: PixelFormat
) -> SliceHeader:
    measures, values = "PixelMeasuresSequence", "PixelValueTransformationSequence"
    thickness = _number(attributes.get("SliceThickness", measures))
    gap = _number(attributes.get("SpacingBetweenSlices", measures))
    image_type = attributes.get("FrameType", "CTImageFrameTypeSequence") or attributes.get("ImageType")
    return SliceHeader(
        path=path,
        frame=frame,
        num_frames=num_frames,
        sop_class_uid=sop_class,
        sop_instance_uid=str(attributes.get("SOPInstanceUID") or ""),
        instance_number=_integer(attributes.get("InstanceNumber")),
        image_type=_texts(image_type),
        position_mm=_position(
            attributes.get("ImagePositionPatient", "PlanePositionSequence")
            or attributes.get("ImagePositionVolume", "PlanePositionVolumeSequence")
        ),
        orientation=_numbers(
            attributes.get("ImageOrientationPatient", "PlaneOrientationSequence")
            or attributes.get("ImageOrientationVolume", "PlaneOrientationVolumeSequence"),
            6,
        ),
        pixel_spacing_mm=_spacing(attributes.get("PixelSpacing", measures)),
        thickness_mm=thickness or (abs(gap) if gap else None),
        slope=_slope(attributes.get("RescaleSlope", values)),
        intercept=_number(attributes.get("RescaleIntercept", values)),
        rescale_type=str(attributes.get("RescaleType", values) or ""),
        has_lookup_table=bool(attributes.get("ModalityLUTSequence")),
        padding=_padding(attributes, pixels),
        pixels=pixels,
    )


def _padding(attributes: _Attributes, pixels: PixelFormat) -> tuple[int, int] | None:
    first = _integer(attributes.get("PixelPaddingValue"))
    if first is None:
        return None
    last = _integer(attributes.get("PixelPaddingRangeLimit"))
    first, last = (_as_stored(value, pixels) for value in (first, first if last is None else last))
    return min(first, last), max(first, last)


def _as_stored(value: int, pixels: PixelFormat) -> int:
    """Padding is often written with the wrong sign: 63536 for -2000 in a signed image, or the reverse."""
    span = 1 << pixels.bits_allocated
    if pixels.signed:
        return value - span if value >= span // 2 else value
    return value + span if value < 0 else value


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is no finite number")
    return number


def _slope(value: Any) -> float | None:
    number = _number(value)
    if number == 0:
        raise ValueError("the rescale slope is 0")
    return number


def _integer(value: Any) -> int | None:
    if isinstance(value, bytes):  # a padding value that the reader could not type
        return int.from_bytes(value[:2], "little")
    number = _number(value)
    return None if number is None else int(number)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if value is None or isinstance(value, str) or len(value) == 0:
        return None
    if len(value) != count:
        raise ValueError(f"{count} numbers were expected, not {list(value)}")
    return tuple(number for number in map(_number, value) if number is not None)


def _position(value: Any) -> Vector | None:
    numbers = _numbers(value, 3)
    return None if numbers is None else (numbers[0], numbers[1], numbers[2])


def _spacing(value: Any) -> tuple[float, float] | None:
    numbers = _numbers(value, 2)
    if numbers is None or min(numbers) <= 0:
        return None
    return numbers[0], numbers[1]
