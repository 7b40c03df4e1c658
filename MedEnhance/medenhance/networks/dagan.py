"""Generator of DA-GAN: a small U-Net with spatial attention that returns its input, changed (papers/001, section 2.2).

The paper fixes the widths, the 3x3 convolutions and the attention. What it leaves open follows the authors' later code
(IEEE TMI 2022): skips are added, nothing is normalised, a 1x1 convolution gives the change. The critics are needed for
training alone and live in the training package.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.attention import SpatialAttention
from medenhance.networks.precision import EntryConvolution, run


@dataclass(frozen=True)
class DaGanConfig:
    """Shape of the generator; the defaults are the paper's.

    Attributes:
        widths: Feature maps of each level, from the finest to the coarsest.
        attention: Whether there is spatial attention after each block; without, the paper's ablation.
        attention_hidden: Maps of a hidden layer in it; 0 for none.
        residual: "relu" lets the change only brighten, as in the authors' later code; "linear" takes bright lines too.
        unshuffle: Folds the image into unshuffle**2 channels of 1/unshuffle its size; 1 as published.
    """

    widths: tuple[int, ...] = (64, 128, 256)
    attention: bool = True
    attention_hidden: int = 0
    residual: Literal["linear", "relu"] = "linear"
    unshuffle: int = 1


class _Block(nn.Module):
    """Two 3x3 convolutions with ReLU, then attention."""

    def __init__(self, before: int, after: int, config: DaGanConfig, *, entry: bool = False) -> None:
        super().__init__()
        kind = EntryConvolution if entry else nn.Conv2d
        self.first = kind(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.attention = SpatialAttention(config.attention_hidden) if config.attention else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        first = self.first
        # The image itself needs more than a short format holds; features do not.
        entered = first.short(x, self.second.weight.dtype) if isinstance(first, EntryConvolution) else run(first, x)
        return run(self.attention, torch.relu(run(self.second, torch.relu(entered))))


class DaGanGenerator(nn.Module):
    """forward: (N, 1, H, W) float32 network units -> same shape, float32; H and W are multiples of `size_multiple`."""

    def __init__(self, config: DaGanConfig) -> None:
        super().__init__()
        self.config = config
        folded = config.unshuffle**2
        widths = [folded, *config.widths]
        self.encoder = nn.ModuleList(
            _Block(before, after, config, entry=level == 0)
            for level, (before, after) in enumerate(itertools.pairwise(widths))
        )
        upward = list(itertools.pairwise(reversed(config.widths)))
        self.up = nn.ModuleList(nn.ConvTranspose2d(before, after, 2, stride=2) for before, after in upward)
        self.decoder = nn.ModuleList(_Block(after, after, config) for _, after in upward)
        self.change = nn.Conv2d(config.widths[0], folded, 1)

    def forward(self, x: Tensor) -> Tensor:
        features, skips = F.pixel_unshuffle(x, self.config.unshuffle), []
        for level, block in enumerate(self.encoder):
            features = run(block, features if level == 0 else F.max_pool2d(features, 2))
            skips.append(features)
        skips.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            features = run(block, run(up, features) + skips.pop())
        change = run(self.change, features)
        if self.config.residual == "relu":
            change = torch.relu(change)
        return x + F.pixel_shuffle(change.to(x.dtype), self.config.unshuffle)


def size_multiple(config: DaGanConfig) -> int:
    """Height and width must be multiples of this."""
    return int(config.unshuffle * 2 ** (len(config.widths) - 1))


def size_minimum(config: DaGanConfig) -> int:
    """Least height and width."""
    return size_multiple(config)


def bytes_per_pixel(config: DaGanConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of the image, bytes."""
    alive = 6  # skip, what a block reads, makes and rescales, and its maps
    return config.widths[0] * itemsize * alive * 4 // (3 * config.unshuffle**2) + 32
