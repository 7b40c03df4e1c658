"""Shallow 3D CNN of Singh et al. (IEEE Sensors Journal 21:14290, 2020).

Only its outline is known (specification, section 2): a few 3D convolutions after an intensity normalisation that
raises contrast where blood is. The normalisation is a window of `input` here, and depth and widths are ours.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from medenhance.networks.precision import run
from medenhance.networks.smart_net_input import HeadInput, folded, windowed
from medenhance.networks.strung_scans import (
    DepthConvolution,
    ScanOutput,
    average,
    gathered,
    halved,
    largest,
    real_slices,
)

# Between the densities of white matter and of clotted blood (specification, 7.1), where the profile differs most.
CONTRASTED = HeadInput(clahe=False, windows_hu=((20.0, 90.0),))


@dataclass(frozen=True)
class Singh2020Config:
    """Shape of the classifier.

    Attributes:
        input: What it sees.
        widths: Feature maps of the 3x3x3 convolutions, each followed by max-pooling.
        dropout: Before the logit.
    """

    input: HeadInput = field(default_factory=lambda: CONTRASTED)
    widths: tuple[int, ...] = (16, 32, 64, 128)
    dropout: float = 0.5


class Singh2020(nn.Module):
    """forward: (B, D, 1, H, W) HU and depths (B,) -> `ScanOutput`: one logit a scan, and that for all its slices."""

    def __init__(self, config: Singh2020Config) -> None:
        super().__init__()
        self.config = config
        sizes = list(itertools.pairwise((config.input.channels, *config.widths)))
        self.convolutions = nn.ModuleList(DepthConvolution(before, after, bias=False) for before, after in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(after) for _, after in sizes)
        self.dropout = nn.Dropout(config.dropout)
        self.last = nn.Linear(2 * config.widths[-1], 1)

    def forward(self, slices: Tensor, depths: Tensor) -> ScanOutput:
        seen = self.config.input
        beside, counts = real_slices(slices, depths, seen)
        x, at = folded(windowed(beside, seen), seen).to(self.last.weight.dtype), counts
        for layer, norm in zip(self.convolutions, self.norms, strict=True):
            x, at = halved(torch.relu(run(norm, layer(x, at))), at)
        summary = torch.cat([average(x, at), largest(x, at)], dim=1)
        logit = run(self.last, run(self.dropout, summary)).float()[:, 0]
        return gathered(logit, None, None, counts, slices.shape[1], (1, 1))


def size_multiple(config: Singh2020Config) -> int:
    """Height and width must be multiples of this."""
    return int(config.input.unshuffle * 2 ** len(config.widths))


def bytes_per_pixel(config: Singh2020Config, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of a slice, bytes."""
    first = config.widths[0]
    second = config.widths[1] if len(config.widths) > 1 else 0
    return int(itemsize * (4 * config.input.channels + 3 * first + second) / config.input.unshuffle**2) + 32
