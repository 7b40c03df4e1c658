"""Made-up framed head scans: a grey ellipse in noise, half of them with a bright square of blood in two slices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from medenhance.head_ct.frame import FrameConfig
from medenhance_training.config import TrainingData
from medenhance_training.data.genesis import Genesis
from medenhance_training.data.head_bank import FULL, FramedScan
from medenhance_training.data.head_source import HeadData
from medenhance_training.data.head_stream import HeadScanStream, HeadSliceStream, Place
from medenhance_training.data.head_variants import HeadVariants

SIDE_PX = 32


def framed_scan(seed: int, depth: int | None = None, side: int = SIDE_PX, blood: bool | None = None) -> FramedScan:
    """Even seeds have no blood."""
    rng = np.random.default_rng(seed)
    depth = depth or 4 + seed % 3
    rows, columns = np.mgrid[:side, :side]
    brain = np.hypot(rows - side / 2, columns - side / 2) < 0.4 * side
    hu = np.where(brain, 35.0, -1000.0) + rng.normal(0, 2, (depth, side, side))
    share = np.zeros((depth, side, side), np.uint8)
    if seed % 2 if blood is None else blood:
        corner = int(rng.integers(side // 3, side // 2))
        place = slice(1, 3), slice(corner, corner + side // 6), slice(corner, corner + side // 6)
        share[place] = FULL
        hu[place] += 35
    return FramedScan(seed, hu.astype(np.int16), share)


def scans(count: int = 4, side: int = SIDE_PX) -> list[FramedScan]:
    return [framed_scan(seed, side=side) for seed in range(count)]


def slice_stream(batch: int, seed: int = 0, rank: int = 0, world_size: int = 1, **changes: Any) -> HeadSliceStream:
    return HeadSliceStream(scans(), Place(seed, batch, rank, world_size), **changes)


def scan_stream(batch: int, seed: int = 0, rank: int = 0, world_size: int = 1, **changes: Any) -> HeadScanStream:
    return HeadScanStream(scans(), Place(seed, batch, rank, world_size), **changes)


@dataclass(frozen=True)
class TinyHeadData:
    """Stands where a recipe has the description of simulated scans."""

    unit: Literal["slice", "scan"] = "slice"
    side: int = SIDE_PX
    neighbours: int = 0
    sampling: Literal["patient", "even"] = "patient"
    spoil: Genesis | None = None

    @classmethod
    def like(cls, data: HeadData, side: int = SIDE_PX) -> TinyHeadData:
        return cls(data.unit, side, data.seen.neighbours, data.sampling, data.spoil)

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        place = Place(seed, batch_size * num_processes, rank, num_processes)
        found = scans(side=self.side)
        if self.unit == "scan":
            return TrainingData(HeadScanStream(found, place), [])
        stream = HeadSliceStream(found, place, self.neighbours, self.sampling, HeadVariants(), self.spoil)
        return TrainingData(stream, [])


def tiny_head_network(network: Any) -> Any:
    """The same network with few channels, for slices of 32 px (of 64 where it halves them more often)."""
    seen = replace(network.input, frame=FrameConfig(SIDE_PX, 7.0))
    changes: dict[str, Any] = {"input": seen}
    if hasattr(network, "encoder"):
        changes["encoder"] = replace(network.encoder, width=4, expansion=2, blocks=(1, 1, 1, 1))
    for name in ("segmentation", "reconstruction", "decoder"):
        if hasattr(network, name):
            changes[name] = replace(getattr(network, name), widths=(4, 4, 4, 4, 4))
    if hasattr(network, "widths"):
        nested = isinstance(network.widths[0], tuple)
        changes["widths"] = ((2, 4), (4, 4)) if nested else (4, 4, 4)
    for name in ("lstm_hidden", "dense"):
        if hasattr(network, name):
            changes[name] = 4
    if getattr(network, "hidden", 0):
        changes["hidden"] = 4
    return replace(network, **changes)
