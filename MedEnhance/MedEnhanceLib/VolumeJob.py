"""One volume through the worker and into nodes of the scene.

Nothing in the scene changes before the whole result is there, so a job that is cancelled or fails leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slicer

from MedEnhanceLib.FileTrip import Means, failureOf
from MedEnhanceLib.OutputNodes import copyDisplay, newOutputNode, placeBeside
from MedEnhanceLib.Provenance import setProvenance
from MedEnhanceLib.RoundTrip import RoundTrip, TripCallbacks, TripFiles
from MedEnhanceLib.SceneWatch import SceneWatch
from MedEnhanceLib.VolumeBridge import fillNode, releaseSteps
from MedEnhanceLib.WorkerClient import WorkerFailure

REMOVED = "removed"


@dataclass
class Target:
    """Where one result goes.

    Attributes:
        node: Existing node to fill; None makes a new one beside the input.
        suffix: What a new node's name ends with.
        what: What `Provenance` calls it; "removed" is a difference, whose values lie around 0.
        className: Of a new node; empty for that of the input. A label map keeps its own colours.
    """

    node: Any = None
    suffix: str = ""
    what: str = "denoised"
    className: str = ""


@dataclass
class JobCallbacks:
    """What a job tells; exactly one of the last three is called, once, on the main thread.

    Attributes:
        progress: Stage, fraction of it in [0, 1], seconds left or None.
        warning: Something that the user should know.
        finished: Nodes by result name, and the worker's result.
        failed: What happened and what to do.
        cancelled: The scene is as it was.
    """

    progress: Callable[[str, float, float | None], None] = lambda *_: None
    warning: Callable[[str], None] = lambda *_: None
    finished: Callable[[dict[str, Any], dict[str, Any]], None] = lambda *_: None
    failed: Callable[[WorkerFailure], None] = lambda *_: None
    cancelled: Callable[[], None] = lambda: None


@dataclass
class JobRequest:
    """What to do.

    Attributes:
        task: Task of the worker, such as "denoise-ct".
        inputNode: The volume.
        targets: Where each volume of the result goes; "output" is always among them.
        options: The request's options.
        files: What the task reads and writes beside the input.
    """

    task: str
    inputNode: Any
    targets: dict[str, Target]
    options: dict[str, Any] = field(default_factory=dict)
    files: TripFiles = field(default_factory=TripFiles)


class VolumeJob:
    """Runs one `JobRequest`."""

    def __init__(self, request: JobRequest, means: Means, callbacks: JobCallbacks) -> None:
        self._request, self._means, self._callbacks = request, means, callbacks
        self._scene = request.inputNode.GetScene()
        self._isTelling = False
        needed = [request.inputNode, *(target.node for target in request.targets.values())]
        self._watch = SceneWatch(self._scene, needed, callbacks.warning, self.cancel)
        told = TripCallbacks(callbacks.progress, callbacks.warning, self._publish, self._failed, self._cancelled)
        self._trip = RoundTrip(
            request.inputNode, request.task, request.targets, request.options, means, told, files=request.files
        )

    @property
    def isActive(self) -> bool:
        """Its end has not been told yet."""
        return self._trip.isActive or self._isTelling

    def start(self) -> None:
        """Begin; the callbacks tell the rest."""
        self._watch.start()
        self._trip.start()

    def cancel(self) -> None:
        """Stop; `cancelled` is called within two seconds, whatever the job is doing."""
        self._trip.cancel()

    def wait(self) -> None:
        """Block until the job has ended, for callers whose pump does not wait for an event loop."""
        self._trip.wait()

    def _publish(self, arrays: dict[str, Any], result: dict[str, Any]) -> None:
        """Give the results to the scene, all at once."""
        self._watch.stop()
        nodes: dict[str, Any] = {}
        try:
            for name, target in self._request.targets.items():
                nodes[name] = target.node or self._newNode(target)
                self._fill(nodes[name], arrays.pop(name), target, result)
        except Exception as error:  # such as an input that has changed its size since
            self._removeNew(nodes)
            self._callbacks.failed(failureOf(error, Path(self._means.temporaryFolder)))
            return
        # A turn of its own: those who are told have work to do, too.
        self._isTelling = True
        self._means.pump.run(iter(()), lambda: self._tell(nodes, result), reraise)

    def _tell(self, nodes: dict[str, Any], result: dict[str, Any]) -> None:
        self._isTelling = False
        if all(node.GetScene() is self._scene for node in nodes.values()):
            self._callbacks.finished(nodes, result)
        else:  # deleted since
            self._callbacks.cancelled()

    def _fill(self, node: Any, array: Any, target: Target, result: dict[str, Any]) -> None:
        inputNode = self._request.inputNode
        before = fillNode(array, inputNode, node)
        setProvenance(node, result["report"], inputNode, target.what)
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            node.CreateDefaultDisplayNodes()
        else:
            copyDisplay(inputNode, node, symmetricAroundZero=target.what == REMOVED)
        if target.node is None:
            placeBeside(self._scene, subjectHierarchy(self._scene), inputNode, node)
        self._means.pump.run(releaseSteps(before), lambda: None, lambda _error: None)

    def _newNode(self, target: Target) -> Any:
        return newOutputNode(self._scene, self._request.inputNode, target.suffix, target.className)

    def _removeNew(self, nodes: dict[str, Any]) -> None:
        for name, node in nodes.items():
            if self._request.targets[name].node is None:
                self._scene.RemoveNode(node)

    def _failed(self, failure: WorkerFailure) -> None:
        self._watch.stop()
        self._callbacks.failed(failure)

    def _cancelled(self) -> None:
        self._watch.stop()
        self._callbacks.cancelled()


def reraise(error: Exception) -> None:
    """Let an error of those who are told go on to whoever called, who reports it."""
    raise error


def subjectHierarchy(scene: Any) -> Any:
    """The scene's subject hierarchy node."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
