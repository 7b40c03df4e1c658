"""Angles of segmentations that a person has edited, through the worker; no network runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, Steps, TripSteps
from MedEnhanceLib.OutputNodes import nodesOfClass
from MedEnhanceLib.Provenance import provenanceOf, setProvenance
from MedEnhanceLib.SpineRun import drawCurves
from MedEnhanceLib.SpineSegmentation import SEGMENTED, labelsOf
from MedEnhanceLib.VolumeBridge import ijkToRas
from MedEnhanceLib.VolumeFile import writeSteps
from MedEnhanceLib.WorkerClient import RunCallbacks

if TYPE_CHECKING:
    import numpy as np

TASK = "measure-uca"
ORIGINAL, ENHANCED = "original", "enhanced"


def resultOf(imageNode: Any, outputNode: Any = None) -> Any:
    """The node whose report belongs to a projection: the enhanced image, else a segmentation; None without a run.

    Args:
        imageNode: The original, or None.
        outputNode: The enhanced image, or None.
    """
    if imageNode is None:
        return None
    segmentations = nodesOfClass(imageNode.GetScene(), "vtkMRMLSegmentationNode")
    for node in (outputNode, *reversed(segmentations)):
        provenance = provenanceOf(node)
        if provenance is not None and provenance["input"] is imageNode and provenance["report"] is not None:
            return node
    return None


def reportOf(imageNode: Any) -> dict[str, Any]:
    """The report of the newest segmentation of a projection.

    Raises:
        MedEnhanceError: input-unsuitable: nothing was segmented.
    """
    provenance = provenanceOf(resultOf(imageNode))
    if provenance is None:
        message = _("There is no segmentation of {name}.").format(name=imageNode.GetName())
        raise MedEnhanceError("input-unsuitable", message, _("Segment it first."))
    return provenance["report"]


def segmentationsOf(imageNode: Any) -> dict[str, Any]:
    """The newest segmentations of a projection: "original" and "enhanced", as far as there are."""
    found = {}
    for node in nodesOfClass(imageNode.GetScene(), "vtkMRMLSegmentationNode"):
        provenance = provenanceOf(node)
        if provenance is not None and provenance["input"] is imageNode and node.GetAttribute(SEGMENTED):
            found[node.GetAttribute(SEGMENTED)] = node
    return found


def labelsToMeasure(imageNode: Any, report: dict[str, Any]) -> dict[str, np.ndarray]:
    """What the segmentations of a projection hold now: (1, R, C) uint8 for "original" and perhaps "enhanced".

    Raises:
        MedEnhanceError: input-unsuitable: there is no segmentation of the original, or no pixel size.
    """
    nodes = segmentationsOf(imageNode)
    if ORIGINAL not in nodes:
        message = _("There is no segmentation of {name}.").format(name=imageNode.GetName())
        raise MedEnhanceError("input-unsuitable", message, _("Segment it first."))
    if report["spacing_mm"] is None:
        message = _("The pixel size of {name} is not known.").format(name=imageNode.GetName())
        raise MedEnhanceError("input-unsuitable", message, _("Enter it and apply again."))
    return {name: labelsOf(node, imageNode) for name, node in nodes.items()}


def measureTrip(
    imageNode: Any,
    labels: dict[str, np.ndarray],
    report: dict[str, Any],
    thoracicEnd: str,
    means: Means,
    callbacks: RunCallbacks,
) -> FileTrip:
    """One measurement, to be started; its result has "report", as `remeasured` takes it.

    Args:
        imageNode: The original projection.
        labels: Of `labelsToMeasure`.
        report: Of the run.
        thoracicEnd: "T12" or "T11".
        means: Worker, pump and folder.
        callbacks: Are told how it goes.
    """
    matrix = ijkToRas(imageNode)

    def write(folder: Path) -> Steps:
        for name, array in labels.items():
            yield from writeSteps(array, matrix, folder / f"{name}.nrrd", None)

    def payload(folder: Path) -> dict[str, Any]:
        options: dict[str, Any] = {"spacing_mm": report["spacing_mm"], "thoracic_end": thoracicEnd}
        if ENHANCED in labels:
            options["enhanced"] = str(folder / f"{ENHANCED}.nrrd")
        return {"input": str(folder / f"{ORIGINAL}.nrrd"), "options": options}

    return FileTrip(TASK, TripSteps(write, payload), means, FileCallbacks.of(callbacks))


def publishMeasured(imageNode: Any, report: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """Note a later measurement on all results of a run, and draw its lines in place of the earlier ones.

    Args:
        imageNode: The original projection.
        report: Of the run.
        measured: Of "measure-uca".

    Returns:
        The new report.
    """
    new = remeasured(report, measured)
    for className in ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode"):
        for node in nodesOfClass(imageNode.GetScene(), className):
            provenance = provenanceOf(node)
            if provenance is not None and provenance["input"] is imageNode and provenance["report"] == report:
                setProvenance(node, new, imageNode, provenance["what"])
    drawCurves(imageNode, new)
    return new


def remeasured(report: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """The report of a run with the angles of a later measurement in place of its own.

    Args:
        report: Of "enhance-spine".
        measured: Of "measure-uca".
    """
    warning = _("Measured again, on the segmentations as they were edited. What else stands here is of the run itself.")
    warnings = [warning, *(text for text in report["warnings"] if text != warning)]
    angles = {name: measured[name] for name in ("original", "enhanced", "pairs")}
    # Where lines lie in the patient, and what no depth shows, is only known of the network's own labels.
    return {**report, **angles, "lines_lps_mm": None, "doubtful_levels": [], "edited": True, "warnings": warnings}
