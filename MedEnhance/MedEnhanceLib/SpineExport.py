"""Writes a segmentation of a projection, as it is now, as a DICOM segmentation of its source, through the worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, TripSteps
from MedEnhanceLib.Provenance import dicomProvenance, provenanceOf
from MedEnhanceLib.SpineSegmentation import KINDS, isEdited, labelsOf
from MedEnhanceLib.VolumeBridge import ijkToRas
from MedEnhanceLib.VolumeFile import writeSteps
from MedEnhanceLib.WorkerClient import RunCallbacks

TASK, FILE_NAME = "export-segmentation", "segmentation.dcm"


def segmentationTrip(
    segmentationNode: Any, sourceFiles: Sequence[str], folder: Path, means: Means, callbacks: RunCallbacks
) -> FileTrip:
    """One export, to be started; where it does not come to its end, nothing is left in the folder.

    Args:
        segmentationNode: Of a run; whether somebody has edited it since is noted in the file.
        sourceFiles: DICOM files of the projection that was segmented.
        folder: New folder for the file.
        means: Worker, pump and folder for the files meanwhile.
        callbacks: Are told how it goes.

    Raises:
        MedEnhanceError: input-unsuitable: no segmentation of a run, its projection is gone, or it has other classes.
    """
    made = dicomProvenance(segmentationNode)
    image = provenanceOf(segmentationNode)["input"]
    if image is None:
        message = _("The projection of {name} is gone.").format(name=segmentationNode.GetName())
        raise MedEnhanceError("input-unsuitable", message, _("Load it again and apply again."))
    labels, matrix = labelsOf(segmentationNode, image), ijkToRas(image)

    def payload(temporary: Path) -> dict[str, Any]:
        return {
            "input": str(temporary / "labels.nrrd"),
            "output": str(folder / FILE_NAME),
            "source": list(sourceFiles),
            "kinds": list(KINDS),
            "provenance": {name: value for name, value in made.items() if name != "what"},
            "edited": isEdited(segmentationNode, labels),
        }

    steps = TripSteps(lambda temporary: writeSteps(labels, matrix, temporary / "labels.nrrd", None), payload)
    return FileTrip(TASK, steps, means, FileCallbacks.of(callbacks))
