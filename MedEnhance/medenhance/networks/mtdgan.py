"""Generator of MTD-GAN: a residual encoder-decoder with an FFT-Conv block at every layer.

Thesis (papers/004), section C 2.2.3, Figure 15, and the authors' later release for IEEE TMI 2024. Its multi-task
discriminator is needed for training alone and lives in the training package.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.precision import EntryConvolution, enter, run
from medenhance.networks.spectral import GlobalSpectral, WindowedSpectral


@dataclass(frozen=True)
class MtdGanConfig:
    """Shape of the generator; the defaults are those of the authors' release.

    Attributes:
        channels: Feature maps of every layer.
        levels: Encoder levels whose features are added back in the decoder; one more convolution is the bottleneck.
        spectral: "global" transforms the whole image, as published; "window" overlapping windows of one size, so that
            CT numbers do not depend on the image's size; "none" leaves the block out (the thesis' ablation a-e).
        window: Edge length of such a window, pixels of the feature maps.
        identity_path: The block also adds its own input, as in the release; the thesis' block does not.
        unshuffle: Folds the image into unshuffle**2 channels of 1/unshuffle its size; 1 as published.
        final_relu: The published last activation; it bounds the output below at 0 network units.
    """

    channels: int = 32
    levels: int = 10
    spectral: Literal["global", "window", "none"] = "global"
    window: int = 16
    identity_path: bool = True
    unshuffle: int = 1
    final_relu: bool = True


class FftConvBlock(nn.Module):
    """Spatial branch ReLU(conv3x3) plus spectral branch, plus the input where `identity_path` is set."""

    def __init__(self, config: MtdGanConfig) -> None:
        super().__init__()
        self.identity_path = config.identity_path
        self.spatial = nn.Conv2d(config.channels, config.channels, 3, padding=1)
        if config.spectral == "global":
            self.spectral: nn.Module = GlobalSpectral(config.channels)
        else:
            self.spectral = WindowedSpectral(config.channels, config.window)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(run(self.spatial, x)) + run(self.spectral, x)
        return x + y if self.identity_path else y


class MtdGanGenerator(nn.Module):
    """forward: (N, 1, H, W) float32 network units -> same shape, float32; H and W are multiples of `unshuffle`."""

    def __init__(self, config: MtdGanConfig) -> None:
        super().__init__()
        self.config = config
        folded = config.unshuffle**2
        widths = [folded] + [config.channels] * (config.levels + 1)
        kinds = [EntryConvolution] + [nn.Conv2d] * config.levels
        self.encoder = nn.ModuleList(
            kind(before, after, 3, padding=1)
            for kind, (before, after) in zip(kinds, itertools.pairwise(widths), strict=True)
        )
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 3, padding=1)
            for before, after in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.encoder_blocks = nn.ModuleList(_block(config) for _ in range(config.levels + 1))
        self.decoder_blocks = nn.ModuleList(_block(config) for _ in range(config.levels))

    def forward(self, x: Tensor) -> Tensor:
        folded = F.pixel_unshuffle(x, self.config.unshuffle)
        features, levels = folded, []
        for level, (convolution, block) in enumerate(zip(self.encoder, self.encoder_blocks, strict=True)):
            features = enter(convolution, folded, self.decoder[-1]) if level == 0 else run(convolution, features)
            features = run(block, torch.relu_(features))
            levels.append(features)
        levels.pop()  # the bottleneck is the decoder's input
        for deconvolution, block in zip(self.decoder, self.decoder_blocks, strict=False):
            features = run(block, torch.relu_(run(deconvolution, features) + levels.pop()))
        residual = run(self.decoder[-1], features)
        output = x + F.pixel_shuffle(residual.to(x.dtype), self.config.unshuffle)
        return torch.relu(output) if self.config.final_relu else output


def size_multiple(config: MtdGanConfig) -> int:
    """Height and width must be multiples of this."""
    return config.unshuffle


def size_minimum(config: MtdGanConfig) -> int:
    """Least height and width."""
    return config.unshuffle


def bytes_per_pixel(config: MtdGanConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of the image, bytes."""
    spectral = {"global": 8 * 4, "window": 20 * itemsize, "none": 0}[config.spectral]
    kept = config.levels + 5
    return config.channels * (itemsize * kept + spectral) // config.unshuffle**2 + 32


def _block(config: MtdGanConfig) -> nn.Module:
    return nn.Identity() if config.spectral == "none" else FftConvBlock(config)
