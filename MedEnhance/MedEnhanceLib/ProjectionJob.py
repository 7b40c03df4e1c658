"""A 3D ultrasound volume or a tracked recording of the back through the worker, and its projections into the scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, Steps, TripSteps
from MedEnhanceLib.OutputNodes import placeBeside
from MedEnhanceLib.SceneWatch import SceneWatch
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.VolumeJob import JobCallbacks, reraise, subjectHierarchy
from MedEnhanceLib.WorkerClient import WorkerFailure

TASK = "project-vpi"
_REGION = "region.mrk.json"
DEPTH_ROLE, DEPTH_MM = "MedEnhance.Depth", "MedEnhance.vpi.depth_mm"


def otherDepths(imageNode: Any) -> list[Any]:
    """The projections of the same volume at other depths, as far as they are still there."""
    count = imageNode.GetNumberOfNodeReferences(DEPTH_ROLE)
    nodes = [imageNode.GetNthNodeReference(DEPTH_ROLE, n) for n in range(count)]
    return [node for node in nodes if node is not None and node.GetImageData() is not None]


def writeRegion(regionNode: Any, volumeNode: Any, path: Path) -> None:
    """Write a ROI as Slicer does, in the frame that the volume is written in: without the volume's own transform.

    Args:
        regionNode: ROI.
        volumeNode: The volume; None for a recording, whose frame is the world.
        path: A .mrk.json file.
    """
    matrix, toFrame = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    frame = None if volumeNode is None else volumeNode.GetParentTransformNode()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(regionNode.GetParentTransformNode(), frame, toFrame)
    vtk.vtkMatrix4x4.Multiply4x4(toFrame, regionNode.GetObjectToNodeMatrix(), matrix)
    rotation = [matrix.GetElement(row, column) for row in range(3) for column in range(3)]
    center = [matrix.GetElement(row, 3) for row in range(3)]
    markup = {"type": "ROI", "coordinateSystem": "RAS", "center": center, "orientation": rotation}
    text = json.dumps({"markups": [{**markup, "size": list(regionNode.GetSize())}]})
    path.write_text(text, encoding="utf-8")


class ProjectionJob:
    """Projects one volume; exactly one of finished, failed and cancelled is called, once.

    `finished` gets the projections by "1", "2" ..., superficial first. Nothing in the scene changes before.

    Args:
        source: The volume's node, or the path of a tracked recording.
        options: Of the worker's task "project-vpi".
        means: Worker, pump and folder.
        callbacks: Are told how it goes.
        regionNode: ROI whose axes are the patient's right, front and head; None takes those of the options.
    """

    def __init__(
        self, source: Any, options: dict[str, Any], means: Means, callbacks: JobCallbacks, regionNode: Any = None
    ) -> None:
        self._volumeNode = None if isinstance(source, (str, Path)) else source
        self._recording = Path(source) if self._volumeNode is None else None
        self._options, self._means, self._callbacks, self._regionNode = options, means, callbacks, regionNode
        self._scene = slicer.mrmlScene if self._volumeNode is None else self._volumeNode.GetScene()
        self._watch = SceneWatch(self._scene, [self._volumeNode, regionNode], callbacks.warning, self.cancel)
        self._read: list[Any] = []
        self._isTelling = False
        told = FileCallbacks(callbacks.progress, callbacks.warning, self._publish, self._failed, self._cancelled)
        self._trip = FileTrip(TASK, TripSteps(self._write, self._payload, self._readBack), means, told)

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
        if self._regionNode is not None:
            writeRegion(self._regionNode, self._volumeNode, folder / _REGION)
        if self._volumeNode is not None:
            yield from exportSteps(self._volumeNode, folder / "input.nrrd", "US")

    def _payload(self, folder: Path) -> dict[str, Any]:
        options = self._options if self._regionNode is None else {**self._options, "roi": str(folder / _REGION)}
        source = self._recording or folder / "input.nrrd"
        return {"input": str(source), "output": str(folder / "projections"), "options": options}

    def _readBack(self, folder: Path, result: dict[str, Any]) -> Steps:
        for number, (name, depthMm) in enumerate(zip(result["files"], result["depths_mm"], strict=True), start=1):
            self._read.append(self._projection(folder / "projections" / name, number, depthMm))
            yield None

    def _projection(self, path: Path, number: int, depthMm: float) -> Any:
        """A projection as a node of no scene; read by Slicer itself, since it lies on a grid of its own."""
        node, storage = slicer.vtkMRMLScalarVolumeNode(), slicer.vtkMRMLNRRDStorageNode()
        storage.SetFileName(str(path))
        if not storage.ReadData(node):
            raise OSError(_("{path} cannot be read.").format(path=path))
        name = self._volumeNode.GetName() if self._recording is None else self._recording.name.split(".")[0]
        text = _("{name} depth {n} ({mm:.0f} mm)").format(name=name, n=number, mm=depthMm)
        node.SetName(self._scene.GenerateUniqueName(text))
        node.SetAttribute(DEPTH_MM, str(depthMm))
        return node

    def _publish(self, result: dict[str, Any]) -> None:
        """Give the projections to the scene, all at once."""
        self._watch.stop()
        nodes = {str(number): self._scene.AddNode(node) for number, node in enumerate(self._read, start=1)}
        for node in nodes.values():
            node.CreateDefaultDisplayNodes()
            if self._volumeNode is not None:
                node.SetAndObserveTransformNodeID(self._volumeNode.GetTransformNodeID())
                placeBeside(self._scene, subjectHierarchy(self._scene), self._volumeNode, node)
            for other in nodes.values():
                if other is not node:
                    node.AddNodeReferenceID(DEPTH_ROLE, other.GetID())
        # A turn of its own, as those who are told have work to do.
        self._isTelling = True
        self._means.pump.run(iter(()), lambda: self._tell(nodes, result), reraise)

    def _tell(self, nodes: dict[str, Any], result: dict[str, Any]) -> None:
        self._isTelling = False
        if all(node.GetScene() is self._scene for node in nodes.values()):
            self._callbacks.finished(nodes, result)
        else:  # deleted since
            self._callbacks.cancelled()

    def _failed(self, failure: WorkerFailure) -> None:
        self._watch.stop()
        self._callbacks.failed(failure)

    def _cancelled(self) -> None:
        self._watch.stop()
        self._callbacks.cancelled()
