"""What a batch has to do: which study goes where, and what its output depends on."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from medenhance.batch.state import fingerprint
from medenhance.batch.studies import Study, find_studies
from medenhance.errors import MedEnhanceError
from medenhance.failures import Failure
from medenhance.image_files import image_format
from medenhance.models import find_model
from medenhance.progress import Progress
from medenhance.staged_run import outputs_of
from medenhance.tasks.denoise_ct import TASK, DenoiseOptions, DenoiseRequest

Format = Literal["same", "dicom", "nrrd", "nifti"]
SUFFIXES: dict[str, str] = {"dicom": "", "nrrd": ".nrrd", "nifti": ".nii.gz"}


@dataclass(frozen=True)
class BatchRequest:
    """What to work through and what to write.

    Attributes:
        input_root: Folder; every study below it is denoised.
        output_root: Folder that mirrors it.
        options: How to denoise.
        format: "same" keeps each study's format; the others convert.
        report: Write the trust report of every study beside it.
        figure: The same for its figure.
        residual: The same for what was removed.
        scheduler: Address of a Dask scheduler; None to work here.
    """

    input_root: Path
    output_root: Path
    options: DenoiseOptions = field(default_factory=DenoiseOptions)
    format: Format = "same"
    report: bool = True
    figure: bool = False
    residual: bool = False
    scheduler: str | None = None


@dataclass(frozen=True)
class Job:
    """A study and what is to be written for it.

    Attributes:
        study: What to read.
        request: The same with its outputs, which share a folder, and the options.
        fingerprint: Of all that the outputs depend on.
        problem: Why it cannot be done.
    """

    study: Study
    request: DenoiseRequest
    fingerprint: str
    problem: Failure | None = None


def plan(request: BatchRequest, progress: Progress) -> list[Job]:
    """What is to be done for every study below the input folder; no two studies share an output.

    Raises:
        MedEnhanceError: There is no study, or no such model.
    """
    settings = _settings(request)
    studies = find_studies(request.input_root, progress)
    if not studies:
        hint = "Give a folder with DICOM folders, NRRD, NIfTI, MHA or MHD files below it."
        raise MedEnhanceError("input-missing", f"there is no study below {request.input_root}.", hint)
    count = Counter(_output(study, request) for study in studies)
    jobs = []
    for study in studies:
        output = _output(study, request)
        output = _output(study, request, unique=True) if count[output] > 1 else output
        print_of_input = fingerprint(study.files, request.input_root, settings)
        jobs.append(Job(study, _study_request(study, output, request), print_of_input, study.problem))
    return _without_clashes(jobs)


def _settings(request: BatchRequest) -> dict[str, Any]:
    """What an output depends on besides its input."""
    entry = find_model(TASK, request.options.model)
    weights = [file.sha256 for file in entry.files]
    options = {**asdict(request.options), "model": entry.id}
    return {"version": entry.version, "weights": weights, "options": options}


def _output(study: Study, request: BatchRequest, *, unique: bool = False) -> Path:
    """Where a study goes; ``unique`` keeps apart what only differs in its format, such as a.nrrd and a.nii."""
    source = image_format(study.path) or ""
    suffix = source if request.format == "same" else SUFFIXES[request.format]
    stem = study.name[: len(study.name) - len(source)]
    if unique and source != suffix:
        stem += source or ".dicom"
    return request.output_root / (stem + suffix)


def _study_request(study: Study, output: Path, request: BatchRequest) -> DenoiseRequest:
    suffix = image_format(output) or ""
    stem = output.name[: len(output.name) - len(suffix)]
    return DenoiseRequest(
        input=study.path,
        output=output,
        residual=output.with_name(f"{stem}.residual{suffix}") if request.residual else None,
        report=output.with_name(f"{stem}.report.json") if request.report else None,
        figure=output.with_name(f"{stem}.figure.png") if request.figure else None,
        series=study.series,
        options=request.options,
    )


def _without_clashes(jobs: list[Job]) -> list[Job]:
    """Fail a study whose output is another's companion, such as a.residual.nrrd beside a.nrrd."""
    taken: set[Path] = set()
    kept = []
    for job in jobs:
        paths = outputs_of(job.request)
        if clashes := taken.intersection(paths):
            message = f"another study is written to {min(clashes)} too."
            job = replace(job, problem=Failure("output-refused", message, "Rename one of them."))
        taken.update(paths)
        kept.append(job)
    return kept
