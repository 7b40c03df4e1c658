"""The appearance step of WaveCT without its pre-trained networks: wavelet bands take the statistics of a clean image.

WaveCT (Liu et al., ISBI 2020) moves a VGG encoder's Haar bands to the mean and SD of a style image (AdaIN). Its weights
may not be bundled here, so the bands are those of the image's own Haar transform (specification, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LEVELS = 3
Bands = list[tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class BandStyle:
    """Mean and SD of each detail band, finest first, and of the coarse image."""

    details: tuple[tuple[tuple[float, float], ...], ...]
    coarse: tuple[float, float]


def style_of(image: np.ndarray, inside: np.ndarray) -> BandStyle:
    """The style of an (R, C) grey image, of the bands' coefficients that lie inside (R, C) bool."""
    coarse, bands = haar(image.astype(np.float32))
    masks = _masks(inside)
    details = tuple(tuple(_moments(band, mask) for band in level) for level, mask in zip(bands, masks, strict=False))
    return BandStyle(details, _moments(coarse, masks[-1]))


def in_style(image: np.ndarray, inside: np.ndarray, style: BandStyle) -> np.ndarray:
    """(R, C) uint8 -> (R, C) uint8 with the bands' mean and SD of `style` inside (R, C) bool."""
    coarse, bands = haar(image.astype(np.float32))
    masks = _masks(inside)
    moved = [
        tuple(_moved(band, mask, to) for band, to in zip(level, targets, strict=True))
        for level, mask, targets in zip(bands, masks, style.details, strict=False)
    ]
    result = inverse_haar(_moved(coarse, masks[-1], style.coarse), moved)[: image.shape[0], : image.shape[1]]
    return np.where(inside, np.clip(np.rint(result), 1, 255), image).astype(np.uint8)


def haar(image: np.ndarray) -> tuple[np.ndarray, Bands]:
    """Orthonormal 3-level Haar transform of an image, its edge repeated up to a multiple of 8."""
    multiple = 2**_LEVELS
    x = np.pad(image, [(0, -n % multiple) for n in image.shape], mode="edge")
    bands: Bands = []
    for _ in range(_LEVELS):
        a, b, c, d = x[::2, ::2], x[::2, 1::2], x[1::2, ::2], x[1::2, 1::2]
        bands.append(((a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2))
        x = (a + b + c + d) / 2
    return x, bands


def inverse_haar(coarse: np.ndarray, bands: Bands) -> np.ndarray:
    """The image of a transform."""
    x = coarse
    for across, down, both in reversed(bands):
        larger = np.empty((2 * x.shape[0], 2 * x.shape[1]), x.dtype)
        larger[::2, ::2], larger[::2, 1::2] = (x + across + down + both) / 2, (x - across + down - both) / 2
        larger[1::2, ::2], larger[1::2, 1::2] = (x + across - down - both) / 2, (x - across - down + both) / 2
        x = larger
    return x


def _masks(inside: np.ndarray) -> list[np.ndarray]:
    """Where the coefficients of each level lie wholly inside."""
    multiple = 2**_LEVELS
    mask, found = np.pad(inside, [(0, -n % multiple) for n in inside.shape]), []
    for _ in range(_LEVELS):
        mask = mask[::2, ::2] & mask[::2, 1::2] & mask[1::2, ::2] & mask[1::2, 1::2]
        found.append(mask)
    return found


def _moments(band: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    values = band[mask]
    return (float(values.mean()), float(values.std())) if values.size else (0.0, 1.0)


def _moved(band: np.ndarray, mask: np.ndarray, to: tuple[float, float]) -> np.ndarray:
    """AdaIN: the mean and SD of the coefficients inside become those given."""
    mean, sd = _moments(band, mask)
    return np.where(mask, (band - mean) * np.float32(to[1] / max(sd, 1e-6)) + np.float32(to[0]), band)
