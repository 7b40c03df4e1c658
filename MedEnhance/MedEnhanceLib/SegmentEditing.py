"""Opens Slicer's Segment Editor on a segmentation and the volume that it was drawn on."""

from __future__ import annotations

from typing import Any

import slicer

EDITOR = "SegmentEditor"


def openSegmentEditor(segmentationNode: Any, volumeNode: Any, segmentId: str) -> None:
    """Go to the Segment Editor, with a segment chosen."""
    slicer.util.selectModule(EDITOR)
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(segmentationNode)
    editor.setSourceVolumeNode(volumeNode)
    editor.setCurrentSegmentID(segmentId)
