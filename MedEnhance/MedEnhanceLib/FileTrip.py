"""Files out to the worker, a task, and files back: start, cancel, wait and end of everything that goes that way."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerClient, WorkerFailure, WorkerRun

PREPARE, READ_BACK = "prepare", "show"
Steps = Iterator[float | None]  # what fraction is done, or None, a few milliseconds apart


class Cancellable(Protocol):
    """Work that a pump does."""

    def cancel(self) -> None: ...


class Pumping(Protocol):
    """What is needed of a `Pump`."""

    def run(
        self,
        steps: Iterator[float | None],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
        progress: Callable[[float], None] | None = None,
    ) -> Cancellable | None: ...


@dataclass(frozen=True)
class Means:
    """What every run needs.

    Attributes:
        client: The worker.
        pump: Does long work on the main thread.
        temporaryFolder: Where files go meanwhile.
    """

    client: WorkerClient
    pump: Pumping
    temporaryFolder: str


def _readNothing(_folder: Path, _result: dict[str, Any]) -> Steps:
    return iter(())


@dataclass(frozen=True)
class TripSteps:
    """What is done on this side of the worker, in a temporary folder that is there meanwhile.

    Attributes:
        write: Writes what the task reads.
        payload: The request, without id and task.
        read: Reads what the task wrote, into memory: whether it counts is only known when `FileCallbacks.done` is
            called.
    """

    write: Callable[[Path], Steps]
    payload: Callable[[Path], dict[str, Any]]
    read: Callable[[Path, dict[str, Any]], Steps] = _readNothing


@dataclass(frozen=True)
class FileCallbacks:
    """What a trip tells; exactly one of the last three is called, once, on the main thread.

    Attributes:
        progress: Stage, fraction of it in [0, 1], seconds left or None.
        warning: Something that the user should know.
        done: The worker's result.
        failed: What happened and what to do.
        cancelled: As asked for.
    """

    progress: Callable[[str, float, float | None], None]
    warning: Callable[[str], None]
    done: Callable[[dict[str, Any]], None]
    failed: Callable[[WorkerFailure], None]
    cancelled: Callable[[], None]

    @classmethod
    def of(cls, told: RunCallbacks) -> FileCallbacks:
        """For a trip whose whole outcome is the worker's result."""
        return cls(told.progress, told.warning, told.finished, told.failed, told.cancelled)


class FileTrip:
    """One request with its files.

    Args:
        task: Of the worker.
        steps: What is written, asked and read.
        means: Worker, pump and folder.
        callbacks: Are told how it goes.

    Attributes:
        isActive: Its end has not been told yet.
    """

    def __init__(self, task: str, steps: TripSteps, means: Means, callbacks: FileCallbacks) -> None:
        self._task, self._steps, self._means, self._callbacks = task, steps, means, callbacks
        self._folder: Path | None = None
        self._pumpRun: Cancellable | None = None
        self._workerRun: WorkerRun | None = None
        self.isActive = False

    def start(self) -> None:
        """Begin; the callbacks tell the rest."""
        self.isActive = True
        self._callbacks.progress(PREPARE, 0.0, None)
        if not self.isActive:  # cancelled by whoever was told
            return
        self._pumpRun = self._means.pump.run(self._write(), self._send, self._failedHere, self._reporter(PREPARE))

    def cancel(self) -> None:
        """Stop; `cancelled` is called within two seconds."""
        if self._workerRun is not None and self._workerRun.isActive:
            self._workerRun.cancel()
        elif self.isActive:
            if self._pumpRun is not None:
                self._pumpRun.cancel()
            self._end(self._callbacks.cancelled)

    def wait(self) -> None:
        """Block until the end, for callers whose pump does not wait for an event loop."""
        while self.isActive and self._workerRun is not None:
            self._workerRun.wait(0.1)

    def _write(self) -> Steps:
        self._folder = Path(tempfile.mkdtemp(prefix="medenhance-", dir=self._means.temporaryFolder))
        yield from self._steps.write(self._folder)

    def _send(self) -> None:
        callbacks = RunCallbacks(
            progress=self._callbacks.progress,
            warning=self._callbacks.warning,
            finished=self._readBack,
            failed=lambda failure: self._end(lambda: self._callbacks.failed(failure)),
            cancelled=lambda: self._end(self._callbacks.cancelled),
        )
        assert self._folder is not None
        self._workerRun = self._means.client.submit(self._task, self._steps.payload(self._folder), callbacks)
        if not self.isActive:  # cancelled by whoever was told that it begins
            self._workerRun.cancel()

    def _readBack(self, result: dict[str, Any]) -> None:
        assert self._folder is not None

        def done() -> None:
            self._end(lambda: self._callbacks.done(result))

        steps = self._steps.read(self._folder, result)
        self._pumpRun = self._means.pump.run(steps, done, self._failedHere, self._reporter(READ_BACK))

    def _failedHere(self, error: Exception) -> None:
        """Something on this side of the worker, such as a full disk."""
        failure = failureOf(error, Path(self._means.temporaryFolder))
        self._end(lambda: self._callbacks.failed(failure))

    def _end(self, tell: Callable[[], None]) -> None:
        if self.isActive:
            self.isActive = False
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            tell()

    def _reporter(self, stage: str) -> Callable[[float], None]:
        return lambda fraction: self._callbacks.progress(stage, fraction, None)


def failureOf(error: Exception, folder: Path) -> WorkerFailure:
    """What to tell a user about an error on this side of the worker.

    Args:
        error: It.
        folder: Where temporary files go.
    """
    if isinstance(error, MedEnhanceError):
        return WorkerFailure(error.kind, error.message, error.hint)
    if isinstance(error, OSError):
        hint = _("Free some space in {folder}, or choose another temporary folder in Slicer's settings.")
        return WorkerFailure("disk-full", str(error), hint.format(folder=folder))
    return WorkerFailure("unexpected", str(error), _("Run it again; if that fails too, restart Slicer."))
