"""A segmentation of the spine's three classes as Slicer's segmentation node, with names, colours and terminology."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import slicer
import vtk
from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.OutputNodes import placeBeside, subjectHierarchy

if TYPE_CHECKING:
    import numpy as np

# Value in the label map (order "da-gan"), SNOMED CT code and meaning (DICOM CID 4031), colour. The list has neither
# transverse processes nor lumps: they are coded by the part of the spine that they belong to.
_CLASSES = (
    (1, "113197003", "Rib", (0.95, 0.84, 0.57)),
    (2, "122495006", "Thoracic spine", (0.45, 0.75, 0.95)),
    (3, "122496007", "Lumbar spine", (0.75, 0.6, 0.95)),
)
SEGMENTED = "MedEnhance.Segmented"  # attribute: "original" or "enhanced"
KINDS = ("rib", "thoracic-transverse-process", "lumbar-lump")  # what the core calls the values 1, 2, 3
_MADE = "MedEnhance.Made"  # attribute: digest of the labels that the network gave
_CATEGORY = "SCT^123037004^Anatomical Structure"


def segmentationOf(scene: Any, labelNode: Any, imageNode: Any, name: str, segmented: str) -> Any:
    """Make a segmentation node of a label map.

    Args:
        scene: Of the nodes.
        labelNode: Label map with the classes 0 to 3.
        imageNode: What was segmented; the segmentation's reference geometry.
        name: Of the new node.
        segmented: "original" or "enhanced": what the labels are of.
    """
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    node.SetReferenceImageGeometryParameterFromVolumeNode(imageNode)
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelNode, node)
    node.CreateDefaultDisplayNodes()
    node.SetAttribute(SEGMENTED, segmented)
    segmentation = node.GetSegmentation()
    byValue = {
        segmentation.GetSegment(one).GetLabelValue(): segmentation.GetSegment(one)
        for one in segmentation.GetSegmentIDs()
    }
    for value, code, meaning, colour in _CLASSES:
        segment = byValue.get(value)
        if segment is not None:
            segment.SetName(_classNames()[value])
            segment.SetColor(*colour)
            segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), _terminology(code, meaning))
    node.SetAttribute(_MADE, _digest(slicer.util.arrayFromVolume(labelNode)))
    placeBeside(scene, subjectHierarchy(scene), imageNode, node)
    return node


def isEdited(segmentationNode: Any, labels: np.ndarray) -> bool:
    """Whether labels of `labelsOf` are other ones than the network gave."""
    return segmentationNode.GetAttribute(_MADE) != _digest(labels)


def labelsOf(segmentationNode: Any, imageNode: Any) -> np.ndarray:
    """The classes as they are drawn now, (1, R, C) uint8 on the grid of the image, in the order "da-gan".

    A segment is known by the code of its terminology, whatever its name; where two overlap, the later one counts.

    Raises:
        MedEnhanceError: input-unsuitable: a segment has no code of the three classes.
    """
    import numpy as np
    from vtk.util.numpy_support import vtk_to_numpy

    segmentation = segmentationNode.GetSegmentation()
    ids, values = vtk.vtkStringArray(), vtk.vtkIntArray()
    for one in segmentation.GetSegmentIDs():
        ids.InsertNextValue(one)
        values.InsertNextValue(_classOf(segmentation.GetSegment(one)))
    logic, merged = slicer.vtkSlicerSegmentationsModuleLogic, slicer.vtkOrientedImageData()
    grid = logic.CreateOrientedImageDataFromVolumeNode(imageNode, segmentationNode.GetParentTransformNode())
    grid.UnRegister(None)  # made for us
    extent = slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY
    segmentationNode.GenerateMergedLabelmapForAllSegments(merged, extent, grid, ids, values)
    columns, rows, slices = merged.GetDimensions()
    return vtk_to_numpy(merged.GetPointData().GetScalars()).reshape(slices, rows, columns).astype(np.uint8)


def _digest(labels: np.ndarray) -> str:
    return f"{zlib.crc32(labels.astype('uint8').tobytes()):08x}"


def _classOf(segment: Any) -> int:
    text = vtk.reference("")
    segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)
    for value, code, _meaning, _colour in _CLASSES:
        if f"~SCT^{code}^" in str(text):
            return value
    message = _("The segment {name} is none of the three classes.").format(name=segment.GetName())
    hint = _("Give it the terminology Rib, Thoracic spine or Lumbar spine, or delete it.")
    raise MedEnhanceError("input-unsuitable", message, hint)


def _classNames() -> dict[int, str]:
    return {1: _("rib"), 2: _("thoracic transverse process"), 3: _("lumbar lump")}


def _terminology(code: str, meaning: str) -> str:
    """Slicer's text form of a terminology entry: context, category, type, no modifier, no region."""
    context = "Segmentation category and type - DICOM master list"
    return f"{context}~{_CATEGORY}~SCT^{code}^{meaning}~^^~Anatomic codes - DICOM master list~^^~^^"
