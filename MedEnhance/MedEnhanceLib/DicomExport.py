"""Writes a result in the scene as a derived DICOM series, through the worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, TripSteps
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.WorkerClient import RunCallbacks

TASK = "export-dicom"
LONGEST_NAME = 60  # characters; file systems take 255 bytes, and a character may take 4


def newFolder(parent: Path, name: str) -> Path:
    """A folder below ``parent`` that does not exist yet, named after ``name``."""
    safe = "".join(c if c.isalnum() or c in "-_ " else "_" for c in name)[:LONGEST_NAME].strip() or "series"
    numbered = (parent / (safe if n == 1 else f"{safe} {n}") for n in range(1, 10_000))
    return next(folder for folder in numbered if not folder.exists())


def dicomExport(
    volumeNode: Any,
    sourceFiles: Sequence[str],
    folder: Path,
    provenance: dict[str, Any],
    means: Means,
    callbacks: RunCallbacks,
) -> FileTrip:
    """One export, to be started; where it does not come to its end, nothing is left in the folder.

    Args:
        volumeNode: Result of a run.
        sourceFiles: DICOM files of the run's input.
        folder: New folder for the series.
        provenance: How the result came about, as the worker's task "export-dicom" takes it.
        means: Worker, pump and folder.
        callbacks: Are told how it goes.
    """

    def payload(temporary: Path) -> dict[str, Any]:
        given = {"input": str(temporary / "input.nrrd"), "source": list(sourceFiles)}
        return {**given, "output": str(folder), "provenance": provenance}

    steps = TripSteps(lambda temporary: exportSteps(volumeNode, temporary / "input.nrrd"), payload)
    return FileTrip(TASK, steps, means, FileCallbacks.of(callbacks))
