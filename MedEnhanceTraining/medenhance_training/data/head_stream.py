"""Endless streams of head CT slices and scans whose randomness follows from the position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from medenhance_training.data.genesis import Genesis, spoiled
from medenhance_training.data.head_bank import FULL, FramedScan, has_blood
from medenhance_training.data.head_variants import HeadVariants, drawn_variant, thickened, varied

Sampling = Literal["patient", "even"]
_MOST_OF_PART = 8  # slices


@dataclass(frozen=True)
class Place:
    """This process's share of a batch.

    Attributes:
        seed: Of the stream.
        batch: Size of the global batch.
        rank, world_size: This process of all.
    """

    seed: int
    batch: int
    rank: int = 0
    world_size: int = 1

    def positions(self, samples_seen: int) -> range:
        """Of the samples that this process takes of the batch after `samples_seen`."""
        share = self.batch // self.world_size
        return range(samples_seen + self.rank * share, samples_seen + (self.rank + 1) * share)


@dataclass(frozen=True)
class HeadSliceStream:
    """Draws single slices for the pretext tasks; sample k depends on (seed, k) alone.

    Attributes:
        scans: What is drawn from.
        place: Of the batch.
        neighbours: Slices below and above that come with each.
        sampling: "patient" takes each patient once in an epoch: of those with blood the slice of a random voxel of it,
            of others any (specification, 1.1). "even" takes slices with blood and without in turn;
            each scan with blood as often as the others, however many slices of it show any.
        variants: Variants to draw.
        spoil: Spoils the slices as Models Genesis does, and gives the whole ones beside them.
    """

    scans: Sequence[FramedScan]
    place: Place
    neighbours: int = 0
    sampling: Sampling = "patient"
    variants: HeadVariants = field(default_factory=HeadVariants)
    spoil: Genesis | None = None

    def batch_at(self, samples_seen: int) -> dict[str, Tensor]:
        """This rank's share of the batch that follows `samples_seen` samples.

        Returns:
            "slices": (n, 2 x neighbours + 1, S, S) float32 HU; "share": (n, S, S) float32, how much of each pixel is
            blood; "has_blood": (n,) float32; "position": int64, `samples_seen`; where slices are spoiled also "whole".
        """
        samples = [self.sample(position) for position in self.place.positions(samples_seen)]
        batch = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
        return {**batch, "position": torch.tensor(samples_seen)}

    def sample(self, position: int) -> dict[str, Tensor]:
        """What the sample at a position brings."""
        rng = np.random.default_rng([self.place.seed, position])
        number, index = self._draw(position, rng)
        scan = self.scans[number]
        variant = drawn_variant(self.variants, rng)
        hu = thickened(scan.hu[_around(scan, index, self.neighbours + 1)], variant.thicken)
        share = thickened(scan.share[_around(scan, index, 1)], variant.thicken)
        slices, blood = varied(hu, share / FULL, variant, rng)
        label = torch.tensor(float(has_blood(share)[0]))
        found = {"slices": slices, "share": blood[0], "has_blood": label}
        if self.spoil is not None:
            found |= {"slices": spoiled(slices, self.spoil, rng), "whole": slices}
        return found

    def _draw(self, position: int, rng: np.random.Generator) -> tuple[int, int]:
        """Scan and slice."""
        if self.sampling == "even":
            places = self._without_blood
            if position % 2 and self._with_blood:
                places = self._with_blood[int(rng.integers(len(self._with_blood)))]
            number, index = places[int(rng.integers(len(places)))]
            return int(number), int(index)
        epoch, turn = divmod(position, len(self.scans))
        number = int(np.random.default_rng([self.place.seed, epoch, 1]).permutation(len(self.scans))[turn])
        areas = self.scans[number].share.sum(axis=(1, 2), dtype=np.float64)
        weights = areas / areas.sum() if areas.sum() else np.full(len(areas), 1.0 / len(areas))
        return number, int(rng.choice(len(areas), p=weights))

    @cached_property
    def _with_blood(self) -> list[np.ndarray]:
        """(n, 2) for each scan with blood: the scan and each slice that shows any."""
        places = [self._places(number, blood=True) for number in range(len(self.scans))]
        return [found for found in places if len(found)]

    @cached_property
    def _without_blood(self) -> np.ndarray:
        """(n, 2): scan and slice of all others."""
        return np.concatenate([self._places(number, blood=False) for number in range(len(self.scans))])

    def _places(self, number: int, *, blood: bool) -> np.ndarray:
        slices = np.flatnonzero(self.scans[number].has_blood == blood)
        return np.column_stack([np.full(len(slices), number), slices])


@dataclass(frozen=True)
class HeadScanStream:
    """Draws whole scans, padded at their end to the deepest of the batch; sample k depends on (seed, k) alone.

    Each scan comes once in an epoch. The attributes are those of `HeadSliceStream`.
    """

    scans: Sequence[FramedScan]
    place: Place
    variants: HeadVariants = field(default_factory=HeadVariants)

    def batch_at(self, samples_seen: int) -> dict[str, Tensor]:
        """This rank's share of the batch that follows `samples_seen` samples.

        Returns:
            "slices": (B, D, 1, S, S) float32 HU; "depths": (B,) int64; "share": (B, D, S, S) float32; "has_blood":
            (B, D) float32; "position": int64.
        """
        samples = [self.sample(position) for position in self.place.positions(samples_seen)]
        depth = max(len(sample["slices"]) for sample in samples)
        batch = {name: torch.stack([_padded(sample[name], depth) for sample in samples]) for name in samples[0]}
        depths = torch.tensor([len(sample["slices"]) for sample in samples])
        return {**batch, "depths": depths, "position": torch.tensor(samples_seen)}

    def sample(self, position: int) -> dict[str, Tensor]:
        """What the sample at a position brings, without padding."""
        rng = np.random.default_rng([self.place.seed, position])
        epoch, turn = divmod(position, len(self.scans))
        number = int(np.random.default_rng([self.place.seed, epoch, 1]).permutation(len(self.scans))[turn])
        scan = self.scans[number]
        of_part = self.variants.part_share
        seen = _part(scan, rng) if of_part and rng.random() < of_part else slice(None)
        variant = drawn_variant(self.variants, rng)
        hu, share = (
            thickened(np.pad(each, ((1, 1), (0, 0), (0, 0)), mode="edge"), variant.thicken)[seen]
            for each in (scan.hu, scan.share)
        )
        slices, blood = varied(hu, share / FULL, variant, rng)
        labels = torch.from_numpy(has_blood(share).astype(np.float32))
        return {"slices": slices[:, None], "share": blood, "has_blood": labels}


def _around(scan: FramedScan, index: int, reach: int) -> np.ndarray:
    """A slice and so many below and above it; at an end of the scan the last one again."""
    return np.clip(np.arange(index - reach, index + reach + 1), 0, len(scan.hu) - 1)


def _part(scan: FramedScan, rng: np.random.Generator) -> slice:
    """A few slices of a scan; in half of the draws those with blood stand in it, where there are any."""
    depth, bleeds = len(scan.hu), np.flatnonzero(scan.has_blood)
    count = int(rng.integers(1, min(_MOST_OF_PART, depth) + 1))
    middle = int(rng.integers(depth))
    if len(bleeds) and rng.random() < 0.5:
        middle = int(rng.choice(bleeds))
    first = min(max(middle - count // 2, 0), depth - count)
    return slice(first, first + count)


def _padded(values: Tensor, depth: int) -> Tensor:
    padding = values.new_zeros(depth - len(values), *values.shape[1:])
    return torch.cat([values, padding])
