"""One volume out to a file, through a task of the worker, and back into memory. The scene is not touched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, Steps, TripSteps
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.VolumeFile import readSteps
from MedEnhanceLib.WorkerClient import WorkerFailure

REMOVED_BYTES = 1 << 25  # about 5 ms


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
        self._volumeNode, self._names, self._options = volumeNode, list(names), options
        self._arrays: dict[str, Any] = {}
        told = FileCallbacks(
            callbacks.progress,
            callbacks.warning,
            lambda result: callbacks.done(self._arrays, result),
            callbacks.failed,
            callbacks.cancelled,
        )
        self._trip = FileTrip(task, TripSteps(self._write, self._payload, self._read), means, told)

    @property
    def isActive(self) -> bool:
        """Its end has not been told yet."""
        return self._trip.isActive

    def start(self) -> None:
        """Begin; the callbacks tell the rest."""
        self._trip.start()

    def cancel(self) -> None:
        """Stop; `cancelled` is called within two seconds."""
        self._trip.cancel()

    def wait(self) -> None:
        """Block until the end, for callers whose pump does not wait for an event loop."""
        self._trip.wait()

    def _write(self, folder: Path) -> Steps:
        yield from exportSteps(self._volumeNode, folder / "input.nrrd", self._modality)
        for option, nodes in self._files.beside.items():
            for n, node in enumerate(nodes):
                yield from exportSteps(node, folder / f"{option}-{n}.nrrd", self._modality)

    def _payload(self, folder: Path) -> dict[str, Any]:
        beside = {
            option: [str(folder / f"{option}-{n}.nrrd") for n in range(len(nodes))]
            for option, nodes in self._files.beside.items()
        }
        given = {"input": str(folder / "input.nrrd")}
        if self._files.inFolder:
            return {**given, "output": str(folder / "folder"), "options": {**self._options, **beside}}
        paths = {name: str(self._fileOf(folder, name)) for name in self._names}
        return {**given, "output": paths.pop("output"), "options": {**self._options, **beside, **paths}}

    def _read(self, folder: Path, _result: dict[str, Any]) -> Steps:
        yield from removeSteps(folder / "input.nrrd")
        for name in self._names:
            self._arrays[name] = yield from readSteps(self._fileOf(folder, name))
            yield from removeSteps(self._fileOf(folder, name))

    def _fileOf(self, folder: Path, name: str) -> Path:
        """Of a volume of the result."""
        if name in self._files.inFolder:
            return folder / "folder" / self._files.inFolder[name]
        return folder / f"{name}.nrrd"


def removeSteps(path: Path) -> Iterator[None]:
    """Remove a file bit by bit: all of a large one at once takes the system longer than a frame of the window."""
    for size in range(path.stat().st_size - REMOVED_BYTES, 0, -REMOVED_BYTES):
        os.truncate(path, size)
        yield None
    path.unlink()
