"""A head CT through the worker's task "detect-hemorrhage", and its mask into the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, Steps, TripSteps
from MedEnhanceLib.HeadReport import isProcessed
from MedEnhanceLib.HeadSegmentation import addMask
from MedEnhanceLib.InputCheck import inputProblem
from MedEnhanceLib.MaskWatch import digest
from MedEnhanceLib.OutputNodes import nodesOfClass
from MedEnhanceLib.Provenance import PREFIX, provenanceOf, setProvenance
from MedEnhanceLib.SceneJob import JobCallbacks, SceneJob
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.VolumeFile import readSteps

TASK = "detect-hemorrhage"
MASK, WHAT = "mask.nrrd", "hemorrhage"
DIGEST = PREFIX + "MaskDigest"

# Any spacing and any value: the worker's acceptance checks look at those, and say more than a refusal here could.
_ACCEPTED = {
    "modality": "CT",
    "spacing_mm": (0.0, float("inf")),
    "slice_spacing_mm": (0.0, float("inf")),
    "value_range": (-float("inf"), float("inf")),
}


class HeadJob(SceneJob):
    """Runs one scan.

    `finished` gets {"mask": segmentation}, or no node of a scan that was not processed.

    Args:
        volumeNode: The scan; not changed.
        options: Of the worker's task.
        means: Worker, pump and folder.
        callbacks: Are told how it goes.
    """

    def __init__(self, volumeNode: Any, options: dict[str, Any], means: Means, callbacks: JobCallbacks) -> None:
        super().__init__(volumeNode.GetScene(), [volumeNode], means, callbacks)
        self._volumeNode, self._options = volumeNode, options
        self._mask: Any = None
        self._warnings: list[str] = []
        told = FileCallbacks(callbacks.progress, self._warnings.append, self._done, self._failed, self._cancelled)
        self._trip = FileTrip(TASK, TripSteps(self._write, self._payload, self._read), means, told)

    def _write(self, folder: Path) -> Steps:
        yield from exportSteps(self._volumeNode, folder / "input.nrrd")

    def _payload(self, folder: Path) -> dict[str, Any]:
        return {"input": str(folder / "input.nrrd"), "output": str(folder / "result"), "options": self._options}

    def _read(self, folder: Path, result: dict[str, Any]) -> Steps:
        if isProcessed(result["report"]):
            self._mask = yield from readSteps(folder / "result" / MASK)

    def _done(self, result: dict[str, Any]) -> None:
        for text in self._warnings:
            if text not in result["report"]["warnings"]:  # those of the report are shown with its verdict
                self._callbacks.warning(text)
        self._conclude(lambda: publish(self._volumeNode, self._mask, result["report"]), result)


def scanProblem(volumeNode: Any) -> str:
    """Why a volume cannot even be handed over as a head CT; empty when it can."""
    if volumeNode is None:
        return _("Select a head CT first.")
    return inputProblem(volumeNode, _ACCEPTED)


def publish(volumeNode: Any, mask: Any, report: dict[str, Any]) -> dict[str, Any]:
    """Put the mask of a report into the scene, beside its scan; nothing for one that was not processed.

    Raises:
        ValueError: The mask does not fit the volume.
    """
    if not isProcessed(report):
        return {}
    shape = volumeNode.GetImageData().GetDimensions()[::-1]
    if mask.shape != shape:
        raise ValueError(f"a mask of shape {mask.shape} does not fit {volumeNode.GetName()} of shape {shape}")
    name = _("{name} suspected haemorrhage").format(name=volumeNode.GetName())
    node = addMask(volumeNode.GetScene(), volumeNode, mask, name)
    setProvenance(node, {**report, "run": report["findings"]["run"]}, volumeNode, WHAT)
    node.SetAttribute(DIGEST, digest(mask))
    return {"mask": node}


def latestMask(volumeNode: Any) -> Any:
    """The newest mask of a scan in its scene; None where there is none."""
    if volumeNode is None:
        return None
    masks = nodesOfClass(volumeNode.GetScene(), "vtkMRMLSegmentationNode")
    return next((node for node in reversed(masks) if reportOf(node, volumeNode) is not None), None)


def cleanReport(report: dict[str, Any]) -> dict[str, Any]:
    """A report as the worker gave it, without what was added for the provenance of a node."""
    return {key: value for key, value in report.items() if key != "run"}


def reportOf(segmentationNode: Any, volumeNode: Any) -> dict[str, Any] | None:
    """The report of a mask; None for one of another scan, of another patient perhaps."""
    provenance = provenanceOf(segmentationNode)
    if provenance is None or volumeNode is None or provenance["input"] is not volumeNode:
        return None
    return provenance["report"] if provenance["what"] == WHAT else None
