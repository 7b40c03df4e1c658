"""Parallel-beam projection and filtered backprojection through the Fourier slice theorem.

The Fourier transform of a projection at angle theta is the image's Fourier transform along the ray of that angle. Both
directions therefore need only FFTs and one sparse matrix that interpolates between the Cartesian and the polar
frequencies (a non-uniform FFT with a Kaiser-Bessel kernel, Fessler and Sutton 2003), which is several times faster than
summing along rays and is an exact adjoint pair.

Frame: x along columns, y along rows, both from pixel (n // 2, n // 2) of the square image. The ray (theta, t) is the
line x cos(theta) + y sin(theta) = t, theta over half a turn; detector bin m lies at t = (m - num_bins // 2) bin widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.sparse
import scipy.special

# Grid oversampling and kernel width (in grid cells): the interpolation error is below 1e-3 of the largest value.
_OVERSAMPLING = 2.0
_WIDTH = 4


@dataclass(frozen=True)
class Geometry:
    """What is projected onto what.

    Attributes:
        size: Side of the square image, pixels.
        num_angles: Views over half a turn.
        refine: Detector bins a pixel width. With more than one, frequencies above the image's Nyquist frequency are
            kept and fold back into it, as they do when a scanner evaluates its backprojection at coarse pixels.
    """

    size: int
    num_angles: int
    refine: int = 1

    @property
    def num_bins(self) -> int:
        """Detector bins: an even number that covers the image's diagonal and keeps the ramp's tails from wrapping."""
        return 2 * scipy.fft.next_fast_len(int(np.ceil(0.75 * self.size * self.refine)) + 8)

    @property
    def angles(self) -> np.ndarray:
        """(num_angles,) float64, radians in [0, pi)."""
        return np.arange(self.num_angles) * (np.pi / self.num_angles)

    @property
    def offsets_px(self) -> np.ndarray:
        """(num_bins,) float64: signed distance of each bin from the axis, in pixels."""
        return (np.arange(self.num_bins) - self.num_bins // 2) / self.refine

    @property
    def frequencies_px(self) -> np.ndarray:
        """(num_bins // 2 + 1,) float64: frequencies of a projection, cycles a pixel."""
        return np.fft.rfftfreq(self.num_bins, 1 / self.refine)


def project(image: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Line integrals of an image.

    Args:
        image: (size, size), any unit a pixel width.
        geometry: The rays.

    Returns:
        (num_angles, num_bins) float32: the integrals, in units of a pixel width.
    """
    gridding = _gridding(geometry)
    spectrum = scipy.fft.fft2(_embed(image / _taper(geometry), _grid_size(geometry)))
    polar = gridding.T @ _as_pairs(spectrum)
    bins = scipy.fft.irfft(_shifted(_as_complex(polar, geometry), geometry), n=geometry.num_bins, axis=1)
    return bins * np.float32(geometry.refine)


def filtered_backprojection(sinogram: np.ndarray, gain: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Reconstruct an image, applying ``gain`` on top of the ramp.

    Args:
        sinogram: (num_angles, num_bins), line integrals in units of a pixel width.
        gain: (num_bins // 2 + 1,), factor at each of `Geometry.frequencies_px` (the apodisation; 1 = ramp only).
        geometry: The rays.

    Returns:
        (size, size) float32: value a pixel width.
    """
    polar = scipy.fft.rfft(sinogram.astype(np.float32), axis=1)
    # Integral over theta in [0, pi) and over both signs of the frequency; the conjugate half doubles the real part.
    weight = 2.0 * np.pi / geometry.num_angles * _ramp(geometry) * gain / geometry.num_bins
    weight[[0, -1]] /= 2.0
    polar = _shifted(polar * weight.astype(np.float32), geometry)
    grid = _as_complex(_gridding(geometry) @ _as_pairs(polar), geometry, cartesian=True)
    image = scipy.fft.ifft2(grid, norm="forward").real
    return _crop(image, geometry.size) / _taper(geometry)


def _ramp(geometry: Geometry) -> np.ndarray:
    """(num_bins // 2 + 1,): the ramp as the transform of its band-limited impulse response, right at frequency 0.

    Kak and Slaney, Principles of Computerized Tomographic Imaging, eq. 3.61.
    """
    lag = np.minimum(np.arange(geometry.num_bins), geometry.num_bins - np.arange(geometry.num_bins))
    response = np.where(lag % 2 == 1, -1.0 / (np.pi * np.maximum(lag, 1)) ** 2, 0.0)
    response[0] = 0.25
    return np.fft.rfft(response).real * geometry.refine


def _grid_size(geometry: Geometry) -> int:
    return 2 * scipy.fft.next_fast_len(int(np.ceil(_OVERSAMPLING * geometry.size / 2)))


@lru_cache(maxsize=4)
def _gridding(geometry: Geometry) -> scipy.sparse.csr_matrix:
    """(grid cells, polar samples): spreads polar frequencies over the oversampled Cartesian frequency grid."""
    cells = _grid_size(geometry)
    radius = geometry.frequencies_px.astype(np.float64) * cells
    u, wu = _neighbours(np.outer(np.sin(geometry.angles), radius).ravel(), cells)
    v, wv = _neighbours(np.outer(np.cos(geometry.angles), radius).ravel(), cells)
    index = (u[:, :, None] * cells + v[:, None, :]).reshape(-1)
    weight = (wu[:, :, None] * wv[:, None, :]).reshape(-1)
    num_samples = u.shape[0]
    starts = np.arange(num_samples + 1, dtype=np.int32) * (_WIDTH * _WIDTH)
    by_sample = scipy.sparse.csr_matrix((weight, index, starts), shape=(num_samples, cells * cells))
    return by_sample.T.tocsr()


def _neighbours(position: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """The `_WIDTH` grid cells round each position (samples,) and their Kaiser-Bessel weights, (samples, width)."""
    first = np.ceil(position - _WIDTH / 2)
    taps = first[:, None] + np.arange(_WIDTH)
    distance = (taps - position[:, None]) * (2.0 / _WIDTH)
    weight = scipy.special.i0(_shape() * np.sqrt(np.clip(1.0 - distance**2, 0.0, None)))
    return np.mod(taps, cells).astype(np.int32), weight.astype(np.float32)


def _shape() -> float:
    """Kaiser-Bessel shape parameter (Beatty et al. 2005, eq. 5)."""
    ratio = _WIDTH / _OVERSAMPLING * (_OVERSAMPLING - 0.5)
    return float(np.pi * np.sqrt(ratio**2 - 0.8))


@lru_cache(maxsize=8)
def _taper(geometry: Geometry) -> np.ndarray:
    """(size, size) float32: the Fourier transform of the kernel over the image (Beatty et al. 2005, eq. 4)."""
    position = np.arange(geometry.size) - geometry.size // 2
    argument = np.sqrt((_shape() ** 2 - (np.pi * _WIDTH * position / _grid_size(geometry)) ** 2).astype(complex))
    line = (_WIDTH * np.sinh(argument) / argument).real
    return np.outer(line, line).astype(np.float32)


def _shifted(polar: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Move the detector's origin between bin 0 and its middle bin: alternate signs, the same both ways."""
    signs = 1.0 - 2.0 * (np.arange(polar.shape[1]) % 2)
    assert geometry.num_bins % 2 == 0
    return polar * signs.astype(np.float32)


def _embed(image: np.ndarray, cells: int) -> np.ndarray:
    """The image with its centre pixel at the origin of a periodic (cells, cells) grid."""
    grid = np.zeros((cells, cells), np.float32)
    index = np.arange(image.shape[0]) - image.shape[0] // 2
    grid[np.ix_(index, index)] = image
    return grid


def _crop(grid: np.ndarray, size: int) -> np.ndarray:
    index = np.arange(size) - size // 2
    return grid[np.ix_(index, index)]


def _as_pairs(values: np.ndarray) -> np.ndarray:
    """(N, 2) float32 view of complex64 values: a real sparse matrix then need not be made complex."""
    return np.ascontiguousarray(values, dtype=np.complex64).reshape(-1).view(np.float32).reshape(-1, 2)


def _as_complex(pairs: np.ndarray, geometry: Geometry, cartesian: bool = False) -> np.ndarray:
    cells = _grid_size(geometry)
    shape = (cells, cells) if cartesian else (geometry.num_angles, geometry.num_bins // 2 + 1)
    return np.ascontiguousarray(pairs).view(np.complex64).reshape(shape)
