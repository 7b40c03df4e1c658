"""What is kept of a DICOM series while it is worked on: its headers in slice order, never its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import (
    EnhancedUSVolumeStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from medenhance.errors import MedEnhanceError
from medenhance.volume import Vector

CAPTURES = {
    SecondaryCaptureImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
}


@dataclass(frozen=True)
class PixelFormat:
    """How one frame's values are stored.

    Attributes:
        rows, columns: H and W.
        bits_allocated, bits_stored, high_bit: As DICOM names them.
        signed: Pixel Representation 1.
        samples: Values a pixel; 1 for grey.
        photometric: MONOCHROME2, RGB, ...
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    samples: int
    photometric: str

    @property
    def stored_range(self) -> tuple[int, int]:
        """Smallest and largest value that can be stored."""
        if self.signed:
            return -(1 << (self.bits_stored - 1)), (1 << (self.bits_stored - 1)) - 1
        return 0, (1 << self.bits_stored) - 1

    def require_grey(self, path: Path) -> None:
        """Refuse what is not one grey value of whole bytes a pixel.

        Raises:
            MedEnhanceError: input-unsuitable.
        """
        if self.samples != 1 or not self.photometric.startswith("MONOCHROME"):
            raise MedEnhanceError(
                "input-unsuitable",
                f"{path.name} is a colour image ({self.photometric}), such as a screen capture.",
                "Give the original slices of grey values.",
            )
        if self.bits_allocated not in (8, 16, 32):
            raise MedEnhanceError(
                "input-unsuitable",
                f"{path.name} has {self.bits_allocated} bits a pixel.",
                "8, 16 and 32 are supported; a segmentation is no image.",
            )


@dataclass(frozen=True)
class SliceHeader:
    """One slice: a single-frame file, or one frame of a multi-frame file.

    Attributes:
        path: File that holds it.
        frame: Index in the file, from 0.
        num_frames: Frames in the file.
        sop_class_uid, sop_instance_uid: Of the file.
        instance_number: None when not stated.
        image_type: ORIGINAL, PRIMARY, AXIAL, ...
        position_mm: LPS position of the first pixel's centre; None when not stated.
        orientation: Unit vectors along a row (I) and down a column (J), LPS; None when not stated.
        pixel_spacing_mm: Distance between rows (J), between columns (I); None when not stated.
        thickness_mm: Slice thickness or, failing that, spacing between slices; None when not stated.
        slope, intercept: Value = stored * slope + intercept; None when not stated.
        rescale_type: "HU", "US" (unspecified) ...; "" when not stated.
        has_lookup_table: Whether a modality lookup table stands in place of slope and intercept.
        padding: Stored values (first, last) that mark pixels outside the image; None when not stated.
        pixels: How the values are stored.
    """

    path: Path
    frame: int
    num_frames: int
    sop_class_uid: str
    sop_instance_uid: str
    instance_number: int | None
    image_type: tuple[str, ...]
    position_mm: Vector | None
    orientation: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, float] | None
    thickness_mm: float | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    has_lookup_table: bool
    padding: tuple[int, int] | None
    pixels: PixelFormat

    @property
    def rescale(self) -> tuple[float, float]:
        """Slope and intercept, (1, 0) when the file states none."""
        return (1.0 if self.slope is None else self.slope, 0.0 if self.intercept is None else self.intercept)

    @property
    def is_localizer(self) -> bool:
        return "LOCALIZER" in self.image_type[2:3]

    @property
    def is_in_patient(self) -> bool:
        """Whether its place is one in the patient; that of an ultrasound volume is one in the volume (PS3.3, A.59)."""
        return self.position_mm is not None and self.sop_class_uid != EnhancedUSVolumeStorage

    @property
    def is_capture(self) -> bool:
        return self.sop_class_uid in CAPTURES

    @property
    def label(self) -> str:
        """How a message names it."""
        return self.path.name if self.num_frames == 1 else f"{self.path.name}, frame {self.frame + 1}"


@dataclass(frozen=True)
class DicomSeries:
    """A series and its slices; those of a volume that was read stand in the order of its axis D.

    Attributes:
        series_uid, study_uid, modality, description: As its files state them; "" when they do not.
        slices: Its images.
        problem: Why one of its files cannot be read; None when all is well.
    """

    series_uid: str
    study_uid: str
    modality: str
    description: str
    slices: tuple[SliceHeader, ...]
    problem: MedEnhanceError | None = None
