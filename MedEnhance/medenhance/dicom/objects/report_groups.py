"""The parts of a measurement report (PS3.16): who observed, and one group for each finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from medenhance.dicom.derivation import identifier
from medenhance.dicom.objects.codes import ABSENT, PRESENCE, PRESENT
from medenhance.dicom.objects.coding import concept, parameter_texts
from medenhance.dicom.objects.content import MAKER, Algorithm, Finding, Measured, WrittenObject
from medenhance.dicom.objects.segmentation import tracking_uid

if TYPE_CHECKING:
    from highdicom.sr import (
        AlgorithmIdentification,
        FindingSite,
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        ObserverContext,
        QualitativeEvaluation,
        ReferencedSegment,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    Group = MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations


def device(algorithm: Algorithm) -> ObserverContext:
    """The algorithm as the observer (TID 1004)."""
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObserverContext
    from pydicom.sr.codedict import codes

    described = DeviceObserverIdentifyingAttributes(
        uid=UID(identifier("device", algorithm.name, algorithm.version, algorithm.weights_sha256)),
        name=algorithm.name,
        manufacturer_name=MAKER,
        model_name=f"{algorithm.name} {algorithm.version}",
        serial_number=algorithm.weights_sha256 or None,
    )
    return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=described)


def group(
    finding: Finding,
    algorithm: Algorithm,
    pictures: Sequence[Dataset],
    segmentation: WrittenObject | None,
    report_uid: str,
) -> Group:
    """TID 1411 for a finding with a segment, TID 1501 for any other.

    Args:
        finding: What is reported.
        algorithm: Who found it.
        pictures: Of `source.images`.
        segmentation: Where its segment is.
        report_uid: Of the report, for a finding without a segment.
    """
    from highdicom.sr import (
        MeasurementsAndQualitativeEvaluations,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    number = finding.segment
    if number is not None and segmentation is not None:
        own = tracking_uid(segmentation.sop_instance_uid, number)
    else:
        own = identifier("finding", report_uid, finding.name)
    shared: dict[str, Any] = {
        "tracking_identifier": TrackingIdentifier(uid=UID(own), identifier=finding.name),
        "finding_type": concept(finding.kind),
        "finding_sites": _sites(finding),
        "algorithm_id": _algorithm(algorithm),
        "measurements": [_measurement(one) for one in finding.measured] or None,
        "qualitative_evaluations": _presence(finding),
    }
    if number is not None and segmentation is not None:
        referred = _segment(finding, number, segmentation, pictures)
        return VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=referred, **shared)
    evidence = [pictures[k] for k in finding.slices] or pictures
    named = [SourceImageForMeasurementGroup(one.SOPClassUID, one.SOPInstanceUID) for one in evidence]
    return MeasurementsAndQualitativeEvaluations(source_images=named, **shared)


def _segment(
    finding: Finding, number: int, segmentation: WrittenObject, pictures: Sequence[Dataset]
) -> ReferencedSegment:
    from highdicom.sr import ReferencedSegment, SourceImageForSegmentation, SourceSeriesForSegmentation

    evidence = [pictures[k] for k in finding.slices]
    named = [SourceImageForSegmentation(one.SOPClassUID, one.SOPInstanceUID) for one in evidence]
    series = None if named else SourceSeriesForSegmentation(pictures[0].SeriesInstanceUID)
    return ReferencedSegment(
        sop_class_uid=segmentation.sop_class_uid,
        sop_instance_uid=segmentation.sop_instance_uid,
        segment_number=number,
        source_images=named or None,
        source_series=series,
    )


def _measurement(measured: Measured) -> Measurement:
    from highdicom.sr import Measurement

    quantity = measured.quantity
    return Measurement(
        name=concept(quantity.name),
        value=measured.value,
        unit=concept(quantity.unit),
        derivation=None if quantity.derivation is None else concept(quantity.derivation),
    )


def _presence(finding: Finding) -> list[QualitativeEvaluation] | None:
    from highdicom.sr import QualitativeEvaluation

    if finding.present is None:
        return None
    return [QualitativeEvaluation(concept(PRESENCE), concept(PRESENT if finding.present else ABSENT))]


def _sites(finding: Finding) -> list[FindingSite] | None:
    from highdicom.sr import FindingSite

    if finding.region is None:
        return None
    return [FindingSite(concept(finding.region), None if finding.side is None else concept(finding.side))]


def _algorithm(algorithm: Algorithm) -> AlgorithmIdentification:
    from highdicom.sr import AlgorithmIdentification

    return AlgorithmIdentification(
        name=algorithm.name,
        version=algorithm.version,
        parameters=parameter_texts(algorithm) or None,
        family=concept(algorithm.family),
        manufacturer=MAKER,
    )
