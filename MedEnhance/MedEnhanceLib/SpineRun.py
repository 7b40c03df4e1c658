"""What the spine module asks of the worker, and what it makes of the answer in the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.CurveLines import addCurveLines
from MedEnhanceLib.CurveSection import curvePairs
from MedEnhanceLib.InputCheck import inputProblem
from MedEnhanceLib.OutputNodes import placeBeside, removeWithDisplay, subjectHierarchy
from MedEnhanceLib.ProjectionJob import DEPTH_MM, otherDepths
from MedEnhanceLib.Provenance import setProvenance
from MedEnhanceLib.RoundTrip import TripFiles
from MedEnhanceLib.SpineSegmentation import segmentationOf
from MedEnhanceLib.VolumeJob import JobRequest, Target

TASK = "enhance-spine"
LABEL_MAP = "vtkMRMLLabelMapVolumeNode"
_PICTURES = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
_FILES = {
    "output": "enhanced.nrrd",
    "generated": "generated.nrrd",
    "labelsOriginal": "labels_original.nrrd",
    "labelsEnhanced": "labels_enhanced.nrrd",
}
# Any spacing: the worker brings an image to the scale of its model.
_ACCEPTED = {
    "modality": "US",
    "spacing_mm": (0.0, float("inf")),
    "slice_spacing_mm": (0.0, float("inf")),
    "value_range": (-float("inf"), float("inf")),
}


def spacingOf(imageNode: Any, givenMm: float = 0.0) -> tuple[float, float] | None:
    """Pixel size of rows and columns in mm: what is given, else what the file states; None when neither is known.

    A picture file (PNG, JPEG ...) holds no size of pixels; Slicer shows 1 mm for it.

    Args:
        imageNode: Projection.
        givenMm: By the user; 0 for none.
    """
    if givenMm > 0.0:
        return givenMm, givenMm
    storage = imageNode.GetStorageNode()
    name = (storage.GetFileName() or "").lower() if storage is not None else ""
    if name.endswith(_PICTURES):
        return None
    columns, rows, _slices = imageNode.GetSpacing()
    return rows, columns


def projectionProblem(imageNode: Any, givenMm: float) -> str:
    """Why a volume cannot be enhanced as a projection; empty when it can."""
    if imageNode is None:
        return _("Select a projection, or project a volume first.")
    problem = inputProblem(imageNode, _ACCEPTED)
    if problem:
        return problem
    if imageNode.GetImageData().GetDimensions()[2] != 1:
        text = _("{name} has several slices. Project it first: choose it as volume and press Project.")
        return text.format(name=imageNode.GetName())
    if spacingOf(imageNode, givenMm) is None:
        text = _("{name} is a picture that states no pixel size, and angles without one would be wrong. Enter it.")
        return text.format(name=imageNode.GetName())
    return ""


def stepsOf(enhance: bool, segment: bool, measure: bool) -> list[str]:
    """Steps of the worker's task; measuring needs a segmentation."""
    chosen = {"enhance": enhance, "segment": segment or measure, "measure": measure}
    return [name for name, isChosen in chosen.items() if isChosen]


def spineRequest(
    imageNode: Any, steps: list[str], options: dict[str, Any], givenMm: float, enhanced: Any = None
) -> JobRequest:
    """The request for one projection.

    Args:
        imageNode: The original.
        steps: Of `stepsOf`.
        options: Model, device, precision, thoracic end.
        givenMm: Pixel size by the user; 0 for the file's.
        enhanced: Existing node for the enhanced image; None makes a new one.

    Raises:
        MedEnhanceError: input-unsuitable, bad-option.
    """
    problem = projectionProblem(imageNode, givenMm)
    if problem:
        raise MedEnhanceError("input-unsuitable", problem)
    if not steps:
        raise MedEnhanceError("bad-option", _("There is nothing to do."), _("Choose at least one step."))
    targets = _targets(steps, enhanced)
    files = TripFiles({name: _FILES[name] for name in targets}, {"other_depths": otherDepths(imageNode)})
    asked = {**options, "steps": steps, "spacing_mm": list(spacingOf(imageNode, givenMm) or ())}
    if imageNode.GetAttribute(DEPTH_MM) is not None:  # made here from axes that the user gave
        asked["projection"] = {"trust_axes": True}
    return JobRequest(TASK, imageNode, targets, asked, files)


def batchOptions(one: Any, givenMm: float) -> dict[str, Any]:
    """Options of one input of a batch: the size of its pixels, where its file does not tell.

    Args:
        one: Projection node, or path.
        givenMm: Pixel size by the user; 0 for that of each image.

    Raises:
        MedEnhanceError: input-unsuitable.
    """
    if isinstance(one, (str, Path)):
        return {"spacing_mm": [givenMm, givenMm] if givenMm > 0.0 else None}
    problem = projectionProblem(one, givenMm)
    if problem:
        raise MedEnhanceError("input-unsuitable", problem)
    return {"spacing_mm": list(spacingOf(one, givenMm) or ())}


def publish(imageNode: Any, nodes: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Make segmentations of the label maps, and lines of the curves.

    Returns:
        "output", "generated" (label map), "segmentationOriginal", "segmentationEnhanced", as far as there are.
    """
    scene, made = imageNode.GetScene(), dict(nodes)
    for name, suffix in (("Original", _("segmentation")), ("Enhanced", _("segmentation of the enhanced image"))):
        labels = made.pop(f"labels{name}", None)
        if labels is not None:
            title = f"{imageNode.GetName()} {suffix}"
            node = segmentationOf(scene, labels, imageNode, title, name.lower())
            made[f"segmentation{name}"] = node
            setProvenance(node, result["report"], imageNode, "segmentation")
            removeWithDisplay(scene, labels)
    drawCurves(imageNode, result["report"])
    return made


def drawCurves(imageNode: Any, report: dict[str, Any]) -> None:
    """Draw the end lines of a report's curves, in place of those that there are."""
    scene = imageNode.GetScene()
    curves = [original or enhanced for original, enhanced, _apart in curvePairs(report)]
    for line in addCurveLines(scene, imageNode, [one for one in curves if one is not None]):
        placeBeside(scene, subjectHierarchy(scene), imageNode, line)


def _targets(steps: list[str], enhanced: Any) -> dict[str, Target]:
    targets: dict[str, Target] = {}
    if "enhance" in steps:
        targets["output"] = Target(enhanced, _("enhanced"), "enhanced")
        targets["generated"] = Target(None, _("generated pixels"), "generated", LABEL_MAP)
    if "segment" in steps:
        targets["labelsOriginal"] = Target(None, _("labels"), "labels", LABEL_MAP)
    if "enhance" in steps and "segment" in steps:
        targets["labelsEnhanced"] = Target(None, _("labels of the enhanced image"), "labels", LABEL_MAP)
    return targets
