"""Heads of SMART-Net's upstream task (papers/004 B, 2.2.1): classification, segmentation, reconstruction."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.precision import run
from medenhance.networks.smart_net_encoder import EncoderConfig


@dataclass(frozen=True)
class DecoderConfig:
    """Shape of a slice decoder.

    Attributes:
        widths: Feature maps of its five blocks, from the coarsest.
        attention: "both": SCSE at the beginning and the end of every block (paper, 2024); "last": of the last block
            alone (2022); "none".
        squeeze: Channels for each one between the two 1x1 convolutions of SCSE; the released code has 16.
        skips: Features of the encoder are joined to what comes from below.
        shuffle: Upsampling by a 1x1 convolution and PixelShuffle; otherwise the nearest pixel.
        norm: Batch normalisation in every block; otherwise in the last alone.
    """

    widths: tuple[int, int, int, int, int] = (256, 128, 64, 32, 16)
    attention: Literal["both", "last", "none"] = "both"
    squeeze: int = 16
    skips: bool = True
    shuffle: bool = False
    norm: bool = True


SEGMENTATION = DecoderConfig()
RECONSTRUCTION = DecoderConfig(attention="last", skips=False, shuffle=True, norm=False)


class Scse(nn.Module):
    """Concurrent spatial and channel squeeze and excitation, the two added up (Roy et al., MICCAI 2018)."""

    def __init__(self, channels: int, squeeze: int = 16) -> None:
        super().__init__()
        inner = max(channels // squeeze, 1)
        self.channel = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, channels, 1))
        self.space = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        of_channels = torch.sigmoid(run(self.channel, x.mean(dim=(2, 3), keepdim=True)))
        return x * (of_channels + torch.sigmoid(run(self.space, x)))


class _Block(nn.Module):
    """Upsampling, the skip, then two 3x3 convolutions, with attention before and after where there is any."""

    def __init__(self, before: int, skip: int, after: int, scale: int, config: DecoderConfig, *, last: bool) -> None:
        super().__init__()
        attention = config.attention == "both" or (last and config.attention == "last")
        normed = config.norm or last
        self.scale = scale
        self.up: nn.Module = nn.Identity()
        if config.shuffle and scale > 1:
            self.up = nn.Sequential(nn.Conv2d(before, before * scale**2, 1), nn.PixelShuffle(scale))
        elif scale > 1:
            self.up = nn.Upsample(scale_factor=scale, mode="nearest")
        self.enter = Scse(before + skip, config.squeeze) if attention else nn.Identity()
        self.first = _convolution(before + skip, after, normed)
        self.second = _convolution(after, after, normed)
        self.leave = Scse(after, config.squeeze) if attention else nn.Identity()

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = run(self.up, x)
        x = run(self.enter, x if skip is None else torch.cat([x, skip], dim=1))
        return run(self.leave, run(self.second, run(self.first, x)))


class Decoder(nn.Module):
    """forward: f1 to f5 of the encoder -> (N, widths[-1], H, W) features at the size of the encoder's input."""

    def __init__(self, config: DecoderConfig, encoder: EncoderConfig) -> None:
        super().__init__()
        self.skips = config.skips
        scales = (*reversed(encoder.scales), 1)
        skips = (*reversed(encoder.channels[:-1]), 0)
        before = [encoder.channels[-1], *config.widths[:-1]]
        self.blocks = nn.ModuleList(
            _Block(wide, skip if config.skips else 0, after, coarse // fine, config, last=n == len(scales) - 2)
            for n, (wide, skip, after, (coarse, fine)) in enumerate(
                zip(before, skips, config.widths, itertools.pairwise(scales), strict=True)
            )
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        x, skips = features[-1], [*reversed(features[:-1]), None]
        for block, skip in zip(self.blocks, skips, strict=True):
            x = block(x, skip if self.skips else None)
        return x


class MapHead(nn.Module):
    """A 3x3 convolution to maps, unfolded to full size: (N, C, h, w) -> (N, maps, H, W) float32."""

    def __init__(self, before: int, maps: int, unshuffle: int) -> None:
        super().__init__()
        self.unshuffle = unshuffle
        self.last = nn.Conv2d(before, maps * unshuffle**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(run(self.last, x).float(), self.unshuffle)


class ClassHead(nn.Module):
    """Pooled features (N, C) -> logit (N,), float32.

    Args:
        hidden: 0 for one linear layer (paper, 2022); otherwise linear, LayerNorm, tanh, dropout, linear, which the
            code of 2024 runs (specification, 1.7, point 12).
        dropout: Before the last layer.
    """

    def __init__(self, before: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden: nn.Module = nn.Identity()
        if hidden:
            self.hidden = nn.Sequential(nn.Linear(before, hidden), nn.LayerNorm(hidden), nn.Tanh())
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(hidden or before, 1)

    def forward(self, x: Tensor) -> Tensor:
        return run(self.last, run(self.dropout, run(self.hidden, x))).float()[:, 0]


def pooled(features: Tensor, kinds: Sequence[str]) -> Tensor:
    """(N, C, h, w) -> (N, C x kinds): their mean, and their largest value, over space."""
    reduced = {"mean": lambda: features.mean(dim=(2, 3)), "max": lambda: features.amax(dim=(2, 3))}
    return torch.cat([reduced[kind]() for kind in kinds], dim=1)


def _convolution(before: int, after: int, normed: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(before, after, 3, padding=1, bias=not normed)]
    if normed:
        layers.append(nn.BatchNorm2d(after))
    return nn.Sequential(*layers, nn.ReLU())
