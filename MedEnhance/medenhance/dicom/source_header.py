"""Turns the header of a source image into one that a derived single-frame image can take over."""

from __future__ import annotations

from copy import deepcopy

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from medenhance.dicom.series import SliceHeader

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


def as_single_frame(source: Dataset, one: SliceHeader) -> Dataset:
    """A copy of the header for one frame: its functional groups become plain attributes."""
    copy = Dataset()
    copy.file_meta = source.file_meta
    implicit, little = source.original_encoding
    copy.set_original_encoding(implicit, little, source.original_character_set)
    skipped = {BaseTag(_tag(keyword)) for keyword in MULTI_FRAME_ONLY}
    for tag in tuple(source.keys()):
        if tag not in skipped and not tag.is_private and tag.element != 0:
            copy[tag] = deepcopy(source.get_item(tag))
    for groups in (source.get("SharedFunctionalGroupsSequence"), source.get("PerFrameFunctionalGroupsSequence")):
        if groups:
            _flatten(groups[one.frame if len(groups) > 1 else 0], copy)
    return copy


def without_stale_elements(dataset: Dataset) -> Dataset:
    """The header without elements that are not true of other pixels; records lossy compression of the source."""
    for keyword in STALE:
        if keyword in dataset:
            del dataset[keyword]
    for tag in [tag for tag in tuple(dataset.keys()) if _is_curve(tag) or _is_overlay_in_pixels(dataset, tag)]:
        del dataset[tag]
    method = LOSSY_METHOD.get(dataset.file_meta.get("TransferSyntaxUID"))
    if method and dataset.get("LossyImageCompression") != "01":
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionMethod = method
    return dataset


def _flatten(groups: Dataset, copy: Dataset) -> None:
    for sequence in FLATTENED:
        for element in (groups.get(sequence) or [Dataset()])[0]:
            if not element.tag.is_private:
                copy[element.tag] = deepcopy(element)


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
