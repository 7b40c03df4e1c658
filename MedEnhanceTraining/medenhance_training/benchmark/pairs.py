"""Held-out pairs of low-dose and normal-dose slices, and the training slices that classical methods are tuned on.

Pairs come from phantoms, which need no data at all; from the folder of public images; or from two studies of one's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.study import read_study
from medenhance.volume import Volume
from medenhance_training.benchmark.public_images import IMAGES, PAIR_SPACING_MM, missing, real_pair
from medenhance_training.data.bank import NormalSlice
from medenhance_training.data.kernels import KERNELS
from medenhance_training.data.low_dose import Scanner, simulate_low_dose
from medenhance_training.data.sources import phantom_slice
from medenhance_training.data.studies import AIR_HU, RANGE_HU
from medenhance_training.evaluate import KernelFamily, Pair

FAMILIES: tuple[KernelFamily, ...] = ("soft", "sharp")
REAL = "patient, real quarter dose"
OWN = "own pair"
_UNCHANGED = "unchanged dose"
# Training draws its phantoms from far smaller seeds.
_HELD_OUT_SEED, _TUNING_SEED = 3_000_000_000, 3_500_000_000


@dataclass(frozen=True)
class HeldOutData:
    """What is measured on.

    Attributes:
        root: Folder with the public images, besides the phantoms.
        low: Low-dose study of one's own, with `normal`; then nothing else is measured on.
        normal: Its normal-dose twin, on the same grid.
        doses: Fractions of the normal dose to simulate.
        seeds: Noise realisations of each slice, dose and kernel.
        phantoms: Number of phantoms.
        phantom_size: Rows and columns of a phantom.
    """

    root: Path | None = None
    low: Path | None = None
    normal: Path | None = None
    doses: tuple[float, ...] = (0.25,)
    seeds: int = 2
    phantoms: int = 4
    phantom_size: int = 512


def held_out_pairs(data: HeldOutData, progress: Progress | None = None) -> list[Pair]:
    """The pairs that `data` describes.

    Raises:
        MedEnhanceError: Something named is missing or unsuitable, or nothing is left to measure on.
    """
    if data.low is not None and data.normal is not None:
        return [study_pair(data.low, data.normal)]
    if data.low is not None or data.normal is not None:
        raise MedEnhanceError("bad-option", "a pair is a low-dose and a normal-dose study.", "Name both of them.")
    pairs = [] if data.root is None else list(_patient_pairs(data, _folder(data.root), progress or Silent()))
    pairs += _phantom_pairs(data, progress or Silent())
    if not pairs:
        raise MedEnhanceError("bad-option", "there is nothing to measure on.", "Name a folder, or 1 phantom or more.")
    return pairs


def tuning_pairs(data: HeldOutData, family: KernelFamily, progress: Progress | None = None) -> list[Pair]:
    """Pairs of one kernel family and the first dose from slices that are no part of `held_out_pairs`."""
    progress, pairs = progress or Silent(), []
    if data.root is None:
        slices = [
            ("phantom", n, phantom_slice(_TUNING_SEED + n, data.phantom_size)) for n in range(max(data.phantoms, 1))
        ]
    else:
        training = [images for images in IMAGES if not images.held_out]
        slices = [(i.case, n, normal) for i in training for n, normal in i.slices(_folder(data.root))]
    for done, (case, n, normal) in enumerate(slices):
        checkpoint(progress, "simulate", done / len(slices))
        pairs.append(low_dose_pair("tuning", case, n, normal, data.doses[0], family, seed=0))
    return pairs


def low_dose_pair(
    who: str, case: str, n: int, normal: NormalSlice, dose: float, family: KernelFamily, seed: int
) -> Pair:
    """A slice and what it would look like at a lower dose; another seed is another realisation of the noise."""
    rng = np.random.default_rng([seed, n, FAMILIES.index(family)])
    scanner = Scanner(slice_mm=normal.slice_mm)
    low = simulate_low_dose(normal.hu, normal.spacing_mm, dose, KERNELS[family], scanner, rng)
    subset = f"{who}, {dose:.0%} dose, {family} kernel"
    return Pair(subset, case, n, low[None], normal.hu[None], normal.spacing_mm, family)


def unchanged_pair(who: str, case: str, n: int, normal: NormalSlice) -> Pair:
    """A slice as it is, on both sides: what a denoiser changes in a clean image is lost."""
    return Pair(f"{who}, {_UNCHANGED}", case, n, normal.hu[None], normal.hu[None], normal.spacing_mm, "soft")


def unseen_low_dose_slice(size: int = 512) -> np.ndarray:
    """(size, size) float32, HU: a phantom that training does not draw, at a quarter of the dose."""
    normal = phantom_slice(_HELD_OUT_SEED, size)
    return np.asarray(low_dose_pair("phantoms", "phantom", 0, normal, 0.25, "sharp", seed=1).low[0])


def is_unchanged(subset: str) -> bool:
    """Whether the slices of a subset are clean on both sides."""
    return subset.endswith(_UNCHANGED)


def study_pair(low: Path, normal: Path) -> Pair:
    """Two studies of one anatomy on one grid; the kernel family only matters to tuned classical methods.

    Raises:
        MedEnhanceError: One of them cannot be read, or their grids differ.
    """
    volumes = [read_study(path) for path in (low, normal)]
    (a, b), tolerance_mm = volumes, 0.01
    if a.array.shape != b.array.shape or not np.allclose(a.grid.affine, b.grid.affine, atol=tolerance_mm):
        message = f"{low.name} {a.array.shape} and {normal.name} {b.array.shape} do not lie on one grid."
        raise MedEnhanceError("input-unsuitable", message, "Give two reconstructions of one scan.")
    spacing_mm = a.grid.spacing_mm[0] if a.grid.spacing_known else None
    return Pair(OWN, low.name, 0, _hu(a), _hu(b), spacing_mm, "soft")


def _patient_pairs(data: HeldOutData, root: Path, progress: Progress) -> Iterator[Pair]:
    low, normal = real_pair(root)
    yield Pair(REAL, "abdomen (L506)", 0, low[None], normal[None], PAIR_SPACING_MM, "sharp")
    held_out = [images for images in IMAGES if images.held_out]
    for done, images in enumerate(held_out):
        checkpoint(progress, "simulate", done / len(held_out))
        for n, normal_slice in images.slices(root):
            yield from _variants(data, "patients", images.case, n, normal_slice, simulate=images.simulate)


def _phantom_pairs(data: HeldOutData, progress: Progress) -> Iterator[Pair]:
    for n in range(data.phantoms):
        checkpoint(progress, "phantoms", n / data.phantoms)
        normal = phantom_slice(_HELD_OUT_SEED + n, data.phantom_size)
        yield from _variants(data, "phantoms", "phantom", n, normal, simulate=True)


def _variants(data: HeldOutData, who: str, case: str, n: int, normal: NormalSlice, *, simulate: bool) -> Iterator[Pair]:
    for dose in data.doses if simulate else ():
        for family in FAMILIES:
            for seed in range(data.seeds):
                yield low_dose_pair(who, case, n, normal, dose, family, seed + 1)
    yield unchanged_pair(who, case, n, normal)


def _folder(root: Path) -> Path:
    if not root.is_dir():
        raise missing(root)
    return root


def _hu(volume: Volume) -> np.ndarray:
    """(D, H, W) float32; padding counts as air."""
    array = volume.array.astype(np.float32)
    if volume.padding_below is not None:
        array = np.where(array <= volume.padding_below, np.float32(AIR_HU), array)
    return np.clip(array, *RANGE_HU)
