"""Runs for callers that wait for the result: Slicer's Python console, scripts and batches. No dialog, no event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from medenhance.errors import Cancelled, MedEnhanceError
from MedEnhanceLib.FileTrip import Means
from MedEnhanceLib.SceneJob import JobCallbacks
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerClient, WorkerFailure


class BlockingPump:
    """Does all steps at once: the caller waits anyway."""

    def run(
        self,
        steps: Iterator[float | None],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
        progress: Callable[[float], None] | None = None,
    ) -> None:
        try:
            for fraction in steps:
                if progress is not None and fraction is not None:
                    progress(fraction)
        except Exception as error:
            failed(error)
            return
        done()


class _Outcome:
    """How a run ended."""

    def __init__(self) -> None:
        self.value: Any = None
        self.error: MedEnhanceError | None = None

    def finished(self, result: dict[str, Any]) -> None:
        self.value = result

    def failed(self, failure: WorkerFailure) -> None:
        self.error = MedEnhanceError(failure.kind, failure.message, failure.hint)  # type: ignore[arg-type]

    def cancelled(self) -> None:
        self.error = Cancelled()

    def get(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


class Job(Protocol):
    """What is run: a `VolumeJob`, a `ProjectionJob` ..."""

    @property
    def isActive(self) -> bool: ...

    def start(self) -> None: ...

    def cancel(self) -> None: ...

    def wait(self) -> None: ...


def runBlocking(
    make: Callable[[Means, JobCallbacks], Job], client: WorkerClient, temporaryFolder: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Do a job and return its nodes by name, and the worker's result.

    Args:
        make: Makes the job.
        client: The worker.
        temporaryFolder: Where files go meanwhile.

    Raises:
        MedEnhanceError: It failed or was cancelled; the scene is as it was.
    """
    outcome = _Outcome()

    def finished(nodes: dict[str, Any], result: dict[str, Any]) -> None:
        outcome.value = nodes, result

    callbacks = JobCallbacks(finished=finished, failed=outcome.failed, cancelled=outcome.cancelled)
    return _done(make(Means(client, BlockingPump(), temporaryFolder), callbacks), outcome)


def resultOf(make: Callable[[Means, RunCallbacks], Job], client: WorkerClient, temporaryFolder: str) -> dict[str, Any]:
    """The same for a job that makes no nodes: the worker's result."""
    outcome = _Outcome()
    callbacks = RunCallbacks(finished=outcome.finished, failed=outcome.failed, cancelled=outcome.cancelled)
    return _done(make(Means(client, BlockingPump(), temporaryFolder), callbacks), outcome)


def _done(job: Job, outcome: _Outcome) -> Any:
    job.start()
    _waitFor(job)
    return outcome.get()


def ask(client: WorkerClient, task: str, payload: dict[str, Any], warning: Any = None) -> dict[str, Any]:
    """Send one request to the worker and wait for its result.

    Raises:
        MedEnhanceError: It failed or was cancelled.
    """
    outcome = _Outcome()
    callbacks = RunCallbacks(finished=outcome.finished, failed=outcome.failed, cancelled=outcome.cancelled)
    if warning is not None:
        callbacks.warning = warning
    _waitFor(client.submit(task, payload, callbacks))
    return outcome.get()


def _waitFor(run: Any) -> None:
    """Wait for a job or a run; whoever interrupts that (Ctrl+C in a script) stops it, too."""
    try:
        run.wait()
    except BaseException:
        run.cancel()
        run.wait()
        raise
