"""What a run on head CT trains on: simulated scans, none of them in two parts of the split, and bleeds in real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from medenhance.errors import MedEnhanceError
from medenhance.networks.smart_net_input import HeadInput
from medenhance_training.config import TrainingData
from medenhance_training.data.genesis import Genesis
from medenhance_training.data.head_bank import Heads, framed_scans
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_stream import HeadScanStream, HeadSliceStream, Place, Sampling
from medenhance_training.data.head_variants import HeadVariants

# Seeds of scans: no training reaches those for validation, for calibration and for tests.
VALIDATION_SCANS, CALIBRATION_SCANS, TEST_SCANS = 1_000_000, 2_000_000, 3_000_000


@dataclass(frozen=True)
class HeadData:
    """Where slices or scans come from.

    Attributes:
        unit: "slice" for the pretext tasks, "scan" for whole scans.
        num_scans: Simulated scans; the paper has 1,469 patients.
        first_scan: Seed of the first one.
        simulator: What may be drawn.
        seen: What the network sees; that of the network's config.
        sampling: How slices are drawn.
        variants: Variants to draw.
        spoil: Spoils slices as Models Genesis does.
        cache: Folder that keeps the framed scans; None makes them anew.
        real: Real scans without blood, DICOM or image files, into whose copies bleeds are put. What shows blood, or is
            to test the network, is none of them.
        real_copies: Of each, so many; the simulator's prevalence says how many of them bleed.
        real_source: Whose they are and under which licence; the model card, which is published, repeats it.
    """

    unit: Literal["slice", "scan"] = "slice"
    num_scans: int = 1469
    first_scan: int = 0
    simulator: HeadConfig = field(default_factory=HeadConfig)
    seen: HeadInput = field(default_factory=HeadInput)
    sampling: Sampling = "patient"
    variants: HeadVariants = field(default_factory=HeadVariants)
    spoil: Genesis | None = None
    cache: Path | None = None
    real: tuple[Path, ...] = ()
    real_copies: int = 80
    real_source: str = ""

    def __post_init__(self) -> None:
        last = self.first_scan + self.num_scans
        if self.first_scan < 0 or last > VALIDATION_SCANS:
            raise MedEnhanceError(
                "bad-option",
                f"Scans {self.first_scan} to {last - 1} are not all for training (0 to {VALIDATION_SCANS - 1}).",
                "Choose another first scan, or fewer: the others are held out.",
            )
        if self.real_copies < 1:
            raise MedEnhanceError("bad-option", f"{self.real_copies} copies of a scan are no data.", "Use 1 or more.")
        if self.real and not self.real_source.strip():
            message = "Real scans need their source and licence, which the model card states."
            raise MedEnhanceError("bad-option", message, "Name them with --data.real-source.")

    def open(self, batch_size: int, rank: int, num_processes: int, seed: int) -> TrainingData:
        """Make the scans and open this process's share of the stream."""
        scans = [scan for heads in self._heads() for scan in framed_scans(heads, self.cache)]
        place = Place(seed, batch_size * num_processes, rank, num_processes)
        if self.unit == "scan":
            return TrainingData(HeadScanStream(scans, place, self.variants), [])
        stream = HeadSliceStream(scans, place, self.seen.neighbours, self.sampling, self.variants, self.spoil)
        return TrainingData(stream, [])

    def _heads(self) -> Iterator[Heads]:
        """Real scans first: what is wrong with one is said before minutes of simulation."""
        simulated = Heads(self.first_scan, self.num_scans, self.simulator, self.seen)
        for number, path in enumerate(self.real):
            first = self.first_scan + number * self.real_copies
            yield replace(simulated, first=first, count=self.real_copies, scan=path)
        yield simulated
