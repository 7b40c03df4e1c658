"""Tiny head scans with known truth, and detectors that know more or less of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from medenhance.head_ct.calibration import UNCALIBRATED, Calibration
from medenhance.head_ct.prediction import HeadPrediction
from medenhance.volume import Grid, Volume
from medenhance_training.data.head_held_out import HeldOutScan, SetName
from medenhance_training.head_evaluation import HeadDetector

GRID = Grid((2.0, 2.0, 5.0))
SHAPE = (6, 20, 20)


def scan(seed: int, subtype: int = 0, side: int = 6, slices: int = 2, grid: Grid = GRID) -> HeldOutScan:
    """A scan whose bleed is a block of `slices` x `side` x `side` voxels of 20 uL; none for subtype 0."""
    subtypes = np.zeros(SHAPE, np.uint8)
    subtypes[2 : 2 + slices, 5 : 5 + side, 5 : 5 + side] = subtype
    hu = np.where(subtypes > 0, 60.0, 30.0).astype(np.float32)
    volume_ml = float(np.count_nonzero(subtypes)) * 0.02
    names = ("", "epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")
    present = (names[subtype],) if subtype else ()
    look_alikes = ("vessels", "calcification") if seed % 2 else ("vessels",)
    return HeldOutScan(seed, Volume(hu, grid, modality="CT"), subtypes, volume_ml, present, look_alikes)


def scans(count: int, first: int = 0) -> list[HeldOutScan]:
    """Every third one with blood, of changing kind and size."""
    return [scan(first + n, 0 if n % 3 else 1 + n % 5, side=4 + n % 7) for n in range(count)]


@dataclass(frozen=True)
class Knowing:
    """A detector that reads the brightness: with noise in its logit, and a mask that may be grown or shrunk.

    Attributes:
        noise: SD added to a logit of +-2.
        seed: Of it.
        rim: Voxels by which the mask of a scan with blood is larger, along a row.
        speck: Whether a scan without blood has one voxel of mask.
        calibration: As a detector's.
    """

    noise: float = 0.0
    seed: int = 0
    rim: int = 0
    speck: bool = False
    calibration: Calibration = UNCALIBRATED

    def predict(self, volume: Volume) -> HeadPrediction:
        blood = volume.array > 50
        key = int(np.count_nonzero(blood)) + int(1000 * volume.array.mean())
        rng = np.random.default_rng([self.seed, key % 100_000])
        logit = (2.0 if blood.any() else -2.0) + float(rng.normal(0, self.noise))
        mask = blood.copy()
        for _ in range(self.rim):
            mask |= np.roll(mask, 1, axis=2)
        if self.speck and not blood.any():
            mask[0, 0, 0] = True
        shown = np.where(mask, np.float32(0.85), np.float32(0.02))
        slices = np.where(blood.any(axis=(1, 2)), 0.9, 0.1).astype(np.float32)
        return HeadPrediction(logit, self.calibration.probability(logit), slices, shown)


@dataclass(frozen=True)
class KnowingMethod:
    """A method of such detectors."""

    title: str
    detectors: tuple[HeadDetector, ...]

    def open(self) -> list[HeadDetector]:
        return list(self.detectors)


@dataclass(frozen=True)
class TinySets:
    """Stands where a benchmark has its held-out sets; brightness differs from scan to scan, so that noise does too."""

    scans: int = 18
    calibration: int = 24
    prevalence: float = 1 / 3
    asked: list[str] = field(default_factory=list)

    def count(self, name: SetName) -> int:
        return self.scans

    def test(self, name: SetName) -> Iterator[HeldOutScan]:
        self.asked.append(name)
        yield from map(_varied, scans(self.scans, 100))

    def for_calibration(self) -> Iterator[HeldOutScan]:
        self.asked.append("calibration")
        yield from map(_varied, scans(self.calibration, 500))


def _varied(one: HeldOutScan) -> HeldOutScan:
    return replace(one, volume=one.volume.with_array(one.volume.array + np.float32(one.seed % 97) / 100))
