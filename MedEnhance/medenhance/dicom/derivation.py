"""What a derived image says about how it came about."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)

from medenhance.dicom.series import DicomSeries, SliceHeader

RESEARCH_ONLY = "research use only"
NAMESPACE = uuid.UUID("0c3f6b0e-6a0f-5d0c-9f51-9d1f5d3c7c11")
SERIES_NUMBER_STEP = 1000
# DICOM PS3.16: CID 7203 (image derivation), CID 7202 (source image purposes), CID 7005 (contributing equipment).
SMOOTHING = ("113087", "Smoothing")
SOURCE_IMAGE = ("121322", "Source image for image processing operation")
PROCESSING_EQUIPMENT = ("109102", "Processing Equipment")
SINGLE_FRAME_CLASS = {
    EnhancedCTImageStorage: CTImageStorage,
    LegacyConvertedEnhancedCTImageStorage: CTImageStorage,
    EnhancedMRImageStorage: MRImageStorage,
    EnhancedPETImageStorage: PositronEmissionTomographyImageStorage,
}


@dataclass(frozen=True)
class Derivation:
    """How a result was made.

    Attributes:
        model_id, model_version, weights_sha256: Which model made it.
        description: One sentence.
        series_suffix: Put behind the series description, such as "denoised".
        parameters: Name and value of what the user chose.
    """

    model_id: str
    model_version: str
    weights_sha256: str
    description: str
    series_suffix: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole of it in one line, which always says "research use only"."""
        chosen = ", ".join(f"{name} {value}" for name, value in sorted(self.parameters.items()))
        parts = [self.description.rstrip("."), f"model {self.model_id} {self.model_version}", chosen]
        if RESEARCH_ONLY not in self.description.lower():
            parts.append(RESEARCH_ONLY)
        return "; ".join(part for part in parts if part)

    @property
    def fingerprint(self) -> str:
        """Differs whenever anything in it differs."""
        return json.dumps([*list(vars(self).values())[:-1], sorted(self.parameters.items())])

    def summary(self) -> dict[str, str]:
        """Notes for formats without such fields."""
        return {
            "MedEnhance_derivation": self.text,
            "MedEnhance_model": f"{self.model_id} {self.model_version}",
            "MedEnhance_weights_sha256": self.weights_sha256,
        }


def identifier(*parts: str) -> str:
    """A UID that is the same for the same parts (PS3.5, B.2: 2.25 and a UUID)."""
    return f"2.25.{uuid.uuid5(NAMESPACE, json.dumps(parts)).int}"


def describe(dataset: Dataset, one: SliceHeader, series: DicomSeries, derivation: Derivation) -> None:
    """Mark a copy of the source's header as derived; sets everything but identifiers of the instance and pixels."""
    dataset.SOPClassUID = _sop_class(one, series)
    dataset.ImageType = _image_type(one, dataset.SOPClassUID)
    dataset.SeriesDescription = series_description(series.description, derivation.series_suffix)
    dataset.SeriesNumber = int(dataset.get("SeriesNumber") or 0) + SERIES_NUMBER_STEP
    _put_first(dataset, "DerivationDescription", ascii_text(derivation.text, 1024), 1024)
    _put_first(dataset, "ImageComments", f"Derived image, {RESEARCH_ONLY}.", 10240)
    _append(dataset, "DerivationCodeSequence", _code(*SMOOTHING))
    _append(dataset, "ContributingEquipmentSequence", equipment(derivation))
    if one.sop_instance_uid:
        dataset.SourceImageSequence = Sequence([_source_image(one)])
        dataset.ReferencedSeriesSequence = Sequence([_source_series(one, series)])


def _sop_class(one: SliceHeader, series: DicomSeries) -> str:
    if one.sop_class_uid:
        return str(SINGLE_FRAME_CLASS.get(one.sop_class_uid, one.sop_class_uid))  # type: ignore[call-overload]
    return CTImageStorage if series.modality == "CT" else SecondaryCaptureImageStorage


def _image_type(one: SliceHeader, sop_class: str) -> list[str]:
    third = list(one.image_type[2:3])
    if sop_class == CTImageStorage and third != ["LOCALIZER"]:
        third = ["AXIAL"]
    return ["DERIVED", "SECONDARY", *third]


def series_description(source: str, suffix: str) -> str:
    """At most 64 characters, with the whole of the suffix."""
    suffix = suffix[:64]
    room = max(0, 64 - len(suffix) - 1)
    return f"{source[:room].rstrip()} {suffix}".strip()


def equipment(derivation: Derivation) -> Dataset:
    """Item of the Contributing Equipment Sequence: what made the result."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = Sequence([_code(*PROCESSING_EQUIPMENT)])
    item.Manufacturer = "MedEnhance"
    item.ManufacturerModelName = ascii_text(derivation.model_id, 64)
    # The hash takes all of the 64 characters that a value may have, so it cannot be the last one, which gets padded.
    item.SoftwareVersions = [
        f"medenhance {own_version()}",
        ascii_text(derivation.weights_sha256, 64),
        ascii_text(f"model {derivation.model_version}", 64),
    ]
    item.ContributionDescription = ascii_text(derivation.text, 1024)
    return item


def _source_image(one: SliceHeader) -> Dataset:
    item = _reference(one)
    if one.num_frames > 1:
        item.ReferencedFrameNumber = one.frame + 1
    item.SpatialLocationsPreserved = "YES"
    item.PurposeOfReferenceCodeSequence = Sequence([_code(*SOURCE_IMAGE)])
    return item


def _source_series(one: SliceHeader, series: DicomSeries) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = series.series_uid
    item.ReferencedInstanceSequence = Sequence([_reference(one)])
    return item


def _reference(one: SliceHeader) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = one.sop_class_uid or CTImageStorage
    item.ReferencedSOPInstanceUID = one.sop_instance_uid
    return item


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _append(dataset: Dataset, sequence: str, item: Dataset) -> None:
    """Behind what earlier processing steps wrote there."""
    setattr(dataset, sequence, Sequence([*(dataset.get(sequence) or ()), item]))


def _put_first(dataset: Dataset, keyword: str, text: str, length: int) -> None:
    """Before what the source says there."""
    before = str(dataset.get(keyword) or "")
    setattr(dataset, keyword, f"{text} {before}".strip()[:length])


def ascii_text(text: str, length: int) -> str:
    """Text that fits whatever character set the source declares; backslash separates values in DICOM."""
    return text.encode("ascii", "replace").decode().replace("\\", "/")[:length]


def own_version() -> str:
    """Version of this package."""
    try:
        return version("medenhance")
    except PackageNotFoundError:  # run from a source tree, as inside Slicer
        from medenhance import __version__

        return __version__
