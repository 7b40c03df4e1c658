"""A scan that a program wrote into an image file, put back onto the DICOM series that it was loaded from.

An image file keeps neither the tags of a scan nor unequal gaps between its slices: 3D Slicer, for one, stores such a
scan at one mean step. Its voxels are the file's; where they lie, and what the scanner said, is the series'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medenhance.dicom.placement import placed
from medenhance.dicom.stack import Stack, read_stack
from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress
from medenhance.volume import Grid, Volume


@dataclass(frozen=True)
class PlacedScan:
    """A scan on its series.

    Attributes:
        volume: Voxels of the image in the order of the series; grid, modality and series of the DICOM source.
        image_grid: Of the image.
        stack: The series.
    """

    volume: Volume
    image_grid: Grid
    stack: Stack

    def back(self, array: np.ndarray) -> np.ndarray:
        """(D, H, W) in the order of `volume`, in that of the image."""
        found = np.empty_like(array)
        self._placed(found)[...] = array
        return found

    def forth(self, array: np.ndarray) -> np.ndarray:
        """(D, H, W) in the order of the image, in that of `volume`."""
        return np.ascontiguousarray(self._placed(array))

    def image_index(self, index: int, axis: int = 0) -> int:
        """Index in the image of a slice of `volume`."""
        shape = [1, 1, 1]
        shape[axis] = self.volume.array.shape[axis]
        numbers = np.broadcast_to(np.arange(shape[axis]).reshape(shape), self.volume.array.shape)
        first = np.take(self._placed(numbers), index, axis)
        return int(first.flat[0])

    def _placed(self, array: np.ndarray) -> np.ndarray:
        return placed(array, self.image_grid, self.stack.shape, self.stack.grid)


def placed_scan(image: Volume, source: tuple[Path, ...], progress: Progress) -> PlacedScan:
    """Put an image back onto its series.

    Args:
        image: Neither resampled, cropped nor moved since it was loaded.
        source: All DICOM files of the series, or its folder.
        progress: May cancel it.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, series-ambiguous; input-unsuitable when the image does not lie
            on the series, or no source is named.
    """
    if not source:
        raise MedEnhanceError("input-unsuitable", "No DICOM source was named.", "Give its files, or its folder.")
    stack = read_stack(source[0] if len(source) == 1 else source, None, progress)
    array = placed(image.array, image.grid, stack.shape, stack.grid)
    modality = stack.series.modality or image.modality
    volume = replace(image, array=array, grid=stack.grid, modality=modality, series=stack.series)
    return PlacedScan(replace(volume, warnings=(*image.warnings, *stack.warnings)), image.grid, stack)
