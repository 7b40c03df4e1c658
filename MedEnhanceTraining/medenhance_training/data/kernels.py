"""How a scanner's reconstruction kernel weighs frequencies, and how to find that from the noise in its images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares


@dataclass(frozen=True)
class Kernel:
    """An apodisation exp(-(f / cutoff)^order) of the ramp filter.

    The noise power spectrum of an image reconstructed with it is proportional to f exp(-2 (f / cutoff)^order), with its
    peak at `noise_peak_per_mm`.

    Attributes:
        name: What people call it.
        cutoff_per_mm: Frequency at which the gain is 1/e.
        order: Steepness; 2 is a Gaussian.
    """

    name: str
    cutoff_per_mm: float
    order: float

    def gain(self, frequency_per_mm: np.ndarray) -> np.ndarray:
        """Gain in (0, 1] at each frequency."""
        return np.exp(-((np.abs(frequency_per_mm) / self.cutoff_per_mm) ** self.order))

    @property
    def noise_peak_per_mm(self) -> float:
        """Frequency of the most noise power."""
        return self.cutoff_per_mm * (2.0 * self.order) ** (-1.0 / self.order)

    @property
    def support_per_mm(self) -> float:
        """Frequency above which the gain is below 0.05."""
        return float(self.cutoff_per_mm * np.log(20.0) ** (1.0 / self.order))


SOFT = Kernel("soft", cutoff_per_mm=0.45, order=2.0)
SHARP = Kernel("sharp", cutoff_per_mm=0.866, order=4.68)
KERNELS = {kernel.name: kernel for kernel in (SOFT, SHARP)}


def between(first: Kernel, second: Kernel, share: float) -> Kernel:
    """The kernel at ``share`` of the way from the first (0) to the second (1)."""
    return Kernel(
        f"{first.name}..{second.name}:{share:.2f}",
        cutoff_per_mm=first.cutoff_per_mm + share * (second.cutoff_per_mm - first.cutoff_per_mm),
        order=first.order + share * (second.order - first.order),
    )


def fit_kernel(noise_patches: np.ndarray, spacing_mm: float, name: str = "fitted") -> Kernel:
    """Find the kernel behind patches of noise, by least squares on their radial noise power spectrum.

    Frequencies above the pixels' Nyquist frequency are modelled as the pixels show them, folded back. The noise's
    direction (which the patient's shape gives it) is averaged out; its strength is not used.

    Args:
        noise_patches: (N, P, P), HU: image noise without anatomy, such as the difference of two scans.
        spacing_mm: Pixel spacing.
        name: Name of the result.

    Returns:
        The kernel whose spectrum comes closest.
    """
    measured = radial_spectrum(noise_patches)
    side = noise_patches.shape[-1]

    def misfit(parameters: np.ndarray) -> np.ndarray:
        model = _radial_mean(_folded_spectrum(Kernel(name, *parameters), side, spacing_mm))
        return model / model.sum() - measured / measured.sum()

    start = (0.35 / spacing_mm, 3.0)
    # Normalised spectra are a few hundredths high; without the scale the solver would stop at its tolerance.
    found = least_squares(lambda p: 100.0 * misfit(p), start, bounds=((0.05, 1.0), (5.0, 12.0)))
    return Kernel(name, cutoff_per_mm=float(found.x[0]), order=float(found.x[1]))


def noise_power_spectrum(noise_patches: np.ndarray) -> np.ndarray:
    """(P, P): mean power of patches (N, P, P) at the frequencies of `np.fft.fftfreq`, under a Hann window."""
    side = noise_patches.shape[-1]
    window = np.outer(np.hanning(side + 1)[:side], np.hanning(side + 1)[:side])
    centred = noise_patches - noise_patches.mean(axis=(1, 2), keepdims=True)
    return (np.abs(np.fft.fft2(centred * window)) ** 2).mean(axis=0) / (window**2).sum()


def radial_spectrum(noise_patches: np.ndarray) -> np.ndarray:
    """Mean power of patches (N, P, P) in rings one frequency step wide, without the ring round frequency 0."""
    return _radial_mean(noise_power_spectrum(noise_patches))


def _radial_mean(spectrum: np.ndarray) -> np.ndarray:
    side = spectrum.shape[0]
    frequency = np.fft.fftfreq(side, 1.0 / side)
    ring = np.rint(np.hypot(*np.meshgrid(frequency, frequency))).astype(int).ravel()
    return (np.bincount(ring, spectrum.ravel()) / np.bincount(ring))[1:]


def _folded_spectrum(kernel: Kernel, side: int, spacing_mm: float) -> np.ndarray:
    """(side, side): the kernel's noise power with the first alias on every side."""
    frequency = np.fft.fftfreq(side, spacing_mm)
    aliases = np.array([-1, 0, 1]) / spacing_mm
    u = frequency[:, None, None, None] + aliases[:, None]
    v = frequency[None, :, None, None] + aliases
    radius = np.hypot(u, v)
    return (radius * kernel.gain(radius) ** 2).sum(axis=(2, 3))
