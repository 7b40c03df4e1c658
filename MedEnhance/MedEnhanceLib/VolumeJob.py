"""One volume through the worker and into nodes of the scene."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from MedEnhanceLib.FileTrip import Means
from MedEnhanceLib.OutputNodes import copyDisplay, newOutputNode, placeBeside, subjectHierarchy
from MedEnhanceLib.Provenance import setProvenance
from MedEnhanceLib.RoundTrip import RoundTrip, TripCallbacks, TripFiles
from MedEnhanceLib.SceneJob import JobCallbacks, SceneJob
from MedEnhanceLib.VolumeBridge import fillNode, releaseSteps

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


class VolumeJob(SceneJob):
    """Runs one `JobRequest`."""

    def __init__(self, request: JobRequest, means: Means, callbacks: JobCallbacks) -> None:
        needed = [request.inputNode, *(target.node for target in request.targets.values())]
        super().__init__(request.inputNode.GetScene(), needed, means, callbacks)
        self._request = request
        told = TripCallbacks(callbacks.progress, callbacks.warning, self._done, self._failed, self._cancelled)
        self._trip = RoundTrip(
            request.inputNode, request.task, request.targets, request.options, means, told, files=request.files
        )

    def _done(self, arrays: dict[str, Any], result: dict[str, Any]) -> None:
        self._conclude(lambda: self._publish(arrays, result), result)

    def _publish(self, arrays: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        nodes: dict[str, Any] = {}
        try:
            for name, target in self._request.targets.items():
                nodes[name] = target.node or self._newNode(target)
                self._fill(nodes[name], arrays.pop(name), target, result)
        except Exception:
            self._removeNew(nodes)
            raise
        return nodes

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
