"""What is known of a mask as it is now: the run's findings, or, once it was edited, those measured anew.

The total and the areas follow at once, from a count of voxels; pieces, hemispheres and ABC/2 a moment later, when the
worker has measured them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from MedEnhanceLib.HeadRun import DIGEST, reportOf
from MedEnhanceLib.HeadSegmentation import maskOf
from MedEnhanceLib.MaskWatch import MaskWatch, digest
from MedEnhanceLib.Provenance import PREFIX
from MedEnhanceLib.WorkerClient import RunCallbacks, WorkerFailure

if TYPE_CHECKING:
    import numpy as np

_EDITED = PREFIX + "EditedFindings"
NETWORK, MEASURING, MEASURED, COUNTED = "network", "measuring", "measured", "counted"


class Trip(Protocol):
    """A measurement that goes on."""

    def cancel(self) -> None: ...


# Begins a measurement of a mask: scan, mask, report, callbacks. None where the worker cannot be asked now.
Measure = Callable[[Any, Any, dict[str, Any], RunCallbacks], Trip | None]


class MaskFindings:
    """Follows one mask and its scan.

    Args:
        measure: See above.
        changed: Called when what is known has changed.

    Attributes:
        report: Of the run, with the findings of the mask as it is now; None without a run.
        state: "network" (as the network made it), "measuring", "measured" (edited, and measured since) or "counted"
            (edited; only total and areas are those of the mask).
        problem: Why it could not be measured.
    """

    def __init__(self, measure: Measure, changed: Callable[[], None]) -> None:
        self._measure, self._changed = measure, changed
        self._watch = MaskWatch(self._onEdited)
        self._volume: Any = None
        self._node: Any = None
        self._shown = ""
        self._trip: Trip | None = None
        self.report: dict[str, Any] | None = None
        self.state, self.problem = NETWORK, ""

    @property
    def isEdited(self) -> bool:
        """Whether the mask is another one than the network's."""
        return self.report is not None and self.state != NETWORK

    def follow(self, segmentationNode: Any, volumeNode: Any) -> None:
        """Follow this mask; None, or one of another scan, follows none. Whoever calls shows what is known then."""
        if segmentationNode is self._node and volumeNode is self._volume:
            return
        self._stopTrip()
        report = reportOf(segmentationNode, volumeNode)
        self._node, self._volume = segmentationNode, volumeNode
        self._watch.follow(segmentationNode if report is not None else None)
        self.report, self.state, self.problem, self._shown = report, NETWORK, "", ""
        if report is not None:
            self._look()

    def stop(self) -> None:
        """The panel or the scene goes."""
        self.follow(None, None)

    def mask(self) -> np.ndarray | None:
        """As it is now."""
        if self.report is None or self._volume.GetImageData() is None:
            return None
        return maskOf(self._node, self._volume)

    def _onEdited(self) -> None:
        if self._look():
            self._changed()

    def _look(self) -> bool:
        """Compare the mask with the one that is known; whether it is another."""
        mask = self.mask()
        if mask is None or digest(mask) == self._shown:
            return False
        self._stopTrip()
        self._shown, self.problem = digest(mask), ""
        original = reportOf(self._node, self._volume)
        if original is None:
            return False
        if self._shown == self._node.GetAttribute(DIGEST):
            self.report, self.state = original, NETWORK
        elif (kept := self._kept()) is not None:
            self.report, self.state = {**original, "findings": kept}, MEASURED
        else:
            self.report = {**original, "findings": counted(original, mask)}
            self._begin(mask, original)
        return True

    def _begin(self, mask: np.ndarray, original: dict[str, Any]) -> None:
        callbacks = RunCallbacks(finished=self._onMeasured, failed=self._onFailed)
        self.state = MEASURING
        self._trip = self._measure(self._volume, mask, original, callbacks)
        if self._trip is None:
            self.state = COUNTED

    def _onMeasured(self, result: dict[str, Any]) -> None:
        self._trip = None
        if self.report is None:
            return
        self.report, self.state = {**self.report, "findings": result["findings"]}, MEASURED
        kept = {"digest": self._shown, "findings": result["findings"]}
        self._node.SetAttribute(_EDITED, json.dumps(kept, ensure_ascii=False))
        self._changed()

    def _onFailed(self, failure: WorkerFailure) -> None:
        self._trip, self.state, self.problem = None, COUNTED, failure.message
        self._changed()

    def _kept(self) -> dict[str, Any] | None:
        """What was measured of this very mask before, such as in the session that saved the scene."""
        try:
            kept = json.loads(self._node.GetAttribute(_EDITED) or "")
        except ValueError:
            return None
        return kept["findings"] if isinstance(kept, dict) and kept.get("digest") == self._shown else None

    def _stopTrip(self) -> None:
        trip, self._trip = self._trip, None
        if trip is not None:
            trip.cancel()


def counted(report: dict[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """The findings of a report with the total and the areas of another mask; what must be measured is left out.

    Args:
        report: Of the run: it knows what each slice stands for.
        mask: (K, J, I) of 0 and 1.
    """
    import numpy as np

    findings, scan = report["findings"], report["scan"]
    axis = scan["slice_axis"]
    counts = np.count_nonzero(mask, axis=tuple(n for n in range(3) if n != axis))
    rows, columns = scan["pixel_mm"]
    slices = findings["slices"]
    areas = [voxels * rows * columns for voxels in _voxelsOf(slices, counts)]
    ml = sum(area * one["thickness_mm"] for area, one in zip(areas, slices, strict=True)) / 1000.0
    missing = {"left_ml": None, "right_ml": None, "components": [], "num_small": 0, "small_ml": 0.0, "abc2_ml": None}
    return {
        **findings, **missing, "growth": None, "midline_shift": None, "true_volume": None,
        "total": {"ml": ml, "low_ml": None, "high_ml": None},
        "slices": [{**one, "area_mm2": area} for one, area in zip(slices, areas, strict=True)],
    }  # fmt: skip


def _voxelsOf(slices: list[dict[str, Any]], counts: np.ndarray) -> list[float]:
    """Voxels of each listed slice; where a thin series was averaged, the mean over the slices nearest to its middle."""
    import numpy as np

    middles = np.array([one["index"] for one in slices])
    nearest = np.abs(np.arange(len(counts))[:, None] - middles).argmin(axis=1)
    return [float(counts[nearest == n].mean()) for n in range(len(slices))]
