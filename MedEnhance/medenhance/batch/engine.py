"""Does a task for every study below a folder; what is done is skipped, what fails stops nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from medenhance.batch.plan import Job, plan
from medenhance.batch.state import BatchState
from medenhance.batch.table import StudyOutcome
from medenhance.batch.work import BatchOf
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.failures import Failure, describe
from medenhance.predict import Predictor
from medenhance.predictor_cache import PredictorCache
from medenhance.progress import Progress

# Not the fault of one study: the next one would fail in the same way.
COMMON_KINDS = ("bad-option", "model-unknown", "weights-missing", "device-unavailable")


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


def run_batch(request: BatchOf, listener: BatchListener) -> list[StudyOutcome]:
    """Do every study that is not done yet, and write tables of all of them into the output folder.

    The tables are written when the batch is stopped too.

    Returns:
        One outcome a study, in the order of their names.

    Raises:
        MedEnhanceError: Something that concerns all studies: the folders, the model, the device, the options.
        Cancelled, KeyboardInterrupt: Stopped; the next run goes on from here.
    """
    _check_folders(request)
    request = _resolved(request)
    state = BatchState(request.output_root)
    jobs = plan(request, listener.scanning())
    outcomes = {job.study.name: _not_run(job) for job in jobs}
    try:
        for number, outcome in enumerate(_outcomes(request, jobs, state, listener), start=1):
            outcomes[outcome.study] = outcome
            listener.finished(outcome, number, len(jobs))
    finally:
        if any(outcome.status != "not run" for outcome in outcomes.values()):
            request.work.write_tables(list(outcomes.values()), request.output_root)
    return list(outcomes.values())


def run_job(job: Job, progress: Progress, predictor: Predictor | None = None) -> StudyOutcome:
    """Do one study; whatever goes wrong with it is part of the outcome.

    Raises:
        MedEnhanceError: The next study would fail in the same way.
        Cancelled: The user asked to stop.
    """
    begun, collected = time.perf_counter(), Collected(progress)
    try:
        report = job.work.run(job.request, collected, predictor)
    except Cancelled:
        raise
    except Exception as error:
        failure = describe(error)
        if failure.kind in COMMON_KINDS:
            raise
        return replace(failed(job, failure), seconds=time.perf_counter() - begun)
    done = job.work.done(_not_run(job), report)
    return replace(done, seconds=time.perf_counter() - begun, warnings=tuple(collected.warnings))


def failed(job: Job, failure: Failure) -> StudyOutcome:
    """The outcome of a study that could not be done."""
    return replace(_not_run(job), status="failed", **asdict(failure))


def _outcomes(request: BatchOf, jobs: list[Job], state: BatchState, listener: BatchListener) -> Iterator[StudyOutcome]:
    """Skip, refuse or do every job, and keep the state."""
    todo = []
    for job in jobs:
        settled = _skipped(job, state) or _refused(job, state)
        if settled is None:
            todo.append(job)
        else:
            yield settled
    if not todo:
        return
    doing = _here(todo, state, listener, len(jobs)) if request.scheduler is None else _there(todo, state, request)
    for job, outcome in doing:
        if outcome.status in ("done", "not processed"):
            state.finish(job.request.output, job.fingerprint, asdict(outcome))
        else:
            state.give_up(job.work.outputs_of(job.request))
        yield outcome


def _here(
    jobs: list[Job], state: BatchState, listener: BatchListener, total: int
) -> Iterator[tuple[Job, StudyOutcome]]:
    work = jobs[0].work
    predictor = PredictorCache().get_for(work.task, work.options, work.load)
    for number, job in enumerate(jobs, start=total - len(jobs) + 1):
        state.begin(job.work.outputs_of(job.request), job.fingerprint)
        yield job, run_job(job, listener.started(job.study.name, number, total), predictor)


def _there(jobs: list[Job], state: BatchState, request: BatchOf) -> Iterator[tuple[Job, StudyOutcome]]:
    from medenhance.batch.cluster import run_on_cluster

    assert request.scheduler is not None
    for job in jobs:
        state.begin(job.work.outputs_of(job.request), job.fingerprint)
    yield from run_on_cluster(jobs, request.scheduler)


def _skipped(job: Job, state: BatchState) -> StudyOutcome | None:
    """The outcome of a study that an earlier run has done from the same input with the same settings."""
    record = state.record_of(job.request.output)
    if record is None or not record.done or record.fingerprint != job.fingerprint:
        return None
    if not all(path.exists() for path in job.work.outputs_of(job.request)):
        return None
    return job.work.skipped(_not_run(job), record.facts)


def _refused(job: Job, state: BatchState) -> StudyOutcome | None:
    """The outcome of a study that cannot be read, or whose output exists and is not the work of this batch."""
    if job.problem is not None:
        return failed(job, job.problem)
    for path in job.work.outputs_of(job.request):
        if path.exists() and not state.owns(path):
            message = f"{path} exists and was not written by this batch."
            return failed(job, Failure("output-refused", message, "Move it away, or choose another output folder."))
    return None


def _check_folders(request: BatchOf) -> None:
    source, target = request.input_root.resolve(), request.output_root.resolve()
    if not source.is_dir():
        raise MedEnhanceError("input-missing", f"there is no folder {request.input_root}.", "Give a folder of studies.")
    if target == source or source in target.parents or target in source.parents:
        message = f"the input folder {source} and the output folder {target} lie one inside the other."
        raise MedEnhanceError("output-refused", message, "Choose an output folder elsewhere.")
    if target.exists() and not target.is_dir():
        raise MedEnhanceError("output-refused", f"{request.output_root} is a file.", "Choose a folder.")


def _not_run(job: Job) -> StudyOutcome:
    return job.work.not_run(job.study, job.request.output)


def _resolved(request: BatchOf) -> BatchOf:
    """With absolute folders."""
    roots = {"input_root": request.input_root.resolve(), "output_root": request.output_root.resolve()}
    found: BatchOf = replace(request, **roots)  # type: ignore[type-var]
    return found
