"""Simulated subjects kept in memory, and on disk, where simulating them again would take minutes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.files import replacing
from medenhance.progress import Progress, Silent, checkpoint
from medenhance_training.data import spine
from medenhance_training.data.spine.config import NUM_DEPTHS, SpineConfig
from medenhance_training.data.spine.simulate import simulate_case


@dataclass(frozen=True)
class Projection:
    """One simulated projection.

    Attributes:
        subject: Seed of the subject.
        depth: Index of its slab, 0 to 4.
        stripes: Strength of its structured noise; 1 is the public image's.
        noisy: (R, C) uint8 grey, 0 outside the scan.
        clean: (R, C) uint8, the same without structured noise.
        dashes: (R, C) bool: where they differ visibly.
        labels: (R, C) uint8: 0 background, 1 rib, 2 thoracic process, 3 lumbar lump.
        scan: (R, C) bool: where the probe went.
    """

    subject: int
    depth: int
    stripes: float
    noisy: np.ndarray
    clean: np.ndarray
    dashes: np.ndarray
    labels: np.ndarray
    scan: np.ndarray


@dataclass(frozen=True)
class Subjects:
    """Which subjects to simulate.

    Attributes:
        first: Seed of the first.
        count: How many.
        stripes: Range of the structured noise's strength, drawn evenly for each; 1 is the public image's.
        depths: Which of the five projections to keep.
        simulator: What may be drawn; its `stripes` is replaced.
    """

    first: int
    count: int
    stripes: tuple[float, float] = (1.0, 1.0)
    depths: tuple[int, ...] = (4,)
    simulator: SpineConfig = field(default_factory=SpineConfig)

    def __post_init__(self) -> None:
        if self.count < 1 or not self.depths or not set(self.depths) <= set(range(NUM_DEPTHS)):
            message = f"{self.count} subjects at the depths {self.depths} are no data."
            raise MedEnhanceError("bad-option", message, f"Use 1 or more, and depths from 0 to {NUM_DEPTHS - 1}.")


def projections(subjects: Subjects, cache: Path | None, progress: Progress | None = None) -> Iterator[Projection]:
    """All projections, subject after subject.

    Args:
        subjects: Which.
        cache: Folder to keep them in, made where it is missing; None keeps nothing.
        progress: Is told about every subject, and may cancel.
    """
    progress = progress or Silent()
    for number in range(subjects.count):
        checkpoint(progress, "simulate", number / subjects.count)
        seed = subjects.first + number
        stripes = float(np.random.default_rng([seed, 99]).uniform(*subjects.stripes))
        config = replace(subjects.simulator, stripes=stripes, with_volume=False)
        yield from _subject(seed, config, subjects.depths, cache)
    progress.update("simulate", 1.0)


def simulator_digest() -> str:
    """SHA-256 over the simulator's sources: subjects of another version of it are others."""
    digest = hashlib.sha256()
    for path in sorted(Path(str(spine.__file__)).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _subject(seed: int, config: SpineConfig, depths: tuple[int, ...], cache: Path | None) -> list[Projection]:
    if cache is None:
        return _simulated(seed, config, depths)
    described = json.dumps([seed, asdict(config), depths, simulator_digest()])
    path = cache / f"{seed}-{hashlib.sha256(described.encode()).hexdigest()[:16]}.npz"
    if not path.is_file():
        _write(path, _simulated(seed, config, depths))
    return _read(path, seed, config.stripes)


def _simulated(seed: int, config: SpineConfig, depths: tuple[int, ...]) -> list[Projection]:
    case = simulate_case(seed, config)
    return [
        Projection(
            seed, depth, config.stripes, case.projections[depth], case.clean[depth], case.noise_mask[depth],
            case.labels, case.scan,
        )
        for depth in depths
    ]  # fmt: skip


def _write(path: Path, found: list[Projection]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            depths=[one.depth for one in found],
            noisy=[one.noisy for one in found],
            clean=[one.clean for one in found],
            dashes=np.packbits([one.dashes for one in found], axis=-1),
            labels=found[0].labels,
            scan=found[0].scan,
        )
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, seed: int, stripes: float) -> list[Projection]:
    with np.load(path, allow_pickle=False) as kept:
        noisy, clean, labels, scan = (kept[name] for name in ("noisy", "clean", "labels", "scan"))
        dashes = np.unpackbits(kept["dashes"], axis=-1, count=noisy.shape[-1]).astype(bool)
        depths = kept["depths"].tolist()
    return [
        Projection(seed, depth, stripes, noisy[n], clean[n], dashes[n], labels, scan) for n, depth in enumerate(depths)
    ]
