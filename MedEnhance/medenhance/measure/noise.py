"""Noise standard deviation in homogeneous regions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_PLANE_TERMS = 3
_ROUNDS = 3
_INNER_SHARE = 0.8
# Variance of a standard normal variable given |x| < z, P(|x| < z) = 0.8, z = 1.28155: 1 - 2 z pdf(z) / 0.8.
_INNER_VARIANCE = 0.437725
# A plane that is free to leave pixels out follows the rest more closely than its three terms: found on simulated normal
# noise, the same for patches of 7 to 24 pixels.
_EFFECTIVE_TERMS = 7.0


def detrended(patches: np.ndarray) -> np.ndarray:
    """Remove from each patch its least-squares surface of 2nd order (AAPM TG-233, noise power spectrum).

    Args:
        patches: (N, S, S), any unit.

    Returns:
        (N, S, S) float64.
    """
    flat = patches.reshape(len(patches), -1).astype(np.float64)
    basis = _surface_basis(patches.shape[-1])
    return np.asarray(flat - (flat @ basis) @ basis.T).reshape(patches.shape)


def patch_noise_sd(patches: np.ndarray) -> np.ndarray:
    """Noise SD of each patch about a plane, from the inner 80 % of its pixels.

    A plane, because a surface of 2nd order would take the coarse noise that denoising leaves out of a small patch too.
    The outer fifth of the pixels is left out of plane and SD because small vessels, which no patch of lung is free of,
    would double the figure; the SD of a normal distribution follows from the rest.

    Args:
        patches: (N, S, S), any unit.

    Returns:
        (N,) in the patches' unit.
    """
    pixels = patches.shape[-1] ** 2
    flat = patches.reshape(len(patches), pixels).astype(np.float64)
    basis = _surface_basis(patches.shape[-1])[:, :_PLANE_TERMS]
    plane = (flat @ basis) @ basis.T
    for _ in range(_ROUNDS):
        error = np.abs(flat - plane)
        inner = error <= np.quantile(error, _INNER_SHARE, axis=1, keepdims=True)
        plane = (np.where(inner, flat, plane) @ basis) @ basis.T
    energy = np.sort((flat - plane) ** 2, axis=1)[:, : int(_INNER_SHARE * pixels)].mean(axis=1)
    return np.asarray(np.sqrt(energy / _INNER_VARIANCE * pixels / (pixels - _EFFECTIVE_TERMS)))


@lru_cache(maxsize=8)
def _surface_basis(side: int) -> np.ndarray:
    # Terms in rising order: the first three columns span the planes.
    y, x = np.mgrid[-1.0 : 1.0 : side * 1j, -1.0 : 1.0 : side * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(side * side, 6)
    return np.asarray(np.linalg.qr(terms)[0])
