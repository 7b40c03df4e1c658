"""Denoises every study below a folder into a mirrored tree; what is done is skipped, what fails stops nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from medenhance.batch_state import BatchState, fingerprint
from medenhance.batch_studies import Study, find_studies
from medenhance.batch_table import StudyOutcome, write_tables
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.failures import Failure, describe
from medenhance.image_files import image_format
from medenhance.measure.tissue import SOFT
from medenhance.measure.trust import TrustReport
from medenhance.models import find_model
from medenhance.predict import Predictor
from medenhance.predictor_cache import PredictorCache
from medenhance.progress import Progress
from medenhance.staged_run import outputs_of, run_staged
from medenhance.tasks.denoise_ct import TASK, DenoiseOptions, DenoiseRequest

Format = Literal["same", "dicom", "nrrd", "nifti"]
SUFFIXES: dict[str, str] = {"dicom": "", "nrrd": ".nrrd", "nifti": ".nii.gz"}
# Not the fault of one study: the next one would fail in the same way.
COMMON_KINDS = ("bad-option", "model-unknown", "weights-missing", "device-unavailable")


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
    options: DenoiseOptions = DenoiseOptions()
    format: Format = "same"
    report: bool = True
    figure: bool = False
    residual: bool = False
    scheduler: str | None = None


@dataclass(frozen=True)
class Job:
    """A study, what is to be written for it, and the fingerprint of what that depends on."""

    study: Study
    request: DenoiseRequest
    fingerprint: str


class BatchListener(Protocol):
    """Is told how a batch goes."""

    def scanning(self) -> Progress:
        """The progress of looking for studies."""

    def started(self, study: str, number: int, total: int) -> Progress:
        """A study begins here; returns its progress."""

    def finished(self, outcome: StudyOutcome, number: int, total: int) -> None:
        """A study is done, skipped or failed, the ``number``-th of ``total``."""


@dataclass
class Collected:
    """Keeps a study's warnings on their way to its progress."""

    progress: Progress
    warnings: list[str] = field(default_factory=list)

    def update(self, stage: str, fraction: float) -> None:
        self.progress.update(stage, fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)
        self.progress.warn(message)

    def cancelled(self) -> bool:
        return self.progress.cancelled()


def run_batch(request: BatchRequest, listener: BatchListener) -> list[StudyOutcome]:
    """Denoise every study that is not done yet, and write tables of all of them into the output folder.

    The tables are written when the batch is stopped too.

    Returns:
        One outcome a study, in the order of their names.

    Raises:
        MedEnhanceError: Something that concerns all studies: the folders, the model, the device, the options.
        Cancelled, KeyboardInterrupt: Stopped; the next run goes on from here.
    """
    _check_folders(request)
    request = replace(request, input_root=request.input_root.resolve(), output_root=request.output_root.resolve())
    state = BatchState(request.output_root)
    jobs = plan(request, listener.scanning())
    outcomes = {job.study.name: _not_run(job) for job in jobs}
    try:
        for number, outcome in enumerate(_outcomes(request, jobs, state, listener), start=1):
            outcomes[outcome.study] = outcome
            listener.finished(outcome, number, len(jobs))
    finally:
        if any(outcome.status != "not run" for outcome in outcomes.values()):
            write_tables(list(outcomes.values()), request.output_root)
    return list(outcomes.values())


def plan(request: BatchRequest, progress: Progress) -> list[Job]:
    """What is to be done for every study below the input folder; no two studies share an output."""
    studies = find_studies(request.input_root, progress)
    if not studies:
        hint = "Give a folder with DICOM folders, NRRD, NIfTI, MHA or MHD files below it."
        raise MedEnhanceError("input-missing", f"there is no study below {request.input_root}.", hint)
    settings = _settings(request)
    outputs = [_output(study, request) for study in studies]
    outputs = [
        _output(study, request, unique=True) if outputs.count(output) > 1 else output
        for study, output in zip(studies, outputs, strict=True)
    ]
    jobs = [
        Job(study, _study_request(study, output, request), fingerprint(study.files, request.input_root, settings))
        for study, output in zip(studies, outputs, strict=True)
    ]
    return _without_clashes(jobs)


def run_job(job: Job, progress: Progress, predictor: Predictor | None = None) -> StudyOutcome:
    """Do one study; whatever goes wrong with it is part of the outcome.

    Raises:
        MedEnhanceError: The next study would fail in the same way.
        Cancelled: The user asked to stop.
    """
    begun, collected = time.perf_counter(), Collected(progress)
    try:
        report = run_staged(job.request, collected, predictor)
    except Cancelled:
        raise
    except Exception as error:
        failure = describe(error)
        if failure.kind in COMMON_KINDS:
            raise
        return replace(failed(job, failure), seconds=time.perf_counter() - begun)
    return _done(job, report, time.perf_counter() - begun, tuple(collected.warnings))


