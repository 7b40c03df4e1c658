"""A tiny stream of made-up pairs: sample i of the run is a function of (seed, i) alone, whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from medenhance_training.config import TrainingData
from medenhance_training.objectives.objective import Batch


def pair(seed: int, index: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Low and normal dose, (1, size, size), HU: a soft-tissue disc in fat, and noise of 40 HU."""
    generator = torch.Generator().manual_seed(1_000_003 * seed + index)
    centre = torch.rand(2, generator=generator) * size
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < (size / 3) ** 2
    normal = torch.where(inside, 60.0, -100.0)[None]
    return normal + 40.0 * torch.randn(normal.shape, generator=generator), normal


def batch_of(seed: int, first: int, count: int, size: int) -> Batch:
    """Samples `first` to `first + count`: "low" and "normal", (count, 1, size, size), HU."""
    pairs = [pair(seed, index, size) for index in range(first, first + count)]
    return {"low": torch.stack([low for low, _ in pairs]), "normal": torch.stack([normal for _, normal in pairs])}


@dataclass(frozen=True)
class SyntheticStream:
    """Hands each process consecutive samples of the global batch."""

    batch_size: int
    rank: int
    seed: int
    size: int

    def batch_at(self, samples_seen: int) -> Batch:
        return batch_of(self.seed, samples_seen + self.rank * self.batch_size, self.batch_size, self.size)


@dataclass(frozen=True)
class SyntheticData:
    """Stands where a recipe has the description of real data."""

    size: int = 16

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        return TrainingData(
            SyntheticStream(batch_size, rank, seed, self.size), [batch_of(seed + 1, 0, 1, 2 * self.size)]
        )
