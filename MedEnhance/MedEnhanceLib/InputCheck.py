"""Whether a volume suits a model, in words that a radiologist understands.

Values are looked at in a sample of the voxels, which takes milliseconds; the worker looks at all of them and may still
refuse a volume that passed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import vtk
from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.Provenance import provenanceOf
from MedEnhanceLib.VolumeBridge import modalityOf, volumeArray, voxelSample

if TYPE_CHECKING:
    from medenhance.manifest import AcceptedInput, TrustedRange

_MOST_VOXELS = 500_000
_ACROSS_BODY = 0.7  # cosine of the angle to the body's axis; a tilted gantry reaches 30 degrees, 0.87


def inputProblem(volumeNode: Any, accepted: AcceptedInput | dict[str, Any]) -> str:
    """Why a model cannot be run on a volume.

    Args:
        volumeNode: Any node, or None.
        accepted: From the model's manifest entry.

    Returns:
        One sentence that says what to do; empty when there is no problem.
    """
    accepted = _asDict(accepted)
    return next((problem for problem in _problems(volumeNode, accepted) if problem), "")


def inputWarnings(volumeNode: Any, trusted: TrustedRange | dict[str, Any]) -> list[str]:
    """What speaks against a result that can be relied on, one sentence each.

    Args:
        volumeNode: A volume without `inputProblem`.
        trusted: From the model's manifest entry.
    """
    return [
        *_derivedWarnings(volumeNode),
        *_spacingWarnings(volumeNode, _asDict(trusted)),
        *_orientationWarnings(volumeNode),
        *_valueWarnings(volumeNode),
    ]


def _problems(volumeNode: Any, accepted: dict[str, Any]) -> Iterator[str]:
    yield _kindProblem(volumeNode)
    yield _modalityProblem(volumeNode, accepted["modality"])
    yield _spacingProblem(volumeNode, accepted)
    yield _valueProblem(volumeNode, accepted)


def _kindProblem(volumeNode: Any) -> str:
    if volumeNode is None:
        return _("Select a volume first.")
    name = volumeNode.GetName()
    if volumeNode.IsA("vtkMRMLLabelMapVolumeNode") or volumeNode.IsA("vtkMRMLSegmentationNode"):
        return _("{name} is a label map or segmentation. Choose the images that it belongs to.").format(name=name)
    if not volumeNode.IsA("vtkMRMLScalarVolumeNode"):
        return _("{name} is no volume of grey values. Choose another one.").format(name=name)
    try:
        volumeArray(volumeNode)
    except MedEnhanceError as error:
        return str(error)
    return ""


def _modalityProblem(volumeNode: Any, wanted: str) -> str:
    found = modalityOf(volumeNode)
    if found not in (None, wanted):
        text = _("{name} is {found}, but this model is made for {wanted}. Choose a {wanted} series.")
        return text.format(name=volumeNode.GetName(), found=found, wanted=wanted)
    return ""


def _spacingProblem(volumeNode: Any, accepted: dict[str, Any]) -> str:
    columns, rows, slices = volumeNode.GetSpacing()
    (low, high), (lowest, highest) = accepted["spacing_mm"], accepted["slice_spacing_mm"]
    for size in (columns, rows):
        if not low <= size <= high:
            text = _("The pixels are {size:g} mm wide; this model takes {low:g} to {high:g} mm. Choose another series.")
            return text.format(size=size, low=low, high=high)
    if volumeNode.GetImageData().GetDimensions()[2] > 1 and not lowest <= slices <= highest:
        text = _("The slices are {size:g} mm apart; this model takes {low:g} to {high:g} mm. Choose another series.")
        return text.format(size=slices, low=lowest, high=highest)
    return ""


def _valueProblem(volumeNode: Any, accepted: dict[str, Any]) -> str:
    import numpy as np

    sample = voxelSample(volumeArray(volumeNode), _MOST_VOXELS)
    if not np.isfinite(sample).all():
        return _("The volume holds values that are no numbers (NaN or infinite). Replace them, for example by -1000.")
    low, high = float(sample.min()), float(sample.max())
    lowest, highest = accepted["value_range"]
    if low < lowest or high > highest:
        text = _(
            "The values run from {low:g} to {high:g} in a sample of the voxels; this model takes {lowest:g} to "
            "{highest:g}. Check the series' rescale slope and intercept."
        )
        return text.format(low=low, high=high, lowest=lowest, highest=highest)
    if accepted["modality"] == "CT" and modalityOf(volumeNode) is None and low >= 0 and high <= 255:
        text = _(
            "The values run from {low:g} to {high:g} in a sample of the voxels: these are grey values or labels, not "
            "CT numbers. Choose the CT in Hounsfield units (HU), where air is near -1000."
        )
        return text.format(low=low, high=high)
    return ""


def _derivedWarnings(volumeNode: Any) -> Iterator[str]:
    provenance = provenanceOf(volumeNode)
    if provenance is not None:
        text = _("{name} is a result of {model}, not an original series.")
        yield text.format(name=volumeNode.GetName(), model=provenance["model_id"])


def _spacingWarnings(volumeNode: Any, trusted: dict[str, Any]) -> Iterator[str]:
    columns, rows, _slices = volumeNode.GetSpacing()
    low, high = trusted["spacing_mm"]
    if not (low <= columns <= high and low <= rows <= high):
        text = _("The pixels are {columns:.2f} x {rows:.2f} mm; the model was tested on {low:g} to {high:g} mm.")
        yield text.format(columns=columns, rows=rows, low=low, high=high)


def _orientationWarnings(volumeNode: Any) -> Iterator[str]:
    """The network looks at the slices as they are stored; it was trained on those that a scanner makes."""
    directions = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASDirectionMatrix(directions)
    columns, rows = ([directions.GetElement(row, axis) for row in range(3)] for axis in (0, 1))
    normal = [0.0, 0.0, 0.0]
    vtk.vtkMath.Cross(columns, rows, normal)
    if abs(normal[2]) < _ACROSS_BODY:
        yield _(
            "The stored slices are not axial (a sagittal or coronal reconstruction?). The model was trained on axial "
            "slices and may work less well."
        )


def _valueWarnings(volumeNode: Any) -> Iterator[str]:
    """What the core says about values that do not look like CT numbers: the same words as in the run itself."""
    from medenhance.value_checks import scale_warnings

    if modalityOf(volumeNode) in (None, "CT") and provenanceOf(volumeNode) is None:
        yield from scale_warnings(voxelSample(volumeArray(volumeNode), _MOST_VOXELS))


def _asDict(limits: Any) -> dict[str, Any]:
    return limits if isinstance(limits, dict) else vars(limits)
