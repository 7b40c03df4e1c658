"""Noise standard deviation in homogeneous regions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_NUM_TERMS = 6  # of the 2nd-order surface


def detrended(patches: np.ndarray) -> np.ndarray:
    """Remove from each patch its least-squares surface of 2nd order (AAPM TG-233, noise power spectrum).

    Args:
        patches: (N, S, S), any unit.

    Returns:
        (N, S, S) float64.
    """
    flat = patches.reshape(len(patches), -1).astype(np.float64)
    basis = _surface_basis(patches.shape[-1])
    return (flat - (flat @ basis) @ basis.T).reshape(patches.shape)


def patch_noise_sd(patches: np.ndarray) -> np.ndarray:
    """(N,) noise SD of each (S, S) patch about its 2nd-order surface, in the patches' unit."""
    side = patches.shape[-1]
    energy = np.sum(detrended(patches) ** 2, axis=(1, 2))
    return np.asarray(np.sqrt(energy / (side * side - _NUM_TERMS)))


@lru_cache(maxsize=8)
def _surface_basis(side: int) -> np.ndarray:
    y, x = np.mgrid[-1.0 : 1.0 : side * 1j, -1.0 : 1.0 : side * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, _NUM_TERMS)
    return np.linalg.qr(terms)[0]
