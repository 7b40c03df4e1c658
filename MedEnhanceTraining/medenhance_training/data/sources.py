"""What a run trains on: pairs, studies with simulated noise and phantoms, mixed in stated shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, Silent
from medenhance_training.config import TrainingData
from medenhance_training.data.anatomy import random_phantom
from medenhance_training.data.augment import AugmentRange
from medenhance_training.data.bank import NoiseRange, NormalSlice, TrainingSlice, simulated_bank
from medenhance_training.data.cases import load_normal, load_pairs
from medenhance_training.data.index import Case, load_index, verify_index
from medenhance_training.data.kernels import SHARP, SOFT
from medenhance_training.data.low_dose import Scanner, simulate_low_dose
from medenhance_training.data.split import Split, split_cases
from medenhance_training.data.stream import DoseRange, PatchStream
from medenhance_training.objectives.objective import Batch

_T = TypeVar("_T", NormalSlice, TrainingSlice)
_WHOLE = (slice(None), slice(None))
# Phantoms for validation come from seeds that training cannot reach.
_VALIDATION_PHANTOMS = 1_000_000


@dataclass(frozen=True)
class LowDoseData:
    """Where training patches come from.

    Attributes:
        index: Index of cases (`save_index`); none trains on phantoms alone.
        root: Folder that the index's paths start from; that of the index by default.
        licences: Use only cases under these licences; empty uses all.
        validation: Share of the patients for validation.
        test: Share of the patients that is not touched.
        validation_patients: Patients that are for validation whatever the shares say.
        test_patients: Patients that are not touched whatever the shares say.
        simulate: Whether noise is simulated on normal-dose slices; without it only recorded pairs are used.
        max_slices: Slices to take from a study, evenly spread, when noise is simulated; None takes all.
        num_phantoms: Phantom slices.
        phantom_share: Share of the patches that come from phantoms, when there are cases too.
        phantom_size: Side of a phantom slice, pixels.
        patch: Side of a patch, pixels.
        noise: Scanners and kernels to simulate.
        doses: Doses to draw.
        augment: Variants to draw.
        num_validation: Slices for validation.
        validation_dose: Their dose, where it is simulated.
        verify: Whether all files' hashes are checked first.
        seed: Seed of the split, the phantoms and the noise that is kept in memory.
    """

    index: Path | None = None
    root: Path | None = None
    licences: tuple[str, ...] = ()
    validation: float = 0.1
    test: float = 0.0
    validation_patients: tuple[str, ...] = ()
    test_patients: tuple[str, ...] = ()
    simulate: bool = True
    max_slices: int | None = None
    num_phantoms: int = 60
    phantom_share: float = 0.3
    phantom_size: int = 512
    patch: int = 64
    noise: NoiseRange = field(default_factory=NoiseRange)
    doses: DoseRange = field(default_factory=DoseRange)
    augment: AugmentRange = field(default_factory=AugmentRange)
    num_validation: int = 8
    validation_dose: float = 0.25
    verify: bool = False
    seed: int = 0

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        """Build the slices and open this process's share of the stream; `batch_size` counts its samples alone."""
        split = self._split()
        stream = PatchStream(
            cases=self._training_slices(split.train),
            patch=self.patch,
            batch=batch_size * num_processes,
            seed=seed,
            rank=rank,
            world_size=num_processes,
            doses=self.doses,
            augment=self.augment,
        )
        return TrainingData(stream, self._validation_batches(split.validation))

    def _split(self) -> Split:
        if self.index is None:
            return Split((), (), ())
        index = load_index(self.index)
        index = index.with_licences(self.licences) if self.licences else index
        if not index.cases:
            raise MedEnhanceError("input-missing", f"{self.index} has no case to use.", "See its cases' licences.")
        if self.verify:
            verify_index(index, self._root)
        fixed = dict.fromkeys(self.validation_patients, "validation")
        fixed |= dict.fromkeys(self.test_patients, "test")
        return split_cases(index.cases, self.validation, self.test, self.seed, fixed)  # type: ignore[arg-type]

    @property
    def _root(self) -> Path:
        assert self.index is not None
        return self.root or self.index.parent

    def _training_slices(self, cases: Sequence[Case], progress: Progress | None = None) -> list[TrainingSlice]:
        progress = progress or Silent()
        scanned = [pair for case in cases if case.is_paired for pair in load_pairs(case, self._root)]
        if self.simulate:
            normals = [one for case in cases for one in self._study(case)]
            scanned += simulated_bank(normals, self.noise, self.seed, progress) if normals else []
        phantoms = simulated_bank(self._phantoms(), self.noise, self.seed + 1, progress) if self.num_phantoms else []
        if not scanned and not phantoms:
            raise MedEnhanceError("input-missing", "There is nothing to train on.", "Give an index or phantoms.")
        share = self.phantom_share if scanned else 1.0
        return _shared_out(scanned, 1.0 - share) + _shared_out(phantoms, share)

    def _study(self, case: Case) -> list[NormalSlice]:
        """Its slices, `max_slices` of them at most; each then counts more, so that all studies count the same."""
        slices = load_normal(case, self._root)
        kept = slices if self.max_slices is None else _spread(slices, self.max_slices)
        return [replace(one, weight=one.weight * len(slices) / len(kept)) for one in kept]

    def _phantoms(self) -> list[NormalSlice]:
        return [phantom_slice(self.seed * 1000 + i, self.phantom_size) for i in range(self.num_phantoms)]

    def _validation_batches(self, cases: Sequence[Case]) -> list[Batch]:
        pairs = [pair for case in cases if case.is_paired for pair in load_pairs(case, self._root)]
        if pairs:
            return [_batch(p.normal + p.noises[0].crop(_WHOLE, 1.0), p.normal) for p in self._thinned(pairs)]
        normals = [one for case in cases for one in load_normal(case, self._root)]
        if not normals:
            seeds = range(_VALIDATION_PHANTOMS, _VALIDATION_PHANTOMS + self.num_validation)
            normals = [phantom_slice(seed, self.phantom_size) for seed in seeds]
        return [self._simulated(one, i) for i, one in enumerate(self._thinned(normals))]

    def _thinned(self, slices: list[_T]) -> list[_T]:
        return _spread(slices, self.num_validation)

    def _simulated(self, one: NormalSlice, number: int) -> Batch:
        kernel = (SOFT, SHARP)[number % 2]
        rng = np.random.default_rng([self.seed, _VALIDATION_PHANTOMS, number])
        scanner = Scanner(slice_mm=one.slice_mm)
        return _batch(simulate_low_dose(one.hu, one.spacing_mm, self.validation_dose, kernel, scanner, rng), one.hu)


