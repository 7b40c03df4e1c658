"""The mask of a head CT as a segment: voxel by voxel the same, coded, editable, and small in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from head_nodes import SHAPE, addHead, maskArray
from mrml_samples import timeMs, warpTransform

from MedEnhanceLib.HeadSegmentation import SEGMENT, addMask, maskOf, setMask


def segmentOf(node: Any) -> Any:
    return node.GetSegmentation().GetSegment(SEGMENT)


@pytest.mark.parametrize("oblique", [False, True])
def test_the_mask_goes_in_and_comes_out(host: Any, oblique: bool) -> None:
    scan = addHead(slicer.mrmlScene, oblique=oblique)
    mask = np.random.default_rng(1).integers(0, 2, SHAPE, dtype=np.uint8)
    mask[:2] = 0
    mask[:, :, -5:] = 0
    node = addMask(slicer.mrmlScene, scan, mask, "mask")
    assert np.array_equal(maskOf(node, scan), mask)
    # Slicer's own way to read it gives the same.
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, SEGMENT, scan) > 0, mask > 0)


def test_an_empty_mask_is_a_segment_that_can_be_drawn_into(host: Any) -> None:
    scan = addHead(slicer.mrmlScene)
    node = addMask(slicer.mrmlScene, scan, np.zeros(SHAPE, np.uint8), "mask")
    assert maskOf(node, scan).sum() == 0
    setMask(node, scan, maskArray())
    assert np.array_equal(maskOf(node, scan), maskArray())


def test_the_segment_is_coded_as_haemorrhage_of_the_brain(host: Any) -> None:
    scan = addHead(slicer.mrmlScene)
    segment = segmentOf(addMask(slicer.mrmlScene, scan, maskArray(), "mask"))
    text = vtk.reference("")
    assert segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)
    entry = slicer.vtkSlicerTerminologyEntry()
    parts = str(text).split("~")
    assert len(parts) == 7, parts
    assert parts[1].split("^")[:2] == ["SCT", "49755003"]
    assert parts[2].split("^")[:2] == ["SCT", "50960005"]
    assert parts[5].split("^")[:2] == ["SCT", "12738006"]
    assert entry is not None


def test_only_what_is_not_empty_is_kept(host: Any) -> None:
    scan = addHead(slicer.mrmlScene)
    segment = segmentOf(addMask(slicer.mrmlScene, scan, maskArray(), "mask"))
    assert segment.GetRepresentation("Binary labelmap").GetExtent() == (40, 47, 28, 39, 4, 8)


def test_a_segment_that_somebody_adds_and_codes_counts_too(host: Any) -> None:
    scan = addHead(slicer.mrmlScene)
    node = addMask(slicer.mrmlScene, scan, maskArray(), "mask")
    segmentation = node.GetSegmentation()
    other = segmentation.AddEmptySegment("other", "Other", [0.0, 1.0, 0.0])
    added = np.zeros(SHAPE, np.uint8)
    added[1, 2:5, 3:6] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(added, node, other, scan)
    assert np.array_equal(maskOf(node, scan), maskArray())  # an oedema, perhaps
    text = vtk.reference("")
    segmentOf(node).GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)
    segmentation.GetSegment(other).SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), str(text))
    assert np.array_equal(maskOf(node, scan), maskArray() | added)


def test_a_segment_on_another_grid_is_resampled(host: Any) -> None:
    scan = addHead(slicer.mrmlScene)
    node = addMask(slicer.mrmlScene, scan, np.zeros(SHAPE, np.uint8), "mask")
    finer = addHead(slicer.mrmlScene, "finer")
    slicer.util.updateVolumeFromArray(finer, np.repeat(slicer.util.arrayFromVolume(finer), 2, axis=0))
    finer.SetSpacing(2.6, 2.7, 5.0)
    drawn = np.repeat(maskArray(), 2, axis=0)
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, node, SEGMENT, finer)
    assert maskOf(node, scan)[5:8].sum() == maskArray()[5:8].sum()


def test_a_mask_lies_under_the_transform_of_its_scan(host: Any) -> None:
    scan = addHead(slicer.mrmlScene)
    scan.SetAndObserveTransformNodeID(warpTransform(slicer.mrmlScene).GetID())
    node = addMask(slicer.mrmlScene, scan, maskArray(), "mask")
    assert node.GetTransformNodeID() == scan.GetTransformNodeID()
    assert np.array_equal(maskOf(node, scan), maskArray())


def test_a_large_mask_is_made_and_read_within_a_frame(host: Any) -> None:
    scan = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "large")
    slicer.util.updateVolumeFromArray(scan, np.zeros((32, 512, 512), np.int16))
    mask = np.zeros((32, 512, 512), np.uint8)
    mask[10:20, 200:330, 150:300] = 1
    nodes: list[Any] = []
    addMask(slicer.mrmlScene, scan, mask, "first")
    assert timeMs(lambda: nodes.append(addMask(slicer.mrmlScene, scan, mask, "mask"))) < 50.0
    assert timeMs(lambda: maskOf(nodes[0], scan)) < 50.0
