"""Volume nodes to files and back: voxels and matrix stay the same to the last bit, and no call takes long.

A file holds the node's own IJK-to-RAS matrix. Parent transforms, linear or not, stay where they are: the network works
on the voxel grid, and the result gets the same parent, so that it lies where the input lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
import vtk
from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.VolumeFile import CHUNK_BYTES, readSteps, writeSteps

if TYPE_CHECKING:
    import numpy as np

HOUNSFIELD = ("[hnsf'U]", "UCUM")  # code value and scheme of the unit


def volumeArray(volumeNode: Any) -> np.ndarray:
    """The voxels of a volume node, (K, J, I), not a copy.

    Raises:
        MedEnhanceError: input-unsuitable: it holds nothing, or several numbers a voxel.
    """
    from vtk.util.numpy_support import vtk_to_numpy

    image = volumeNode.GetImageData()
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None or scalars.GetNumberOfTuples() == 0:
        message = _("{name} holds no image.").format(name=volumeNode.GetName())
        raise MedEnhanceError("input-unsuitable", message, _("Choose another volume, or load it again."))
    if scalars.GetNumberOfComponents() != 1:
        message = _("{name} is a colour or vector image: it holds {n} numbers a voxel.")
        message = message.format(name=volumeNode.GetName(), n=scalars.GetNumberOfComponents())
        raise MedEnhanceError("input-unsuitable", message, _("Choose a volume of grey values."))
    return vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])


def ijkToRas(volumeNode: Any) -> list[list[float]]:
    """A volume's own 4 x 4 matrix from voxel indices to RAS millimetres, without its parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)]


def modalityOf(volumeNode: Any) -> str | None:
    """DICOM modality of a volume, from what Slicer keeps of it.

    "CT" when its voxels are in Hounsfield units, as Slicer's DICOM reader notes on the node. Otherwise what the node or
    its subject hierarchy item has as "DICOM.Modality"; else None: then the values must speak for themselves.
    """
    units = volumeNode.GetVoxelValueUnits()
    if units is not None and (units.GetCodeValue(), units.GetCodingSchemeDesignator()) == HOUNSFIELD:
        return "CT"
    return volumeNode.GetAttribute("DICOM.Modality") or _modalityOfItem(volumeNode)


def exportSteps(volumeNode: Any, path: str | Path, modality: str | None = None) -> Iterator[float]:
    """Write a volume node as `writeSteps` does.

    Args:
        volumeNode: Scalar volume.
        path: The file.
        modality: For a frame of a sequence, that of the volume which shows it; None takes `modalityOf` the node.

    Raises:
        MedEnhanceError: input-unsuitable (see `volumeArray`), disk-full, output-refused.
    """
    yield from writeSteps(volumeArray(volumeNode), ijkToRas(volumeNode), path, modality or modalityOf(volumeNode))


def importSteps(path: str | Path, inputNode: Any, outputNode: Any) -> Iterator[float]:
    """Read a result and put it into a node: the steps of `readSteps`, then `fillNode`, then `releaseSteps`."""
    array = yield from readSteps(path)
    for _released in releaseSteps(fillNode(array, inputNode, outputNode)):
        yield 1.0


def fillNode(array: np.ndarray, inputNode: Any, outputNode: Any) -> Any:
    """Give a node voxels, on the grid and under the parent transform of the input.

    Spacing, origin and directions are copied one by one: composing and decomposing the matrix would round. The window
    is not computed anew, which takes half a second for a large CT; `copyDisplay` sets it.

    Args:
        array: (K, J, I) of the input's shape. What `readSteps` returned is taken over, anything else copied.
        inputNode: Where the result comes from.
        outputNode: Scalar volume node; what it held is replaced.

    Returns:
        The image that it held, for `releaseSteps`, or None.

    Raises:
        ValueError: Another shape than the input's.
    """
    shape = inputNode.GetImageData().GetDimensions()[::-1]
    if array.shape != shape:
        raise ValueError(f"an array of shape {array.shape} does not fit {inputNode.GetName()} of shape {shape}")
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.GetPointData().SetScalars(_scalars(array))
    before = outputNode.GetImageData()
    wasModifying = outputNode.StartModify()
    try:
        _stopAutomaticDisplay(outputNode)
        _copyGeometry(inputNode, outputNode)
        outputNode.SetAndObserveImageData(image)
        outputNode.SetVoxelValueQuantity(_copyOfCode(inputNode.GetVoxelValueQuantity()))
        outputNode.SetVoxelValueUnits(_copyOfCode(inputNode.GetVoxelValueUnits()))
    finally:
        outputNode.EndModify(wasModifying)
    return before


def voxelSample(array: np.ndarray, most: int = 200_000) -> np.ndarray:
    """At most so many voxels, evenly spread over (K, J, I) and in its shape; all of them when there are no more."""
    stride = 1
    while math.prod(-(-size // stride) for size in array.shape) > most:
        stride += 1
    # As far from one end as from the other.
    return array[tuple(slice((size - 1) % stride // 2, None, stride) for size in array.shape)]


def releaseSteps(image: Any) -> Iterator[float]:
    """Give the memory of an image back a little at a time: the system takes 50 ms for all of a large CT at once.

    Args:
        image: What `fillNode` returned. One that something else still uses is left alone.
    """
    scalars = image.GetPointData().GetScalars() if image is not None else None
    # One reference is ours, the other the image's own.
    if scalars is None or image.GetReferenceCount() > 1 or scalars.GetReferenceCount() > 2:
        return
    total = scalars.GetNumberOfTuples()
    perStep = max(1, CHUNK_BYTES // (scalars.GetDataTypeSize() * scalars.GetNumberOfComponents()))
    for kept in range(total - perStep, 0, -perStep):
        scalars.Resize(kept)
        yield 1.0 - kept / total


def _modalityOfItem(volumeNode: Any) -> str | None:
    scene = volumeNode.GetScene()
    # Not GetSubjectHierarchyNode, which would add one to a sequence's own scene.
    hierarchy = scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode") if scene is not None else None
    item = hierarchy.GetItemByDataNode(volumeNode) if hierarchy is not None else 0
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return (hierarchy.GetItemAttribute(item, name) or None) if item else None


def _scalars(array: np.ndarray) -> Any:
    """A vtkDataArray with these voxels: the array's own memory where nobody else uses it, else a copy."""
    import numpy as np
    from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    owner: Any = array
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    if isinstance(owner, vtk.vtkDataArray) and owner.GetReferenceCount() == 1 and array.flags.c_contiguous:
        whole = vtk_to_numpy(owner)
        if whole.size == array.size and whole.dtype == array.dtype:
            return owner
    return numpy_to_vtk(np.ascontiguousarray(array).reshape(-1), deep=True)


def _stopAutomaticDisplay(volumeNode: Any) -> None:
    display = volumeNode.GetDisplayNode()
    if display is not None:
        display.AutoWindowLevelOff()
        display.AutoThresholdOff()


def _copyGeometry(source: Any, target: Any) -> None:
    directions = vtk.vtkMatrix4x4()
    source.GetIJKToRASDirectionMatrix(directions)
    target.SetIJKToRASDirectionMatrix(directions)
    target.SetSpacing(source.GetSpacing())
    target.SetOrigin(source.GetOrigin())
    target.SetAndObserveTransformNodeID(source.GetTransformNodeID())


def _copyOfCode(entry: Any) -> Any:
    if entry is None:
        return None
    copied = slicer.vtkCodedEntry()
    copied.Copy(entry)
    return copied
