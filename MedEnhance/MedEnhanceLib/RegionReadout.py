"""Mean, SD and noise of volumes inside a box that the user placed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import vtk

from MedEnhanceLib.VolumeBridge import ijkToRas, volumeArray

if TYPE_CHECKING:
    import numpy as np

# A region with more voxels in its bounding box is thinned out evenly: the table follows while a corner is dragged.
MOST_VOXELS = 100_000
_MOST_WARPED_VOXELS = 20_000  # under a non-linear transform each voxel is transformed on its own
_LEAST_FOR_NOISE = 16  # voxels of a slice
_ROUNDING_MM = 1e-6  # a voxel centre on the face of the box is inside


@dataclass(frozen=True)
class RegionStatistics:
    """What the voxels in a region are like, in the volume's unit.

    Attributes:
        mean: Over the voxels whose centres lie in the box.
        sd: Sample standard deviation (n - 1); 0 for one voxel.
        noiseSd: Standard deviation about a plane fitted to each slice, so that neither a gradient nor a difference of
            slices counts as noise; None when no slice has enough voxels.
        numVoxels: How many voxels were looked at.
        isSampled: Whether those are only a part of the region's voxels.
    """

    mean: float
    sd: float
    noiseSd: float | None
    numVoxels: int
    isSampled: bool


@dataclass(frozen=True)
class _Box:
    """A box in world coordinates.

    Attributes:
        toWorld: (4, 4), from the box's own coordinates, in which it is centred at 0 and parallel to the axes.
        half: (3,) half its edges in its own coordinates.
    """

    toWorld: np.ndarray
    half: np.ndarray

    def lattice(self, perEdge: int) -> np.ndarray:
        """(N, 3) world positions from corner to corner."""
        import numpy as np

        steps = np.linspace(-1.0, 1.0, perEdge)
        own = np.array(list(product(steps, repeat=3))) * self.half
        return own @ self.toWorld[:3, :3].T + self.toWorld[:3, 3]


@dataclass(frozen=True)
class _Selection:
    """Which voxels of a grid lie in the box: ``inside`` among those of ``block``, every ``stride``-th along an axis."""

    block: tuple[slice, ...]
    inside: np.ndarray
    stride: int


def regionStatistics(roiNode: Any, volumeNodes: Sequence[Any]) -> list[RegionStatistics | None]:
    """Measure volumes in a region.

    Args:
        roiNode: Markups ROI; it may be turned, and lie under transforms, as may the volumes.
        volumeNodes: Scalar volumes.

    Returns:
        One entry a volume; None where no voxel centre lies in the region, or there is no image.
    """
    box = _boxOf(roiNode)
    # Input, result and residual lie on one grid: the voxels are found once.
    selections: dict[str, _Selection | None] = {}
    found: list[RegionStatistics | None] = []
    for volumeNode in volumeNodes:
        if volumeNode.GetImageData() is None:
            found.append(None)
            continue
        array = volumeArray(volumeNode)
        grid = f"{array.shape} {ijkToRas(volumeNode)} {volumeNode.GetTransformNodeID()}"
        if grid not in selections:
            selections[grid] = None if box is None else _select(volumeNode, array.shape, box)
        selection = selections[grid]
        found.append(None if selection is None else _statistics(array, selection))
    return found


def _boxOf(roiNode: Any) -> _Box | None:
    import numpy as np

    half = np.array(roiNode.GetSize()) / 2.0
    if roiNode.GetNumberOfControlPoints() == 0 or not (half > 0).all():
        return None
    # The box that Slicer draws: under transforms that shear it keeps right angles.
    return _Box(_matrix(roiNode.GetObjectToWorldMatrix()), half)


def _select(volumeNode: Any, shape: tuple[int, ...], box: _Box) -> _Selection | None:
    import numpy as np

    parent = volumeNode.GetParentTransformNode()
    isLinear = parent is None or bool(parent.IsTransformToWorldLinear())
    bounds = _indexBounds(volumeNode, box, shape, isLinear)
    if bounds is None:
        return None
    stride = _stride(bounds, MOST_VOXELS if isLinear else _MOST_WARPED_VOXELS)
    indices = [np.arange(low, high, stride) for low, high in bounds]
    inside = (_insideLinear if isLinear else _insideWarped)(volumeNode, box, indices)
    block = tuple(slice(low, high, stride) for low, high in bounds)
    return _Selection(block, inside, stride) if inside.any() else None


def _statistics(array: np.ndarray, selection: _Selection) -> RegionStatistics:
    import numpy as np

    block = array[selection.block]
    values = block[selection.inside].astype(np.float64)
    sd = float(values.std(ddof=1)) if values.size > 1 else 0.0
    noiseSd = _noiseSd(block, selection.inside)
    return RegionStatistics(float(values.mean()), sd, noiseSd, values.size, selection.stride > 1)


def _indexBounds(volumeNode: Any, box: _Box, shape: tuple[int, ...], isLinear: bool) -> list[tuple[int, int]] | None:
    """First and last + 1 index along K, J, I that the box can reach; None when it misses the volume."""
    import numpy as np

    points = box.lattice(2 if isLinear else 7)
    fromWorld = np.linalg.inv(_parentMatrix(volumeNode)) if isLinear else None
    local = _transformed(points, volumeNode, toWorld=False) if fromWorld is None else _linear(points, fromWorld)
    ijk = _linear(local, np.linalg.inv(np.array(ijkToRas(volumeNode))))
    # Between the points of the lattice a warped face may bulge.
    margin = 1e-6 if isLinear else 2.0
    low = np.maximum(np.ceil(ijk.min(axis=0) - margin), 0).astype(int)[::-1]
    high = np.minimum(np.floor(ijk.max(axis=0) + margin) + 1, shape[::-1]).astype(int)[::-1]
    return list(zip(low.tolist(), high.tolist(), strict=True)) if (high > low).all() else None


def _stride(bounds: list[tuple[int, int]], most: int) -> int:
    stride = 1
    while math.prod(-(-(high - low) // stride) for low, high in bounds) > most:
        stride += 1
    return stride


def _insideLinear(volumeNode: Any, box: _Box, indices: list[np.ndarray]) -> np.ndarray:
    """(K, J, I) bool: whether the voxel centres lie in the box."""
    import numpy as np

    toBox = np.linalg.inv(box.toWorld) @ _parentMatrix(volumeNode) @ np.array(ijkToRas(volumeNode))
    k, j, i = np.ix_(*indices)
    inside: Any = True
    for row, half in zip(toBox, box.half, strict=False):
        inside = inside & (np.abs(row[0] * i + row[1] * j + (row[2] * k + row[3])) <= half + _ROUNDING_MM)
    return inside


def _insideWarped(volumeNode: Any, box: _Box, indices: list[np.ndarray]) -> np.ndarray:
    """The same where the volume lies under a non-linear transform."""
    import numpy as np

    k, j, i = np.meshgrid(*indices, indexing="ij")
    local = _linear(np.stack([i, j, k], axis=-1).reshape(-1, 3), np.array(ijkToRas(volumeNode)))
    own = _linear(_transformed(local, volumeNode, toWorld=True), np.linalg.inv(box.toWorld))
    return (np.abs(own) <= box.half + _ROUNDING_MM).all(axis=1).reshape(k.shape)


def _noiseSd(block: np.ndarray, inside: np.ndarray) -> float | None:
    """Pooled over the slices, each with a least-squares plane of its own; all at once, as there may be hundreds."""
    import numpy as np

    weight = inside.astype(np.float64)
    counts = weight.sum(axis=(1, 2))
    enough = counts >= _LEAST_FOR_NOISE
    if not enough.any():
        return None
    weight, values = weight[enough], block[enough].astype(np.float64)
    values = values - (values * weight).sum() / weight.sum()
    rows, columns = (np.linspace(-1.0, 1.0, size) for size in block.shape[1:])
    # The plane is c0 + c1 * row + c2 * column; `terms` are those three over a slice.
    terms = np.stack(np.broadcast_arrays(1.0, rows[:, None], columns[None, :])).reshape(3, -1)
    flatWeight, flatValues = weight.reshape(len(weight), -1), values.reshape(len(values), -1)
    products = (terms[:, None] * terms[None, :]).reshape(9, -1)
    normal = (flatWeight @ products.T).reshape(-1, 3, 3)
    fitted = np.einsum("kij,kj->ki", np.linalg.pinv(normal, hermitian=True), (flatWeight * flatValues) @ terms.T)
    energy = float(np.sum(flatWeight * (flatValues - fitted @ terms) ** 2))
    degrees = int(counts[enough].sum()) - int(np.linalg.matrix_rank(normal, hermitian=True).sum())
    return math.sqrt(energy / degrees) if degrees > 0 else None


def _matrix(matrix: Any) -> np.ndarray:
    import numpy as np

    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _parentMatrix(node: Any) -> np.ndarray:
    """(4, 4) from a node's coordinates to the world, through its linear parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    if node.GetParentTransformNode() is not None:
        node.GetParentTransformNode().GetMatrixTransformToWorld(matrix)
    return _matrix(matrix)


def _linear(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _transformed(points: np.ndarray, node: Any, toWorld: bool) -> np.ndarray:
    """(N, 3) points through a node's parent transforms, whatever their kind."""
    import numpy as np
    from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    transform = vtk.vtkGeneralTransform()
    parent = node.GetParentTransformNode()
    (parent.GetTransformToWorld if toWorld else parent.GetTransformFromWorld)(transform)
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    target.SetDataTypeToDouble()
    source.SetData(numpy_to_vtk(np.ascontiguousarray(points, dtype=np.float64), deep=True))
    transform.TransformPoints(source, target)
    return vtk_to_numpy(target.GetData()).copy()
