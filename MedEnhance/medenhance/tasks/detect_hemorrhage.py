"""Head CT: is there blood, where, how much; or why the scan was not processed. Notifies only, research use only."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from medenhance.atomic_output import publish_folder, staged
from medenhance.errors import MedEnhanceError
from medenhance.head_ct.acceptance import Accepted, accept
from medenhance.head_ct.priority import PriorityThresholds
from medenhance.head_ct.report import HemorrhageReport
from medenhance.image_files import FORMATS, image_format
from medenhance.models import find_model
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.run_facts import run_facts
from medenhance.study import NO_SOURCE, read_study
from medenhance.tasks.hemorrhage_files import write_results
from medenhance.tasks.hemorrhage_findings import findings, judge, rules_of, scan_facts, warnings_of
from medenhance.tasks.hemorrhage_prior import prior_volume_ml
from medenhance.tasks.placed_scan import placed_scan
from medenhance.tasks.project_vpi import check_new_folder
from medenhance.tasks.slice_order import in_image_order
from medenhance.volume import Volume

if TYPE_CHECKING:
    from medenhance.predict import Predictor

TASK = "detect-hemorrhage"
MaskFormat = Literal["nrrd", "nifti"]
DicomObject = Literal["seg", "sr", "ko"]
DICOM_OBJECTS: tuple[DicomObject, ...] = ("seg", "sr", "ko")


@dataclass(frozen=True)
class DetectHemorrhageOptions:
    """How to look.

    Attributes:
        model: Id of a model (`medenhance models list`); None takes the default of the task.
        operating_point: Name of one on the model's card; None takes the first.
        mask_threshold: Probability from which on a voxel belongs to the mask, in pieces of any kind; None takes the
            card's rule.
        top_slices: How many slices are named as those that speak most for blood.
        thresholds: When a suspected bleed is critical, or has grown.
        device: "auto", "cpu", "cuda", "cuda:1", "mps" ...
        precision: "auto", "fp32", "bf16" or "fp16".
    """

    model: str | None = None
    operating_point: str | None = None
    mask_threshold: float | None = None
    top_slices: int = 5
    thresholds: PriorityThresholds = field(default_factory=PriorityThresholds)
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class DetectHemorrhageRequest:
    """A scan to look at and where everything goes.

    Attributes:
        input: DICOM folder or file, NRRD, NIfTI, MHA.
        output: A new or empty folder: report.json, the mask, and what else is asked for.
        options: How.
        series: SeriesInstanceUID, when the input holds several.
        figure: Also draw the report, report.png.
        format: Of the mask.
        dicom: Which DICOM objects to write: "seg", "sr", "ko"; the input has to be DICOM.
        prior: Report (or folder with it) of an earlier scan of the same patient, to measure growth.
        source: DICOM files that an image file `input` was loaded from, as 3D Slicer does: what they say of the scan and
            of the places of its slices holds, voxels and mask stay those of the image.
    """

    input: Path
    output: Path
    options: DetectHemorrhageOptions = DetectHemorrhageOptions()
    series: str | None = None
    figure: bool = False
    format: MaskFormat = "nrrd"
    dicom: tuple[DicomObject, ...] = ()
    prior: Path | None = None
    source: tuple[Path, ...] = ()


@dataclass(frozen=True)
class HemorrhageResult:
    """What came out.

    Attributes:
        report: On it.
        mask: (D, H, W) uint8, 1 where blood is suspected, on the grid of the study; None when it was not processed.
        numbers: (D, H, W) uint16: which listed component a voxel of the mask belongs to, from 1; one more than the last
            for pieces that are too small to be listed.
        probability: (D, H, W) float32 of the mask.
    """

    report: HemorrhageReport
    mask: np.ndarray | None = None
    numbers: np.ndarray | None = None
    probability: np.ndarray | None = None


def run(
    request: DetectHemorrhageRequest, progress: Progress | None = None, predictor: Predictor | None = None
) -> HemorrhageReport:
    """Read a scan, look at it, and write all results or nothing.

    A scan that is no plain head CT is no error: the report says "not processed" and why, and is written alone.

    Args:
        request: Paths and options.
        progress: Is told where the work is, and may cancel it.
        predictor: A model that is already loaded; by default the one that the options name.

    Raises:
        MedEnhanceError: Anything that a user can do something about; then nothing was written.
    """
    progress = progress or Silent()
    check_options(request.options)
    _check_paths(request)
    if predictor is None:
        find_model(TASK, request.options.model)  # a name that nothing has is said before a study is read
    prior_ml = None if request.prior is None else prior_volume_ml(request.prior)
    begun = time.perf_counter()
    checkpoint(progress, "read", 0.0)
    volume = read_study(request.input, request.series, progress=progress)
    placed = placed_scan(volume, request.source, progress) if request.source else None
    seen = volume if placed is None else placed.volume
    for warning in seen.warnings:
        progress.warn(warning)
    result = _look(seen, request.options, progress, predictor, prior_ml, (request.input.name, begun))
    result = result if placed is None else in_image_order(result, placed)
    for warning in result.report.warnings:
        progress.warn(warning)
    checkpoint(progress, "write", 0.0)
    with staged(request.output) as stage:
        folder = stage / request.output.name
        folder.mkdir()
        for warning in write_results(folder, request, volume, result):
            progress.warn(warning)
        checkpoint(progress, "write", 0.9)
        publish_folder(folder, request.output)
    progress.update("write", 1.0)
    return result.report


def detect_hemorrhage(
    volume: Volume,
    options: DetectHemorrhageOptions | None = None,
    progress: Progress | None = None,
    predictor: Predictor | None = None,
    *,
    prior_ml: float | None = None,
    source: str = "",
) -> HemorrhageResult:
    """Look at a head CT in memory; the volume is not changed.

    Args:
        volume: Any orientation, HU.
        options: How.
        progress: Is told where the work is, and may cancel it.
        predictor: A model that is already loaded.
        prior_ml: Volume of an earlier scan, to measure growth.
        source: What the report calls the scan.

    Raises:
        MedEnhanceError: No model, a device that does not work, cancelled ...
    """
    options = options or DetectHemorrhageOptions()
    check_options(options)
    return _look(volume, options, progress or Silent(), predictor, prior_ml, (source, time.perf_counter()))


def load_predictor(options: DetectHemorrhageOptions) -> Predictor:
    """The model that the options name, on the device and in the precision that they name."""
    from medenhance.predict import Predictor as NewPredictor
    from medenhance.weights import locate

    entry = find_model(TASK, options.model)
    return NewPredictor.load(entry, locate(entry), device=options.device, precision=options.precision)


def check_options(options: DetectHemorrhageOptions) -> None:
    """Refuse options that make no sense.

    Raises:
        MedEnhanceError: bad-option.
    """
    options.thresholds.check()
    if options.top_slices < 1:
        raise MedEnhanceError("bad-option", f"{options.top_slices} top slices are none.", "Give 1 or more.")
    if options.mask_threshold is not None and not 0 < options.mask_threshold < 1:
        message = f"a mask threshold of {options.mask_threshold:g} is outside (0, 1)."
        raise MedEnhanceError("bad-option", message, "Leave it out to take that of the model's card.")


def _look(
    volume: Volume,
    options: DetectHemorrhageOptions,
    progress: Progress,
    predictor: Predictor | None,
    prior_ml: float | None,
    named: tuple[str, float],
) -> HemorrhageResult:
    """Accept or refuse, run, measure; ``named`` is the source's name and when the work began."""
    entry = predictor.entry if predictor is not None else find_model(TASK, options.model)
    checkpoint(progress, "check", 0.0)
    accepted = accept(volume, entry.accepted)
    if accepted.refusals:
        return HemorrhageResult(_refused(accepted, volume, named))
    predictor = predictor or load_predictor(options)
    rules = rules_of(predictor, options, prior_ml)
    starting = time.perf_counter()
    judged = judge(predictor, accepted, rules, progress)
    facts = run_facts(predictor, time.perf_counter() - starting)
    checkpoint(progress, "measure", 0.0)
    found, numbers = findings(judged, rules, options, facts)
    source, begun = named
    report = HemorrhageReport(
        status="processed",
        reason="",
        source=source,
        checks=accepted.checks,
        scan=scan_facts(accepted, volume.array.shape),
        findings=found,
        warnings=(*accepted.warnings, *judged.warnings, *warnings_of(found)),
        seconds=time.perf_counter() - begun,
    )
    assert judged.mask_probability is not None
    numbers, probability = judged.found.back(numbers), judged.found.back(judged.mask_probability)
    return HemorrhageResult(report, (numbers > 0).astype(np.uint8), numbers, probability)


def _refused(accepted: Accepted, volume: Volume, named: tuple[str, float]) -> HemorrhageReport:
    source, begun = named
    return HemorrhageReport(
        status="not processed",
        reason=" ".join(accepted.refusals),
        source=source,
        checks=accepted.checks,
        scan=scan_facts(accepted, volume.array.shape),
        findings=None,
        warnings=accepted.warnings,
        seconds=time.perf_counter() - begun,
    )


def _check_paths(request: DetectHemorrhageRequest) -> None:
    """Refuse what cannot be done before any work is done for it."""
    check_new_folder(request.output)
    source, target = request.input.resolve(), request.output.resolve()
    if target == source or (request.input.is_dir() and source in target.parents):
        message = f"{request.output} lies inside the input, where it would be read as input next time."
        raise MedEnhanceError("output-refused", message, "Choose a folder outside of it.")
    if request.dicom and request.input.is_file() and image_format(request.input) is not None:
        raise MedEnhanceError("output-refused", NO_SOURCE, f"Leave out DICOM; the mask is one of {', '.join(FORMATS)}.")
    with staged(request.output):
        pass  # a stage could be made there, and is gone again
