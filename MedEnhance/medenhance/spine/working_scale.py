"""The pixel size at which a network sees a projection.

A network takes images at their own scale wherever their pixels are as large as those that it was made for. Others are
brought to the middle of its range, and what it found is brought back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import zoom

Size = tuple[float, float]


@dataclass(frozen=True)
class WorkingScale:
    """From an image's own grid to the network's.

    Attributes:
        shape: (R, C) of the image.
        working_shape: (R, C) that the network sees.
    """

    shape: tuple[int, int]
    working_shape: tuple[int, int]

    @property
    def is_own(self) -> bool:
        """The network sees the image as it is."""
        return self.shape == self.working_shape

    def enter(self, image: np.ndarray) -> np.ndarray:
        """(R, C) uint8 -> working shape, uint8; pixels outside the scan stay 0."""
        if self.is_own:
            return image
        larger = _resized(image.astype(np.float32), self.working_shape)
        seen = _resized((image > 0).astype(np.float32), self.working_shape) >= 0.5
        return np.where(seen, np.clip(np.rint(larger), 1, 255), 0).astype(np.uint8)

    def leave(self, values: np.ndarray) -> np.ndarray:
        """Working shape -> (R, C), float32, linear."""
        return values.astype(np.float32) if self.is_own else _resized(values.astype(np.float32), self.shape)

    def leave_labels(self, labels: np.ndarray) -> np.ndarray:
        """Working shape -> (R, C) of the same classes: of each pixel the one that covers most of it."""
        if self.is_own:
            return labels
        classes = np.unique(labels)
        shares = np.stack([self.leave(labels == one) for one in classes])
        return np.asarray(classes[shares.argmax(axis=0)], labels.dtype)


def working_scale(shape: tuple[int, int], spacing_mm: Size | None, accepted_mm: Size) -> WorkingScale:
    """The scale for an image.

    Args:
        shape: (R, C).
        spacing_mm: Of its rows and columns; None is taken as it is.
        accepted_mm: Smallest and largest pixel of the model.
    """
    low, high = accepted_mm
    if spacing_mm is None or all(low <= size <= high for size in spacing_mm):
        return WorkingScale(shape, shape)
    middle = float(np.sqrt(low * high))
    rows, columns = (max(1, round(n * size / middle)) for n, size in zip(shape, spacing_mm, strict=True))
    return WorkingScale(shape, (rows, columns))


def _resized(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    factors = [new / old for new, old in zip(shape, image.shape, strict=True)]
    return np.asarray(zoom(image, factors, order=1, mode="nearest", grid_mode=True), np.float32)
