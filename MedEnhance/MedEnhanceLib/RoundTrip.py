"""One volume out to a file, through a task of the worker, and back into memory. The scene is not touched."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.VolumeFile import readSteps
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerClient, WorkerFailure, WorkerRun

PREPARE, READ_BACK = "prepare", "show"


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


@dataclass
class TripCallbacks:
    """What a round trip tells; exactly one of the last three is called, once, on the main thread.

    Attributes:
        progress: Stage, fraction of it in [0, 1], seconds left or None.
        warning: Something that the user should know.
        done: (K, J, I) arrays by result name, and the worker's result.
        failed: What happened and what to do.
        cancelled: As asked for.
    """

    progress: Callable[[str, float, float | None], None]
    warning: Callable[[str], None]
    done: Callable[[dict[str, Any], dict[str, Any]], None]
    failed: Callable[[WorkerFailure], None]
    cancelled: Callable[[], None]


class RoundTrip:
    """Does one volume.

    Args:
        volumeNode: The input.
        task: Task of the worker, such as "denoise-ct".
        names: Volumes of the result: "output", and options of the task that name further ones, such as "residual".
        options: The request's other options.
        means: Worker, pump and folder.
        callbacks: Are told how it goes.
        modality: DICOM modality, where the node itself does not tell.

    Attributes:
        isActive: Its end has not been told yet.
    """

    def __init__(
        self,
        volumeNode: Any,
        task: str,
        names: Iterable[str],
        options: dict[str, Any],
        means: Means,
        callbacks: TripCallbacks,
        modality: str | None = None,
    ) -> None:
        self._modality = modality
        self._volumeNode, self._task, self._names, self._options = volumeNode, task, list(names), options
        self._means, self._callbacks = means, callbacks
        self._folder = Path(tempfile.mkdtemp(prefix="medenhance-", dir=means.temporaryFolder))
        self._pumpRun: Cancellable | None = None
        self._workerRun: WorkerRun | None = None
        self.isActive = False

    def start(self) -> None:
        """Begin; the callbacks tell the rest."""
        self.isActive = True
        self._callbacks.progress(PREPARE, 0.0, None)
        steps = exportSteps(self._volumeNode, self._file("input"), self._modality)
        self._pumpRun = self._means.pump.run(steps, self._send, self._failedHere, self._reporter(PREPARE))

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

    def _send(self) -> None:
        paths = {name: str(self._file(name)) for name in self._names}
        output = paths.pop("output")
        payload = {"input": str(self._file("input")), "output": output, "options": {**self._options, **paths}}
        callbacks = RunCallbacks(
            progress=self._callbacks.progress,
            warning=self._callbacks.warning,
            finished=self._readBack,
            failed=lambda failure: self._end(lambda: self._callbacks.failed(failure)),
            cancelled=lambda: self._end(self._callbacks.cancelled),
        )
        self._workerRun = self._means.client.submit(self._task, payload, callbacks)

    def _readBack(self, result: dict[str, Any]) -> None:
        arrays: dict[str, Any] = {}

        def done() -> None:
            self._end(lambda: self._callbacks.done(arrays, result))

        steps = self._readSteps(arrays)
        self._pumpRun = self._means.pump.run(steps, done, self._failedHere, self._reporter(READ_BACK))

    def _readSteps(self, arrays: dict[str, Any]) -> Iterator[float | None]:
        for name in self._names:
            arrays[name] = yield from readSteps(self._file(name))

    def _failedHere(self, error: Exception) -> None:
        """Something on this side of the worker, such as a full disk."""
        failure = failureOf(error, self._folder.parent)
        self._end(lambda: self._callbacks.failed(failure))

    def _end(self, tell: Callable[[], None]) -> None:
        if self.isActive:
            self.isActive = False
            shutil.rmtree(self._folder, ignore_errors=True)
            tell()

    def _reporter(self, stage: str) -> Callable[[float], None]:
        return lambda fraction: self._callbacks.progress(stage, fraction, None)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.nrrd"


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
