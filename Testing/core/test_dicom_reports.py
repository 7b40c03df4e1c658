"""Measurement reports and key object selections hold every number, code and image, and say what they are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_samples import ALGORITHM, SEGMENTS, edit, enhanced_ct, faults, labels_for, missing, tilted
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard

from medenhance.dicom.objects.codes import (
    BRAIN,
    CT_OF_HEAD,
    HEMORRHAGE,
    LEFT,
    MAX_DIAMETER_MM,
    MEAN_HU,
    MIDLINE_SHIFT_MM,
    PROBABILITY,
    VOLUME_ML,
)
from medenhance.dicom.objects.content import Finding, Measured, WrittenObject
from medenhance.dicom.objects.key_objects import write_key_objects
from medenhance.dicom.objects.measurement_report import write_measurement_report
from medenhance.dicom.objects.segmentation import write_segmentation
from medenhance.dicom.series import DicomSeries
from medenhance.study import read_study

WriteDicom = Callable[..., Path]

LESION = Finding(
    "Lesion 1",
    HEMORRHAGE,
    (Measured(VOLUME_ML, 12.345678901234567), Measured(MAX_DIAMETER_MM, 33.1), Measured(MEAN_HU, 61.25)),
    region=BRAIN,
    side=LEFT,
    segment=1,
    slices=(0, 3),
)
SCAN = Finding(
    "Scan",
    HEMORRHAGE,
    (Measured(PROBABILITY, 1 / 3), Measured(VOLUME_ML, 12.5), Measured(MIDLINE_SHIFT_MM, -2.5)),
    present=True,
    region=BRAIN,
    slices=(3, 1),
)
NOTHING = Finding("Scan", HEMORRHAGE, (Measured(PROBABILITY, 0.02),), present=False)


@pytest.fixture
def folder(tmp_path: Path, write_dicom: WriteDicom) -> Path:
    """Five slices of 6 x 9, tilted, with unequal gaps."""
    folder = write_dicom(tmp_path / "source", np.zeros((5, 6, 9), np.int16))
    tilted(folder)
    return folder


@pytest.fixture
def series(folder: Path) -> DicomSeries:
    series = read_study(folder).series
    assert series is not None
    return series


@pytest.fixture
def segmentation(series: DicomSeries, tmp_path: Path) -> WrittenObject:
    labels = labels_for((5, 6, 9))
    path = tmp_path / "seg.dcm"
    return write_segmentation(series, labels, SEGMENTS, path, ALGORITHM, description="Intracranial hemorrhage")


def report(series: DicomSeries, path: Path, *findings: Finding, **options: Any) -> highdicom.sr.Comprehensive3DSR:
    """A report, read back by highdicom."""
    arguments = {"description": "Intracranial hemorrhage", "procedure": CT_OF_HEAD, **options}
    write_measurement_report(series, findings, path, ALGORITHM, **arguments)
    return highdicom.sr.srread(path)


def numbers(group: Any) -> dict[str, tuple[float, str, str | None]]:
    """Value, unit and derivation by the name of what was measured."""
    return {
        one.name.meaning: (one.value, one.unit.value, one.derivation.meaning if one.derivation else None)
        for one in group.get_measurements()
    }


def sources(group: Any) -> list[str]:
    return [str(one.referenced_sop_instance_uid) for one in group.source_images]


def presence(group: Any) -> list[Any]:
    """highdicom takes the family of the algorithm for an evaluation too."""
    return [one.value for one in group.get_qualitative_evaluations() if one.name == standard.DCM.PresenceOfProperty]


def test_a_lesion_refers_to_its_segment_and_holds_its_numbers_exactly(
    series: DicomSeries, segmentation: WrittenObject, tmp_path: Path
) -> None:
    read = report(series, tmp_path / "sr.dcm", SCAN, LESION, segmentation=segmentation)
    (group,) = read.content.get_volumetric_roi_measurement_groups(tracking_uid=None)
    assert numbers(group) == {
        "Volume": (12.345678901234567, "cm3", None),
        "Diameter": (33.1, "mm", "Maximum"),
        "Attenuation Coefficient": (61.25, "[hnsf'U]", "Mean"),
    }
    assert group.finding_type == standard.SCT.Hemorrhage
    (site,) = group.finding_sites
    assert site.value == standard.SCT.Brain
    assert site.laterality == standard.SCT.Left
    referred = group.referenced_segment
    assert referred.referenced_sop_instance_uid == segmentation.sop_instance_uid
    assert referred.referenced_segment_numbers == [1]
    evidence = [one for one in group[0].ContentSequence if one.name == standard.DCM.SourceImageForSegmentation]
    assert [str(one.referenced_sop_instance_uid) for one in evidence] == [
        series.slices[k].sop_instance_uid for k in (0, 3)
    ]
    described = highdicom.seg.segread(segmentation.path).get_segment_description(1)
    assert (group.tracking_uid, group.tracking_identifier) == (described.tracking_uid, "Lesion 1")


def test_the_verdict_on_the_scan_holds_probability_presence_and_evidence(
    series: DicomSeries, segmentation: WrittenObject, tmp_path: Path
) -> None:
    read = report(series, tmp_path / "sr.dcm", SCAN, LESION, segmentation=segmentation)
    (group,) = read.content.get_image_measurement_groups()
    assert numbers(group) == {
        "Probability": (1 / 3, "1", None),
        "Volume": (12.5, "cm3", None),
        "Midline shift": (-2.5, "mm", None),
    }
    assert presence(group) == [standard.SCT.Present]
    assert sources(group) == [series.slices[k].sop_instance_uid for k in (3, 1)]
    evidence = {str(uid) for _, _, uid, _ in read.get_evidence()}
    assert evidence == {one.sop_instance_uid for one in series.slices} | {segmentation.sop_instance_uid}
    assert [one.CodingSchemeDesignator for one in read.CodingSchemeIdentificationSequence] == ["99MEDENHANCE"]


def test_a_scan_without_a_finding_says_absent_and_names_all_slices(series: DicomSeries, tmp_path: Path) -> None:
    read = report(series, tmp_path / "sr.dcm", NOTHING)
    (group,) = read.content.get_image_measurement_groups()
    assert presence(group) == [standard.SCT.Absent]
    assert sources(group) == [one.sop_instance_uid for one in series.slices]
    assert "CodingSchemeIdentificationSequence" not in read


def test_the_report_says_what_it_is_not_and_who_made_it(series: DicomSeries, tmp_path: Path) -> None:
    read = report(series, tmp_path / "sr.dcm", NOTHING, remarks=("Balanced: threshold 0.4.",))
    texts = [item.value for item in read.content[0].ContentSequence if item.name == standard.DCM.Comment]
    assert texts[0] == "Research use only, not for clinical use."
    assert texts[-1] == "Balanced: threshold 0.4."
    assert read.SeriesDescription == "abdomen measurements (research use only)"
    assert (read.PreliminaryFlag, read.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    (context,) = read.content.get_observer_contexts()
    assert context.observer_type == standard.DCM.Device
    assert context.observer_identifying_attributes.name == "tiny-net"
    (group,) = read.content.get_image_measurement_groups()
    stated = {
        item.name.meaning: item.value for item in group[0].ContentSequence if item.name.meaning[:9] == "Algorithm"
    }
    assert (stated["Algorithm Name"], stated["Algorithm Version"]) == ("tiny-net", "1.2")
    assert stated["Algorithm Family"] == standard.DCM.ArtificialIntelligence
    (procedure,) = [one for one in read.content[0].ContentSequence if one.name == standard.DCM.ProcedureReported]
    assert procedure.value == standard.SCT.ComputedTomographyOfHead


def test_frames_of_a_multi_frame_source_are_evidence_by_their_numbers(tmp_path: Path) -> None:
    enhanced_ct(tmp_path / "enhanced.dcm", np.zeros((4, 5, 3)), order=(2, 0, 3, 1))
    series = read_study(tmp_path / "enhanced.dcm").series
    assert series is not None
    read = report(series, tmp_path / "sr.dcm", SCAN)
    (group,) = read.content.get_image_measurement_groups()
    assert [one.referenced_frame_numbers for one in group.source_images] == [[3], [4]]  # slices 3 and 1
    assert len(read.get_evidence()) == 1
    write_key_objects(series, (3, 0), tmp_path / "ko.dcm", ALGORITHM, description="Why")
    chosen = references(pydicom.dcmread(tmp_path / "ko.dcm"))
    assert [(one.ReferencedSOPInstanceUID, one.ReferencedFrameNumber) for one in chosen] == [
        ("1.2.826.0.1.3680043.8.498.8.1", 3),
        ("1.2.826.0.1.3680043.8.498.8.1", 2),
    ]


def references(selection: Dataset) -> list[Dataset]:
    """Those of the images in a key object selection, in order."""
    return [one.ReferencedSOPSequence[0] for one in selection.ContentSequence if one.ValueType == "IMAGE"]


def test_key_objects_name_the_chosen_slices_in_order_and_why(series: DicomSeries, tmp_path: Path) -> None:
    made = write_key_objects(series, (4, 0, 2), tmp_path / "ko.dcm", ALGORITHM, description="Highest probability")
    read = highdicom.ko.KeyObjectSelectionDocument.from_dataset(pydicom.dcmread(tmp_path / "ko.dcm"))
    wanted = [series.slices[k].sop_instance_uid for k in (4, 0, 2)]
    assert [str(one.ReferencedSOPInstanceUID) for one in references(read)] == wanted
    assert {one.ReferencedSOPClassUID for one in references(read)} == {pydicom.uid.CTImageStorage}
    assert read.resolve_reference(wanted[0]) == (series.study_uid, series.series_uid, wanted[0])
    assert read.ConceptNameCodeSequence[0].CodeMeaning == "For Research"
    (why,) = [
        one.TextValue for one in read.ContentSequence if one.ValueType == "TEXT" and one.RelationshipType == "CONTAINS"
    ]
    assert why == "Research use only, not for clinical use. Highest probability."
    assert read.SeriesDescription == "abdomen key images (research use only)"
    assert (made.sop_instance_uid, made.series_uid) == (read.SOPInstanceUID, read.SeriesInstanceUID)


def test_all_three_are_valid_and_stay_in_the_patients_study(
    folder: Path, series: DicomSeries, segmentation: WrittenObject, tmp_path: Path
) -> None:
    report(series, tmp_path / "sr.dcm", SCAN, LESION, segmentation=segmentation)
    write_key_objects(series, (1,), tmp_path / "ko.dcm", ALGORITHM, description="Why")
    source = pydicom.dcmread(next(folder.iterdir()))
    series_uids = set()
    for name in ("seg.dcm", "sr.dcm", "ko.dcm"):
        dataset = pydicom.dcmread(tmp_path / name)
        assert missing(dataset) == []
        assert faults(tmp_path / name) == []
        assert (dataset.PatientName, dataset.PatientID) == (source.PatientName, source.PatientID)
        assert (dataset.StudyInstanceUID, dataset.StudyDate) == (source.StudyInstanceUID, source.StudyDate)
        series_uids.add(str(dataset.SeriesInstanceUID))
    assert len(series_uids | {str(source.SeriesInstanceUID)}) == 4


def test_the_same_report_has_the_same_bytes_and_another_has_other_identifiers(
    series: DicomSeries, segmentation: WrittenObject, tmp_path: Path
) -> None:
    for name in ("1.dcm", "2.dcm"):
        report(series, tmp_path / name, SCAN, LESION, segmentation=segmentation)
        write_key_objects(series, (1, 2), tmp_path / f"ko{name}", ALGORITHM, description="Why")
    assert (tmp_path / "1.dcm").read_bytes() == (tmp_path / "2.dcm").read_bytes()
    assert (tmp_path / "ko1.dcm").read_bytes() == (tmp_path / "ko2.dcm").read_bytes()
    other = report(series, tmp_path / "3.dcm", SCAN, segmentation=segmentation)
    assert other.SOPInstanceUID != pydicom.dcmread(tmp_path / "1.dcm").SOPInstanceUID
    turned = write_key_objects(series, (2, 1), tmp_path / "ko3.dcm", ALGORITHM, description="Why")
    assert turned.sop_instance_uid != pydicom.dcmread(tmp_path / "ko1.dcm").SOPInstanceUID


def test_a_name_in_another_script_is_kept_in_a_report(folder: Path, tmp_path: Path) -> None:
    edit(folder, SpecificCharacterSet="ISO_IR 192", PatientName="山田^太郎")
    series = read_study(folder).series
    assert series is not None
    read = report(series, tmp_path / "sr.dcm", NOTHING, remarks=("Schädel: keine Blutung über der Schwelle.",))
    assert str(read.PatientName) == "山田^太郎"
    assert "Schädel: keine Blutung über der Schwelle." in [
        item.get("TextValue") for item in pydicom.dcmread(tmp_path / "sr.dcm").ContentSequence
    ]


@pytest.mark.parametrize(
    ("findings", "word"),
    [
        ((), "at least one finding"),
        ((LESION,), "which no segmentation holds"),
        ((SCAN, NOTHING), "one name"),
        ((Finding("a", HEMORRHAGE, slices=(5,)),), "the series has 5"),
        ((Finding("a", HEMORRHAGE, (Measured(VOLUME_ML, math.nan),)),), "not finite"),
    ],
)
def test_findings_that_make_no_sense_are_refused(
    findings: tuple[Finding, ...], word: str, series: DicomSeries, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=word):
        report(series, tmp_path / "sr.dcm", *findings)
    assert not (tmp_path / "sr.dcm").exists()


@pytest.mark.parametrize("slices", [(), (5,), (-1,), (1, 1)])
def test_slices_that_do_not_exist_are_no_key_objects(
    slices: tuple[int, ...], series: DicomSeries, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="no slices of a series of 5"):
        write_key_objects(series, slices, tmp_path / "ko.dcm", ALGORITHM, description="Why")
