"""3D U-Net of Patel et al. (Scientific Reports 9, 2019), as SMART-Net's authors re-implemented it (spec section 2)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.precision import run
from medenhance.networks.smart_net_input import HeadInput, folded, windowed
from medenhance.networks.strung_scans import DepthConvolution, ScanOutput, gathered, halved, real_slices, resized


@dataclass(frozen=True)
class Patel2019aConfig:
    """Shape of the segmenter; the defaults are those of the re-implementation.

    Attributes:
        input: What it sees.
        widths: Feature maps of the first and second convolution of each level, from the finest.
        dropout: Share of feature maps that are dropped in training.
    """

    input: HeadInput = field(default_factory=HeadInput)
    widths: tuple[tuple[int, int], ...] = ((32, 64), (64, 128), (128, 256), (256, 512))
    dropout: float = 0.5


class Patel2019a(nn.Module):
    """forward: (B, D, 1, H, W) HU and depths (B,) -> `ScanOutput`; the largest mask logit decides on slice and scan."""

    def __init__(self, config: Patel2019aConfig) -> None:
        super().__init__()
        self.config = config
        befores = (config.input.channels, *(second for _, second in config.widths[:-1]))
        self.down = nn.ModuleList(_Level(before, *inner) for before, inner in zip(befores, config.widths, strict=True))
        ups = list(itertools.pairwise(reversed([second for _, second in config.widths])))
        self.up = nn.ModuleList(_Level(below + skip, skip, skip) for below, skip in ups)
        self.dropout = nn.Dropout2d(config.dropout)
        self.last = nn.Conv2d(config.widths[0][1], config.input.unshuffle**2, 1)

    def forward(self, slices: Tensor, depths: Tensor) -> ScanOutput:
        seen = self.config.input
        beside, counts = real_slices(slices, depths, seen)
        x = folded(windowed(beside, seen), seen).to(self.last.weight.dtype)
        skips: list[tuple[Tensor, list[int]]] = []
        at = counts
        for number, level in enumerate(self.down):
            if number:
                x, at = halved(x, at)
            x = level(x, at)
            skips.append((x, at))
        skips.pop()
        for level in self.up:
            skip, wanted = skips.pop()
            x = level(torch.cat([resized(x, at, wanted, skip.shape[-2:]), skip], dim=1), wanted)
            at = wanted
        logits = F.pixel_shuffle(run(self.last, run(self.dropout, x)).float(), seen.unshuffle)[:, 0]
        return gathered(None, None, logits, counts, slices.shape[1], (1, 1))


class _Level(nn.Module):
    """Two 3x3x3 convolutions without bias, each with batch normalisation and a leaky ReLU."""

    def __init__(self, before: int, first: int, second: int) -> None:
        super().__init__()
        self.first = DepthConvolution(before, first, bias=False)
        self.first_norm = nn.BatchNorm2d(first)
        self.second = DepthConvolution(first, second, bias=False)
        self.second_norm = nn.BatchNorm2d(second)

    def forward(self, x: Tensor, counts: list[int]) -> Tensor:
        x = F.leaky_relu(run(self.first_norm, self.first(x, counts)))
        return F.leaky_relu(run(self.second_norm, self.second(x, counts)))


def size_multiple(config: Patel2019aConfig) -> int:
    """Height and width must be multiples of this."""
    return int(config.input.unshuffle * 2 ** (len(config.widths) - 1))


def bytes_per_pixel(config: Patel2019aConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of a slice, bytes."""
    first, second = config.widths[0]
    below = config.widths[1][1] if len(config.widths) > 1 else 0
    largest = 4 * (below + second) + second + first  # the last level reads three planes of both, joined
    return int(itemsize * largest / config.input.unshuffle**2) + 32
