"""Export of a label map as a DICOM segmentation of the series that it was made from.

Programs such as 3D Slicer hold a label map without the DICOM headers of its source. Here both come together again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medenhance.dicom.objects.content import Algorithm, Segment
from medenhance.dicom.objects.segment_kinds import SEGMENT_KINDS, SegmentKind
from medenhance.dicom.objects.segmentation import write_segmentation
from medenhance.dicom.on_source import on_source
from medenhance.errors import MedEnhanceError
from medenhance.image_files import FORMATS, image_format, read_image
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.provenance import Provenance
from medenhance.study import check_output

NO_DICOM_SOURCE = "A DICOM segmentation can only be made of a DICOM series, because it refers to its images."


@dataclass(frozen=True)
class ExportSegmentationRequest:
    """A label map, its DICOM source, and where the segmentation goes.

    Attributes:
        input: NRRD, NIfTI or MHA with integers, on the grid of the source as `medenhance.dicom.placement` says.
        source: A DICOM folder, a DICOM file, or all files of the source; none is refused.
        output: New .dcm file.
        kinds: What the values 1, 2, ... are.
        provenance: How the label map was made.
        names: Names of the segments where those of the kinds are not enough, such as "Lesion 2"; none, or one a kind.
        edited: A person changed the labels since.
        series: SeriesInstanceUID, when the source holds several.
    """

    input: Path
    source: tuple[Path, ...]
    output: Path
    kinds: tuple[SegmentKind, ...]
    provenance: Provenance
    names: tuple[str, ...] = ()
    edited: bool = False
    series: str | None = None


def run(request: ExportSegmentationRequest, progress: Progress | None = None) -> tuple[str, ...]:
    """Write the segmentation, whole or not at all.

    Returns:
        What a user should know about the output, one sentence each; told to ``progress`` too.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable when the label map does not lie on its source
            or holds other values, series-ambiguous, output-refused, disk-full, cancelled.
    """
    progress = progress or Silent()
    segments = _segments(request)
    _check(request)
    checkpoint(progress, "read", 0.0)
    placed = on_source(read_image(request.input), request.source, request.series, progress)
    assert placed.series is not None
    labels = _labels(placed.array, request)
    checkpoint(progress, "write", 0.0)
    made = request.provenance
    algorithm = Algorithm(made.model_id, made.model_version, made.weights_sha256, edited=request.edited)
    described = " and ".join(dict.fromkeys(SEGMENT_KINDS[kind].label for kind in request.kinds))
    written = write_segmentation(placed.series, labels, segments, request.output, algorithm, description=described)
    for warning in written.warnings:
        progress.warn(warning)
    progress.update("write", 1.0)
    return written.warnings


def _segments(request: ExportSegmentationRequest) -> list[Segment]:
    kinds = [SEGMENT_KINDS[kind] for kind in request.kinds]
    if not kinds or (request.names and len(request.names) != len(kinds)):
        message = f"{len(request.names)} names do not fit {len(kinds)} kinds of segments."
        raise MedEnhanceError("bad-option", message, "Give at least one kind, and one name for each or none.")
    return [
        replace(kind, label=name) for kind, name in zip(kinds, request.names or [k.label for k in kinds], strict=True)
    ]


def _labels(array: np.ndarray, request: ExportSegmentationRequest) -> np.ndarray:
    labels: np.ndarray = np.rint(array).astype(np.int64)
    if not np.array_equal(labels, array) or labels.min() < 0 or labels.max() > len(request.kinds):
        message = f"{request.input.name} holds values from {array.min():g} to {array.max():g}; "
        message += f"whole numbers from 0 to {len(request.kinds)} are named."
        raise MedEnhanceError("input-unsuitable", message, "Give a label map, and a kind for each of its values.")
    return labels


def _check(request: ExportSegmentationRequest) -> None:
    """Refuse what cannot be done before any work is done for it."""
    if not request.source:
        raise MedEnhanceError("output-refused", NO_DICOM_SOURCE, f"Write one of {', '.join(FORMATS)} instead.")
    for path in (request.input, *request.source):
        if not path.exists():
            raise MedEnhanceError("input-missing", f"There is nothing at {path}.", "Give the labels and their source.")
    if image_format(request.input) is None or not request.input.is_file():
        accepted = f"Give one of {', '.join(FORMATS)}."
        raise MedEnhanceError("input-unsuitable", f"{request.input.name} is no label map.", accepted)
    if request.output.suffix.lower() != ".dcm":
        raise MedEnhanceError(
            "output-refused", f"{request.output.name} is no name for a DICOM file.", "Name a .dcm file."
        )
    check_output(request.output, request.source[0])
