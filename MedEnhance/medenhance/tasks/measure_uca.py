"""The ultrasound curve angle of a segmented projection, of the original and of the enhanced image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medenhance.errors import MedEnhanceError
from medenhance.files import check_file, write_json
from medenhance.measure.contrast import Contrast, RegionPolicy, contrast, regions
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.spine.angle import measure
from medenhance.spine.labels import LabelOrder, converted
from medenhance.spine.level_names import ThoracicEnd
from medenhance.spine.measurement import Curve, Line, Measurement
from medenhance.spine.pictures import read_labels, read_projection
from medenhance.spine.projection import ProjectionSet
from medenhance.spine.projection_files import read_projections
from medenhance.strict_json import to_json

NOTICE = (
    "Ultrasound curve angles; not Cobb angles and not converted to them. Level names are assumed. Research use only."
)
# Two curves are the same when their stretches overlap by this share of what both cover.
_SAME_CURVE = 0.3


@dataclass(frozen=True)
class AngleRequest:
    """Segmentations to measure.

    Attributes:
        labels: Label map of the original image.
        output: JSON to write; None writes nothing.
        enhanced: Label map of the enhanced image on the same grid.
        order: Of the classes in both.
        spacing_mm: Of rows and columns; by default what the label map states.
        thoracic_end: What the lowest level with transverse processes is taken to be.
        image: The original image, for SNR, CNR and gCNR.
        enhanced_image: The enhanced one, likewise.
        policy: Where contrast is measured.
        projections: Folder that project-vpi wrote, to give the lines' places in the patient.
        depth: Number of the projection that was segmented, from 1.
    """

    labels: Path
    output: Path | None = None
    enhanced: Path | None = None
    order: LabelOrder = "da-gan"
    spacing_mm: tuple[float, float] | None = None
    thoracic_end: ThoracicEnd = "T12"
    image: Path | None = None
    enhanced_image: Path | None = None
    policy: RegionPolicy = "mask"
    projections: Path | None = None
    depth: int = 3


@dataclass(frozen=True)
class CurvePair:
    """A curve in both images; None where it was not found.

    Attributes:
        original: In the original image.
        enhanced: In the enhanced image.
        difference_deg: Enhanced minus original, by the side of the original; None when one is missing.
    """

    original: Curve | None
    enhanced: Curve | None
    difference_deg: float | None


@dataclass(frozen=True)
class AngleReport:
    """What was measured.

    Attributes:
        original: Of the original image.
        enhanced: Of the enhanced one, if it was given.
        pairs: Curves of both, side by side; empty without an enhanced image.
        contrast: Of the original image, if it was given.
        enhanced_contrast: Of the enhanced image, likewise.
        spacing_mm: Of rows and columns.
        lines_lps_mm: For each curve of `original`, the ends (left, right) of the upper and the lower line in the
            patient; None without projections.
        notice: What the figures are not.
    """

    original: Measurement
    enhanced: Measurement | None
    pairs: tuple[CurvePair, ...]
    contrast: Contrast | None
    enhanced_contrast: Contrast | None
    spacing_mm: tuple[float, float]
    lines_lps_mm: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...] | None
    notice: str = NOTICE

    def to_json(self) -> Any:
        """As JSON values."""
        return to_json(self)


def measure_uca(request: AngleRequest, progress: Progress | None = None) -> AngleReport:
    """Measure one or two segmentations and write the report, whole or not at all.

    Raises:
        MedEnhanceError: Anything that a user can do something about; then nothing was written.
    """
    progress = progress or Silent()
    for output_input in (request.labels, *([request.enhanced] if request.enhanced else [])):
        if request.output is not None:
            check_file(request.output, ".json", output_input)
    checkpoint(progress, "read", 0.0)
    labels, spacing = read_labels(request.labels, request.spacing_mm)
    known = None if request.projections is None else read_projections(request.projections)
    spacing = spacing or (None if known is None else known.projections[0].spacing_mm)
    checkpoint(progress, "measure", 0.0)
    original = measure(labels, spacing, request.order, request.thoracic_end)
    assert spacing is not None  # or `measure` would have refused
    enhanced = None
    if request.enhanced is not None:
        other, _ = read_labels(request.enhanced, spacing)
        _refuse_other_grid(labels.shape, other.shape, request.enhanced)
        enhanced = measure(other, spacing, request.order, request.thoracic_end)
    lines = None if known is None else in_patient(original, known, request.depth, labels.shape)
    report = AngleReport(
        original=original,
        enhanced=enhanced,
        pairs=() if enhanced is None else paired(original, enhanced),
        contrast=_contrast(request, request.image),
        enhanced_contrast=_contrast(request, request.enhanced_image),
        spacing_mm=spacing,
        lines_lps_mm=lines,
    )
    if request.output is not None:
        checkpoint(progress, "write", 0.0)
        write_json(request.output, report.to_json())
    progress.update("write", 1.0)
    return report


def paired(original: Measurement, enhanced: Measurement) -> tuple[CurvePair, ...]:
    """Put the curves of two images side by side by where they lie, from head to feet."""
    free = list(enhanced.curves)
    pairs = []
    for curve in original.curves:
        other = max(free, key=lambda one: _overlap(curve, one), default=None)
        if other is None or _overlap(curve, other) < _SAME_CURVE:
            pairs.append(CurvePair(curve, None, None))
            continue
        free.remove(other)
        sign = 1 if other.side == curve.side else -1
        pairs.append(CurvePair(curve, other, sign * other.angle_deg - curve.angle_deg))
    return (*pairs, *(CurvePair(None, one, None) for one in free))


def _overlap(one: Curve, other: Curve) -> float:
    """Shared part of the rows that two curves cover, of what either covers."""
    (a, b), (c, d) = (tuple(_middle_row(line) for line in curve.lines) for curve in (one, other))
    return (min(b, d) - max(a, c)) / (max(b, d) - min(a, c))


def _middle_row(line: Line) -> float:
    return (line.left[0] + line.right[0]) / 2


def in_patient(
    measured: Measurement, known: ProjectionSet, depth: int, shape: tuple[int, ...]
) -> tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]:
    """Places in the patient of the lines of all curves: curves by lines by ends by x, y, z, LPS mm."""
    if not 1 <= depth <= len(known.projections):
        message = f"There is no depth {depth}; the projections have 1 to {len(known.projections)}."
        raise MedEnhanceError("bad-option", message, "Name the one that was segmented.")
    if shape != known.scan.shape:
        message = f"The label map is {shape} pixels, the projections are {known.scan.shape}."
        raise MedEnhanceError("input-unsuitable", message, "Give the projections that were segmented.")
    return tuple(
        tuple(
            tuple(tuple(float(v) for v in known.to_lps(*end, depth - 1)) for end in (line.left, line.right))
            for line in curve.lines
        )
        for curve in measured.curves
    )


def _contrast(request: AngleRequest, path: Path | None) -> Contrast | None:
    """Contrast of an image in the regions of the original segmentation, so that both images are measured alike."""
    if path is None:
        return None
    image = read_projection(path).image
    labels, _ = read_labels(request.labels)
    _refuse_other_grid(labels.shape, image.shape, path)
    spine, tissue = regions(image, converted(labels, request.order) > 0, request.policy)
    return contrast(image, spine, tissue, request.policy)


def _refuse_other_grid(wanted: tuple[int, ...], found: tuple[int, ...], path: Path) -> None:
    if wanted != found:
        message = f"{path.name} is {found[0]} x {found[1]} pixels, the label map {wanted[0]} x {wanted[1]}."
        raise MedEnhanceError("input-unsuitable", message, "Both have to be on one grid.")
