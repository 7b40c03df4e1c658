"""Volumes that change with time (4D): their frames one by one, and results collected into a sequence of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import slicer

from MedEnhanceLib.OutputNodes import copyDisplay, newOutputNode, nodesOfClass
from MedEnhanceLib.VolumeBridge import fillNode

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class FrameSequence:
    """The frames of a volume that a sequence browser shows.

    Attributes:
        proxyNode: The volume in the scene that shows one frame at a time.
        sequenceNode: Holds the frames.
        browserNode: Selects the frame.
    """

    proxyNode: Any
    sequenceNode: Any
    browserNode: Any

    @property
    def numFrames(self) -> int:
        """How many there are."""
        return self.sequenceNode.GetNumberOfDataNodes()

    def frame(self, index: int) -> Any:
        """The volume node of a frame, in a scene of the sequence's own; not a copy."""
        return self.sequenceNode.GetNthDataNode(index)


def sequenceOf(volumeNode: Any) -> FrameSequence | None:
    """The sequence that a volume is shown from; None for a volume that stands alone."""
    scene = volumeNode.GetScene() if volumeNode is not None else None
    for browser in nodesOfClass(scene, "vtkMRMLSequenceBrowserNode") if scene is not None else []:
        sequence = browser.GetSequenceNode(volumeNode)
        if sequence is not None and sequence.GetNumberOfDataNodes() > 0:
            return FrameSequence(volumeNode, sequence, browser)
    return None


class FrameResults:
    """A sequence in the making; it enters the scene when `publish` is called, so that a run that stops leaves nothing.

    Args:
        source: Where the frames come from.
        suffix: What names end with, such as "denoised".
    """

    def __init__(self, source: FrameSequence, suffix: str) -> None:
        self._source, self._suffix = source, suffix
        self._sequence = slicer.vtkMRMLSequenceNode()
        given = source.sequenceNode
        self._sequence.SetIndexName(given.GetIndexName())
        self._sequence.SetIndexUnit(given.GetIndexUnit())
        self._sequence.SetIndexType(given.GetIndexType())
        self._sequence.SetNumericIndexValueTolerance(given.GetNumericIndexValueTolerance())

    def add(self, index: int, array: np.ndarray) -> Any:
        """Take over the result of a frame.

        Args:
            index: Of the frame.
            array: As `fillNode` takes it.

        Returns:
            Its volume node, in a scene of the sequence's own.
        """
        frame = self._source.frame(index)
        empty = slicer.vtkMRMLScalarVolumeNode()
        empty.SetName(f"{frame.GetName()} {self._suffix}")
        # The sequence copies the node, so that voxels are given to the copy and not copied with it.
        node = self._sequence.SetDataNodeAtValue(empty, self._source.sequenceNode.GetNthIndexValue(index))
        fillNode(array, frame, node)
        return node

    def publish(self, symmetricAroundZero: bool = False) -> Any:
        """Add the sequence to the scene, in step with the input's.

        Args:
            symmetricAroundZero: As in `copyDisplay`.

        Returns:
            The volume node that shows its frames.
        """
        proxy, browser = self._source.proxyNode, self._source.browserNode
        scene = browser.GetScene()
        self._sequence.SetName(scene.GenerateUniqueName(f"{self._source.sequenceNode.GetName()} {self._suffix}"))
        sequence = scene.AddNode(self._sequence)
        shown = newOutputNode(scene, proxy, self._suffix)
        current = sequence.GetDataNodeAtValue(self._currentIndexValue(), False) or sequence.GetNthDataNode(0)
        # All at once, or Slicer would make a proxy and its automatic window by itself.
        wasModifying = browser.StartModify()
        browser.AddSynchronizedSequenceNode(sequence)
        # Frames are shown, not copied, when the user moves through them.
        browser.SetSaveChanges(sequence, True)
        browser.AddProxyNode(shown, sequence, False)
        copyContent(current, shown, proxy, symmetricAroundZero)
        browser.EndModify(wasModifying)
        return shown

    def _currentIndexValue(self) -> str:
        item = max(0, self._source.browserNode.GetSelectedItemNumber())
        return self._source.browserNode.GetMasterSequenceNode().GetNthIndexValue(item)


def copyContent(frame: Any, shown: Any, proxy: Any, symmetricAroundZero: bool) -> None:
    """Show a frame in a proxy node that looks like the input's."""
    wasModifying = shown.StartModify()
    shown.CopyContent(frame, False)
    shown.SetAndObserveTransformNodeID(proxy.GetTransformNodeID())
    copyDisplay(proxy, shown, symmetricAroundZero)
    shown.EndModify(wasModifying)
