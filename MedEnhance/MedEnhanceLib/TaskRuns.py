"""What the logic of every module for a task has: its worker, its models, and one run at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import slicer

from medenhance.manifest import ModelEntry, load_manifest
from MedEnhanceLib.BlockingRun import Job, resultOf, runBlocking
from MedEnhanceLib.DicomExport import dicomExport
from MedEnhanceLib.FileTrip import Means
from MedEnhanceLib.Provenance import dicomProvenance
from MedEnhanceLib.SceneJob import JobCallbacks
from MedEnhanceLib.WorkerClient import RunCallbacks
from MedEnhanceLib.WorkerSession import WorkerSession


class TaskRuns:
    """Runs in a worker of their own.

    Args:
        task: Of the worker, such as "denoise-ct".

    Attributes:
        task: See above.
        session: The worker.
    """

    def __init__(self, task: str) -> None:
        self.task, self.session = task, WorkerSession()
        self._job: Job | None = None

    def models(self) -> dict[str, ModelEntry]:
        """The models for the task that are part of MedEnhance, by id."""
        return {name: entry for name, entry in load_manifest().items() if entry.task == self.task}

    def entryOf(self, modelId: str | None) -> ModelEntry | None:
        """Such a model; the default one where none is named, and None where there is none."""
        if modelId:
            return self.models().get(modelId)
        return next((entry for entry in self.models().values() if entry.default), None)

    def options(self, modelId: str | None, device: str = "auto") -> dict[str, Any]:
        """Options that every request of the task has.

        Args:
            modelId: None or empty for the default model.
            device: "auto" for that of the user's settings.
        """
        settings = self.session.settings()
        return {
            "model": modelId or None,
            "device": settings.device if device == "auto" else device,
            "precision": settings.precision,
        }

    def start(self, make: Callable[[Means], Job]) -> None:
        """Make a job and start it; its own callbacks tell how it goes."""
        assert not self.isRunning, "one run at a time"
        self._job = make(self.session.means)
        self._job.start()

    def wait(self, make: Callable[[Means, JobCallbacks], Job]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Do a job and wait for it.

        Returns:
            Nodes by name, and the worker's result.

        Raises:
            MedEnhanceError: It failed or was cancelled; the scene is as it was.
        """
        return runBlocking(make, self.session.client, slicer.app.temporaryPath)

    def result(self, make: Callable[[Means, RunCallbacks], Job]) -> dict[str, Any]:
        """Do a job that makes no nodes and wait for the worker's result.

        Raises:
            MedEnhanceError: It failed or was cancelled.
        """
        return resultOf(make, self.session.client, slicer.app.temporaryPath)

    @property
    def isRunning(self) -> bool:
        """Whether a run that `start` began goes on."""
        return self._job is not None and self._job.isActive

    def cancel(self) -> None:
        """Stop the run that `start` began; its `cancelled` is called within two seconds."""
        if self._job is not None:
            self._job.cancel()

    def exportDicom(
        self, volumeNode: Any, sourceFiles: Sequence[str], folder: str | Path, callbacks: RunCallbacks
    ) -> None:
        """Write the result of a run as a derived DICOM series, without waiting.

        Args:
            volumeNode: The result.
            sourceFiles: DICOM files of the run's input, such as `dicomFilesOf` finds them.
            folder: New or empty folder.
            callbacks: Called on the main thread.

        Raises:
            MedEnhanceError: The volume is no result of a run.
        """
        provenance = dicomProvenance(volumeNode)
        self.start(lambda means: dicomExport(volumeNode, sourceFiles, Path(folder), provenance, means, callbacks))
