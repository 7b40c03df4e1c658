"""Normal-dose slices with noise for every dose, held in memory for training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, Silent, checkpoint
from medenhance_training.data.kernels import SHARP, SOFT, Kernel, between
from medenhance_training.data.low_dose import NoiseField, Scanner, dose_factors, noise_field

Window = tuple[slice, slice]


class Noise(Protocol):
    """Noise that can be laid over a slice."""

    def crop(self, window: Window, dose: float, exposure: float = 1.0) -> np.ndarray:
        """(h, w) float32, HU: what this dose adds to a normal-dose scan of this exposure, in a window of the slice."""

    def of_normal_dose(self, window: Window, exposure: float = 1.0) -> np.ndarray:
        """(h, w) float32, HU: noise of a normal-dose scan of this exposure itself, drawn independently of `crop`."""


@dataclass(frozen=True)
class SimulatedNoise:
    """Noise of any dose; half precision, whose rounding is a thousandth of the noise.

    Attributes:
        quantum: (H, W) float16, HU, unit strength.
        electronic: (H, W) float16, HU, unit strength, or None.
        repeated: (H, W) float16, HU: quantum noise of the same scanner and kernel, drawn a second time.
    """

    quantum: np.ndarray
    electronic: np.ndarray | None = None
    repeated: np.ndarray | None = None

    @classmethod
    def of(cls, noise: NoiseField, repeated: NoiseField | None = None) -> SimulatedNoise:
        electronic = None if noise.electronic is None else noise.electronic.astype(np.float16)
        again = None if repeated is None else repeated.quantum.astype(np.float16)
        return cls(noise.quantum.astype(np.float16), electronic, again)

    def crop(self, window: Window, dose: float, exposure: float = 1.0) -> np.ndarray:
        quantum, electronic = dose_factors(dose)
        noise = self.quantum[window].astype(np.float32) * np.float32(quantum * exposure**-0.5)
        if self.electronic is None:
            return noise
        return noise + self.electronic[window].astype(np.float32) * np.float32(electronic / exposure)

    def of_normal_dose(self, window: Window, exposure: float = 1.0) -> np.ndarray:
        assert self.repeated is not None, "this noise was made without a second draw"
        # The quantum noise of the scan itself has the variance e^P / N0: unit strength.
        return self.repeated[window].astype(np.float32) * np.float32(exposure**-0.5)


@dataclass(frozen=True)
class RecordedNoise:
    """The difference of a real low-dose slice from its normal-dose twin; its dose is what it is.

    Attributes:
        difference: (H, W) float32, HU.
    """

    difference: np.ndarray

    def crop(self, window: Window, dose: float, exposure: float = 1.0) -> np.ndarray:  # noqa: ARG002 - as recorded
        return self.difference[window]

    def of_normal_dose(self, window: Window, exposure: float = 1.0) -> np.ndarray:  # noqa: ARG002
        """None to add: the normal-dose slice of a recorded pair holds its own."""
        return np.zeros_like(self.difference[window])


@dataclass(frozen=True)
class TrainingSlice:
    """A normal-dose slice and the noises that may be laid over it.

    Attributes:
        normal: (H, W) float32, HU.
        noises: At least one.
        weight: How often it is drawn, relative to the others.
    """

    normal: np.ndarray
    noises: tuple[Noise, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class NoiseRange:
    """The scanners and kernels that `simulated_slice` draws from.

    Attributes:
        photons: Range of `Scanner.photons`, drawn evenly in its logarithm.
        electronic_variance: Range of `Scanner.electronic_variance`.
        tube_current_modulation: Range of `Scanner.tube_current_modulation`.
        bowtie: Range of `Scanner.bowtie`.
        kernels: Softest and sharpest kernel; any between may come.
        num_fields: Noise fields a slice, each with a scanner and a kernel of its own.
    """

    photons: tuple[float, float] = (1.0e5, 2.25e5)
    electronic_variance: tuple[float, float] = (0.0, 0.0)
    tube_current_modulation: tuple[float, float] = (0.0, 0.9)
    bowtie: tuple[float, float] = (0.0, 1.0)
    kernels: tuple[Kernel, Kernel] = field(default=(SOFT, SHARP))
    num_fields: int = 4

    def draw(self, rng: np.random.Generator, slice_mm: float) -> tuple[Scanner, Kernel]:
        """A scanner and a kernel."""
        scanner = Scanner(
            photons=float(np.exp(rng.uniform(*np.log(self.photons)))),
            slice_mm=slice_mm,
            electronic_variance=float(rng.uniform(*self.electronic_variance)),
            tube_current_modulation=float(rng.uniform(*self.tube_current_modulation)),
            bowtie=float(rng.uniform(*self.bowtie)),
        )
        return scanner, between(*self.kernels, float(rng.uniform()))


@dataclass(frozen=True)
class NormalSlice:
    """A normal-dose slice as the readers and the phantoms give it.

    Attributes:
        hu: (H, W) float32.
        spacing_mm: Pixel spacing.
        slice_mm: Slice thickness.
        weight: How often it is drawn, relative to the others.
    """

    hu: np.ndarray
    spacing_mm: float
    slice_mm: float
    weight: float = 1.0


def simulated_slice(normal: NormalSlice, within: NoiseRange, rng: np.random.Generator) -> TrainingSlice:
    """A slice with `NoiseRange.num_fields` noise fields."""
    noises = []
    for _ in range(within.num_fields):
        scanner, kernel = within.draw(rng, normal.slice_mm)
        first, second = (noise_field(normal.hu, normal.spacing_mm, kernel, scanner, rng) for _ in range(2))
        noises.append(SimulatedNoise.of(first, second))
    return TrainingSlice(normal.hu.astype(np.float32), tuple(noises), normal.weight)


def simulated_bank(
    slices: Iterable[NormalSlice], within: NoiseRange, seed: int, progress: Progress | None = None
) -> list[TrainingSlice]:
    """A training slice of each normal-dose slice; slice i depends on (seed, i) alone."""
    slices, progress = list(slices), progress or Silent()
    if not slices:
        raise MedEnhanceError("input-missing", "There are no slices to train on.", "Name studies that have some.")
    bank = []
    for i, normal in enumerate(slices):
        checkpoint(progress, "simulate", i / len(slices))
        bank.append(simulated_slice(normal, within, np.random.default_rng([seed, i])))
    return bank


def recorded_slice(normal: np.ndarray, low: np.ndarray, weight: float = 1.0) -> TrainingSlice:
    """A real pair of slices, both (H, W) HU."""
    if normal.shape != low.shape:
        raise ValueError(f"a pair has one shape, not {normal.shape} and {low.shape}")
    difference = low.astype(np.float32) - normal.astype(np.float32)
    return TrainingSlice(normal.astype(np.float32), (RecordedNoise(difference),), weight)
