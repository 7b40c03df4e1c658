"""The mask of suspected haemorrhage as a segment that can be edited, with terminology, on the grid of its scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
import vtk
from slicer.i18n import tr as _

from MedEnhanceLib.OutputNodes import placeBeside, subjectHierarchy

if TYPE_CHECKING:
    import numpy as np

SEGMENT = "hemorrhage"
_SAME_MM = 1e-4  # the matrix of a segment went through Slicer's own arithmetic
_COLOUR = (0.92, 0.22, 0.16)
# DICOM CID 7150 and 4 (SNOMED CT): what it is and where it is looked for.
CATEGORY = "SCT^49755003^Morphologically Altered Structure"
TYPE = "SCT^50960005^Hemorrhage"
REGION = "SCT^12738006^Brain"


def addMask(scene: Any, volumeNode: Any, mask: np.ndarray, name: str) -> Any:
    """Make a segmentation node of a mask.

    Args:
        scene: Of the nodes.
        volumeNode: The scan; the segmentation's reference geometry.
        mask: (K, J, I) on its grid; true is suspected haemorrhage. An empty one gives an empty segment.
        name: Of the new node.
    """
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    segment = slicer.vtkSegment()
    segment.SetName(_("suspected haemorrhage"))
    segment.SetColor(*_COLOUR)
    segment.SetTag(segment.GetTerminologyEntryTagName(), terminology())
    image = _croppedImage(volumeNode, mask)
    if image is not None:
        segment.AddRepresentation(_binaryLabelmap(), image)
        segment.SetLabelValue(1)
    node.GetSegmentation().SetSourceRepresentationName(_binaryLabelmap())
    node.GetSegmentation().AddSegment(segment, SEGMENT)
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    placeBeside(scene, subjectHierarchy(scene), volumeNode, node)
    return node


def maskOf(segmentationNode: Any, volumeNode: Any) -> np.ndarray:
    """The mask as it is now, (K, J, I) uint8 of 0 and 1 on the grid of a scan: all segments that are haemorrhage."""
    import numpy as np

    mask = np.zeros(volumeNode.GetImageData().GetDimensions()[::-1], np.uint8)
    for identifier in haemorrhageSegments(segmentationNode):
        if not _paste(segmentationNode.GetSegmentation().GetSegment(identifier), volumeNode, mask):
            # Drawn on another grid: Slicer resamples it, which takes a tenth of a second.
            one = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, identifier, volumeNode)
            mask |= (one != 0).view(np.uint8)
    return mask


def haemorrhageSegments(segmentationNode: Any) -> list[str]:
    """Ids of the segments that count: ours, and those whose terminology says haemorrhage."""
    segmentation = segmentationNode.GetSegmentation()
    return [one for one in segmentation.GetSegmentIDs() if one == SEGMENT or _isCoded(segmentation.GetSegment(one))]


def setMask(segmentationNode: Any, volumeNode: Any, mask: np.ndarray) -> None:
    """Put another mask into our segment, in place of what it holds."""
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentationNode, SEGMENT, volumeNode)


def terminology() -> str:
    """Slicer's text form of a terminology entry: context, category, type, no modifier, region."""
    context = "Segmentation category and type - DICOM master list"
    return f"{context}~{CATEGORY}~{TYPE}~^^~Anatomic codes - DICOM master list~{REGION}~^^"


def _isCoded(segment: Any) -> bool:
    text = vtk.reference("")
    return bool(segment.GetTag(segment.GetTerminologyEntryTagName(), text)) and TYPE.rsplit("^", 1)[0] in str(text)


def _paste(segment: Any, volumeNode: Any, mask: np.ndarray) -> bool:
    """Write a segment that lies on the volume's own grid into a mask; whether it does so lie."""
    from vtk.util.numpy_support import vtk_to_numpy

    image = segment.GetRepresentation(_binaryLabelmap())
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None or scalars.GetNumberOfTuples() == 0:
        return True  # an empty segment
    own, ours = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(own)
    volumeNode.GetIJKToRASMatrix(ours)
    if not slicer.vtkAddonMathUtilities.MatrixAreEqual(own, ours, _SAME_MM):
        return False
    extent = image.GetExtent()
    values = vtk_to_numpy(scalars).reshape([extent[2 * n + 1] - extent[2 * n] + 1 for n in (2, 1, 0)])
    inside = [slice(max(-extent[2 * n], 0), max(mask.shape[2 - n] - extent[2 * n], 0)) for n in (2, 1, 0)]
    part = values[tuple(inside)] == segment.GetLabelValue()  # several segments may share one image
    starts = [max(extent[2 * n], 0) for n in (2, 1, 0)]
    mask[tuple(slice(a, a + size) for a, size in zip(starts, part.shape, strict=True))] |= part
    return True


def _binaryLabelmap() -> str:
    return slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def _croppedImage(volumeNode: Any, mask: np.ndarray) -> Any:
    """The part of a mask that is not empty, as Slicer keeps it: a whole grid would cost memory and a tenth second."""
    import numpy as np
    from vtk.util.numpy_support import numpy_to_vtk

    bounds = []
    for axis in range(3):
        found = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if found.size == 0:
            return None
        bounds.append((int(found[0]), int(found[-1])))
    (k0, k1), (j0, j1), (i0, i1) = bounds
    part = np.ascontiguousarray(mask[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1] != 0).view(np.uint8)
    image, matrix = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    image.SetExtent(i0, i1, j0, j1, k0, k1)
    image.GetPointData().SetScalars(numpy_to_vtk(part.reshape(-1), deep=True))
    volumeNode.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image
