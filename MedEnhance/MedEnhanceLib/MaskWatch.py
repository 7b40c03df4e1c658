"""Notices when a mask has been edited, and waits for the hand to rest before it says so."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    import numpy as np

# A stroke of the brush is one change; somebody who paints makes one or two a second.
_REST_MS = 400


class MaskWatch(VTKObservationMixin):
    """Follows the segments of one segmentation.

    Args:
        edited: Called when they have changed and stayed so for a while.
    """

    def __init__(self, edited: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._edited = edited
        self._node: Any = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._onRest)

    def follow(self, segmentationNode: Any) -> None:
        """Follow this one; None follows none."""
        if segmentationNode is self._node:
            return
        self._timer.stop()
        self.removeObservers()
        self._node = segmentationNode
        if segmentationNode is None:
            return
        events = slicer.vtkSegmentation
        for event in (
            events.SourceRepresentationModified,
            events.SegmentModified,
            events.SegmentAdded,
            events.SegmentRemoved,
        ):
            self.addObserver(segmentationNode.GetSegmentation(), event, self._onModified)

    def _onModified(self, _caller: Any, _event: Any) -> None:
        self._timer.start()

    def _onRest(self) -> None:
        if self._node is not None:
            self._edited()


def digest(mask: np.ndarray) -> str:
    """Tells masks apart, so that one that is as the network made it counts as not edited."""
    return f"{zlib.crc32(mask.tobytes()):08x}"
