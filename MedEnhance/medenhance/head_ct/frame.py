"""The frame in which networks see a head: canonical orientation, one size, one scale (papers/004 B, implementation).

Canonical order is slices from the feet to the head, rows from the front to the back, columns from the patient's right
to the left. Training enters it by the same code, so that a scan looks to a network as those looked that it learnt from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.frame_config import FrameConfig
from medenhance.volume import Volume

__all__ = ["FrameConfig", "HeadFrame", "canonical_axes", "head_centre"]

AIR_HU = -1000.0
HEAD_ABOVE_HU = -300.0
# The head is looked for on pixels of about this size: small enough to part it from the table.
_SEARCH_MM = 4.0
# A table or head holder touches the head in a line that is thinner than this, on pixels of the search.
_OPENING_PX = 2
# Ears, lines and the holder's arms lie beyond these shares of the head's pixels.
_EXTENT = (0.005, 0.995)


@dataclass(frozen=True)
class HeadFrame:
    """The way between a volume's grid and a frame.

    Attributes:
        config: Size and scale.
        shape: (D, H, W) of the volume.
        axes: For the frame's slices, rows and columns the axis of the volume.
        flips: Whether each of them runs the other way.
        rows, columns: (S, H), (S, W) float32: weights by which a pixel of the frame sees pixels of the volume; rows of
            zeros lie outside of it.
        back_rows, back_columns: (H, S), (W, S) float32: the way back.
        fill_hu: Value of the frame outside of the volume.
    """

    config: FrameConfig
    shape: tuple[int, int, int]
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    rows: np.ndarray
    columns: np.ndarray
    back_rows: np.ndarray
    back_columns: np.ndarray
    fill_hu: float = AIR_HU

    @classmethod
    def of(cls, volume: Volume, config: FrameConfig) -> HeadFrame:
        """The frame of a volume.

        Raises:
            MedEnhanceError: There is no head in it.
        """
        axes, flips = canonical_axes(np.reshape(volume.grid.direction, (3, 3)))
        spacing = tuple(volume.grid.spacing_mm[2 - axis] for axis in axes)
        canonical = _turned(volume.array, axes, flips)
        size = config.size_px
        if config.pixel_mm is None:
            steps = [n / size for n in canonical.shape[1:]]
            centres = [(n - 1) / 2 for n in canonical.shape[1:]]
        else:
            steps = [config.pixel_mm / mm for mm in spacing[1:]]
            centres = list(head_centre(canonical, spacing))
        ways = [
            (_sampling(size, n, centre, step), _interpolation(n, size, centre, step))
            for n, centre, step in zip(canonical.shape[1:], centres, steps, strict=True)
        ]
        (rows, back_rows), (columns, back_columns) = ways
        return cls(config, volume.array.shape, axes, flips, rows, columns, back_rows, back_columns)

    def enter(self, hu: np.ndarray) -> np.ndarray:
        """(D, H, W) HU on the volume's grid -> (D', S, S) float32 HU, air outside of the volume."""
        return self._entered(hu, self.fill_hu)

    def enter_share(self, mask: np.ndarray) -> np.ndarray:
        """(D, H, W) bool -> (D', S, S) float32: the share of each pixel of the frame that the mask covers."""
        return self._entered(mask, 0.0)

    def leave(self, values: np.ndarray) -> np.ndarray:
        """(D', S, S) -> (D, H, W) float32 on the volume's grid; 0 outside of the frame."""
        canonical = [self.back_rows @ one.astype(np.float32) @ self.back_columns.T for one in values]
        return _turned_back(np.stack(canonical), self.axes, self.flips)

    def leave_slices(self, values: np.ndarray) -> np.ndarray:
        """(D',) one value a slice, in the frame's order -> in the order of the volume's slices."""
        return np.asarray(values)[::-1] if self.flips[0] else np.asarray(values)

    def _entered(self, array: np.ndarray, fill: float) -> np.ndarray:
        canonical = _turned(array, self.axes, self.flips)
        inside = np.outer(self.rows.any(axis=1), self.columns.any(axis=1))
        framed = np.empty((len(canonical), self.config.size_px, self.config.size_px), np.float32)
        for found, one in zip(framed, canonical, strict=True):
            found[...] = np.where(inside, self.rows @ one.astype(np.float32) @ self.columns.T, fill)
        return framed


def canonical_axes(direction: np.ndarray) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which axis of the array (D, H, W) runs most along z, y and x, and whether it runs against it.

    Args:
        direction: (3, 3), columns are the unit vectors of I, J, K in LPS.
    """
    columns = {2: direction[:, 0], 1: direction[:, 1], 0: direction[:, 2]}
    left, axes, flips = dict(columns), [], []
    # Columns of the frame follow x and rows y; a tilted gantry leans the slices' axis, which takes what is left.
    for world in (0, 1, 2):
        axis = max(left, key=lambda a: abs(left[a][world]))
        vector = left.pop(axis)
        axes.append(axis)
        flips.append(bool(vector[world] < 0))
    return (axes[2], axes[1], axes[0]), (flips[2], flips[1], flips[0])


def head_centre(canonical: np.ndarray, spacing_mm: tuple[float, ...]) -> tuple[float, float]:
    """Row and column of the middle of the head: the largest thing that is not air, without what touches it in a line.

    Raises:
        MedEnhanceError: All is air.
    """
    steps = [max(round(_SEARCH_MM / mm), 1) for mm in spacing_mm]
    coarse = canonical[:: steps[0], :: steps[1], :: steps[2]] > HEAD_ABOVE_HU
    plane = ndimage.generate_binary_structure(2, 1)[None]
    opened = ndimage.binary_opening(coarse, plane, iterations=_OPENING_PX)
    labels, count = ndimage.label(opened if opened.any() else coarse)
    if count == 0:
        raise MedEnhanceError("input-unsuitable", "No head was found: nothing in the volume is denser than air.")
    sizes = np.bincount(labels.ravel())
    head = np.nonzero(labels == 1 + int(np.argmax(sizes[1:])))
    row, column = (float(np.mean(np.quantile(indices, _EXTENT))) for indices in head[1:])
    return row * steps[1], column * steps[2]


def _sampling(size: int, n: int, centre: float, step: float) -> np.ndarray:
    """(size, n): linear resampling around `centre`, over a triangle as wide as a step where steps are long."""
    wanted = centre + (np.arange(size) - (size - 1) / 2) * step
    distance = np.abs(wanted[:, None] - np.arange(n)) / max(step, 1.0)
    weights = np.maximum(1.0 - distance, 0.0)
    weights[(wanted < -0.5) | (wanted > n - 0.5)] = 0.0
    return _shares(weights)


def _interpolation(n: int, size: int, centre: float, step: float) -> np.ndarray:
    """(n, size): linear interpolation from the frame; rows of zeros outside of it."""
    wanted = (np.arange(n) - centre) / step + (size - 1) / 2
    weights = np.maximum(1.0 - np.abs(wanted[:, None] - np.arange(size)), 0.0)
    weights[(wanted < -0.5) | (wanted > size - 0.5)] = 0.0
    return _shares(weights)


def _shares(weights: np.ndarray) -> np.ndarray:
    """Rows that add up to 1, or stay 0."""
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return np.asarray(shares, dtype=np.float32)


def _turned(array: np.ndarray, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> np.ndarray:
    backwards: Any = tuple(slice(None, None, -1 if flip else None) for flip in flips)
    return np.asarray(np.transpose(array, axes)[backwards])


def _turned_back(array: np.ndarray, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> np.ndarray:
    backwards: Any = tuple(slice(None, None, -1 if flip else None) for flip in flips)
    return np.ascontiguousarray(np.transpose(array[backwards], np.argsort(axes)))
