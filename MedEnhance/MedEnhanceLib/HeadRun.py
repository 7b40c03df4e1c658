"""A head CT through the worker's task "detect-hemorrhage", and its mask into the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, Steps, TripSteps, failureOf
from MedEnhanceLib.HeadReport import isProcessed
from MedEnhanceLib.HeadSegmentation import addMask
from MedEnhanceLib.InputCheck import inputProblem
from MedEnhanceLib.MaskWatch import digest
from MedEnhanceLib.OutputNodes import nodesOfClass
from MedEnhanceLib.Provenance import PREFIX, provenanceOf, setProvenance
from MedEnhanceLib.SceneWatch import SceneWatch
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.VolumeFile import readSteps
from MedEnhanceLib.VolumeJob import JobCallbacks, reraise
from MedEnhanceLib.WorkerClient import WorkerFailure

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


class HeadJob:
    """Runs one scan; exactly one of finished, failed and cancelled is called, once.

    `finished` gets {"mask": segmentation}, or no node of a scan that was not processed. Nothing in the scene changes
    before.

    Args:
        volumeNode: The scan; not changed.
        options: Of the worker's task.
        means: Worker, pump and folder.
        callbacks: Are told how it goes.
    """

    def __init__(self, volumeNode: Any, options: dict[str, Any], means: Means, callbacks: JobCallbacks) -> None:
        self._volumeNode, self._options, self._means, self._callbacks = volumeNode, options, means, callbacks
        self._mask: Any = None
        self._isTelling = False
        self._watch = SceneWatch(volumeNode.GetScene(), [volumeNode], callbacks.warning, self.cancel)
        self._warnings: list[str] = []
        told = FileCallbacks(callbacks.progress, self._warnings.append, self._publish, self._failed, self._cancelled)
        self._trip = FileTrip(TASK, TripSteps(self._write, self._payload, self._read), means, told)

    @property
    def isActive(self) -> bool:
        """Its end has not been told yet."""
        return self._trip.isActive or self._isTelling

    def start(self) -> None:
        """Begin; the callbacks tell the rest."""
        self._watch.start()
        self._trip.start()

    def cancel(self) -> None:
        """Stop; `cancelled` is called within two seconds."""
        self._trip.cancel()

    def wait(self) -> None:
        """Block until the end, for callers whose pump does not wait for an event loop."""
        self._trip.wait()

    def _write(self, folder: Path) -> Steps:
        yield from exportSteps(self._volumeNode, folder / "input.nrrd")

    def _payload(self, folder: Path) -> dict[str, Any]:
        return {"input": str(folder / "input.nrrd"), "output": str(folder / "result"), "options": self._options}

    def _read(self, folder: Path, result: dict[str, Any]) -> Steps:
        if isProcessed(result["report"]):
            self._mask = yield from readSteps(folder / "result" / MASK)

    def _publish(self, result: dict[str, Any]) -> None:
        self._watch.stop()
        for text in self._warnings:
            if text not in result["report"]["warnings"]:  # those of the report are shown with its verdict
                self._callbacks.warning(text)
        try:
            nodes = publish(self._volumeNode, self._mask, result["report"])
        except Exception as error:  # such as a volume that has changed its size since
            self._callbacks.failed(failureOf(error, Path(self._means.temporaryFolder)))
            return
        # A turn of its own: those who are told have work to do, too.
        self._isTelling = True
        self._means.pump.run(iter(()), lambda: self._tell(nodes, result), reraise)

    def _tell(self, nodes: dict[str, Any], result: dict[str, Any]) -> None:
        self._isTelling = False
        scene = self._volumeNode.GetScene()
        if scene is not None and all(node.GetScene() is scene for node in nodes.values()):
            self._callbacks.finished(nodes, result)
        else:  # deleted since
            self._callbacks.cancelled()

    def _failed(self, failure: WorkerFailure) -> None:
        self._watch.stop()
        self._callbacks.failed(failure)

    def _cancelled(self) -> None:
        self._watch.stop()
        self._callbacks.cancelled()


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
