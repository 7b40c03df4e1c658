"""What a CT slice would look like at a lower dose: quantum and electronic noise inserted in the projection domain.

Method: the slice is projected to line integrals P, noise with the variance that the lower dose adds to data that are
already noisy is drawn for every ray (Yu et al., JCAT 2012), and that noise alone is reconstructed by filtered
backprojection and added to the slice. So anatomy is neither blurred nor reconstructed a second time, and the noise gets
the correlation, the direction and the local strength that a scanner gives it.

With dose fraction a, N0 = photons of an unattenuated ray at full dose, Ne = electronic variance in photons squared:

    Var[P_a] - Var[P_1] = (1 - a)/a e^P/N0  +  (1 - a)(1 + a)/a^2 Ne (e^P/N0)^2                                  (1)

The two terms depend on the dose by their factors alone, so a slice's noise is two fields of unit strength, which
`NoiseField.at_dose` weighs; a training stream draws any dose from the same fields.

Constants and how they were found: water attenuates 0.0195 per mm. The default `Scanner.photons` and the kernel `SHARP`
were fitted to the difference of one public quarter-dose and full-dose slice (patient L506 of the AAPM/Mayo challenge,
3 mm, sharp kernel; 1.0e5 to 2.25e5 photons are published for such data). `SOFT` was set to the correlation and the peak
frequency that were measured elsewhere on slices of the kernel B30f. Nothing else was fitted, so the constants say what
one scanner does: another's noise needs `fit_kernel` and a photon count of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from medenhance.errors import MedEnhanceError
from medenhance_training.data.kernels import Kernel
from medenhance_training.data.projector import Geometry, filtered_backprojection, project

# The ray that `Scanner.photons` counts: its width, its share of a half turn, the thickness of its slice.
RAY_WIDTH_MM = 0.7
RAY_VIEWS = 720
AIR_HU = -1000.0
# Rays through more than this get the noise of this many photons: the logarithm of fewer is not normally distributed.
_FEWEST_PHOTONS = 10.0
# The noise's variance is smooth, so its line integrals are taken on a grid of about this many pixels.
_COARSE_SIZE = 256


@dataclass(frozen=True)
class Scanner:
    """A parallel-beam scanner at full dose.

    Attributes:
        photons: Quanta of an unattenuated ray 0.7 mm wide through 1 mm of slice, one of 720 views over half a turn;
            wider rays, thicker slices and fewer views get more in proportion.
        slice_mm: Slice thickness.
        electronic_variance: Variance of the detector's electronic noise, in quanta squared per ray.
        tube_current_modulation: Exponent of the tube current: a view with longest path P gets exp(exponent P), the
            mean over the views kept. 0 = constant current, 0.5 = the square root rule.
        bowtie: Strength of the bowtie filter: flux exp(-bowtie (r / 150 mm)^2) at distance r from the axis.
        num_angles: Views over half a turn.
        mu_water_per_mm: Attenuation of water.
    """

    photons: float = 1.75e5
    slice_mm: float = 3.0
    electronic_variance: float = 0.0
    tube_current_modulation: float = 0.3
    bowtie: float = 0.5
    num_angles: int = 720
    mu_water_per_mm: float = 0.0195

    def __post_init__(self) -> None:
        for name in ("photons", "slice_mm", "num_angles", "mu_water_per_mm"):
            if not getattr(self, name) > 0:
                raise MedEnhanceError("bad-option", f"A scanner's {name} is {getattr(self, name)}.", "Give it above 0.")
        if self.electronic_variance < 0 or self.bowtie < 0:
            raise MedEnhanceError("bad-option", f"{self} has a negative noise or filter.", "Give 0 or more.")


@dataclass(frozen=True)
class NoiseField:
    """The noise of one slice, of unit strength.

    Attributes:
        quantum: (H, W) float32, HU: noise of variance e^P / N0 in every ray.
        electronic: (H, W) float32, HU: noise of variance Ne (e^P / N0)^2, or None for a noiseless detector.
    """

    quantum: np.ndarray
    electronic: np.ndarray | None = None

    def at_dose(self, dose: float) -> np.ndarray:
        """(H, W) float32, HU: what a scan at this fraction of the full dose adds; eq. 1. Nothing at dose 1."""
        quantum, electronic = dose_factors(dose)
        noise = self.quantum * np.float32(quantum)
        return noise if self.electronic is None else noise + self.electronic * np.float32(electronic)


def dose_factors(dose: float) -> tuple[float, float]:
    """The standard deviations, at a dose fraction in (0, 1], of unit quantum and unit electronic noise (eq. 1)."""
    if not 0.0 < dose <= 1.0:
        raise MedEnhanceError("bad-option", f"A dose of {dose} is not a fraction.", "Give a dose above 0, at most 1.")
    return ((1 - dose) / dose) ** 0.5, ((1 - dose) * (1 + dose)) ** 0.5 / dose


def simulate_low_dose(
    hu: np.ndarray, spacing_mm: float, dose: float, kernel: Kernel, scanner: Scanner, rng: np.random.Generator
) -> np.ndarray:
    """A slice as it would look at a fraction of its dose.

    Args:
        hu: (H, W), HU at full dose; padding below air counts as air.
        spacing_mm: Pixel width and height.
        dose: Fraction of the slice's own dose, in (0, 1].
        kernel: The kernel that the slice was reconstructed with.
        scanner: The scanner at full dose.
        rng: Where the noise comes from.

    Returns:
        (H, W) float32, HU.
    """
    dose_factors(dose)
    return hu.astype(np.float32) + noise_field(hu, spacing_mm, kernel, scanner, rng).at_dose(dose)


def noise_field(
    hu: np.ndarray, spacing_mm: float, kernel: Kernel, scanner: Scanner, rng: np.random.Generator
) -> NoiseField:
    """The noise of one slice at unit strength; see `simulate_low_dose` for the arguments."""
    size = max(hu.shape)
    geometry = Geometry(size, scanner.num_angles, refine=_refinement(spacing_mm, kernel))
    inverse_photons = _inverse_photons(_square(hu, size), spacing_mm, geometry, scanner)
    quantum = _reconstruct(np.sqrt(inverse_photons), spacing_mm, geometry, kernel, scanner, rng)
    electronic = None
    if scanner.electronic_variance > 0:
        deviation = inverse_photons * np.float32(scanner.electronic_variance**0.5)
        electronic = _centre(_reconstruct(deviation, spacing_mm, geometry, kernel, scanner, rng), hu.shape)
    return NoiseField(_centre(quantum, hu.shape), electronic)


def line_integrals(hu: np.ndarray, spacing_mm: float, geometry: Geometry, mu_water_per_mm: float) -> np.ndarray:
    """(num_angles, num_bins) float32: attenuation along each ray of a square slice (size, size) in HU."""
    block = max(1, round(geometry.size / _COARSE_SIZE))
    coarse = _block_means(np.clip(1.0 + hu / -AIR_HU, 0.0, None), block)
    coarse_geometry = Geometry(coarse.shape[0], min(geometry.num_angles, 360))
    integrals = project(coarse, coarse_geometry) * np.float32(mu_water_per_mm * spacing_mm * block)
    return np.clip(_resample(integrals, coarse_geometry, geometry, block), 0.0, None)


def _inverse_photons(hu: np.ndarray, spacing_mm: float, geometry: Geometry, scanner: Scanner) -> np.ndarray:
    """(num_angles, num_bins) float32: e^P / N0 of every ray, the variance of its logarithm."""
    integrals = line_integrals(hu, spacing_mm, geometry, scanner.mu_water_per_mm)
    current = np.exp(scanner.tube_current_modulation * integrals.max(axis=1))
    bowtie = np.exp(-scanner.bowtie * (geometry.offsets_px * spacing_mm / 150.0) ** 2)
    share = (spacing_mm / geometry.refine / RAY_WIDTH_MM) * (RAY_VIEWS / scanner.num_angles)
    flux = (scanner.photons * scanner.slice_mm * share) * np.outer(current / current.mean(), bowtie)
    return (1.0 / np.maximum(flux * np.exp(-integrals), _FEWEST_PHOTONS * share)).astype(np.float32)


def _reconstruct(
    deviation: np.ndarray,
    spacing_mm: float,
    geometry: Geometry,
    kernel: Kernel,
    scanner: Scanner,
    rng: np.random.Generator,
) -> np.ndarray:
    """(size, size) float32, HU: the reconstruction of independent noise of this deviation in every ray."""
    noise = rng.standard_normal(deviation.shape, dtype=np.float32) * deviation
    gain = kernel.gain(geometry.frequencies_px / spacing_mm)
    per_mm = filtered_backprojection(noise, gain, geometry) / spacing_mm
    return (per_mm * (-AIR_HU / scanner.mu_water_per_mm)).astype(np.float32)


def _refinement(spacing_mm: float, kernel: Kernel) -> int:
    """Detector bins a pixel, so that the kernel's frequencies lie below the detector's Nyquist frequency."""
    if not 0.0 < spacing_mm < 20.0:
        raise MedEnhanceError("bad-option", f"A pixel spacing of {spacing_mm} mm is no CT's.", "Give it in mm.")
    return max(1, int(np.ceil(2.0 * spacing_mm * kernel.support_per_mm)))


def _square(hu: np.ndarray, size: int) -> np.ndarray:
    """The slice in the middle of a square of air; NaN counts as air too."""
    square = np.full((size, size), AIR_HU, np.float32)
    rows, columns = ((size - n) // 2 for n in hu.shape)
    square[rows : rows + hu.shape[0], columns : columns + hu.shape[1]] = np.nan_to_num(hu, nan=AIR_HU)
    return square


def _centre(square: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = ((square.shape[0] - n) // 2 for n in shape)
    return np.ascontiguousarray(square[rows : rows + shape[0], columns : columns + shape[1]])


def _block_means(image: np.ndarray, block: int) -> np.ndarray:
    """Means over blocks; the image is first filled up with zeros to a multiple of the block."""
    size = -(-image.shape[0] // block)
    padded = np.pad(image, (0, size * block - image.shape[0]))
    return padded.reshape(size, block, size, block).mean(axis=(1, 3), dtype=np.float32)


def _resample(sinogram: np.ndarray, coarse: Geometry, fine: Geometry, block: int) -> np.ndarray:
    """A sinogram of the block means, (coarse angles, coarse bins), on the rays of the full image."""
    # The ray at half a turn is the first one seen from the other side.
    closed = np.vstack([sinogram, np.roll(sinogram[:1, ::-1], 1, axis=1)])
    # Block i covers pixels i * block to (i + 1) * block - 1: this is where the two images' centre pixels lie apart.
    shift = (coarse.size // 2) * block + (block - 1) / 2 - fine.size // 2
    angles, offsets = np.meshgrid(fine.angles, fine.offsets_px, indexing="ij")
    offsets = (offsets - shift * (np.cos(angles) + np.sin(angles))) / block + coarse.num_bins // 2
    rows = angles * (coarse.num_angles / np.pi)
    return map_coordinates(closed, [rows, offsets], order=1, mode="constant", output=np.float32)
