"""Noise power spectrum of CT (AAPM TG-233; ICRU 87): how much noise there is at each spatial frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medenhance.measure.noise import detrended


@dataclass(frozen=True)
class NoisePower:
    """A radially averaged noise power spectrum.

    Attributes:
        frequency: (F,) bin centres, in `unit`.
        power: (F,) HU^2 mm^2 (HU^2 px^2 when the pixel size is unknown).
        unit: "mm^-1", or "px^-1" when the pixel size is unknown.
        peak_frequency: Where the spectrum, smoothed over three bins, is highest.
        mean_frequency: First moment of the radial spectrum, TG-233's f_av.
        noise_sd_hu: Square root of the integral of the two-dimensional spectrum.
        num_regions: How many regions were averaged (TG-233 asks for 20 or more).
        side_px: Rows and columns of a region.
    """

    frequency: tuple[float, ...]
    power: tuple[float, ...]
    unit: str
    peak_frequency: float
    mean_frequency: float
    noise_sd_hu: float
    num_regions: int
    side_px: int


def noise_power_spectrum(
    patches: np.ndarray, spacing_mm: tuple[float, float], *, noise_only: bool = False
) -> np.ndarray:
    """NPS(u, v) = dx dy / (Nx Ny) <|DFT2{patch - 2nd-order fit}|^2>, so that its integral over u, v is the variance.

    Args:
        patches: (N, S, S), HU.
        spacing_mm: Pixel size along columns (x) and rows (y).
        noise_only: The patches are differences of repeated scans: there is no trend to fit, and the fit would take
            noise of low frequency away.

    Returns:
        (S, S) HU^2 mm^2, zero frequency first as in `np.fft.fft2`.
    """
    side = patches.shape[-1]
    noise = patches if noise_only else detrended(patches)
    energy = np.mean(np.abs(np.fft.fft2(noise)) ** 2, axis=0)
    return np.asarray(spacing_mm[0] * spacing_mm[1] / (side * side) * energy)


def radial_average(spectrum: np.ndarray, spacing_mm: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Average a two-dimensional spectrum over rings one frequency step wide, up to the lower Nyquist frequency.

    Returns:
        frequency: (F,) mean frequency of each ring, mm^-1.
        power: (F,) mean power of each ring.
    """
    side = spectrum.shape[0]
    u = np.fft.fftfreq(side, spacing_mm[0])
    v = np.fft.fftfreq(side, spacing_mm[1])
    radius = np.hypot(u[None, :], v[:, None])
    step = 1.0 / (side * min(spacing_mm))
    num = int(0.5 / max(spacing_mm) / step + 1e-6)
    # Ring 0 holds the mean and the trend that were removed.
    ring = np.rint(radius / step).astype(int)
    inside = (ring >= 1) & (ring <= num)
    counts = np.bincount(ring[inside], minlength=num + 1)[1:]
    power = np.bincount(ring[inside], weights=spectrum[inside], minlength=num + 1)[1:]
    frequency = np.bincount(ring[inside], weights=radius[inside], minlength=num + 1)[1:]
    return frequency / counts, power / counts


def measure_noise_power(
    patches: np.ndarray, spacing_mm: tuple[float, float] | None, *, noise_only: bool = False
) -> NoisePower:
    """The radial noise power spectrum of homogeneous patches.

    Args:
        patches: (N, S, S), HU, N >= 1.
        spacing_mm: Pixel size along columns and rows; None when unknown.
        noise_only: As in `noise_power_spectrum`.
    """
    pixel = spacing_mm or (1.0, 1.0)
    spectrum = noise_power_spectrum(patches, pixel, noise_only=noise_only)
    frequency, power = radial_average(spectrum, pixel)
    variance = float(spectrum.sum()) / (patches.shape[-1] ** 2 * pixel[0] * pixel[1])
    return NoisePower(
        frequency=tuple(frequency.tolist()),
        power=tuple(power.tolist()),
        unit="mm^-1" if spacing_mm else "px^-1",
        peak_frequency=float(frequency[np.argmax(_three_bin_mean(power))]),
        mean_frequency=float(frequency @ power / max(float(power.sum()), 1e-30)),
        noise_sd_hu=float(np.sqrt(variance)),
        num_regions=len(patches),
        side_px=patches.shape[-1],
    )


def _three_bin_mean(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, 1, mode="edge")
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3.0)
