"""Spine ultrasound: project where needed, enhance, segment, measure; each step can be left out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from medenhance.atomic_output import publish_folder, staged
from medenhance.catalog import read_catalog
from medenhance.enhance_projection import checked_projection
from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry
from medenhance.measure.stripes import scan_area
from medenhance.models import find_model
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.run_facts import run_facts
from medenhance.segment_projection import segment_projection, segmenter_of
from medenhance.spine.coronal_input import Coronal, is_volume, of_image, of_projections
from medenhance.spine.dicom_input import dicom_series, is_dicom_input
from medenhance.spine.level_names import ThoracicEnd
from medenhance.spine.projection_files import read_projections
from medenhance.spine.slabs import project
from medenhance.spine.working_scale import WorkingScale, working_scale
from medenhance.tasks.project_vpi import ProjectionRequest, check_new_folder, read_back
from medenhance.tasks.spine_dicom import require_dicom_source, write_dicom
from medenhance.tasks.spine_files import write_results
from medenhance.tasks.spine_measurements import measured_report
from medenhance.tasks.spine_report import GENERATED_FROM_GREY, SpineReport

if TYPE_CHECKING:
    from medenhance.predict import Predictor

TASK = "enhance-spine"
Step = Literal["project", "enhance", "segment", "measure"]
STEPS: tuple[Step, ...] = ("project", "enhance", "segment", "measure")


@dataclass(frozen=True)
class EnhanceSpineOptions:
    """How to enhance, segment and measure.

    Attributes:
        model: Id of a model (`medenhance models list`); None takes the default of the task.
        steps: What to do; "project" happens to volumes alone.
        depth: Number of the depth of projections that is enhanced, from 1.
        spacing_mm: Of rows and columns of an image; by default what its file states.
        other_depths: Images of the same back at other depths, in which enhanced structures are looked for.
        thoracic_end: What the lowest level with transverse processes is taken to be.
        device: "auto", "cpu", "cuda", "cuda:1", "mps" ...
        precision: "auto", "fp32", "bf16" or "fp16".
        dicom: Write the enhanced image and the segmentations as DICOM too; the input has to be DICOM.
    """

    model: str | None = None
    steps: tuple[Step, ...] = STEPS
    depth: int = 3
    spacing_mm: tuple[float, float] | None = None
    other_depths: tuple[Path, ...] = ()
    thoracic_end: ThoracicEnd = "T12"
    device: str = "auto"
    precision: str = "auto"
    dicom: bool = False


@dataclass(frozen=True)
class EnhanceSpineRequest:
    """What to work on and where everything goes.

    Attributes:
        input: Coronal image, folder of project-vpi, volume, or tracked sequence; DICOM where it is one image or one
            volume.
        output: A new or empty folder.
        options: How.
        projection: How a volume is projected; its `input` and `output` are not used.
    """

    input: Path
    output: Path
    options: EnhanceSpineOptions = EnhanceSpineOptions()
    projection: ProjectionRequest = field(default_factory=lambda: ProjectionRequest(Path(), Path()))


@dataclass(frozen=True)
class EnhanceSpineResult:
    """What came out.

    Attributes:
        coronal: The original.
        images: (R, C) uint8 by name: "enhanced", "generated" (1 where more than `GENERATED_FROM_GREY` was changed),
            "labels_original", "labels_enhanced" (order "da-gan"); those of the steps that were done.
        report: On them.
    """

    coronal: Coronal
    images: dict[str, np.ndarray]
    report: SpineReport


def run(
    request: EnhanceSpineRequest, progress: Progress | None = None, predictor: Predictor | None = None
) -> SpineReport:
    """Do the steps and write all results, or nothing.

    Args:
        request: Paths and options.
        progress: Is told where the work is, and may cancel it.
        predictor: A model that is already loaded; by default the one that the options name.

    Raises:
        MedEnhanceError: Anything that a user can do something about; then nothing was written.
    """
    progress = progress or Silent()
    check_steps(request.options.steps)
    check_new_folder(request.output)
    if uses_network(request.options):
        require_model(request.options)
    coronal = read_coronal(request, progress)
    if request.options.dicom:
        require_dicom_source(coronal, request.input.name)
    result = enhance_spine(coronal, request.options, progress, predictor)
    for warning in result.report.warnings:
        progress.warn(warning)
    checkpoint(progress, "write", 0.0)
    with staged(request.output) as stage:
        folder = stage / request.output.name
        folder.mkdir()
        write_results(folder, coronal, result.images, result.report, request.input.name)
        for warning in (
            write_dicom(folder, coronal, result.images, result.report, progress) if request.options.dicom else ()
        ):
            progress.warn(warning)
        publish_folder(folder, request.output)
    progress.update("write", 1.0)
    return result.report


def read_coronal(request: EnhanceSpineRequest, progress: Progress) -> Coronal:
    """Read the image of a request, projecting a volume first."""
    options = request.options
    checkpoint(progress, "read", 0.0)
    series = request.projection.series
    if not is_volume(request.input, series):
        if request.input.is_dir():
            return of_projections(read_projections(request.input), options.depth)
        trusted = request.projection.trust_axes
        coronal = of_image(
            request.input, options.spacing_mm, options.other_depths, trust_axes=trusted, series_uid=series
        )
        if "measure" in options.steps:
            _refuse_no_spacing(coronal, request.input.name)
        return coronal
    if "project" not in options.steps:
        message = f"{request.input.name} is a volume, and projecting it is not among the steps."
        raise MedEnhanceError("bad-option", message, "Add the step project, or give a projection.")
    how = replace(request.projection, input=request.input, output=request.output)
    back = read_back(how, progress)
    checkpoint(progress, "project", 0.0)
    found = project(back, how.depths_mm, how.thickness_mm, how.blend, trust_axes=how.trust_axes)
    coronal = of_projections(found, options.depth)
    if is_dicom_input(request.input):
        coronal = replace(coronal, source=dicom_series(request.input, series, progress))
    return coronal


def enhance_spine(
    coronal: Coronal,
    options: EnhanceSpineOptions | None = None,
    progress: Progress | None = None,
    predictor: Predictor | None = None,
) -> EnhanceSpineResult:
    """Enhance, segment and measure in memory; the original is not changed.

    Raises:
        MedEnhanceError: Not such an image, no model, a device that does not work, cancelled ...
    """
    options, progress = options or EnhanceSpineOptions(), progress or Silent()
    checked_projection(coronal.image)
    images, facts, warnings = dict[str, np.ndarray](), None, list[str]()
    confidence: np.ndarray | None = None
    if uses_network(options):
        predictor = predictor or load_predictor(options)
        begun = time.perf_counter()
        scale = working_scale(coronal.image.shape, coronal.spacing_mm, predictor.entry.accepted.spacing_mm)
        images, confidence = _restored(predictor, coronal.image, options.steps, scale, progress)
        facts = run_facts(predictor, time.perf_counter() - begun)
        warnings += _scale_warnings(coronal, scale, predictor)
    if "enhanced" in images:
        images["generated"] = _generated(coronal.image, images["enhanced"])
    checkpoint(progress, "measure", 0.0)
    return EnhanceSpineResult(coronal, images, measured_report(coronal, options, images, facts, warnings, confidence))


def load_predictor(options: EnhanceSpineOptions) -> Predictor:
    """The model that the options name, on the device and in the precision that they name."""
    from medenhance.predict import Predictor as NewPredictor
    from medenhance.weights import locate

    entry = require_model(options)
    return NewPredictor.load(entry, locate(entry), device=options.device, precision=options.precision)


def require_model(options: EnhanceSpineOptions) -> ModelEntry:
    """The entry of the model that the options name.

    Raises:
        MedEnhanceError: model-unknown: there is no such model, or none at all.
    """
    if options.model is None and not any(e.task == TASK for e in read_catalog().entries.values()):
        hint = "Add one with `medenhance models add FILE`, or choose the steps project and measure-uca alone."
        raise MedEnhanceError("model-unknown", "No model for spine ultrasound is part of this installation.", hint)
    return find_model(TASK, options.model)


def uses_network(options: EnhanceSpineOptions) -> bool:
    """Whether a step needs a model."""
    return "enhance" in options.steps or "segment" in options.steps


def check_steps(steps: tuple[Step, ...]) -> None:
    """Refuse steps that cannot be done together.

    Raises:
        MedEnhanceError: bad-option.
    """
    if not steps or len(set(steps)) < len(steps):
        raise MedEnhanceError("bad-option", "Each step is named once, and at least one of them.", "")
    if "measure" in steps and "segment" not in steps:
        hint = "Add the step segment; `medenhance measure-uca` measures a label map that is there already."
        raise MedEnhanceError("bad-option", "Measuring needs a segmentation.", hint)


def _restored(
    predictor: Predictor, image: np.ndarray, steps: tuple[Step, ...], scale: WorkingScale, progress: Progress
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """The images that the network makes, by name, and how sure it is of the labels of the enhanced one."""
    from medenhance.enhance_projection import enhance_projection

    seen, found, confidence = scale.enter(image), dict[str, np.ndarray](), None
    if "enhance" in steps and "segment" in steps:
        checkpoint(progress, "enhance", 0.0)
        result = enhance_projection(predictor, seen, progress)
        found["enhanced"] = _changed(image, seen, result.image, scale)
        found["labels_enhanced"] = scale.leave_labels(result.labels)
        confidence = scale.leave(result.probabilities.max(axis=0))
    elif "enhance" in steps:
        checkpoint(progress, "enhance", 0.0)
        scan = scan_area(seen)
        restored = predictor.restore(seen[None], progress=progress)[0]
        found["enhanced"] = _changed(image, seen, np.where(scan, restored, seen), scale)
    if "segment" in steps:
        checkpoint(progress, "segment", 0.0)
        labels = segment_projection(segmenter_of(predictor), seen, progress)
        found["labels_original"] = scale.leave_labels(labels)
    return found, confidence


def _changed(image: np.ndarray, seen: np.ndarray, restored: np.ndarray, scale: WorkingScale) -> np.ndarray:
    """The image with the network's change; where there is none, exactly the image."""
    change = np.rint(scale.leave(restored.astype(np.int16) - seen))
    inside = scan_area(image)
    return np.where(inside, np.clip(image + change, 0, 255), image).astype(np.uint8)


def _generated(original: np.ndarray, enhanced: np.ndarray) -> np.ndarray:
    difference = np.abs(enhanced.astype(np.int16) - original)
    return np.asarray((difference > GENERATED_FROM_GREY).astype(np.uint8))


def _scale_warnings(coronal: Coronal, scale: WorkingScale, predictor: Predictor) -> list[str]:
    if coronal.spacing_mm is None:
        return ["The pixel size is not known: the network took the image as it is."]
    if scale.is_own:
        return []
    (rows, columns), (low, high) = coronal.spacing_mm, predictor.entry.accepted.spacing_mm
    return [
        f"The pixels are {rows:g} x {columns:g} mm; the model takes {low:g} to {high:g} mm, so the image was resampled "
        "for it and the change was brought back."
    ]


def _refuse_no_spacing(coronal: Coronal, name: str) -> None:
    if coronal.spacing_mm is None:
        message = f"{name} states no pixel size in mm, and angles without one would be wrong."
        hint = "Give the spacing of rows and columns in mm, or leave out the step measure."
        raise MedEnhanceError("input-unsuitable", message, hint)
