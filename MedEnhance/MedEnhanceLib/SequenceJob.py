"""All frames of a volume that changes with time (4D), one after the other, into sequences of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MedEnhanceLib.FileTrip import Means, failureOf
from MedEnhanceLib.FrameSequence import FrameResults, sequenceOf
from MedEnhanceLib.OutputNodes import placeBeside
from MedEnhanceLib.Provenance import setProvenance
from MedEnhanceLib.RoundTrip import RoundTrip, TripCallbacks
from MedEnhanceLib.SceneWatch import SceneWatch
from MedEnhanceLib.VolumeBridge import modalityOf
from MedEnhanceLib.VolumeJob import REMOVED, JobCallbacks, JobRequest, reraise, subjectHierarchy
from MedEnhanceLib.WorkerClient import WorkerFailure


class SequenceJob:
    """Runs a `JobRequest` on every frame of the sequence that its input is shown from; targets' nodes are not used.

    The report of the frame that is shown goes to `finished`; every frame keeps its own.

    Raises:
        ValueError: The input belongs to no sequence.
    """

    def __init__(self, request: JobRequest, means: Means, callbacks: JobCallbacks) -> None:
        source = sequenceOf(request.inputNode)
        if source is None:
            raise ValueError(f"{request.inputNode.GetName()} belongs to no sequence")
        self._request, self._means, self._callbacks, self._source = request, means, callbacks, source
        self._results = {name: FrameResults(source, target.suffix) for name, target in request.targets.items()}
        self._reports: list[dict[str, Any]] = []
        self._trip: RoundTrip | None = None
        needed = [request.inputNode, source.sequenceNode, source.browserNode]
        self._watch = SceneWatch(request.inputNode.GetScene(), needed, callbacks.warning, self.cancel)
        self.isActive = False

    def start(self) -> None:
        """Begin; the callbacks tell the rest."""
        self.isActive = True
        self._watch.start()
        self._next()

    def cancel(self) -> None:
        """Stop; `cancelled` is called within two seconds, whatever the job is doing."""
        if self._trip is not None:
            self._trip.cancel()

    def wait(self) -> None:
        """Block until the job has ended, for callers whose pump does not wait for an event loop."""
        while self.isActive and self._trip is not None:
            self._trip.wait()

    @property
    def _index(self) -> int:
        """Of the frame that is being done."""
        return len(self._reports)

    def _next(self) -> None:
        told = TripCallbacks(self._progress, self._warning, self._done, self._failed, self._cancelled)
        frame, request = self._source.frame(self._index), self._request
        # A frame lies in the sequence's own scene, where nothing says that it is a CT.
        modality = modalityOf(request.inputNode)
        self._trip = RoundTrip(frame, request.task, request.targets, request.options, self._means, told, modality)
        self._trip.start()

    def _done(self, arrays: dict[str, Any], result: dict[str, Any]) -> None:
        try:
            self._collect(arrays, result)
            if self._index < self._source.numFrames:
                self._next()
                return
            nodes = self._publish()
        except Exception as error:  # such as a frame that has changed its size since
            self._failed(failureOf(error, Path(self._means.temporaryFolder)))
            return
        # A turn of its own: those who are told have work to do, too.
        self._means.pump.run(iter(()), lambda: self._tell(nodes), reraise)

    def _collect(self, arrays: dict[str, Any], result: dict[str, Any]) -> None:
        for name, target in self._request.targets.items():
            node = self._results[name].add(self._index, arrays.pop(name))
            setProvenance(node, result["report"], None, target.what)
        self._reports.append(result["report"])

    def _publish(self) -> dict[str, Any]:
        """Give the results to the scene, all at once."""
        self._watch.stop()
        inputNode, report = self._request.inputNode, self._shownReport()
        nodes = {}
        for name, target in self._request.targets.items():
            nodes[name] = self._results[name].publish(symmetricAroundZero=target.what == REMOVED)
            setProvenance(nodes[name], report, inputNode, target.what)
            placeBeside(inputNode.GetScene(), subjectHierarchy(inputNode.GetScene()), inputNode, nodes[name])
        return nodes

    def _tell(self, nodes: dict[str, Any]) -> None:
        self.isActive = False
        if all(node.GetScene() is not None for node in nodes.values()):
            self._callbacks.finished(nodes, {"report": self._shownReport(), "reports": self._reports})
        else:  # deleted since
            self._callbacks.cancelled()

    def _shownReport(self) -> dict[str, Any]:
        """Of the frame that is shown."""
        return self._reports[min(max(self._source.browserNode.GetSelectedItemNumber(), 0), len(self._reports) - 1)]

    def _progress(self, stage: str, fraction: float, _etaS: float | None) -> None:
        """The whole sequence's progress; how long the rest takes is only known for a frame."""
        whole = (self._index + (fraction if stage == "denoise" else 0.0)) / self._source.numFrames
        self._callbacks.progress(stage, whole, None)

    def _warning(self, text: str) -> None:
        self._callbacks.warning(_("Frame {n}: {text}").format(n=self._index + 1, text=text))

    def _failed(self, failure: WorkerFailure) -> None:
        self._watch.stop()
        self.isActive = False
        self._callbacks.failed(failure)

    def _cancelled(self) -> None:
        self._watch.stop()
        self.isActive = False
        self._callbacks.cancelled()
