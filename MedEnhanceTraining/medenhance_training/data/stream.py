"""An endless stream of patches whose randomness follows from its position, so that resuming needs no saved state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from medenhance.errors import MedEnhanceError
from medenhance_training.data.augment import MARGIN_PX, AugmentRange, draw
from medenhance_training.data.bank import TrainingSlice, Window

# A patch with less than this share of its pixels denser than air is drawn again, a few times.
_LEAST_BODY = 0.25
_AIR_BELOW_HU = -950.0
_TRIES = 4


@dataclass(frozen=True)
class Scan:
    """One draw from a `DoseRange`; its attributes are explained there."""

    dose: float
    exposure: float = 1.0
    noisy_normal: bool = False


@dataclass(frozen=True)
class DoseRange:
    """The scans that a stream draws: doses evenly in the logarithm, and some slices left as they are.

    A network that learns from noise-free targets alone removes all noise. Scored against a real normal-dose scan, which
    has noise of its own (at a quarter of the dose, a quarter of the variance in the low-dose slice), that is too much:
    the best guess keeps the share of the noise that the normal-dose scan has too. Hence `noisy_normal_share`.

    Attributes:
        low: Smallest fraction of the normal dose.
        high: Largest fraction.
        clean_share: Probability of dose 1, where low and normal are equal, so that a network learns to leave clean
            slices alone.
        exposure: Range of the normal dose, in multiples of the simulated scanner's, drawn evenly in the logarithm.
        noisy_normal_share: Probability that the normal-dose slice gets the noise of its own dose as well.
    """

    low: float = 0.1
    high: float = 1.0
    clean_share: float = 0.05
    exposure: tuple[float, float] = (1.0, 1.0)
    noisy_normal_share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high <= 1 or not 0 <= self.clean_share <= 1:
            raise MedEnhanceError("bad-option", f"{self} is no range of dose fractions.", "Use 0 < low <= high <= 1.")
        if not 0 < self.exposure[0] <= self.exposure[1] or not 0 <= self.noisy_normal_share <= 1:
            raise MedEnhanceError("bad-option", f"{self} is no range of scans.", "Use 0 < exposures and a share <= 1.")

    def draw(self, rng: np.random.Generator) -> Scan:
        clean, dose, exposure, noisy = rng.random(4)
        return Scan(
            dose=1.0 if clean < self.clean_share else _between(self.low, self.high, dose),
            exposure=_between(*self.exposure, exposure),
            noisy_normal=bool(noisy < self.noisy_normal_share),
        )


@dataclass(frozen=True)
class PatchStream:
    """Draws batches of (low, normal) patches.

    Sample k of the stream depends on (seed, k) alone. A global batch at position s is samples s to s + batch - 1, and
    rank r of w takes the r-th of w equal shares of it, so any number of processes draws the same global batch.

    Attributes:
        cases: The slices to draw from.
        patch: Side of a patch, pixels.
        batch: Size of the global batch, over all ranks.
        seed: Seed of the stream.
        rank: This process.
        world_size: Number of processes; divides `batch`.
        doses: Doses to draw.
        augment: Variants to draw.
    """

    cases: Sequence[TrainingSlice]
    patch: int
    batch: int
    seed: int
    rank: int = 0
    world_size: int = 1
    doses: DoseRange = field(default_factory=DoseRange)
    augment: AugmentRange = field(default_factory=AugmentRange)

    def __post_init__(self) -> None:
        if self.batch % self.world_size or not 0 <= self.rank < self.world_size:
            raise MedEnhanceError(
                "bad-option",
                f"A batch of {self.batch} cannot be shared by {self.world_size} processes (this one is {self.rank}).",
                "Choose a batch size that is a multiple of the number of processes.",
            )
        smallest = min((min(case.normal.shape) for case in self.cases), default=0)
        if smallest < self.patch + 2 * MARGIN_PX:
            raise MedEnhanceError(
                "bad-option",
                f"A slice of {smallest} pixels is too small for patches of {self.patch} with their margin.",
                f"Use patches of at most {max(smallest - 2 * MARGIN_PX, 0)} pixels, or larger slices.",
            )

    def batch_at(self, samples_seen: int) -> dict[str, torch.Tensor]:
        """This rank's share of the global batch that follows ``samples_seen`` samples.

        Returns:
            "low" and "normal": (batch / world_size, 1, patch, patch) float32, HU.
        """
        share = self.batch // self.world_size
        first = samples_seen + self.rank * share
        pairs = [self.sample(k) for k in range(first, first + share)]
        low, normal = (np.stack(side)[:, None] for side in zip(*pairs, strict=True))
        return {"low": torch.from_numpy(low), "normal": torch.from_numpy(normal)}

    def sample(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """The low-dose and the normal-dose patch at a position of the stream, (patch, patch) float32 HU each."""
        rng = np.random.default_rng([self.seed, position])
        case = self.cases[_weighted_choice(rng, self.cases)]
        noise = case.noises[rng.integers(len(case.noises))]
        scan, variant = self.doses.draw(rng), draw(rng, self.augment)
        row, column = self._corner(case.normal, rng)
        normal = variant.rekernel(case.normal[_window(row - MARGIN_PX, column - MARGIN_PX, self.patch + 2 * MARGIN_PX)])
        window = _window(row, column, self.patch)
        if scan.noisy_normal:
            normal = normal + noise.of_normal_dose(window, scan.exposure)
        low = normal + noise.crop(window, scan.dose, scan.exposure)
        return np.ascontiguousarray(variant.orient(low)), np.ascontiguousarray(variant.orient(normal))

    def _corner(self, image: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
        """First row and column of a patch that is not mostly air, when a few tries find one."""
        highest = [n - self.patch - MARGIN_PX + 1 for n in image.shape]
        corners = rng.integers(MARGIN_PX, highest, size=(_TRIES, 2)).tolist()
        for row, column in corners:
            if np.mean(image[_window(row, column, self.patch)][::4, ::4] > _AIR_BELOW_HU) >= _LEAST_BODY:
                break
        return row, column


def _between(low: float, high: float, position: float) -> float:
    """The value at a position in [0, 1] between two, evenly in the logarithm."""
    return float(low * (high / low) ** position)


def _window(row: int, column: int, side: int) -> Window:
    return slice(row, row + side), slice(column, column + side)


def _weighted_choice(rng: np.random.Generator, cases: Sequence[TrainingSlice]) -> int:
    total = np.cumsum([case.weight for case in cases])
    return int(np.searchsorted(total, rng.random() * total[-1], side="right"))
