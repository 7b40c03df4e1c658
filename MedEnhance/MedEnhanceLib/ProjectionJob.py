"""A 3D ultrasound volume of the back through the worker, and its coronal projections into the scene."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedEnhanceLib.OutputNodes import placeBeside
from MedEnhanceLib.RoundTrip import Cancellable, Means, failureOf
from MedEnhanceLib.SceneWatch import SceneWatch
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.VolumeJob import JobCallbacks, reraise, subjectHierarchy
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerFailure, WorkerRun

TASK = "project-vpi"
DEPTH_ROLE, DEPTH_MM = "MedEnhance.Depth", "MedEnhance.vpi.depth_mm"


def otherDepths(imageNode: Any) -> list[Any]:
    """The projections of the same volume at other depths, as far as they are still there."""
    count = imageNode.GetNumberOfNodeReferences(DEPTH_ROLE)
    nodes = [imageNode.GetNthNodeReference(DEPTH_ROLE, n) for n in range(count)]
    return [node for node in nodes if node is not None and node.GetImageData() is not None]


class ProjectionJob:
    """Projects one volume; exactly one of finished, failed and cancelled is called, once.

    `finished` gets the projections by "1", "2" ..., superficial first. Nothing in the scene changes before.

    Args:
        volumeNode: The volume.
        options: Of the worker's task "project-vpi".
    """

    def __init__(self, volumeNode: Any, options: dict[str, Any], means: Means, callbacks: JobCallbacks) -> None:
        self._volumeNode, self._options, self._means, self._callbacks = volumeNode, options, means, callbacks
        self._scene = volumeNode.GetScene()
        self._watch = SceneWatch(self._scene, [volumeNode], callbacks.warning, self.cancel)
        self._folder: Path | None = None
        self._pumpRun: Cancellable | None = None
        self._workerRun: WorkerRun | None = None
        self.isActive = False

    def start(self) -> None:
        """Begin; the callbacks tell the rest."""
        self.isActive = True
        self._watch.start()
        self._pumpRun = self._means.pump.run(self._writeSteps(), self._send, self._failedHere)

    def cancel(self) -> None:
        """Stop; `cancelled` is called within two seconds."""
        if self._workerRun is not None and self._workerRun.isActive:
            self._workerRun.cancel()
        elif self.isActive:
            if self._pumpRun is not None:
                self._pumpRun.cancel()
            self._end(self._callbacks.cancelled)

    def wait(self) -> None:
        """Block until the end, for callers whose pump does not wait for an event loop."""
        while self.isActive and self._workerRun is not None:
            self._workerRun.wait(0.1)

    def _writeSteps(self) -> Iterator[float]:
        self._folder = Path(tempfile.mkdtemp(prefix="medenhance-", dir=self._means.temporaryFolder))
        yield from exportSteps(self._volumeNode, self._folder / "input.nrrd", "US")

    def _send(self) -> None:
        assert self._folder is not None
        payload = {
            "input": str(self._folder / "input.nrrd"),
            "output": str(self._folder / "projections"),
            "options": self._options,
        }
        callbacks = RunCallbacks(
            progress=self._callbacks.progress,
            warning=self._callbacks.warning,
            finished=self._publish,
            failed=self._failed,
            cancelled=lambda: self._end(self._callbacks.cancelled),
        )
        self._workerRun = self._means.client.submit(TASK, payload, callbacks)

    def _publish(self, result: dict[str, Any]) -> None:
        assert self._folder is not None
        nodes: dict[str, Any] = {}
        try:
            for number, (name, depthMm) in enumerate(zip(result["files"], result["depths_mm"], strict=True), start=1):
                nodes[str(number)] = self._load(self._folder / "projections" / name, number, depthMm)
        except Exception as error:
            for node in nodes.values():
                self._scene.RemoveNode(node)
            self._failedHere(error)
            return
        for node in nodes.values():
            for other in nodes.values():
                if other is not node:
                    node.AddNodeReferenceID(DEPTH_ROLE, other.GetID())
        # A turn of its own, as those who are told have work to do.
        self._means.pump.run(iter(()), lambda: self._end(lambda: self._callbacks.finished(nodes, result)), reraise)

    def _load(self, path: Path, number: int, depthMm: float) -> Any:
        """A projection as a node; read by Slicer itself, since it lies on a grid of its own."""
        text = _("{name} depth {n} ({mm:.0f} mm)").format(name=self._volumeNode.GetName(), n=number, mm=depthMm)
        node = self._scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", self._scene.GenerateUniqueName(text))
        storage = slicer.vtkMRMLNRRDStorageNode()
        storage.SetFileName(str(path))
        if not storage.ReadData(node):
            self._scene.RemoveNode(node)
            raise OSError(_("{path} cannot be read.").format(path=path))
        node.SetAttribute(DEPTH_MM, str(depthMm))
        node.SetAndObserveTransformNodeID(self._volumeNode.GetTransformNodeID())
        node.CreateDefaultDisplayNodes()
        placeBeside(self._scene, subjectHierarchy(self._scene), self._volumeNode, node)
        return node

    def _failedHere(self, error: Exception) -> None:
        self._failed(failureOf(error, Path(self._means.temporaryFolder)))

    def _failed(self, failure: WorkerFailure) -> None:
        self._end(lambda: self._callbacks.failed(failure))

    def _end(self, tell: Any) -> None:
        if self.isActive:
            self.isActive = False
            self._watch.stop()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            tell()
