"""Measures a mask that somebody has edited, through the worker, on the scan that it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, Steps, TripSteps
from MedEnhanceLib.VolumeBridge import exportSteps, ijkToRas
from MedEnhanceLib.VolumeFile import writeSteps
from MedEnhanceLib.WorkerClient import RunCallbacks

TASK = "measure-hemorrhage"


def measureTrip(
    volumeNode: Any, mask: Any, report: dict[str, Any], sourceFiles: list[str], means: Means, callbacks: RunCallbacks
) -> FileTrip:
    """One measurement, to be started; its result has "report", with the findings of this mask.

    Args:
        volumeNode: The scan.
        mask: (K, J, I) uint8 on its grid.
        report: Of the run: its probabilities stay.
        sourceFiles: DICOM files of the scan, which know its slices better than the node; may be none.
        means: Worker, pump and folder.
        callbacks: Are told how it goes.
    """
    matrix = ijkToRas(volumeNode)

    def write(folder: Path) -> Steps:
        yield from exportSteps(volumeNode, folder / "input.nrrd")
        yield from writeSteps(mask, matrix, folder / "mask.nrrd", None)

    def payload(folder: Path) -> dict[str, Any]:
        files = {"input": str(folder / "input.nrrd"), "mask": str(folder / "mask.nrrd")}
        return {**files, "report": report, "source": sourceFiles}

    told = FileCallbacks(
        callbacks.progress, callbacks.warning, callbacks.finished, callbacks.failed, callbacks.cancelled
    )
    return FileTrip(TASK, TripSteps(write, payload), means, told)
