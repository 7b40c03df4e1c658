"""A segmentation of the spine's three classes as Slicer's segmentation node, with names, colours and terminology."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from MedEnhanceLib.OutputNodes import placeBeside
from MedEnhanceLib.VolumeJob import subjectHierarchy

# Value in the label map (order "da-gan"), SNOMED CT code and meaning (DICOM CID 4031), colour. The list has neither
# transverse processes nor lumps: they are coded by the part of the spine that they belong to.
_CLASSES = (
    (1, "113197003", "Rib", (0.95, 0.84, 0.57)),
    (2, "122495006", "Thoracic spine", (0.45, 0.75, 0.95)),
    (3, "122496007", "Lumbar spine", (0.75, 0.6, 0.95)),
)
_CATEGORY = "SCT^123037004^Anatomical Structure"


def segmentationOf(scene: Any, labelNode: Any, imageNode: Any, name: str) -> Any:
    """Make a segmentation node of a label map.

    Args:
        scene: Of the nodes.
        labelNode: Label map with the classes 0 to 3.
        imageNode: What was segmented; the segmentation's reference geometry.
        name: Of the new node.
    """
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    node.SetReferenceImageGeometryParameterFromVolumeNode(imageNode)
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelNode, node)
    node.CreateDefaultDisplayNodes()
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
    placeBeside(scene, subjectHierarchy(scene), imageNode, node)
    return node


def _classNames() -> dict[int, str]:
    return {1: _("rib"), 2: _("thoracic transverse process"), 3: _("lumbar lump")}


def _terminology(code: str, meaning: str) -> str:
    """Slicer's text form of a terminology entry: context, category, type, no modifier, no region."""
    context = "Segmentation category and type - DICOM master list"
    return f"{context}~{_CATEGORY}~SCT^{code}^{meaning}~^^~Anatomic codes - DICOM master list~^^~^^"
