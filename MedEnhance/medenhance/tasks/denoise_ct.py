"""Low-dose CT denoising: from a study to a denoised study and a report on what was removed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medenhance.atomic_output import publish_all, staged
from medenhance.dicom.derived import Derivation
from medenhance.errors import MedEnhanceError
from medenhance.files import check_file, write_json
from medenhance.measure.trust import TrustReport, trust_report
from medenhance.models import find_model
from medenhance.predict import Predictor
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.provenance import Provenance, What
from medenhance.run_facts import run_facts
from medenhance.study import check_output, read_study, write_study
from medenhance.tasks.acceptance import check_accepted
from medenhance.volume import Volume
from medenhance.weights import locate

TASK = "denoise-ct"


@dataclass(frozen=True)
class DenoiseOptions:
    """How to denoise.

    Attributes:
        model: Id of a model (`medenhance models list`); None takes the default of the task.
        strength: 0 leaves the study as it is, 1 is the network's output, in between a blend.
        device: "auto", "cpu", "cuda", "cuda:1", "mps" ...
        precision: "auto", "fp32", "bf16" or "fp16".
    """

    model: str | None = None
    strength: float = 1.0
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class DenoiseRequest:
    """A study to denoise and where everything goes.

    Attributes:
        input: DICOM folder or file, NRRD, NIfTI, MHA.
        output: A file of one of these formats, or a folder for a derived DICOM series.
        residual: Where to write what was removed (input minus output, HU).
        report: Where to write the trust report, JSON.
        figure: Where to write the trust report's figure, PNG.
        series: SeriesInstanceUID, when the input holds several.
        options: How to denoise.
    """

    input: Path
    output: Path
    residual: Path | None = None
    report: Path | None = None
    figure: Path | None = None
    series: str | None = None
    options: DenoiseOptions = DenoiseOptions()


@dataclass(frozen=True)
class DenoiseResult:
    """A denoised volume on the grid and in the type of the input, and the report on it."""

    volume: Volume
    report: TrustReport


def denoise_ct(
    volume: Volume, options: DenoiseOptions | None = None, progress: Progress | None = None
) -> DenoiseResult:
    """Denoise a CT volume in memory.

    Args:
        volume: HU.
        options: Model, strength, device, precision.
        progress: Is told where the work is, and may cancel it.

    Returns:
        The denoised volume and its trust report; `volume` is not changed.

    Raises:
        MedEnhanceError: Not a CT, an unknown model, a device that does not work, cancelled ...
    """
    options = options or DenoiseOptions()
    _check_strength(options.strength)
    predictor = load_predictor(options)
    return denoise_with(predictor, volume, options.strength, progress or Silent())


def run(request: DenoiseRequest, progress: Progress | None = None, predictor: Predictor | None = None) -> TrustReport:
    """Read a study, denoise it, measure what changed, write everything that was asked for.

    Args:
        request: Paths and options.
        progress: Is told where the work is, and may cancel it.
        predictor: A model that is already loaded; by default the one that the options name.

    Returns:
        The trust report.

    Raises:
        MedEnhanceError: Anything that a user can do something about; then nothing was written.
    """
    progress = progress or Silent()
    _check_strength(request.options.strength)
    _check_outputs(request)
    predictor = predictor or load_predictor(request.options)
    volume = read_study(request.input, request.series, progress=progress)
    for warning in volume.warnings:
        progress.warn(warning)
    result = denoise_with(predictor, volume, request.options.strength, progress)
    for warning in result.report.warnings:
        progress.warn(warning)
    checkpoint(progress, "write", 0.0)
    for warning in _write(request, volume, result, progress):
        progress.warn(warning)
    progress.update("write", 1.0)
    return result.report


def load_predictor(options: DenoiseOptions) -> Predictor:
    """The model that the options name, on the device and in the precision that they name."""
    entry = find_model(TASK, options.model)
    return Predictor.load(entry, locate(entry), device=options.device, precision=options.precision)


def denoise_with(predictor: Predictor, volume: Volume, strength: float, progress: Progress) -> DenoiseResult:
    """Denoise with a loaded model and measure what it did.

    Raises:
        MedEnhanceError: The model does not work on such a volume, or the user cancelled.
    """
    check_accepted(volume, predictor.entry.accepted)
    begun = time.perf_counter()
    array = predictor.restore(
        volume.array,
        strength=strength,
        padding_below=volume.padding_below,
        whole_numbers=np.issubdtype(volume.file_dtype or volume.array.dtype, np.integer),
        progress=progress,
    )
    seconds = time.perf_counter() - begun
    checkpoint(progress, "measure", 0.0)
    report = trust_report(
        volume.array,
        array,
        volume.grid,
        padding_below=volume.padding_below,
        trusted=predictor.entry.measured_range,
        run=run_facts(predictor, strength=strength, seconds=seconds),
    )
    return DenoiseResult(volume.with_array(array), report)


def derivation(report: TrustReport, what: What = "denoised") -> Derivation:
    """How a derived DICOM series says where it comes from."""
    return Provenance.of_run(report.run, what).derivation()


def _write(request: DenoiseRequest, volume: Volume, result: DenoiseResult, progress: Progress) -> tuple[str, ...]:
    """Write the outputs under temporary names and give all of them their own at the end, the study's last.

    Returns:
        What a user should know about the files, one sentence each.
    """
    with ExitStack() as stack:
        stages = {path: stack.enter_context(staged(path)) for path in _outputs(request)}

        def place(path: Path) -> Path:
            return stages[path] / path.name

        if request.report is not None:
            write_json(place(request.report), result.report.to_json())
        if request.figure is not None:
            # Imported here: drawing needs matplotlib, which takes longer to load than all the rest.
            from medenhance.figure import write_figure

            write_figure(place(request.figure), volume.array, result.volume.array, result.report, volume.grid)
        warnings = write_study(result.volume, place(request.output), derivation(result.report), progress=progress)
        if request.residual is not None:
            # The difference has a sign whatever type the study is stored in.
            removed = replace(volume, array=_removed(volume.array, result.volume.array), file_dtype=None)
            write_study(removed, place(request.residual), derivation(result.report, "removed"), progress=progress)
        for path, stage in stages.items():
            publish_all(stage, path)
    return warnings


def _outputs(request: DenoiseRequest) -> list[Path]:
    """Everything that the request asks to write, the study last."""
    optional = [request.report, request.figure, request.residual]
    return [*(path for path in optional if path is not None), request.output]


def _removed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Input minus output, in a signed type that holds the difference; it takes the place of `after` where it fits.

    So a study of any length needs the memory of input and output alone; `after` must already be written.
    """
    dtype = _difference_dtype(before, after)
    removed: np.ndarray = after.view(dtype) if dtype.itemsize == after.dtype.itemsize else np.empty(after.shape, dtype)
    for slot, one, other in zip(removed, before, after, strict=True):
        np.subtract(one, other, out=slot, dtype=removed.dtype, casting="unsafe")
    return removed


