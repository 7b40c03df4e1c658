"""Completes an object that highdicom has built, and writes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from medenhance.atomic_output import publish_file, staged
from medenhance.dicom.derivation import Derivation, ascii_text, equipment, identifier, own_version, series_description
from medenhance.dicom.headers import tolerant_reading
from medenhance.dicom.objects.codes import PRIVATE_SCHEME
from medenhance.dicom.objects.content import MAKER, NOTICE, Algorithm, WrittenObject
from medenhance.dicom.objects.source import STAND_IN, UTF8, Source, stand_in
from medenhance.dicom.series import SliceHeader
from medenhance.dicom.write import write_dataset

# Written by highdicom, about the moment of writing or itself.
_OF_THE_WRITING = ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence")


def publish(
    built: Dataset, source: Source, algorithm: Algorithm, path: Path, made: datetime, *, kind: str, description: str
) -> WrittenObject:
    """Put in what all objects share, the references to the source, and write it.

    Args:
        built: By highdicom, from `source.images`, with the UIDs of `identity`.
        source: What it is about.
        algorithm: Who made it.
        path: New file.
        made: Date and time of its content.
        kind: "segmentation", "measurements" or "key images": tells its series from others.
        description: What it is about.
    """
    derivation = derivation_of(algorithm, description)
    for keyword in _OF_THE_WRITING:
        if keyword in built:
            delattr(built, keyword)
    with tolerant_reading():
        built.update(source.taken_over())
    built.SpecificCharacterSet = UTF8
    built.ContributingEquipmentSequence = Sequence([equipment(derivation)])
    built.SeriesDescription = series_description(source.series.description, f"{kind} (research use only)")
    built.ContentDate = built.SeriesDate = made.strftime("%Y%m%d")
    built.ContentTime = built.SeriesTime = made.strftime("%H%M%S")
    built.Manufacturer, built.ManufacturerModelName = MAKER, ascii_text(algorithm.name, 64)
    built.SoftwareVersions = [f"medenhance {own_version()}", ascii_text(f"model {algorithm.version}", 64)]
    built.DeviceSerialNumber = ascii_text(algorithm.weights_sha256 or algorithm.version or "none", 64)
    _name_private_codes(built)
    _refer(built, source.series.slices)
    with staged(path) as stage, tolerant_reading():
        dropped = write_dataset(built, stage / path.name)
        publish_file(stage / path.name, path)
    left_out = sorted({*source.malformed, *dropped})
    warnings = source.notes
    if left_out:
        warnings += (f"Malformed header elements of the source were left out: {', '.join(left_out)}.",)
    return WrittenObject(
        path, str(built.SOPClassUID), str(built.SOPInstanceUID), str(built.SeriesInstanceUID), made, warnings
    )


def identity(source: Source, kind: str, algorithm: Algorithm, made: datetime, *content: object) -> tuple[str, str]:
    """UIDs of a series and its one instance: the same for the same content, others for any other.

    Args:
        source, kind, algorithm, made: As `publish` takes them.
        content: Whatever else decides what is written; its `repr` counts.
    """
    parts = (source.series.series_uid, kind, derivation_of(algorithm, kind).fingerprint, made.isoformat())
    named = (*parts, *map(repr, content))
    return identifier("object series", *named), identifier("object", *named)


def derivation_of(algorithm: Algorithm, description: str) -> Derivation:
    """How the content came about, as derived images state it."""
    edited = {"edited": "by a person"} if algorithm.edited else {}
    return Derivation(
        model_id=algorithm.name,
        model_version=algorithm.version,
        weights_sha256=algorithm.weights_sha256,
        description=f"{description}. {NOTICE}.",
        series_suffix="",
        parameters={**algorithm.parameters, **edited},
    )


def series_number(source: Source, step: int) -> int:
    """Behind the source's own number; at least 1."""
    return max(1, int(source.header.get("SeriesNumber") or 0) + step)


def _refer(dataset: Dataset, slices: tuple[SliceHeader, ...]) -> None:
    """Put the images of the source in where their stand-ins are, with frame numbers for those of multi-frame files."""
    by_stand_in = {stand_in(k): one for k, one in enumerate(slices)}
    for item, keyword in _references(dataset, ""):
        one = by_stand_in[item.ReferencedSOPInstanceUID]
        item.ReferencedSOPClassUID = UID(one.sop_class_uid)
        item.ReferencedSOPInstanceUID = UID(one.sop_instance_uid)
        if one.num_frames > 1 and keyword in ("SourceImageSequence", "ReferencedSOPSequence"):
            item.ReferencedFrameNumber = one.frame + 1
    _merge_series(dataset)


def _references(dataset: Dataset, within: str) -> Iterator[tuple[Dataset, str]]:
    """Every reference to a stand-in below ``dataset``, with the keyword of the sequence that it stands in.

    In lists of whole instances (below the Referenced Series Sequence) the keyword is that of the list of series.
    """
    for element in dataset:
        if element.VR != "SQ":
            continue
        place = within if within == "ReferencedSeriesSequence" else element.keyword
        for item in element.value:
            if str(item.get("ReferencedSOPInstanceUID", "")).startswith(STAND_IN):
                yield item, place
            yield from _references(item, place if element.keyword == "ReferencedSeriesSequence" else element.keyword)


def _merge_series(dataset: Dataset) -> None:
    """List every instance once where series are listed: frames of one file had a stand-in each."""
    for element in dataset:
        if element.VR != "SQ":
            continue
        for item in element.value:
            if element.keyword == "ReferencedSeriesSequence":
                _list_once(item)
            _merge_series(item)


def _list_once(series: Dataset) -> None:
    for keyword in ("ReferencedInstanceSequence", "ReferencedSOPSequence"):
        if keyword in series:
            once = {str(one.ReferencedSOPInstanceUID): one for one in series[keyword].value}
            setattr(series, keyword, Sequence(once.values()))


def _name_private_codes(dataset: Dataset) -> None:
    """Say what our own coding scheme is, where it is used (PS3.3, C.12.1.1.7)."""
    if not any(one.keyword == "CodingSchemeDesignator" and one.value == PRIVATE_SCHEME for one in dataset.iterall()):
        return
    scheme = Dataset()
    scheme.CodingSchemeDesignator = PRIVATE_SCHEME
    scheme.CodingSchemeName = "MedEnhance concepts"
    scheme.CodingSchemeResponsibleOrganization = MAKER
    dataset.CodingSchemeIdentificationSequence = Sequence([scheme])
