"""The DICOM files that `enhance-spine` writes: derived images and segmentations, where the input is DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from medenhance.dicom.capture import write_capture
from medenhance.dicom.derivation import Derivation, own_version
from medenhance.dicom.derived import write_derived
from medenhance.dicom.objects.content import Algorithm
from medenhance.dicom.objects.segment_kinds import SEGMENT_KINDS, SPINE_KINDS
from medenhance.dicom.objects.segmentation import write_segmentation
from medenhance.dicom.picture import EIGHT_BITS, Picture, read_picture
from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, Silent
from medenhance.provenance import Provenance
from medenhance.spine.coronal_input import Coronal
from medenhance.spine.labels import CLASS_NAMES
from medenhance.tasks.spine_report import SpineReport
from medenhance.volume import Volume

ENHANCED_FILE, PROJECTION_FILE = "enhanced.dcm", "projection.dcm"
# By the name of the label map.
SEGMENTATION_FILES = {"labels_original": "seg_original.dcm", "labels_enhanced": "seg_enhanced.dcm"}
NO_SOURCE = "DICOM can only be written where the input is DICOM, because the results take over its patient and study."


def require_dicom_source(coronal: Coronal, name: str) -> None:
    """Refuse DICOM output for an input that is none, before any work is done for it.

    Raises:
        MedEnhanceError: output-refused.
    """
    if coronal.source is None:
        raise MedEnhanceError("output-refused", f"{name} is not DICOM. {NO_SOURCE}", "Leave out the option dicom.")
    if coronal.projections is None and not np.array_equal(_picture(coronal).image, coronal.image):
        message = f"{name} holds other values than 0 to {EIGHT_BITS:g}, so its enhanced image has no place in it."
        raise MedEnhanceError("output-refused", message, "Leave out the option dicom, or export it with 8 bits.")


def write_dicom(
    folder: Path, coronal: Coronal, images: dict[str, np.ndarray], report: SpineReport, progress: Progress
) -> tuple[str, ...]:
    """Write the enhanced image and each segmentation into an existing folder, and the projection of a volume.

    Args:
        folder: Where.
        coronal: The original; `require_dicom_source` accepts it.
        images: (R, C) uint8 by name: "enhanced", "labels_original", "labels_enhanced".
        report: On them.
        progress: Told how far writing is, and asked whether to stop.

    Returns:
        What a user should know about them, one sentence each.
    """
    warnings: list[str] = []
    if coronal.projections is not None:
        warnings += _write_projection(folder / PROJECTION_FILE, coronal)
        coronal = replace(coronal, source=read_picture(folder / PROJECTION_FILE, None, Silent()).series)
    warnings += _write_enhanced(folder / ENHANCED_FILE, coronal, images, report, progress)
    warnings += _write_segmentations(folder, coronal, images, report)
    return tuple(dict.fromkeys(warnings))


def _picture(coronal: Coronal) -> Picture:
    assert coronal.source is not None
    return read_picture(coronal.source.slices[0].path, None, Silent())


def _write_projection(path: Path, coronal: Coronal) -> tuple[str, ...]:
    """The image that was enhanced, as one that the others can refer to."""
    assert coronal.source is not None
    assert coronal.projections is not None
    depth = coronal.projections.depths_mm[(coronal.depth or 1) - 1]
    derivation = Derivation(
        model_id="project-vpi",
        model_version=own_version(),
        weights_sha256="",
        description="Coronal projection of an ultrasound volume. Research use only.",
        series_suffix="projection (research use only)",
        parameters={"depth": f"{depth:g} mm", "thickness": f"{coronal.projections.thickness_mm:g} mm"},
    )
    return write_capture(coronal.image, coronal.grid, coronal.source, path, derivation)


def _write_enhanced(
    path: Path, coronal: Coronal, images: dict[str, np.ndarray], report: SpineReport, progress: Progress
) -> tuple[str, ...]:
    if "enhanced" not in images or report.run is None:
        return ()
    result = Volume(images["enhanced"][None], coronal.grid, "US", series=coronal.source)
    return write_derived(result, path, Provenance.of_run(report.run, "enhanced").derivation(), progress)


def _write_segmentations(
    folder: Path, coronal: Coronal, images: dict[str, np.ndarray], report: SpineReport
) -> Iterator[str]:
    assert coronal.source is not None
    segments = [SEGMENT_KINDS[kind] for kind in SPINE_KINDS]
    assert len(segments) == len(CLASS_NAMES) - 1
    for name, file in SEGMENTATION_FILES.items():
        if name in images and report.run is not None:
            seen = "original image" if name == "labels_original" else "enhanced image"
            run = report.run
            maker = Algorithm(run.model_id, run.model_version, run.weights_sha256, parameters={"segmented": seen})
            written = write_segmentation(
                coronal.source, images[name][None], segments, folder / file, maker, description=f"Spine, {seen}"
            )
            yield from written.warnings
