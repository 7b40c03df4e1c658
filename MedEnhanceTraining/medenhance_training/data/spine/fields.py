"""Smooth random fields and the interpolation that brings coarse fields to the pixels of a projection."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter


def smooth_field(shape: tuple[int, int], sigma_px: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """(R, C) float32 Gaussian field of mean 0 and standard deviation 1, with a Gaussian correlation of that sigma.

    A long correlation is drawn on a coarser grid and interpolated: the cost follows the detail, not the pixels.
    """
    steps = max(1, int(sigma_px[0] / 2)), max(1, int(sigma_px[1] / 2))
    coarse = tuple(-(-n // step) + 3 for n, step in zip(shape, steps, strict=True))
    sigmas = [sigma / step for sigma, step in zip(sigma_px, steps, strict=True)]
    # Filtered white noise of unit variance has the variance 1 / prod(2 sqrt(pi) sigma); below one pixel it has 1.
    gain = np.prod([max(1.0, np.sqrt(2 * np.sqrt(np.pi) * sigma)) for sigma in sigmas])
    field = gaussian_filter(rng.standard_normal(coarse, dtype=np.float32), sigmas, mode="wrap") * np.float32(gain)
    return enlarge(field, shape, steps)


def smooth_line(length: int, sigma_px: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) float32: a random function of one variable, likewise."""
    return smooth_field((length, 1), (sigma_px, 0.0), rng)[:, 0]


def enlarge(coarse: np.ndarray, shape: tuple[int, int], steps: tuple[int, int]) -> np.ndarray:
    """(R, C) float32 from a grid whose pixels are `steps` times as large, by cubic interpolation.

    Args:
        coarse: (r, c) float32 that covers (R, C): the centre of coarse pixel (0, 0) is that of its block of pixels.
        shape: R, C.
        steps: Pixels a coarse pixel, rows and columns.
    """
    rows, columns = (
        _interpolation(size, num, step) for size, num, step in zip(shape, coarse.shape, steps, strict=True)
    )
    wide = coarse if columns is None else coarse @ columns.T
    return np.asarray(wide if rows is None else rows @ wide, np.float32)[: shape[0], : shape[1]]


@lru_cache(maxsize=32)
def _interpolation(size: int, num_coarse: int, step: int) -> np.ndarray | None:
    """(size, num_coarse) float32: Catmull-Rom weights of every pixel; None where nothing changes."""
    if step == 1:
        return None
    place = (np.arange(size) + 0.5) / step - 0.5
    first = np.floor(place).astype(int)
    t = place - first
    weights = np.zeros((size, num_coarse), np.float32)
    taps = (
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (-(t**2) + t**3) / 2,
    )
    for offset, weight in zip((-1, 0, 1, 2), taps, strict=True):
        np.add.at(weights, (np.arange(size), np.clip(first + offset, 0, num_coarse - 1)), weight)
    return weights
