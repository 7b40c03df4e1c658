"""Writes a result in the scene as a derived DICOM series, through the worker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from MedEnhanceLib.RoundTrip import Cancellable, Means, failureOf
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerRun

TASK = "export-dicom"
LONGEST_NAME = 60  # characters; file systems take 255 bytes, and a character may take 4


def newFolder(parent: Path, name: str) -> Path:
    """A folder below ``parent`` that does not exist yet, named after ``name``."""
    safe = "".join(c if c.isalnum() or c in "-_ " else "_" for c in name)[:LONGEST_NAME].strip() or "series"
    numbered = (parent / (safe if n == 1 else f"{safe} {n}") for n in range(1, 10_000))
    return next(folder for folder in numbered if not folder.exists())


class DicomExportJob:
    """One export; exactly one of the callbacks finished, failed and cancelled is called, once.

    Args:
        volumeNode: Result of a run.
        sourceFiles: DICOM files of the run's input.
        folder: New folder for the series.
        provenance: How the result came about, as the worker's task "export-dicom" takes it.
    """

    def __init__(
        self,
        volumeNode: Any,
        sourceFiles: Sequence[str],
        folder: Path,
        provenance: dict[str, Any],
        means: Means,
        callbacks: RunCallbacks,
    ) -> None:
        self._volumeNode, self._means, self._callbacks = volumeNode, means, callbacks
        self._temporary: Path | None = None
        self._payload = {
            "source": list(sourceFiles),
            "output": str(folder),
            "provenance": provenance,
        }
        self._pumpRun: Cancellable | None = None
        self._workerRun: WorkerRun | None = None
        self.isActive = False

    def start(self) -> None:
        """Begin; the callbacks tell the rest."""
        self.isActive = True
        self._pumpRun = self._means.pump.run(self._writeSteps(), self._send, self._failedHere)

    def cancel(self) -> None:
        """Stop; nothing is left in the folder."""
        if self._workerRun is not None and self._workerRun.isActive:
            self._workerRun.cancel()
        elif self.isActive:
            if self._pumpRun is not None:
                self._pumpRun.cancel()
            self._end(self._callbacks.cancelled)

    def wait(self) -> None:
        """Block until the export has ended, for callers with a pump that does not wait for an event loop."""
        while self.isActive and self._workerRun is not None:
            self._workerRun.wait(0.1)

    def _writeSteps(self) -> Iterator[float]:
        self._temporary = Path(tempfile.mkdtemp(prefix="medenhance-", dir=self._means.temporaryFolder))
        path = self._temporary / "input.nrrd"
        self._payload["input"] = str(path)
        yield from exportSteps(self._volumeNode, path)

    def _send(self) -> None:
        callbacks = RunCallbacks(
            progress=self._callbacks.progress,
            warning=self._callbacks.warning,
            finished=lambda result: self._end(lambda: self._callbacks.finished(result)),
            failed=lambda failure: self._end(lambda: self._callbacks.failed(failure)),
            cancelled=lambda: self._end(self._callbacks.cancelled),
        )
        self._workerRun = self._means.client.submit(TASK, self._payload, callbacks)

    def _failedHere(self, error: Exception) -> None:
        failure = failureOf(error, Path(self._means.temporaryFolder))
        self._end(lambda: self._callbacks.failed(failure))

    def _end(self, tell: Callable[[], None]) -> None:
        if self.isActive:
            self.isActive = False
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)
            tell()
