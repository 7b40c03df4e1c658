"""What a run on spine projections trains on: simulated subjects, and none of them in two parts of the split."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from medenhance_training.config import TrainingData
from medenhance_training.data.spine.config import SpineConfig
from medenhance_training.data.spine_bank import Projection, Subjects, projections
from medenhance_training.data.spine_patches import Splitting, split_patches
from medenhance_training.data.spine_stream import SpineStream, SpineVariants
from medenhance_training.objectives.objective import Batch

# Seeds of subjects: no training reaches those for validation and for tests.
VALIDATION_SUBJECTS, TEST_SUBJECTS = 1_000_000, 2_000_000
# Networks with skips need sides that are multiples of a small power of 2; validation shows almost the whole image.
_SIDE_MULTIPLE = 32


@dataclass(frozen=True)
class SpineData:
    """Where training patches come from.

    Attributes:
        num_subjects: Simulated subjects; the paper has 80.
        first_subject: Seed of the first one.
        stripes: Range of the structured noise's strength; 1 is the public image's.
        depths: Which of the five projections of a subject are used.
        simulator: What may be drawn.
        clean: Train on the clean twins instead of the noisy projections.
        with_patches: Whether there are corrupted and clean patches beside the crops.
        patch: Side of a patch, px.
        crop: Rows and columns of a crop for segmentation, px.
        crop_every: Samples for each crop.
        splitting: How patches are sorted.
        variants: Variants to draw.
        num_validation: Subjects for validation, one projection of each.
        cache: Folder that keeps the simulated subjects; None simulates them anew.
    """

    num_subjects: int = 80
    first_subject: int = 0
    stripes: tuple[float, float] = (0.5, 3.0)
    depths: tuple[int, ...] = (2, 3, 4)
    simulator: SpineConfig = field(default_factory=SpineConfig)
    clean: bool = False
    with_patches: bool = True
    patch: int = 128
    crop: tuple[int, int] = (512, 640)
    crop_every: int = 1
    splitting: Splitting = field(default_factory=Splitting)
    variants: SpineVariants = field(default_factory=SpineVariants)
    num_validation: int = 4
    cache: Path | None = None

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        """Simulate the subjects and open this process's share of the stream."""
        subjects = Subjects(self.first_subject, self.num_subjects, self.stripes, self.depths, self.simulator)
        found = [self._seen(one) for one in projections(subjects, self.cache)]
        stream = SpineStream(
            projections=found,
            patches=split_patches(found, self.patch, self.splitting) if self.with_patches else None,
            patch=self.patch,
            crop=self.crop,
            batch=batch_size * num_processes,
            seed=seed,
            rank=rank,
            world_size=num_processes,
            crop_every=self.crop_every,
            variants=self.variants,
        )
        return TrainingData(stream, [_whole(one) for one in self._validation()])

    def _validation(self) -> list[Projection]:
        if not self.num_validation:
            return []
        middle = sum(self.stripes) / 2
        subjects = Subjects(
            VALIDATION_SUBJECTS, self.num_validation, (middle, middle), self.depths[-1:], self.simulator
        )
        return list(projections(subjects, self.cache))

    def _seen(self, one: Projection) -> Projection:
        return Projection(**{**vars(one), "noisy": one.clean}) if self.clean else one


def _whole(one: Projection) -> Batch:
    rows, columns = (n // _SIDE_MULTIPLE * _SIDE_MULTIPLE for n in one.noisy.shape)
    window = slice(0, rows), slice(0, columns)
    return {
        "low": torch.from_numpy(one.noisy[window])[None, None].float(),
        "normal": torch.from_numpy(one.clean[window])[None, None].float(),
        "labels": torch.from_numpy(one.labels[window])[None].long(),
    }
