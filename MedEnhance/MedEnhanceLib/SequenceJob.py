"""All frames of a volume that changes with time (4D), one after the other, into sequences of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MedEnhanceLib.FileTrip import Means, failureOf
from MedEnhanceLib.FrameSequence import FrameResults, sequenceOf
from MedEnhanceLib.OutputNodes import placeBeside, subjectHierarchy
from MedEnhanceLib.Provenance import setProvenance
from MedEnhanceLib.RoundTrip import RoundTrip, TripCallbacks
from MedEnhanceLib.SceneJob import JobCallbacks, SceneJob
from MedEnhanceLib.VolumeBridge import modalityOf
from MedEnhanceLib.VolumeJob import REMOVED, JobRequest


class SequenceJob(SceneJob):
    """Runs a `JobRequest` on every frame of the sequence that its input is shown from; targets' nodes are not used.

    The report of the frame that is shown goes to `finished`; every frame keeps its own.

    Raises:
        ValueError: The input belongs to no sequence.
    """

    def __init__(self, request: JobRequest, means: Means, callbacks: JobCallbacks) -> None:
        source = sequenceOf(request.inputNode)
        if source is None:
            raise ValueError(f"{request.inputNode.GetName()} belongs to no sequence")
        needed = [request.inputNode, source.sequenceNode, source.browserNode]
        super().__init__(request.inputNode.GetScene(), needed, means, callbacks)
        self._request, self._source = request, source
        self._results = {name: FrameResults(source, target.suffix) for name, target in request.targets.items()}
        self._reports: list[dict[str, Any]] = []
        self._trip = self._nextTrip()

    def wait(self) -> None:
        """Block until the job has ended, for callers whose pump does not wait for an event loop."""
        while self.isActive:
            self._trip.wait()

    @property
    def _index(self) -> int:
        """Of the frame that is being done."""
        return len(self._reports)

    def _nextTrip(self) -> RoundTrip:
        told = TripCallbacks(self._progress, self._warning, self._done, self._failed, self._cancelled)
        frame, request = self._source.frame(self._index), self._request
        # A frame lies in the sequence's own scene, where nothing says that it is a CT.
        modality = modalityOf(request.inputNode)
        return RoundTrip(frame, request.task, request.targets, request.options, self._means, told, modality)

    def _done(self, arrays: dict[str, Any], result: dict[str, Any]) -> None:
        try:
            self._collect(arrays, result)
            if self._index < self._source.numFrames:
                self._trip = self._nextTrip()
                self._trip.start()
                return
        except Exception as error:  # such as a frame that has changed its size since
            self._failed(failureOf(error, Path(self._means.temporaryFolder)))
            return
        self._conclude(self._publish, {"report": self._shownReport(), "reports": self._reports})

    def _collect(self, arrays: dict[str, Any], result: dict[str, Any]) -> None:
        for name, target in self._request.targets.items():
            node = self._results[name].add(self._index, arrays.pop(name))
            setProvenance(node, result["report"], None, target.what)
        self._reports.append(result["report"])

    def _publish(self) -> dict[str, Any]:
        inputNode, report = self._request.inputNode, self._shownReport()
        nodes = {}
        for name, target in self._request.targets.items():
            nodes[name] = self._results[name].publish(symmetricAroundZero=target.what == REMOVED)
            setProvenance(nodes[name], report, inputNode, target.what)
            placeBeside(self._scene, subjectHierarchy(self._scene), inputNode, nodes[name])
        return nodes

    def _shownReport(self) -> dict[str, Any]:
        """Of the frame that is shown."""
        return self._reports[min(max(self._source.browserNode.GetSelectedItemNumber(), 0), len(self._reports) - 1)]

    def _progress(self, stage: str, fraction: float, _etaS: float | None) -> None:
        """The whole sequence's progress; how long the rest takes is only known for a frame."""
        whole = (self._index + (fraction if stage == "denoise" else 0.0)) / self._source.numFrames
        self._callbacks.progress(stage, whole, None)

    def _warning(self, text: str) -> None:
        self._callbacks.warning(_("Frame {n}: {text}").format(n=self._index + 1, text=text))
