"""The DICOM objects on a head CT: segmentation, measurement report, key images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from medenhance.dicom.objects import codes
from medenhance.dicom.objects.content import Algorithm, Finding, Measured, Segment, WrittenObject
from medenhance.dicom.objects.key_objects import write_key_objects
from medenhance.dicom.objects.measurement_report import write_measurement_report
from medenhance.dicom.objects.segmentation import write_segmentation
from medenhance.dicom.series import DicomSeries
from medenhance.errors import MedEnhanceError
from medenhance.head_ct.report import Component, Findings, HemorrhageReport
from medenhance.study import NO_SOURCE

SEG_FILE, SR_FILE, KO_FILE = "seg.dcm", "sr.dcm", "ko.dcm"
DESCRIPTION = "Suspected intracranial hemorrhage"
_COLOUR = (220, 40, 40)
_SIDES = {"left": codes.LEFT, "right": codes.RIGHT, "midline": codes.BILATERAL}


def write_objects(
    folder: Path, asked: Sequence[str], series: DicomSeries | None, numbers: np.ndarray, report: HemorrhageReport
) -> tuple[str, ...]:
    """Write the objects that are asked for.

    Args:
        folder: Where.
        asked: "seg", "sr", "ko".
        series: Of the study.
        numbers: (D, H, W): which component of the report a voxel belongs to, one more than the last for small pieces.
        report: On a scan that was processed.

    Returns:
        What a user should know about them, one sentence each.

    Raises:
        MedEnhanceError: output-refused when the study is not DICOM, disk-full ...
    """
    found, scan = report.findings, report.scan
    assert found is not None
    assert scan is not None
    if series is None:
        raise MedEnhanceError("output-refused", NO_SOURCE, "Leave out the DICOM objects.")
    maker, written, warnings = _algorithm(found), list[WrittenObject](), list[str]()
    segmentation = None
    if "seg" in asked:
        segmentation = write_segmentation(
            series, numbers, _segments(found), folder / SEG_FILE, maker, description=DESCRIPTION
        )
        written.append(segmentation)
    axial = scan.slice_axis == 0
    if "sr" in asked:
        written.append(
            write_measurement_report(
                series,
                _findings(found, segmentation is not None, axial),
                folder / SR_FILE,
                maker,
                description=DESCRIPTION,
                procedure=codes.CT_OF_HEAD,
                segmentation=segmentation,
                remarks=_remarks(report, found),
            )
        )
    if "ko" in asked and axial:
        said = "Slices with the highest probability of hemorrhage"
        written.append(write_key_objects(series, found.top_slices, folder / KO_FILE, maker, description=said))
    elif "ko" in asked:
        warnings.append("No key images were written: the images of the source are not axial slices.")
    return tuple(dict.fromkeys([*(text for one in written for text in one.warnings), *warnings]))


def _algorithm(found: Findings) -> Algorithm:
    run, point = found.run, found.operating_point
    return Algorithm(
        name=run.model_id,
        version=run.model_version,
        weights_sha256=run.weights_sha256,
        parameters={
            "operating point": f"{point.name}, {point.threshold:g}",
            "mask threshold": str(found.mask_rule),
        },
        edited=found.edited,
    )


def _segments(found: Findings) -> list[Segment]:
    """One for each listed piece, and one for all small ones; one without voxels where nothing is suspected."""
    segments = [
        Segment(
            label=f"Suspected hemorrhage {one.number}",
            kind=codes.HEMORRHAGE,
            region=codes.BRAIN,
            side=None if one.side is None else _SIDES[one.side],
            colour=_COLOUR,
        )
        for one in found.components
    ]
    if found.num_small or not segments:
        label = "Suspected hemorrhage, small pieces" if found.num_small else "Suspected hemorrhage (none)"
        segments.append(Segment(label, codes.HEMORRHAGE, region=codes.BRAIN, colour=_COLOUR))
    return segments


def _findings(found: Findings, has_segments: bool, axial: bool) -> list[Finding]:
    """The verdict on the scan with all that is of the whole of it, then every listed piece."""
    verdict = Finding(
        name="Whole scan",
        kind=codes.HEMORRHAGE,
        measured=tuple(_of_scan(found)),
        present=found.suspected,
        region=codes.BRAIN,
        slices=found.top_slices if axial else (),
    )
    return [verdict, *(_of_component(one, has_segments, axial) for one in found.components)]


def _of_scan(found: Findings) -> Iterator[Measured]:
    yield Measured(codes.PROBABILITY, found.probability)
    yield Measured(codes.VOLUME_ML, found.total.ml)
    if found.abc2_ml is not None:
        yield Measured(codes.ELLIPSOID_VOLUME_ML, found.abc2_ml)
    if found.midline_shift is not None:
        yield Measured(codes.MIDLINE_SHIFT_MM, found.midline_shift.mm)


def _of_component(one: Component, has_segments: bool, axial: bool) -> Finding:
    measured = [
        Measured(codes.VOLUME_ML, one.volume.ml),
        Measured(codes.MAX_DIAMETER_MM, one.max_diameter_mm),
        Measured(codes.MEAN_HU, one.mean_hu),
    ]
    if one.abc2 is not None:
        measured.append(Measured(codes.ELLIPSOID_VOLUME_ML, one.abc2.ml))
    low, high = sorted(one.slices)
    return Finding(
        name=f"Suspected hemorrhage {one.number}",
        kind=codes.HEMORRHAGE,
        measured=tuple(measured),
        present=True,
        region=codes.BRAIN,
        side=None if one.side is None else _SIDES[one.side],
        segment=one.number if has_segments else None,
        slices=tuple(range(low, high + 1)) if axial else (),
    )


def _remarks(report: HemorrhageReport, found: Findings) -> list[str]:
    point = found.operating_point
    return [
        report.triage_notice,
        f"Operating point {point.name}: probability of {point.threshold:g} and more is flagged; sensitivity "
        f"{point.sensitivity:.3f}, specificity {point.specificity:.3f} on {point.measured_on}.",
        f"Volume {found.total.ml:.2f} mL, {found.total.low_ml:.2f} to {found.total.high_ml:.2f} mL with the border "
        "half a voxel in or out.",
        *([] if found.true_volume is None else [f"True volume {found.true_volume} ({found.true_volume.measured_on})."]),
        *report.warnings,
    ]
