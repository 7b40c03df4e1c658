"""One volume out to a file, through a task of the worker, and back into memory. The scene is not touched."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.VolumeFile import readSteps
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerClient, WorkerFailure, WorkerRun

PREPARE, READ_BACK = "prepare", "show"
REMOVED_BYTES = 1 << 25  # about 5 ms


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


@dataclass(frozen=True)
class TripFiles:
    """What a task reads and writes beside one volume.

    Attributes:
        inFolder: For a task that writes a folder: the file in it that holds each volume of the result, by name.
        beside: Further volume nodes that the task reads, by the option that lists their files.
    """

    inFolder: dict[str, str] = field(default_factory=dict)
    beside: dict[str, list[Any]] = field(default_factory=dict)


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
        files: What else is read and written.

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
        files: TripFiles | None = None,
    ) -> None:
        self._modality, self._files = modality, files or TripFiles()
        self._volumeNode, self._task, self._names, self._options = volumeNode, task, list(names), options
        self._means, self._callbacks = means, callbacks
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
        self._pumpRun = self._means.pump.run(self._writeSteps(), self._send, self._failedHere, self._reporter(PREPARE))

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

    def _writeSteps(self) -> Iterator[float | None]:
        self._folder = Path(tempfile.mkdtemp(prefix="medenhance-", dir=self._means.temporaryFolder))
        yield from exportSteps(self._volumeNode, self._file("input"), self._modality)
        for option, nodes in self._files.beside.items():
            for n, node in enumerate(nodes):
                yield from exportSteps(node, self._file(f"{option}-{n}"), self._modality)

    def _send(self) -> None:
        payload = {"input": str(self._file("input")), **self._outputs()}
        callbacks = RunCallbacks(
            progress=self._callbacks.progress,
            warning=self._callbacks.warning,
            finished=self._readBack,
            failed=lambda failure: self._end(lambda: self._callbacks.failed(failure)),
            cancelled=lambda: self._end(self._callbacks.cancelled),
        )
        self._workerRun = self._means.client.submit(self._task, payload, callbacks)
        if not self.isActive:  # cancelled by whoever was told that it begins
            self._workerRun.cancel()

    def _outputs(self) -> dict[str, Any]:
        """What the request says of files beside the input."""
        beside = {
            option: [str(self._file(f"{option}-{n}")) for n in range(len(nodes))]
            for option, nodes in self._files.beside.items()
        }
        if self._files.inFolder:
            return {"output": str(self._file("folder").with_suffix("")), "options": {**self._options, **beside}}
        paths = {name: str(self._file(name)) for name in self._names}
        return {"output": paths.pop("output"), "options": {**self._options, **beside, **paths}}

    def _readBack(self, result: dict[str, Any]) -> None:
        arrays: dict[str, Any] = {}

        def done() -> None:
            self._end(lambda: self._callbacks.done(arrays, result))

        steps = self._readSteps(arrays)
        self._pumpRun = self._means.pump.run(steps, done, self._failedHere, self._reporter(READ_BACK))

    def _readSteps(self, arrays: dict[str, Any]) -> Iterator[float | None]:
        yield from removeSteps(self._file("input"))
        for name in self._names:
            arrays[name] = yield from readSteps(self._file(name))
            yield from removeSteps(self._file(name))

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

    def _file(self, name: str) -> Path:
        assert self._folder is not None
        if name in self._files.inFolder:
            return self._folder / "folder" / self._files.inFolder[name]
        return self._folder / f"{name}.nrrd"


def removeSteps(path: Path) -> Iterator[None]:
    """Remove a file bit by bit: all of a large one at once takes the system longer than a frame of the window."""
    for size in range(path.stat().st_size - REMOVED_BYTES, 0, -REMOVED_BYTES):
        os.truncate(path, size)
        yield None
    path.unlink()


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