def phantom_slice(seed: int, size: int) -> NormalSlice:
    """The phantom of this seed, with a pixel spacing and a slice thickness that belong to it."""
    rng = np.random.default_rng([seed, 2])
    spacing_mm, slice_mm = rng.uniform(0.65, 0.95) * 512 / size, rng.uniform(1.0, 5.0)
    hu = random_phantom(seed).render((1, size, size), spacing_mm, slice_step_mm=slice_mm, slice_mm=slice_mm)[0]
    return NormalSlice(hu, spacing_mm, slice_mm)


def _spread(slices: list[_T], count: int) -> list[_T]:
    """At most `count` of them, evenly spread from the first to the last."""
    chosen = np.linspace(0, len(slices) - 1, min(count, len(slices))).round().astype(int)
    return [slices[i] for i in chosen]


def _shared_out(slices: list[TrainingSlice], share: float) -> list[TrainingSlice]:
    """The slices with weights that add up to a share; none for a share of 0."""
    total = sum(one.weight for one in slices)
    return [replace(one, weight=one.weight * share / total) for one in slices] if share > 0 else []


def _batch(low: np.ndarray, normal: np.ndarray) -> Batch:
    return {"low": torch.from_numpy(low)[None, None].float(), "normal": torch.from_numpy(normal)[None, None].float()}
