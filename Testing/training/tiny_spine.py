"""Made-up spine projections: textured tissue, dark blobs of three classes in three columns, and dashes of one row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from medenhance_training.config import TrainingData
from medenhance_training.data.spine_bank import Projection
from medenhance_training.data.spine_patches import Place, SplitPatches
from medenhance_training.data.spine_stream import SpineStream

SHAPE = (192, 96)


def projection(seed: int, shape: tuple[int, int] = SHAPE, dashes: bool = True) -> Projection:
    """A projection whose lower half has dashes; a rim of 4 px lies outside the scan."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    scan = (columns >= 4) & (columns < shape[1] - 4)
    labels = np.zeros(shape, np.uint8)
    for label, column in ((1, 20), (2, 48), (3, 76)):
        row = rng.integers(shape[0] // 4, 3 * shape[0] // 4)
        labels[(rows - row) ** 2 + (columns - column) ** 2 < 81] = label
    grey = 140 + 10 * gaussian_filter(rng.normal(size=shape), 1.5) / 0.19 - 60.0 * (labels > 0)
    clean = np.where(scan, np.clip(grey, 1, 255), 0).astype(np.uint8)
    gaps = (rng.random(shape) < 0.08) & (rows > shape[0] // 2) & scan & dashes
    gaps = gaps | (np.roll(gaps, 1, axis=1) & scan)
    return Projection(seed, 4, 1.0, np.where(gaps, 0, clean).astype(np.uint8), clean, gaps, labels, scan)


def stream(batch: int, seed: int = 0, rank: int = 0, world_size: int = 1, **changes: object) -> SpineStream:
    """Patches and crops of 32 px: corrupted ones from the lower half, clean ones from the upper."""
    found = [projection(0), projection(1)]
    corrupted = [Place(n, 128, column) for n in range(2) for column in (8, 32, 56)]
    clean = [Place(n, 16, column) for n in range(2) for column in (8, 32, 56)]
    settings = {"patch": 32, "crop": (32, 32), **changes}
    return SpineStream(
        projections=found, patches=SplitPatches(corrupted, clean), batch=batch, seed=seed, rank=rank,
        world_size=world_size, **settings,  # type: ignore[arg-type]
    )  # fmt: skip


@dataclass(frozen=True)
class TinySpineData:
    """Stands where a recipe has the description of simulated subjects."""

    side: int = 32
    crop: tuple[int, int] = (32, 32)

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        found = stream(batch_size * num_processes, seed, rank, num_processes, patch=self.side, crop=self.crop)
        return TrainingData(found, [])
