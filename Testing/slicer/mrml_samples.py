"""Small volumes in MRML scenes for the tests: odd spacing, oblique and sheared axes, and the host below them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from medenhance_host import install

install()  # before any MedEnhanceLib import: it provides slicer.i18n and the folder of our modules

STRANGE_NAME = "CT Schädel 头部 é"
SCALAR_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
SPACING_MM = (0.4882812, 0.7000001, 2.3999999)
ORIGIN_MM = (-123.456789, 77.7, -1.0 / 3.0)
# As the worker answers, but for the measurements.
REPORT = {
    "run": {
        "model_id": "redcnn-compact",
        "model_version": "1.0.0",
        "weights_sha256": "ab" * 32,
        "strength": 0.8,
        "precision": "fp32",
        "device": "cpu",
        "seconds": 1.5,
        "peak_memory_mb": None,
    },
    "warnings": ['Größe: "1" & <2>; é 像素: 5 %', "second"],
}
# A tilted gantry: K is not orthogonal to J; and all of it is turned.
_TURN = vtk.vtkTransform()
_TURN.RotateZ(21.3)
_TURN.RotateX(-9.1)
_TILT = np.array([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.31730465640509214], [0.0, 0.0, 0.9483236552061993]])


def directions() -> np.ndarray:
    """(3, 3) unit vectors of I, J, K as columns, oblique and sheared."""
    turn = np.array([[_TURN.GetMatrix().GetElement(r, c) for c in range(3)] for r in range(3)])
    return turn @ _TILT


def filled(array: np.ndarray, scene: Any = None, name: str = STRANGE_NAME, oblique: bool = True) -> Any:
    """A scalar volume node that holds ``array``, (K, J, I)."""
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape[::-1])
    from vtk.util.numpy_support import numpy_to_vtk

    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).reshape(-1), deep=True))
    if oblique:
        node.SetIJKToRASDirections(*directions().ravel())
        node.SetSpacing(*SPACING_MM)
        node.SetOrigin(*ORIGIN_MM)
    node.SetAndObserveImageData(image)
    return node if scene is None else scene.AddNode(node)


def ramp(shape: tuple[int, int, int] = (3, 5, 7), dtype: str = "int16") -> np.ndarray:
    """(K, J, I) values that all differ as far as the type holds them, its limits among them."""
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    if np.dtype(dtype).kind == "f":
        array = (values * np.pi).astype(dtype)
        array.flat[:2] = np.finfo(dtype).max, np.finfo(dtype).min
        return array
    array = values.astype(dtype)
    array.flat[:2] = np.iinfo(dtype).max, np.iinfo(dtype).min
    return array


def ijkToRas(node: Any) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def lists(*columns: Any) -> vtk.vtkMatrix4x4:
    """A 4 x 4 matrix from its rows."""
    matrix = vtk.vtkMatrix4x4()
    for row, values in enumerate(columns):
        for column, value in enumerate(values):
            matrix.SetElement(row, column, value)
    return matrix


def linearTransform(scene: Any, parent: Any = None) -> Any:
    """A transform node that turns, stretches and moves."""
    transform = vtk.vtkTransform()
    transform.RotateWXYZ(33.0, 0.3, -0.5, 0.8)
    transform.Scale(1.0, 1.25, 0.8)
    transform.Translate(11.0, -7.5, 3.25)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(transform.GetMatrix())
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    return node


def warpTransform(scene: Any) -> Any:
    """A non-linear transform node: a thin-plate spline that moves one of its landmarks by some millimetres."""
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in np.ndindex(2, 2, 2):
        position = [(200.0 * c) - 100.0 for c in corner]
        source.InsertNextPoint(position)
        target.InsertNextPoint(position)
    source.InsertNextPoint(0.0, 0.0, 0.0)
    target.InsertNextPoint(6.0, -4.0, 3.0)
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    node.SetAndObserveTransformToParent(spline)
    return node


def newScene() -> Any:
    return slicer.vtkMRMLScene()


def finish(steps: Iterator[float]) -> Any:
    """Run steps to their end and give what they return."""
    fractions = []
    while True:
        try:
            fractions.append(next(steps))
        except StopIteration as stop:
            assert fractions == sorted(fractions)
            assert not fractions or 0.0 < fractions[-1] <= 1.0
            return stop.value


def longestStepMs(steps: Iterator[float]) -> float:
    """Run steps to their end; how long the longest call took, in ms of this process' own time."""
    longest = 0.0
    while True:
        # Not the clock on the wall: a busy machine may stop us at any moment.
        begun = time.process_time()
        try:
            next(steps)
        except StopIteration:
            return max(longest, 1000.0 * (time.process_time() - begun))
        longest = max(longest, 1000.0 * (time.process_time() - begun))


def timeMs(call: Callable[[], Any]) -> float:
    """How long a call takes, in ms of this process' own time."""
    begun = time.process_time()
    call()
    return 1000.0 * (time.process_time() - begun)


def memoryMb() -> float:
    """Memory of this process that is in use."""
    gc.collect()
    import psutil

    return psutil.Process().memory_info().rss / 2**20


def strangeFolder(folder: Path) -> Path:
    made = folder / "a folder 目录 é"
    made.mkdir()
    return made
