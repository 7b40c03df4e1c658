"""Writes mask, measurements and key slices of a head CT as DICOM objects, through the worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, Steps, TripSteps
from MedEnhanceLib.VolumeBridge import exportSteps, ijkToRas
from MedEnhanceLib.VolumeFile import writeSteps
from MedEnhanceLib.WorkerClient import RunCallbacks

TASK = "export-hemorrhage"
OBJECTS = ("seg", "sr", "ko")


def exportTrip(
    volumeNode: Any,
    mask: Any,
    report: dict[str, Any],
    isEdited: bool,
    objects: Sequence[str],
    sourceFiles: Sequence[str],
    folder: Path,
    means: Means,
    callbacks: RunCallbacks,
) -> FileTrip:
    """One export, to be started; where it does not come to its end, nothing is left in the folder.

    Args:
        volumeNode: The scan.
        mask: (K, J, I) uint8 on its grid, as it is now.
        report: With the findings of this mask.
        isEdited: Whether a person has changed the mask.
        objects: Of `OBJECTS`.
        sourceFiles: DICOM files of the scan.
        folder: New folder for the objects.
        means: Worker, pump and folder for the files meanwhile.
        callbacks: Are told how it goes.
    """
    matrix = ijkToRas(volumeNode)

    def write(temporary: Path) -> Steps:
        yield from exportSteps(volumeNode, temporary / "input.nrrd")
        yield from writeSteps(mask, matrix, temporary / "mask.nrrd", None)

    def payload(temporary: Path) -> dict[str, Any]:
        files = {"input": str(temporary / "input.nrrd"), "mask": str(temporary / "mask.nrrd"), "output": str(folder)}
        said = {"report": report, "edited": isEdited, "objects": list(objects)}
        return {**files, **said, "source": list(sourceFiles)}

    told = FileCallbacks(
        callbacks.progress, callbacks.warning, callbacks.finished, callbacks.failed, callbacks.cancelled
    )
    return FileTrip(TASK, TripSteps(write, payload), means, told)