def failed(job: Job, failure: Failure) -> StudyOutcome:
    """The outcome of a study that could not be done."""
    return replace(_not_run(job), status="failed", **asdict(failure))


def _outcomes(
    request: BatchRequest, jobs: list[Job], state: BatchState, listener: BatchListener
) -> Iterator[StudyOutcome]:
    """Skip, refuse or do every job, and keep the state."""
    todo = []
    for job in jobs:
        if _is_done(job, state):
            record = state.record_of(job.request.output)
            yield replace(_not_run(job), status="skipped", **(_kept(record.facts) if record else {}))
        elif (problem := job.study.problem or _in_the_way(job, state)) is not None:
            yield failed(job, problem)
        else:
            todo.append(job)
    if not todo:
        return
    doing = _here(todo, state, listener, len(jobs)) if request.scheduler is None else _there(todo, state, request)
    for job, outcome in doing:
        if outcome.status == "done":
            state.finish(job.request.output, job.fingerprint, asdict(outcome))
        else:
            state.give_up(outputs_of(job.request))
        yield outcome


def _here(
    jobs: list[Job], state: BatchState, listener: BatchListener, total: int
) -> Iterator[tuple[Job, StudyOutcome]]:
    predictor = PredictorCache().get(jobs[0].request.options)
    for number, job in enumerate(jobs, start=total - len(jobs) + 1):
        state.begin(outputs_of(job.request), job.fingerprint)
        yield job, run_job(job, listener.started(job.study.name, number, total), predictor)


def _there(jobs: list[Job], state: BatchState, request: BatchRequest) -> Iterator[tuple[Job, StudyOutcome]]:
    from medenhance.batch_cluster import run_on_cluster

    assert request.scheduler is not None
    for job in jobs:
        state.begin(outputs_of(job.request), job.fingerprint)
    yield from run_on_cluster(jobs, request.scheduler)


def _is_done(job: Job, state: BatchState) -> bool:
    record = state.record_of(job.request.output)
    if record is None or not record.done or record.fingerprint != job.fingerprint:
        return False
    return all(path.exists() for path in outputs_of(job.request))


def _in_the_way(job: Job, state: BatchState) -> Failure | None:
    """An output that exists, and that no earlier run of this batch wrote."""
    for path in outputs_of(job.request):
        if path.exists() and not state.owns(path):
            message = f"{path} exists and was not written by this batch."
            return Failure("output-refused", message, "Move it away, or choose another output folder.")
    return None


def _check_folders(request: BatchRequest) -> None:
    source, target = request.input_root.resolve(), request.output_root.resolve()
    if not source.is_dir():
        raise MedEnhanceError("input-missing", f"there is no folder {request.input_root}.", "Give a folder of studies.")
    if target == source or source in target.parents or target in source.parents:
        message = f"the input folder {source} and the output folder {target} lie one inside the other."
        raise MedEnhanceError("output-refused", message, "Choose an output folder elsewhere.")
    if target.exists() and not target.is_dir():
        raise MedEnhanceError("output-refused", f"{request.output_root} is a file.", "Choose a folder.")


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


def _without_clashes(jobs: list[Job]) -> list[Job]:
    """Fail a study whose output is another's companion, such as a.residual.nrrd beside a.nrrd."""
    taken: set[Path] = set()
    kept = []
    for job in jobs:
        paths = outputs_of(job.request)
        for clash in taken.intersection(paths):
            problem = Failure("output-refused", f"another study is written to {clash} too.", "Rename one of them.")
            job = replace(job, study=replace(job.study, problem=problem))
        taken.update(paths)
        kept.append(job)
    return kept


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


def _not_run(job: Job) -> StudyOutcome:
    return StudyOutcome(job.study.name, job.study.series, "not run", str(job.request.output))


def _kept(facts: dict[str, Any]) -> dict[str, Any]:
    """What the table repeats of a study that was done earlier."""
    names = ("noise_sd_before_hu", "noise_sd_after_hu", "bias_hu")
    return {name: facts.get(name) for name in names}


def _done(job: Job, report: TrustReport, seconds: float, warnings: tuple[str, ...]) -> StudyOutcome:
    soft = report.row(SOFT)
    return replace(
        _not_run(job),
        status="done",
        seconds=seconds,
        noise_sd_before_hu=soft.noise_sd_before_hu,
        noise_sd_after_hu=soft.noise_sd_after_hu,
        bias_hu=soft.bias_hu,
        warnings=warnings,
    )
