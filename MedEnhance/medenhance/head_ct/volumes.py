"""Volumes of a mask on slices that stand for unequal thicknesses, with what half a voxel at the border is worth."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from medenhance.head_ct.pieces import Piece
from medenhance.head_ct.report import VolumeFigure
from medenhance.head_ct.slice_geometry import SliceGeometry

_FACES = ndimage.generate_binary_structure(3, 1)
# Of one slice nothing is known above and below: its border is that within it.
_EDGES = ndimage.generate_binary_structure(2, 1)[None]


def volume_ml(mask: np.ndarray, geometry: SliceGeometry) -> float:
    """Millilitres of a (D, H, W) bool mask."""
    return float(np.count_nonzero(mask, axis=(1, 2)) @ geometry.voxel_ml)


def volume_figure(piece: Piece) -> VolumeFigure:
    """The volume, and what it is with half of the voxels at the border left out, and half of those around it added.

    A border that runs through the middle of voxels on average is found to half a voxel: spec section 8.
    """
    geometry, first = piece.geometry, piece.corner[0]
    touching = _EDGES if len(geometry.levels_mm) == 1 else _FACES
    # What lies beyond the first and last slice of the scan is as thick as they are.
    voxel_ml = np.pad(geometry.voxel_ml, 1, mode="edge")[first : first + len(piece.mask) + 2]
    part = np.pad(piece.mask, 1)
    inner = part & ~ndimage.binary_erosion(part, touching)
    outer = ndimage.binary_dilation(part, touching) & ~part
    total, lost, gained = (float(np.count_nonzero(one, axis=(1, 2)) @ voxel_ml) for one in (part, inner, outer))
    return VolumeFigure(total, total - lost / 2, total + gained / 2)


def areas_mm2(mask: np.ndarray, geometry: SliceGeometry) -> np.ndarray:
    """(D,) area of the mask in each slice."""
    rows, columns = geometry.pixel_mm
    return np.asarray(np.count_nonzero(mask, axis=(1, 2)) * rows * columns)
