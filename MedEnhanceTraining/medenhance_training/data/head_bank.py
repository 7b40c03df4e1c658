"""Head CT scans in the frame of a network, kept on disk: making them again would take minutes.

All of a scan is simulated, or bleeds alone, which are put into a real scan that has none.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.files import replacing
from medenhance.head_ct.clahe import equalised_hu
from medenhance.head_ct.frame import HeadFrame
from medenhance.networks.smart_net_input import HeadInput
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.study import read_study
from medenhance.volume import Volume
from medenhance_training.data import head_ct
from medenhance_training.data.head_ct.case import HeadCase
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.insert import insert_lesions
from medenhance_training.data.head_ct.simulate import simulate_head

FULL = 255
"""Stored share of a pixel that is all blood."""
# The code of 2022 leaves out components of less than 3 pixels (specification, 1.1); partial pixels count in part.
LEAST_BLOOD_PX = 3.0


@dataclass(frozen=True)
class FramedScan:
    """One scan as a network sees it, slices from the feet to the head.

    Attributes:
        seed: Of its simulation.
        hu: (D, S, S) int16.
        share: (D, S, S) uint8: how much of each pixel is blood, 255 for all of it.
    """

    seed: int
    hu: np.ndarray
    share: np.ndarray

    @property
    def has_blood(self) -> np.ndarray:
        """(D,) bool: slices with blood in at least three pixels."""
        return has_blood(self.share)


def has_blood(share: np.ndarray) -> np.ndarray:
    """(D, S, S) share of blood, `FULL` for all of a pixel -> (D,) bool: at least three pixels of it."""
    return np.asarray(share.sum(axis=(1, 2), dtype=np.float64) >= LEAST_BLOOD_PX * FULL)


@dataclass(frozen=True)
class Heads:
    """Which scans to make, and for which network.

    Attributes:
        first: Seed of the first.
        count: How many.
        simulator: What may be drawn.
        seen: Frame and equalisation; the rest of it is the network's own.
        scan: A real scan without blood, DICOM or image file: each scan is a copy of it, with bleeds as often as
            simulated scans have any, by the simulator's ranges as they stand. None simulates heads.
    """

    first: int
    count: int
    simulator: HeadConfig = field(default_factory=HeadConfig)
    seen: HeadInput = field(default_factory=HeadInput)
    scan: Path | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise MedEnhanceError("bad-option", f"{self.count} scans are no data.", "Use 1 or more.")


def framed_scans(heads: Heads, cache: Path | None, progress: Progress | None = None) -> Iterator[FramedScan]:
    """All scans, one after the other.

    Args:
        heads: Which.
        cache: Folder to keep them in, made where it is missing; None keeps nothing.
        progress: Is told about every scan, and may cancel.

    Raises:
        MedEnhanceError: The real scan cannot be read, or has no closed skull around a brain.
    """
    progress = progress or Silent()
    real = None if heads.scan is None else read_study(heads.scan)
    make, key = _maker(heads, real), _key(heads, real)
    for number in range(heads.count):
        checkpoint(progress, "simulate", number / heads.count)
        seed = heads.first + number
        if cache is None:
            yield framed(make(seed), heads.seen)
            continue
        path = cache / f"{seed}-{key}.npz"
        if not path.is_file():
            _write(path, framed(make(seed), heads.seen))
        yield _read(path, seed)
    progress.update("simulate", 1.0)


def framed(case: HeadCase, seen: HeadInput) -> FramedScan:
    """A scan as a network with this input sees it, by the code that users run."""
    frame = HeadFrame.of(case.volume, seen.frame)
    hu = frame.enter(case.hu)
    if seen.clahe:
        hu = equalised_hu(hu, seen.windows_hu[0])
    share = np.rint(frame.enter_share(case.mask) * FULL).astype(np.uint8)
    return FramedScan(case.seed, np.rint(hu).astype(np.int16), share)


def simulator_digest() -> str:
    """SHA-256 over the simulator's sources: scans of another version of it are others."""
    digest = hashlib.sha256()
    for path in sorted(Path(str(head_ct.__file__)).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _maker(heads: Heads, real: Volume | None) -> Callable[[int], HeadCase]:
    """From a seed to its scan."""
    if real is None:
        return lambda seed: simulate_head(seed, heads.simulator)
    return lambda seed: insert_lesions(real, seed, heads.simulator)


def _key(heads: Heads, real: Volume | None) -> str:
    """What all scans of one kind have in common."""
    seen = heads.seen
    window = seen.windows_hu[0] if seen.clahe else None
    described = [asdict(heads.simulator), asdict(seen.frame), window, simulator_digest()]
    if real is not None:
        described += [hashlib.sha256(real.array.tobytes()).hexdigest(), asdict(real.grid)]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]


def _write(path: Path, scan: FramedScan) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, hu=scan.hu, share=scan.share)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, seed: int) -> FramedScan:
    with np.load(path, allow_pickle=False) as kept:
        return FramedScan(seed, kept["hu"], kept["share"])
