"""The low-dose CT data of a run, as the command line names it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from medenhance.errors import MedEnhanceError
from medenhance_training.config import TrainingData
from medenhance_training.data.augment import AugmentRange
from medenhance_training.data.stream import DoseRange, PatchStream


@dataclass(frozen=True)
class LowDoseData:
    """A folder that `medenhance-train simulate low-dose-ct` wrote.

    Attributes:
        root: The folder.
        patch: Side of a training patch, pixels.
        doses: Doses to draw, as fractions of the normal one.
        augment: Variants to draw.
    """

    root: Path | None = None
    patch: int = 64
    doses: DoseRange = field(default_factory=DoseRange)
    augment: AugmentRange = field(default_factory=AugmentRange)

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        """The stream of this process and the fixed slices.

        Raises:
            MedEnhanceError: No folder was named, or it holds no such data.
        """
        root = self._checked_root()
        from medenhance_training.data.store import read_training, read_validation

        stream = PatchStream(
            cases=read_training(root),
            patch=self.patch,
            batch=batch_size * num_processes,
            seed=seed,
            rank=rank,
            world_size=num_processes,
            doses=self.doses,
            augment=self.augment,
        )
        return TrainingData(stream, read_validation(root))

    def _checked_root(self) -> Path:
        hint = "Make it with: medenhance-train simulate low-dose-ct STUDIES FOLDER; then add --data.root FOLDER."
        if self.root is None:
            raise MedEnhanceError("input-missing", "no training data was named.", hint)
        if not self.root.is_dir():
            raise MedEnhanceError("input-missing", f"the folder of training data {self.root} does not exist.", hint)
        return self.root
