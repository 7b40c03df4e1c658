"""Volumes of single bleeds: what of a predicted mask belongs to which of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medenhance.head_ct.labels import SUBTYPES
from medenhance.head_ct.pieces import TOUCHING
from medenhance.head_ct.slice_geometry import slice_geometry
from medenhance.volume import Grid


@dataclass(frozen=True)
class LesionVolume:
    """One connected bleed of one subtype.

    Attributes:
        subtype: One of `SUBTYPES`.
        true_ml: Volume of its true mask on the grid of the scan.
        predicted_ml: Volume of what of the predicted mask touches it, or lies nearest to it among what touches several.
    """

    subtype: str
    true_ml: float
    predicted_ml: float

    @property
    def error_ml(self) -> float:
        return self.predicted_ml - self.true_ml


def voxel_ul(grid: Grid, num_slices: int) -> np.ndarray:
    """(D,) microlitres of a voxel of each slice.

    The determinant of the grid's matrix is its volume whatever the order of the axes and however the slices are tilted;
    where gaps are unequal each slice reaches half way to its neighbours.
    """
    if grid.slice_origins_mm is None:
        return np.full(num_slices, abs(float(np.linalg.det(grid.affine[:3, :3]))))
    # Slices that run from the head to the foot give negative thicknesses there.
    return np.abs(slice_geometry(grid, num_slices).voxel_ml) * 1000.0


def lesion_volumes(predicted: np.ndarray, subtypes: np.ndarray, sizes: np.ndarray) -> Iterator[LesionVolume]:
    """Every connected bleed with what was found of it.

    Args:
        predicted: (D, H, W) bool.
        subtypes: (D, H, W) uint8, 0 for none, 1 to 5.
        sizes: (D,) microlitres of a voxel of each slice.
    """
    lesions, names = _lesions(subtypes)
    if not names:
        return
    pieces, _ = ndimage.label(predicted, TOUCHING)
    touching = np.unique(pieces[(lesions > 0) & predicted])
    belongs = np.isin(pieces, touching) & predicted
    nearest = ndimage.distance_transform_edt(lesions == 0, return_distances=False, return_indices=True)
    owner = np.where(belongs, lesions[tuple(nearest)], 0)
    for number, name in enumerate(names, start=1):
        true, found = (_ml(labels == number, sizes) for labels in (lesions, owner))
        yield LesionVolume(name, true, found)


def _lesions(subtypes: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(D, H, W) int, one number a lesion from 1, and the subtype of each."""
    lesions = np.zeros(subtypes.shape, np.int32)
    names: list[str] = []
    for number, subtype in enumerate(SUBTYPES, start=1):
        labels, count = ndimage.label(subtypes == number, TOUCHING)
        lesions[labels > 0] = labels[labels > 0] + len(names)
        names += [subtype] * count
    return lesions, names


def _ml(mask: np.ndarray, sizes: np.ndarray) -> float:
    return float(np.count_nonzero(mask, axis=(1, 2)) @ sizes) / 1000.0
