"""A 3D ultrasound volume or a tracked recording of the back through the worker, and its projections into the scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from MedEnhanceLib.FileTrip import FileCallbacks, FileTrip, Means, Steps, TripSteps
from MedEnhanceLib.OutputNodes import placeBeside, subjectHierarchy
from MedEnhanceLib.SceneJob import JobCallbacks, SceneJob
from MedEnhanceLib.VolumeBridge import exportSteps

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


class ProjectionJob(SceneJob):
    """Projects one volume; `finished` gets the projections by "1", "2" ..., superficial first.

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
        scene = slicer.mrmlScene if self._volumeNode is None else self._volumeNode.GetScene()
        super().__init__(scene, [self._volumeNode, regionNode], means, callbacks)
        self._options, self._regionNode = options, regionNode
        self._read: list[Any] = []
        told = FileCallbacks(callbacks.progress, callbacks.warning, self._done, self._failed, self._cancelled)
        self._trip = FileTrip(TASK, TripSteps(self._write, self._payload, self._readBack), means, told)

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

    def _done(self, result: dict[str, Any]) -> None:
        self._conclude(self._publish, result)

    def _publish(self) -> dict[str, Any]:
        nodes = {str(number): self._scene.AddNode(node) for number, node in enumerate(self._read, start=1)}
        for node in nodes.values():
            node.CreateDefaultDisplayNodes()
            if self._volumeNode is not None:
                node.SetAndObserveTransformNodeID(self._volumeNode.GetTransformNodeID())
                placeBeside(self._scene, subjectHierarchy(self._scene), self._volumeNode, node)
            for other in nodes.values():
                if other is not node:
                    node.AddNodeReferenceID(DEPTH_ROLE, other.GetID())
        return nodes
