"""Held-out simulated head CT scans: one set like the training, three shifted ones, one to calibrate on.

No training reaches their seeds (`head_source.CALIBRATION_SCANS`, `TEST_SCANS`), and each set has seeds of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.files import replacing
from medenhance.strict_json import from_json, to_json
from medenhance.volume import Grid, Volume
from medenhance_training.data.head_bank import simulator_digest
from medenhance_training.data.head_ct.config import PRESETS, HeadConfig
from medenhance_training.data.head_ct.simulate import simulate_head
from medenhance_training.data.head_source import CALIBRATION_SCANS, TEST_SCANS

SetName = Literal["like training", "noise", "geometry", "contrast"]
SETS: tuple[SetName, ...] = get_args(SetName)
_PRESETS: dict[SetName, str] = {
    "like training": "balanced",
    "noise": "shift_noise",
    "geometry": "shift_geometry",
    "contrast": "shift_contrast",
}
# Far more scans than any set will have.
_SEEDS_OF_A_SET = 100_000


@dataclass(frozen=True)
class HeldOutScan:
    """What an evaluation needs to know of a simulated scan.

    Attributes:
        seed: Of its simulation.
        volume: HU, modality CT.
        subtypes: (D, H, W) uint8, 0 for none, 1 to 5 as in `medenhance.head_ct.labels`.
        volume_ml: True volume of all bleeds, measured before slices were averaged.
        present: Subtypes with any volume.
        look_alikes: Names of what resembles blood, and of artefacts.
    """

    seed: int
    volume: Volume
    subtypes: np.ndarray
    volume_ml: float
    present: tuple[str, ...]
    look_alikes: tuple[str, ...]

    @property
    def mask(self) -> np.ndarray:
        """(D, H, W) bool: any bleed."""
        return self.subtypes > 0


@dataclass(frozen=True)
class HeldOutHeads:
    """How many scans of each set.

    Attributes:
        scans: In the set like the training.
        shifted: In each of the other sets.
        prevalence: Share of scans with blood; that of the paper's hospitals is 0.10 to 0.35.
        calibration: Scans to fit a calibration on, drawn like the training.
        cache: Folder that keeps simulated scans.
    """

    scans: int = 60
    shifted: int = 30
    prevalence: float = 0.25
    calibration: int = 60
    cache: Path | None = None

    def __post_init__(self) -> None:
        if not all(2 <= n <= _SEEDS_OF_A_SET for n in (self.scans, self.shifted)) or not (
            0 <= self.calibration <= _SEEDS_OF_A_SET
        ):
            message = f"{self.scans}, {self.shifted} and {self.calibration} scans are no sets."
            raise MedEnhanceError("bad-option", message, f"Use 2 to {_SEEDS_OF_A_SET} scans in a set.")
        if not 0 < self.prevalence < 1:
            raise MedEnhanceError("bad-option", f"A prevalence of {self.prevalence} leaves one kind of scan alone.")

    def count(self, name: SetName) -> int:
        """How many scans a set has."""
        return self.scans if name == SETS[0] else self.shifted

    def test(self, name: SetName) -> Iterator[HeldOutScan]:
        """The scans of one set, simulated one by one as they are asked for."""
        first = TEST_SCANS + SETS.index(name) * _SEEDS_OF_A_SET
        yield from self._scans(first, self.count(name), _PRESETS[name])

    def for_calibration(self) -> Iterator[HeldOutScan]:
        """Scans like the training's, with the prevalence of the test sets."""
        yield from self._scans(CALIBRATION_SCANS, self.calibration, "balanced")

    def _scans(self, first: int, count: int, preset: str) -> Iterator[HeldOutScan]:
        config = replace(PRESETS[preset], prevalence=self.prevalence)
        # Once: the sources may change under a long run, which goes on with those that it has loaded.
        digest = "" if self.cache is None else simulator_digest()
        for seed in range(first, first + count):
            yield _kept(seed, config, self.cache, digest)


def held_out_scan(seed: int, config: HeadConfig) -> HeldOutScan:
    """Simulate one."""
    case = simulate_head(seed, config)
    present = tuple(name for name, volume in case.volumes_ml.items() if volume > 0)
    # As a scanner stores it: whole CT numbers.
    volume = Volume(np.rint(case.hu).astype(np.float32), case.grid, modality="CT")
    total = float(sum(case.volumes_ml.values()))
    return HeldOutScan(seed, volume, case.subtypes, total, present, case.hard_negatives)


def _kept(seed: int, config: HeadConfig, cache: Path | None, digest: str) -> HeldOutScan:
    if cache is None:
        return held_out_scan(seed, config)
    described = json.dumps([asdict(config), digest])
    path = cache / f"{seed}-{hashlib.sha256(described.encode()).hexdigest()[:16]}.npz"
    if not path.is_file():
        _write(path, held_out_scan(seed, config))
    return _read(path)


def _write(path: Path, scan: HeldOutScan) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "seed": scan.seed, "grid": to_json(scan.volume.grid), "volume_ml": scan.volume_ml,
        "present": scan.present, "look_alikes": scan.look_alikes,
    }  # fmt: skip
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, hu=scan.volume.array.astype(np.int16), subtypes=scan.subtypes, facts=np.array(json.dumps(facts))
        )
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> HeldOutScan:
    with np.load(path, allow_pickle=False) as kept:
        facts = json.loads(str(kept["facts"]))
        volume = Volume(kept["hu"].astype(np.float32), from_json(Grid, facts["grid"]), modality="CT")
        subtypes = kept["subtypes"]
    return HeldOutScan(
        facts["seed"], volume, subtypes, facts["volume_ml"], tuple(facts["present"]), tuple(facts["look_alikes"])
    )
