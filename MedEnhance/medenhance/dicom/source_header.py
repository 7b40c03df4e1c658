"""Turns the header of a source image into one that a derived single-frame image can take over."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy as shallow_copy

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag
from pydicom.uid import CTImageStorage, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from medenhance.dicom.derivation import identifier
from medenhance.dicom.headers import read_dataset, tolerant_reading
from medenhance.dicom.series import SliceHeader
from medenhance.errors import MedEnhanceError

LOSSY_METHOD = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
}
# What described the source's own pixels, file or moment of writing.
STALE = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "IconImageSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelDataProviderURL",
    "PixelData",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "EncryptedAttributesSequence",
    "DataSetTrailingPadding",
    "InstanceCreationDate",
    "InstanceCreationTime",
    "InstanceCreatorUID",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "PixelPresentation",
    "PlanarConfiguration",
    "UltrasoundColorDataPresent",
)
MULTI_FRAME_ONLY = (
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DimensionOrganizationSequence",
    "DimensionIndexSequence",
    "DimensionOrganizationType",
    "ConcatenationUID",
    "SOPInstanceUIDOfConcatenationSource",
    "ConcatenationFrameOffsetNumber",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "FrameIncrementPointer",
    "VolumetricProperties",
    "VolumeBasedCalculationTechnique",
)
# What every image must have, if only empty (PS3.3, type 2), and anonymised sources often lack.
MAY_BE_EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "Manufacturer",
    "PositionReferenceIndicator",
)
MAY_BE_EMPTY_IN_CT = ("KVP", "AcquisitionNumber")
# Functional groups whose attributes stand at the top of a single-frame image under the same names.
FLATTENED = (
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "CTReconstructionSequence",
    "CTXRayDetailsSequence",
    "CTGeometrySequence",
)


def source_headers(slices: tuple[SliceHeader, ...]) -> Iterator[tuple[SliceHeader, Dataset]]:
    """Each slice with the header of its file; a multi-frame file is read once."""
    path, dataset = None, Dataset()
    for one in slices:
        if one.path != path:
            path, dataset = one.path, _source_dataset(one)
        yield one, dataset


def _source_dataset(one: SliceHeader) -> Dataset:
    try:
        with tolerant_reading():
            dataset = read_dataset(one.path)
            source_uid = str(dataset.get("SOPInstanceUID") or "")
    except (OSError, InvalidDicomError) as error:
        raise MedEnhanceError(
            "input-missing",
            f"{one.path} cannot be read any more ({error}); its header is needed for the derived series.",
            "Keep the input in place until the output is written.",
        ) from error
    if source_uid != one.sop_instance_uid:
        raise MedEnhanceError("input-unreadable", f"{one.path} has changed since it was read.", "Start again.")
    return dataset


def as_single_frame(source: Dataset, one: SliceHeader) -> tuple[Dataset, list[str]]:
    """A copy of the header for one frame: its functional groups become plain attributes.

    Returns:
        The copy, and the tags of elements that were left out because their values are malformed.
    """
    copy, malformed = Dataset(), []
    copy.file_meta = source.file_meta
    implicit, little = source.original_encoding
    copy.set_original_encoding(implicit, little, source.original_character_set)
    skipped = {BaseTag(_tag(keyword)) for keyword in MULTI_FRAME_ONLY}
    for tag in tuple(source.keys()):
        if tag in skipped or tag.is_private or tag.element == 0:
            continue
        try:
            copy[tag] = shallow_copy(source[tag])
        except Exception:  # whatever a malformed value causes in pydicom
            malformed.append(str(tag))
    for groups in (source.get("SharedFunctionalGroupsSequence"), source.get("PerFrameFunctionalGroupsSequence")):
        if groups:
            _flatten(groups[one.frame if len(groups) > 1 else 0], copy)
    return copy, malformed


def remove_stale_elements(dataset: Dataset) -> None:
    """Remove elements that are not true of other pixels; record lossy compression of the source."""
    for keyword in STALE:
        if keyword in dataset:
            del dataset[keyword]
    for tag in [tag for tag in tuple(dataset.keys()) if _is_curve(tag) or _is_overlay_in_pixels(dataset, tag)]:
        del dataset[tag]
    method = LOSSY_METHOD.get(dataset.file_meta.get("TransferSyntaxUID"))
    if method and dataset.get("LossyImageCompression") != "01":
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionMethod = method


def add_required_elements(dataset: Dataset, source_id: str) -> None:
    """Add what the standard demands and the source lacks, so that archives accept the result.

    Args:
        dataset: Header with its final SOP class.
        source_id: Tells the source series from others, for identifiers that it should have had.
    """
    for keyword in MAY_BE_EMPTY + (MAY_BE_EMPTY_IN_CT if dataset.SOPClassUID == CTImageStorage else ()):
        if keyword not in dataset:
            setattr(dataset, keyword, None)
    if "ImageOrientationPatient" not in dataset and "PatientOrientation" not in dataset:
        dataset.PatientOrientation = None
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if not dataset.get(keyword):
            setattr(dataset, keyword, identifier(keyword, source_id))
    if "SpecificCharacterSet" in dataset and not dataset.SpecificCharacterSet:
        del dataset.SpecificCharacterSet


def _flatten(groups: Dataset, copy: Dataset) -> None:
    for sequence in FLATTENED:
        for element in (groups.get(sequence) or [Dataset()])[0]:
            if not element.tag.is_private:
                copy[element.tag] = shallow_copy(element)


def _tag(keyword: str) -> int:
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag


def _is_curve(tag: BaseTag) -> bool:
    return 0x5000 <= tag.group <= 0x501E


def _is_overlay_in_pixels(dataset: Dataset, tag: BaseTag) -> bool:
    """Overlays without data of their own lie in unused bits of the source's pixels, which are gone."""
    return 0x6000 <= tag.group <= 0x601E and (tag.group, 0x3000) not in dataset