def _difference_dtype(before: np.ndarray, after: np.ndarray) -> np.dtype:
    if not np.issubdtype(before.dtype, np.integer):
        same: np.dtype = before.dtype
        return same
    slices = zip(before, after, strict=True)
    largest = max(int(np.abs(np.subtract(one, other, dtype=np.int64)).max()) for one, other in slices)
    return np.dtype(np.int16 if largest < 2**15 else np.int32)


def _check_outputs(request: DenoiseRequest) -> None:
    """Refuse outputs that cannot be written, or that overwrite one another, before any work is done for them."""
    given = [path.resolve() for path in _outputs(request)]
    twice = [path for path in given if given.count(path) > 1]
    if twice:
        raise MedEnhanceError("output-refused", f"{twice[0]} is named for two outputs.", "Give each its own name.")
    check_output(request.output, request.input)
    if request.residual is not None:
        check_output(request.residual, request.input)
    if request.report is not None:
        check_file(request.report, ".json", request.input)
    if request.figure is not None:
        check_file(request.figure, ".png", request.input)


def _check_strength(strength: float) -> None:
    if not 0.0 <= strength <= 1.0:
        hint = "Choose a number from 0 (the input) to 1 (the network's output)."
        raise MedEnhanceError("bad-option", f"a strength of {strength:g} is outside [0, 1].", hint)
