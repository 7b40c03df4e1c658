"""Whether CT numbers depend on the size of the image: whole slices against tiles of the training patch's size.

A spectral branch over the whole image ties the mean that it sees to the image's size (spec of `networks.spectral`). The
same weights are therefore run twice where a network has such a branch: as they are, and with the transform exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from medenhance import networks
from medenhance.manifest import ModelEntry, Tiling
from medenhance.measure.tissue import SOFT, map_tissues, valid_pixels
from medenhance.predict import Predictor
from medenhance_training.methods import ModelMethod
from medenhance_training.table import Table, number

PATCH_PX = 64
OVERLAP_PX = 24


@dataclass(frozen=True)
class SizeShift:
    """What the size of the image does to the output of one network.

    Attributes:
        name: Of the network.
        mean_hu: Mean over soft tissue of output for the whole slice minus output in tiles.
        rms_hu: Root mean square of that difference over soft tissue; tile borders count in it.
    """

    name: str
    mean_hu: float
    rms_hu: float


def measure_size_shift(methods: list[ModelMethod], low: np.ndarray) -> list[SizeShift]:
    """Measure every method on one slice.

    Args:
        methods: Models with their weights.
        low: (H, W) HU, several times as large as `PATCH_PX`.
    """
    found = []
    for method in methods:
        entry, state = method.entry, method.state()
        found.append(_shift(entry.id, entry, state, low))
        if entry.config.get("spectral") == "window":
            exchanged = replace(entry, config={**entry.config, "spectral": "global"})
            found.append(_shift(f"{entry.id}, spectrum of the whole image", exchanged, _as_global(state), low))
    return found


def size_shift_table(found: list[SizeShift]) -> Table:
    """One row a network."""
    title = f"soft tissue: whole slice minus tiles of {PATCH_PX} x {PATCH_PX} pixels"
    table = Table(title, ("network", "mean HU", "RMS HU"))
    for one in found:
        table.add(one.name, number(one.mean_hu, 2, sign=True), number(one.rms_hu, 2))
    table.notes.append("With the spectrum of the whole image: the same weights, the transform exchanged.")
    table.notes.append("Research use only. Not for diagnosis.")
    return table


def _shift(name: str, entry: ModelEntry, state: dict[str, Tensor], low: np.ndarray) -> SizeShift:
    network = networks.build(entry.network, entry.config)
    network.load_state_dict(state)
    whole, tiled = (
        Predictor(replace(entry, tiling=tiling), network).restore(low[None].astype(np.float32))[0]
        for tiling in (Tiling(None, 0), Tiling(PATCH_PX, OVERLAP_PX))
    )
    inside = map_tissues(low, valid_pixels(low, low, None)).interior(SOFT)
    difference = (whole - tiled)[inside].astype(np.float64)
    return SizeShift(name, float(difference.mean()), float(np.sqrt(np.mean(difference**2))))


def _as_global(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the windowed spectral branch as those of the whole image's: a linear layer as a 1x1 convolution."""
    mixes = "spectral.mix.weight"
    return {name: w[:, :, None, None] if name.endswith(mixes) else w for name, w in state.items()}
