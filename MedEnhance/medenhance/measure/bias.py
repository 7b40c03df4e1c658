"""CT-number bias: what a denoiser did to the mean of a tissue, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MIN_PIXELS = 100
_TILE_PX = 16  # several correlation lengths of CT noise, so that the means of tiles are nearly independent


@dataclass(frozen=True)
class TileMeans:
    """Means of a difference image over the tiles of a tissue.

    Attributes:
        means: (N,) HU.
        counts: (N,) pixels of each tile that belong to the tissue.
    """

    means: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Bias:
    """A mean difference and its uncertainty.

    Attributes:
        mean_hu: Mean of output minus input.
        standard_error_hu: Of that mean, from the scatter of tiles: pixels are not independent.
        pixels: How many were averaged.
    """

    mean_hu: float
    standard_error_hu: float
    pixels: int


def tile_means(difference: np.ndarray, mask: np.ndarray) -> TileMeans:
    """Average a difference image over the part of each 16 x 16 tile that lies in a mask.

    Args:
        difference: (H, W), HU, output minus input.
        mask: (H, W) bool.
    """
    rows, columns = np.nonzero(mask)
    tile = (rows // _TILE_PX) * (mask.shape[1] // _TILE_PX + 1) + columns // _TILE_PX
    counts = np.bincount(tile)
    sums = np.bincount(tile, weights=difference[rows, columns].astype(np.float64))
    used = counts > 0
    return TileMeans(sums[used] / counts[used], counts[used])


def pooled_bias(tiles: list[TileMeans]) -> Bias | None:
    """The mean over all tiles weighted by their pixels, and its standard error.

    Returns:
        None for fewer than three tiles or a hundred pixels.
    """
    means = np.concatenate([t.means for t in tiles]) if tiles else np.empty(0)
    counts = np.concatenate([t.counts for t in tiles]).astype(np.float64) if tiles else np.empty(0)
    if means.size < 3 or counts.sum() < _MIN_PIXELS:
        return None
    weights = counts / counts.sum()
    mean = float(weights @ means)
    # Variance of a weighted mean (Cochran 1977, ratio estimator), with the small-sample factor n / (n - 1).
    variance = means.size / (means.size - 1) * float(np.sum(weights**2 * (means - mean) ** 2))
    return Bias(mean, float(np.sqrt(variance)), int(counts.sum()))
