"""The stored values of DICOM frames, exactly, one frame at a time.

Uncompressed frames are read straight from the file. Compressed ones (JPEG, JPEG-LS, JPEG 2000) are put into a minimal
DICOM file of their own, which GDCM, in SimpleITK, decodes: that way neither odd header elements nor other frames take
part, no rescale is applied, and no further decoder is needed.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.errors import InvalidDicomError
from pydicom.filereader import dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from medenhance.dicom.headers import tolerant_reading, unreadable
from medenhance.dicom.series import PixelFormat
from medenhance.errors import MedEnhanceError

PIXEL_DATA = (0x7FE0, 0x0010)
COMPRESSED = {
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
    RLELossless,
}


class Frames:
    """The frames of one open DICOM file.

    Args:
        file: Open for reading; stays open.
        path: Its name, for messages.
        pixels: The format of its frames.
        num_frames: How many there are.
    """

    def __init__(self, file: BinaryIO, path: Path, pixels: PixelFormat, num_frames: int) -> None:
        self._path, self._pixels, self._num_frames = path, pixels, num_frames
        dataset = _dataset_before_pixels(file)
        self._syntax = _transfer_syntax(dataset)
        _refuse_unknown_compression(self._syntax, path)
        self._offsets = _extended_offsets(dataset)
        if self._syntax == DeflatedExplicitVRLittleEndian:
            self._buffer: BinaryIO = BytesIO(dataset.get("PixelData") or b"")
            self._start, self._length = 0, len(dataset.get("PixelData") or b"")
        else:
            self._buffer = file
            self._start, self._length = _pixel_value(file, self._syntax, path)

    def stored(self, frame: int) -> np.ndarray:
        """(H, W) integers as stored.

        Raises:
            MedEnhanceError: input-unreadable.
        """
        if self._syntax.is_encapsulated:
            return self._decoded(frame)
        return self._native(frame)

    def _native(self, frame: int) -> np.ndarray:
        pixels = self._pixels
        num_bytes = pixels.rows * pixels.columns * pixels.bits_allocated // 8
        self._buffer.seek(self._start + frame * num_bytes)
        raw = self._buffer.read(num_bytes) if (frame + 1) * num_bytes <= self._length else b""
        if len(raw) != num_bytes:
            raise unreadable(
                self._path,
                f"it is cut short: frame {frame + 1} of {self._num_frames} needs {num_bytes} bytes and the file "
                f"holds {self._length} for all",
            )
        order = "<" if self._syntax.is_little_endian else ">"
        words = np.frombuffer(raw, f"{order}u{pixels.bits_allocated // 8}").reshape(pixels.rows, pixels.columns)
        return significant_bits(words.astype(words.dtype.newbyteorder("=")), pixels)

    def _encoded(self, frame: int) -> bytes:
        self._buffer.seek(self._start)
        try:
            return get_frame(self._buffer, frame, extended_offsets=self._offsets, number_of_frames=self._num_frames)
        except (ValueError, EOFError, struct.error, OSError) as error:
            raise unreadable(self._path, f"frame {frame + 1} of {self._num_frames} is damaged ({error})") from error

    def _decoded(self, frame: int) -> np.ndarray:
        minimal = _minimal_file(self._encoded(frame), self._syntax, self._pixels)
        try:
            if self._syntax == RLELossless:
                decoded = significant_bits(_decode_run_lengths(minimal), self._pixels)
            else:
                decoded = _decode_with_gdcm(minimal)
        except (RuntimeError, ValueError) as error:
            reason = f"frame {frame + 1} of {self._num_frames} ({self._syntax.name}) does not decode"
            raise unreadable(self._path, reason) from error
        if decoded.shape != (self._pixels.rows, self._pixels.columns):
            raise unreadable(self._path, f"frame {frame + 1} decodes to shape {decoded.shape}")
        return decoded


@contextmanager
def open_frames(path: Path, pixels: PixelFormat, num_frames: int) -> Iterator[Frames]:
    """Open a DICOM file for reading its frames.

    Raises:
        MedEnhanceError: input-unreadable, input-unsuitable.
    """
    pixels.require_grey(path)
    try:
        with path.open("rb") as file:
            yield Frames(file, path, pixels, num_frames)
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error


def significant_bits(words: np.ndarray, pixels: PixelFormat) -> np.ndarray:
    """The value in bits `high_bit` ... `high_bit` - `bits_stored` + 1 of each word; the others may hold anything
    (overlays, in old files) and are left out (DICOM PS3.5, 8.1.1).

    Args:
        words: (H, W) integers of `bits_allocated` bits.
        pixels: Which bits count and whether they are signed.
    """
    size = words.dtype.itemsize
    low = pixels.high_bit + 1 - pixels.bits_stored
    above = pixels.bits_allocated - 1 - pixels.high_bit
    shifted = np.left_shift(words.view(f"u{size}"), above)
    return np.asarray(np.right_shift(shifted.view(f"i{size}" if pixels.signed else f"u{size}"), above + low))


def _dataset_before_pixels(file: BinaryIO) -> Dataset:
    with tolerant_reading():
        try:
            dataset = dcmread(file, stop_before_pixels=True)
        except InvalidDicomError:
            file.seek(0)
            dataset = dcmread(file, stop_before_pixels=True, force=True)
        if dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            file.seek(0)
            dataset = dcmread(file)
    return dataset


def _transfer_syntax(dataset: Dataset) -> UID:
    """As stated, else what the reader found out by itself."""
    stated = dataset.file_meta.get("TransferSyntaxUID")
    if stated:
        return UID(stated)
    implicit, little = dataset.original_encoding
    if implicit or implicit is None:
        return UID(ImplicitVRLittleEndian)
    return UID("1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2")


def _refuse_unknown_compression(syntax: UID, path: Path) -> None:
    if syntax.is_encapsulated and syntax not in COMPRESSED:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{path.name} is compressed as {syntax.name}, which cannot be decoded here.",
            "Export it uncompressed, or as JPEG, JPEG-LS, JPEG 2000 or RLE.",
        )


def _extended_offsets(dataset: Dataset) -> tuple[bytes, bytes] | None:
    offsets, lengths = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    return (offsets, lengths) if offsets and lengths else None


def _pixel_value(file: BinaryIO, syntax: UID, path: Path) -> tuple[int, int]:
    """Where the pixel data begin in the file, and how many bytes they say they have.

    The file stands at the element's tag, where reading the data set stopped.
    """
    order = "<" if syntax.is_little_endian else ">"
    start = file.read(12)
    if len(start) < 12:
        raise unreadable(path, "it holds no pixel data")
    tag = struct.unpack_from(f"{order}2H", start)
    if tag != PIXEL_DATA:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{path.name} stores its values as floating-point numbers, which CT images do not.",
            "Give the original slices.",
        )
    explicit = not syntax.is_implicit_VR
    (length,) = struct.unpack_from(f"{order}I", start, 8 if explicit else 4)
    return file.tell() - (0 if explicit else 4), length


def _decode_run_lengths(minimal: Dataset) -> np.ndarray:
    """RLE by pydicom, which notices a truncated frame where GDCM does not."""
    decoded, _ = get_decoder(RLELossless).as_array(minimal, index=0, raw=True, decoding_plugin="pydicom")
    return np.asarray(decoded)


def _decode_with_gdcm(minimal: Dataset) -> np.ndarray:
    with tempfile.TemporaryDirectory(prefix="medenhance-") as folder:
        path = Path(folder) / "frame.dcm"
        minimal.save_as(path, enforce_file_format=True)
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        image = reader.Execute()
    volume: np.ndarray = sitk.GetArrayFromImage(image)
    return np.asarray(volume[0])


def _minimal_file(encoded: bytes, syntax: UID, pixels: PixelFormat) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = UID("2.25.1")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.rows, pixels.columns
    dataset.BitsAllocated, dataset.BitsStored = pixels.bits_allocated, pixels.bits_stored
    dataset.HighBit, dataset.PixelRepresentation = pixels.high_bit, int(pixels.signed)
    dataset.PixelData = encapsulate([encoded])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset
