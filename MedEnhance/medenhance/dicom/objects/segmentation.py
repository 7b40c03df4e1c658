"""DICOM Segmentation (PS3.3, A.51): a label map on the grid of a series."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from medenhance.dicom.derivation import identifier
from medenhance.dicom.headers import tolerant_reading
from medenhance.dicom.objects.codes import Code
from medenhance.dicom.objects.coding import concept, parameters, with_notice
from medenhance.dicom.objects.content import MAKER, Algorithm, Segment, WrittenObject
from medenhance.dicom.objects.publish import identity, publish, series_number
from medenhance.dicom.objects.source import Source, images, open_source, slice_of, thicknesses
from medenhance.dicom.series import DicomSeries
from medenhance.errors import MedEnhanceError

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription

KIND = "segmentation"
SERIES_NUMBER_STEP = 2000  # behind derived series, which take 1000
_BACKGROUND = 0


def write_segmentation(
    source: DicomSeries,
    labels: np.ndarray,
    segments: Sequence[Segment],
    path: Path,
    algorithm: Algorithm,
    *,
    description: str,
    made: datetime | None = None,
) -> WrittenObject:
    """Write a binary segmentation, one frame for each slice that a segment touches.

    Every frame names its source image (and frame of it) and states its own position, so unequal gaps and a tilted
    gantry are kept; a distance between slices is stated only where all of them are equal and at right angles to the
    slices.

    Args:
        source: Series that the labels lie on: `Volume.series`, its slices in the order of axis D.
        labels: (D, H, W) integers; 0 is background, n is ``segments[n - 1]``.
        segments: At least one; one without voxels is described all the same.
        path: New .dcm file.
        algorithm: Who made the labels.
        description: What is segmented, such as "Intracranial hemorrhage".
        made: When; by default the date and time of the source, so that the same input gives the same bytes.

    Returns:
        What was written, for `write_measurement_report`.

    Raises:
        ValueError: Labels that do not fit the series or the segments.
        MedEnhanceError: output-refused, disk-full, input-missing when the source's files are gone.
    """
    from highdicom.seg import Segmentation, SegmentationTypeValues

    labels = _checked(labels, source, segments)
    about = open_source(source)
    if len(labels) > 1 and not about.has_positions:
        message = f"The {len(labels)} images of the source state no place in the patient."
        raise MedEnhanceError("output-refused", message, "Write .nrrd instead.")
    made = made or about.when()
    digest = hashlib.sha256(labels.tobytes()).hexdigest()
    series_uid, instance_uid = identity(about, KIND, algorithm, made, digest, tuple(segments), description)
    with tolerant_reading():
        built = Segmentation(
            source_images=images(about),
            pixel_array=labels,
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=_descriptions(segments, algorithm, instance_uid),
            series_instance_uid=series_uid,
            series_number=series_number(about, SERIES_NUMBER_STEP),
            sop_instance_uid=instance_uid,
            instance_number=1,
            manufacturer=MAKER,
            manufacturer_model_name=MAKER,
            software_versions=MAKER,
            device_serial_number=MAKER,
            content_label="SEGMENTATION",
            content_description=with_notice(description, 64),
            content_creator_name=MAKER,
        )
    _name_dimensions(built, about)
    _state_thickness(built, about)
    return publish(built, about, algorithm, path, made, kind=KIND, description=description)


def tracking_uid(segmentation_uid: str, number: int) -> str:
    """What tells a segment, and what was measured in it, from all others."""
    return identifier("segment", segmentation_uid, str(number))


def _checked(labels: np.ndarray, source: DicomSeries, segments: Sequence[Segment]) -> np.ndarray:
    pixels = source.slices[0].pixels
    shape = (len(source.slices), pixels.rows, pixels.columns)
    if labels.shape != shape:
        raise ValueError(f"the labels have the shape {labels.shape}, the series {shape}")
    if not segments:
        raise ValueError("a segmentation describes at least one segment")
    low, high = int(labels.min()), int(labels.max())
    if labels.dtype.kind not in "iub" or low < _BACKGROUND or high > len(segments):
        raise ValueError(f"labels of type {labels.dtype} from {low} to {high} do not fit {len(segments)} segments")
    return np.ascontiguousarray(labels, np.uint8 if len(segments) < 256 else np.uint16)


def _descriptions(segments: Sequence[Segment], algorithm: Algorithm, instance_uid: str) -> list[SegmentDescription]:
    return [_description(one, n, algorithm, instance_uid) for n, one in enumerate(segments, 1)]


def _description(segment: Segment, number: int, algorithm: Algorithm, instance_uid: str) -> SegmentDescription:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription

    kind = SegmentAlgorithmTypeValues.SEMIAUTOMATIC if algorithm.edited else SegmentAlgorithmTypeValues.AUTOMATIC
    described = SegmentDescription(
        segment_number=number,
        segment_label=segment.label[:64],
        segmented_property_category=concept(segment.category),
        segmented_property_type=concept(segment.kind),
        algorithm_type=kind,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=algorithm.name[:64],
            family=concept(algorithm.family),
            version=algorithm.version[:64],
            source=MAKER,
            parameters=dict(parameters(algorithm)) or None,
        ),
        tracking_uid=UID(tracking_uid(instance_uid, number)),
        tracking_id=segment.label[:64],
        anatomic_regions=[concept(segment.region)] if segment.region is not None else None,
        display_color=CIELabColor.from_rgb(*segment.colour) if segment.colour is not None else None,
    )
    if segment.region is not None and segment.side is not None:
        described.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [_modifier(segment.side)]
    return described


def _modifier(side: Code) -> Dataset:
    return Dataset(concept(side))


def _name_dimensions(built: Dataset, about: Source) -> None:
    """Replace the random UID that highdicom gives the frames' order."""
    name = UID(identifier("dimensions", about.series.series_uid))
    for item in (*built.DimensionOrganizationSequence, *built.get("DimensionIndexSequence", ())):
        item.DimensionOrganizationUID = name


def _state_thickness(built: Dataset, about: Source) -> None:
    """State the thickness of the slices: once where all have the same, else with every frame.

    Where the source states none, the element is there without a value: readers (highdicom) look for it. A picture
    without a place needs no measures; those of its source count.
    """
    shared = built.SharedFunctionalGroupsSequence[0]
    if not about.has_positions:
        built.PatientOrientation = None
        if "PixelMeasuresSequence" in shared:
            del shared.PixelMeasuresSequence
        return
    stated = thicknesses(about)
    measures = shared.PixelMeasuresSequence[0]
    measures.SliceThickness = stated[0]
    if len(set(stated)) == 1:
        return
    del shared.PixelMeasuresSequence
    for frame in built.PerFrameFunctionalGroupsSequence:
        own = deepcopy(measures)
        k = slice_of(frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)
        own.SliceThickness = stated[k]
        frame.PixelMeasuresSequence = [own]
