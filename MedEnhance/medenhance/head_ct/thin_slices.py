"""Thin series: averaged to slabs as thick as the slices that heads are read and networks trained on, and the way back.

A slab is the mean of the slices whose middle lies in it, weighted by what each stands for, so that the sum of blood is
the same in both. A result comes back by linear interpolation between the middles of the slabs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medenhance.head_ct.slice_checks import THIN_MM
from medenhance.head_ct.slice_geometry import SliceGeometry
from medenhance.volume import Volume

SLAB_MM = 5.0  # spec section 7.1: slices of 4.5 to 5 mm


@dataclass(frozen=True)
class Slabs:
    """Which slices belong to which slab.

    Attributes:
        of_slice: (D,) number of the slab of each slice, from 0, rising.
        thickness_mm: (D,) what each slice stands for.
        levels_mm: (D,) positions of the slices along their normal.
    """

    of_slice: np.ndarray
    thickness_mm: np.ndarray
    levels_mm: np.ndarray

    @property
    def count(self) -> int:
        return int(self.of_slice[-1]) + 1

    @property
    def middles_mm(self) -> np.ndarray:
        """(S,) weighted mean level of each slab's slices."""
        return np.array([self._mean(self.levels_mm, slab) for slab in range(self.count)])

    def members(self, slab: int) -> np.ndarray:
        """Indices of a slab's slices."""
        return np.flatnonzero(self.of_slice == slab)

    def averaged(self, volume: Volume) -> Volume:
        """The volume of slabs."""
        positions = volume.grid.slice_positions(len(volume.array))
        array = np.stack([self._mean_of(volume.array, slab) for slab in range(self.count)]).astype(np.float32)
        places = np.stack([self._mean(positions, slab) for slab in range(self.count)])
        step = (places[-1] - places[0]) / (self.count - 1)
        length = float(np.linalg.norm(step))
        matrix = np.reshape(volume.grid.direction, (3, 3)).copy()
        matrix[:, 2] = step / length
        origins = tuple((float(x), float(y), float(z)) for x, y, z in places)
        grid = replace(
            volume.grid,
            spacing_mm=(*volume.grid.spacing_mm[:2], length),
            origin_mm=origins[0],
            direction=tuple(matrix.ravel().tolist()),
            slice_origins_mm=origins,
        )
        return replace(volume, array=array, grid=grid, series=None, file_dtype=None)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """(S, H, W) of slabs -> (D, H, W) float32 of slices."""
        where = np.interp(self.levels_mm, self.middles_mm, np.arange(self.count))
        below = np.minimum(where.astype(int), self.count - 2)
        share = (where - below).astype(np.float32)
        found = np.empty((len(where), *values.shape[1:]), np.float32)
        for one, k, t in zip(found, below, share, strict=True):
            np.multiply(values[k], 1 - t, out=one)
            one += t * values[k + 1]
        return found

    def _mean(self, values: np.ndarray, slab: int) -> np.ndarray:
        members = self.members(slab)
        return np.asarray(np.average(values[members], axis=0, weights=self.thickness_mm[members]))

    def _mean_of(self, array: np.ndarray, slab: int) -> np.ndarray:
        """Like `_mean`, with memory for one slice at a time."""
        members = self.members(slab)
        weights = (self.thickness_mm[members] / self.thickness_mm[members].sum()).astype(np.float32)
        total = np.zeros(array.shape[1:], np.float32)
        for k, weight in zip(members, weights, strict=True):
            total += weight * array[k]
        return total


def slabs_of(geometry: SliceGeometry) -> Slabs | None:
    """The slabs of a thin series; None where the slices are thick enough, or too few for two slabs."""
    thin = float(np.median(geometry.thickness_mm)) < THIN_MM
    count = round(geometry.covered_mm / SLAB_MM)
    if not thin or count < 2:
        return None
    begin = geometry.levels_mm[0] - geometry.thickness_mm[0] / 2
    raw = np.floor((geometry.levels_mm - begin) / (geometry.covered_mm / count)).astype(int)
    numbers = np.unique(raw, return_inverse=True)[1]  # a slab that no slice lies in is none
    if numbers[-1] < 1:
        return None
    return Slabs(numbers, geometry.thickness_mm, geometry.levels_mm)
