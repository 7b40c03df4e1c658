"""DICOM structured report of measurements (PS3.16, TID 1500) on a series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from medenhance.dicom.headers import tolerant_reading
from medenhance.dicom.objects.codes import COMMENT, IMAGING_PROCEDURE, Code
from medenhance.dicom.objects.coding import concept
from medenhance.dicom.objects.content import MAKER, NOTICE, Algorithm, Finding, WrittenObject
from medenhance.dicom.objects.publish import identity, publish, series_number
from medenhance.dicom.objects.report_groups import device, group
from medenhance.dicom.objects.source import Source, images, open_source
from medenhance.dicom.series import DicomSeries

if TYPE_CHECKING:
    from medenhance.dicom.objects.report_groups import Group

KIND = "measurements"
SERIES_NUMBER_STEP = 3000


def write_measurement_report(
    source: DicomSeries,
    findings: Sequence[Finding],
    path: Path,
    algorithm: Algorithm,
    *,
    description: str,
    procedure: Code = IMAGING_PROCEDURE,
    segmentation: WrittenObject | None = None,
    remarks: Sequence[str] = (),
    made: datetime | None = None,
) -> WrittenObject:
    """Write a Comprehensive 3D SR, preliminary and unverified.

    Args:
        source: Series that was measured: `Volume.series`, its slices in the order of axis D.
        findings: At least one. One with a segment becomes a group of TID 1411, which refers to the segment; one without
            becomes a group of TID 1501, which refers to its slices, or to all where it names none.
        path: New .dcm file.
        algorithm: Who measured.
        description: What is reported, such as "Intracranial hemorrhage".
        procedure: What was done to the patient.
        segmentation: What `write_segmentation` returned; needed when a finding names a segment.
        remarks: Sentences for the reader, such as what the operating point is; "research use only" is added.
        made: When; by default the date and time of the source.

    Raises:
        ValueError: A finding names a segment and there is no segmentation, a slice that does not exist, a name twice,
            or a number that is not finite.
        MedEnhanceError: output-refused, disk-full, input-missing when the source's files are gone.
    """
    from highdicom.sr import Comprehensive3DSR

    _check(findings, source, segmentation)
    about = open_source(source)
    made = made or (segmentation.made if segmentation else about.when())
    segments_uid = segmentation.sop_instance_uid if segmentation else ""
    content = (tuple(findings), description, procedure, tuple(remarks), segments_uid)
    series_uid, instance_uid = identity(about, KIND, algorithm, made, *content)
    pictures = images(about)
    groups = [group(one, algorithm, pictures, segmentation, instance_uid) for one in findings]
    with tolerant_reading():
        built = Comprehensive3DSR(
            evidence=pictures if segmentation is None else [*pictures, _as_evidence(segmentation, about)],
            content=_content(groups, algorithm, procedure, (f"{NOTICE}.", f"{description}.", *remarks)),
            series_instance_uid=series_uid,
            series_number=series_number(about, SERIES_NUMBER_STEP),
            sop_instance_uid=instance_uid,
            instance_number=1,
            manufacturer=MAKER,
            is_complete=True,
            is_final=False,
            is_verified=False,
        )
    return publish(built, about, algorithm, path, made, kind=KIND, description=description)


def _check(findings: Sequence[Finding], source: DicomSeries, segmentation: WrittenObject | None) -> None:
    if not findings:
        raise ValueError("a report holds at least one finding")
    if len({one.name for one in findings}) < len(findings):
        raise ValueError(f"two findings have one name: {[one.name for one in findings]}")
    for one in findings:
        if one.segment is not None and (segmentation is None or one.segment < 1):
            raise ValueError(f"{one.name} names segment {one.segment}, which no segmentation holds")
        if any(not 0 <= k < len(source.slices) for k in one.slices):
            raise ValueError(f"{one.name} names the slices {one.slices}; the series has {len(source.slices)}")
        if not all(math.isfinite(measured.value) for measured in one.measured):
            raise ValueError(f"{one.name} holds a number that is not finite: {one.measured}")


def _content(groups: list[Group], algorithm: Algorithm, procedure: Code, remarks: Sequence[str]) -> Dataset:
    """The tree of TID 1500; the remarks stand at its root, where a reader shows them first."""
    from highdicom.sr import MeasurementReport, ObservationContext, RelationshipTypeValues, TextContentItem

    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=device(algorithm)),
        procedure_reported=concept(procedure),
        imaging_measurements=groups,
    )
    root: Dataset = report[0]
    for remark in remarks:
        item = TextContentItem(concept(COMMENT), remark, RelationshipTypeValues.CONTAINS)
        root.ContentSequence.append(item)
    return root


def _as_evidence(segmentation: WrittenObject, about: Source) -> Dataset:
    evidence = Dataset()
    evidence.SOPClassUID, evidence.SOPInstanceUID = segmentation.sop_class_uid, segmentation.sop_instance_uid
    evidence.SeriesInstanceUID = segmentation.series_uid
    evidence.StudyInstanceUID = about.header.StudyInstanceUID
    return evidence
