"""ResNet-50 encoder of SMART-Net (papers/004 B, 2.2.1), with an explicit stride of its stem and any width.

Modules are named as in torchvision's ResNet, so that ImageNet weights fit. Paper and code of 2022 need a stem of stride
1, which the paper does not say: only then are 16 x 16 pixels one cell of the last map (specification, 0.4 and 1.7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from medenhance.networks.precision import EntryConvolution, run

Norm = Literal["batch", "group", "instance"]
_GROUP_CHANNELS = 8


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of the encoder; the defaults are ResNet-50 with the stem of the 2022 code.

    Attributes:
        width: Feature maps of the stem, and inner maps of the first stage; doubled by each further stage.
        expansion: Maps of a stage's output for one inner map.
        blocks: Bottlenecks of each of the four stages.
        stem_kernel: Side of the first convolution.
        stem_stride: 1 (paper preset, 2022) or 2 (2024, torchvision).
        stem_pool: A 3x3 max-pooling of stride 2 follows the stem.
        norm: "batch" as published; "group" or "instance" do not mix the slices of a batch.
    """

    width: int = 64
    expansion: int = 4
    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    stem_kernel: int = 7
    stem_stride: int = 1
    stem_pool: bool = True
    norm: Norm = "batch"

    @property
    def channels(self) -> tuple[int, int, int, int, int]:
        """Feature maps of f1 (stem) to f5 (last stage)."""
        first, second, third, fourth = (self.width * self.expansion * 2**n for n in range(4))
        return self.width, first, second, third, fourth

    @property
    def scales(self) -> tuple[int, int, int, int, int]:
        """How many pixels of the input, along a side, one pixel of f1 to f5 stands for."""
        second = self.stem_stride * (2 if self.stem_pool else 1)
        return self.stem_stride, second, 2 * second, 4 * second, 8 * second


class Encoder(nn.Module):
    """forward: (N, C, H, W) -> f1 to f5, finest first; H and W are multiples of the last scale."""

    def __init__(self, config: EncoderConfig, channels: int = 1) -> None:
        super().__init__()
        self.config = config
        kernel = config.stem_kernel
        self.conv1 = EntryConvolution(
            channels, config.width, kernel, stride=config.stem_stride, padding=kernel // 2, bias=False
        )
        self.bn1 = normalisation(config.norm, config.width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1) if config.stem_pool else nn.Identity()
        self.layer1 = self._stage(0, config.width, stride=1)
        self.layer2 = self._stage(1, config.channels[1], stride=2)
        self.layer3 = self._stage(2, config.channels[2], stride=2)
        self.layer4 = self._stage(3, config.channels[3], stride=2)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [run(self.relu, run(self.bn1, self.conv1.short(x, self._dtype())))]
        below = run(self.maxpool, features[0])
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            below = run(stage, below)
            features.append(below)
        return features

    def _dtype(self) -> torch.dtype:
        """Format of all layers but the entry, which stays in float32."""
        return next(self.layer4.parameters()).dtype

    def _stage(self, number: int, before: int, stride: int) -> nn.Sequential:
        config = self.config
        inner, after = config.width * 2**number, config.channels[number + 1]
        first = Bottleneck(before, inner, after, stride, config.norm)
        rest = (Bottleneck(after, inner, after, 1, config.norm) for _ in range(config.blocks[number] - 1))
        return nn.Sequential(first, *rest)


class Bottleneck(nn.Module):
    """1x1, 3x3 (which carries the stride), 1x1, added to the input or to a 1x1 convolution of it."""

    def __init__(self, before: int, inner: int, after: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, inner, 1, bias=False)
        self.bn1 = normalisation(norm, inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
        self.bn2 = normalisation(norm, inner)
        self.conv3 = nn.Conv2d(inner, after, 1, bias=False)
        self.bn3 = normalisation(norm, after)
        self.relu = nn.ReLU()
        self.downsample: nn.Module | None = None
        if (before, stride) != (after, 1):
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), normalisation(norm, after)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else run(self.downsample, x)
        y = run(self.relu, run(self.bn1, run(self.conv1, x)))
        y = run(self.relu, run(self.bn2, run(self.conv2, y)))
        return run(self.relu, run(self.bn3, run(self.conv3, y)) + shortcut)


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """The layer that stands after a convolution."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "instance":
        return nn.GroupNorm(channels, channels)  # the same as instance normalisation, and works on 1 x 1 maps too
    return nn.GroupNorm(max(channels // _GROUP_CHANNELS, 1), channels)


def from_imagenet(state: Mapping[str, Tensor], channels: int) -> dict[str, Tensor]:
    """Weights of torchvision's ResNet for an encoder with another number of input channels.

    Args:
        state: State dict of a torchvision ResNet; its classifier is left out.
        channels: Input channels of the encoder. The three kernels of the stem are added up and shared out, so that a
            grey image gives what it gave as three equal colours.

    Returns:
        A state dict for `Encoder`.
    """
    kept = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    grey = kept["conv1.weight"].sum(dim=1, keepdim=True)
    kept["conv1.weight"] = (grey / channels).repeat(1, channels, 1, 1)
    return kept
