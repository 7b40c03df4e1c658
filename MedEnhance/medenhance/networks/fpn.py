"""Panoptic FPN: a residual encoder, a feature pyramid and a head that adds up its levels (Kirillov et al., CVPR 2019).

The segmentation head of DA-GAN (papers/001, section 2.4), whose text names MMSegmentation's defaults: a ResNet-50 with
batch normalisation, 256 pyramid maps, 128 head maps, dropout 0.1.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.precision import EntryConvolution, run


@dataclass(frozen=True)
class FpnConfig:
    """Shape of the segmenter; the defaults are those of MMSegmentation that the paper names, but for `smooth`.

    Attributes:
        stem: Feature maps of the first convolution.
        widths: Feature maps of each stage's output.
        blocks: Residual blocks of each stage.
        block: "bottleneck" (1x1, 3x3, 1x1; inner width a quarter) or "basic" (3x3, 3x3).
        pyramid: Feature maps of the pyramid.
        smooth: Each level of the pyramid passes a 3x3 convolution before the head, as in MMSegmentation.
        head: Feature maps of the head.
        dropout: Share of the head's maps that are dropped in training.
        classes: Number of classes, background included.
        reduce: The image is averaged down by this factor first, as the paper resizes 640 to 256 columns.
    """

    stem: int = 64
    widths: tuple[int, ...] = (256, 512, 1024, 2048)
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    block: Literal["basic", "bottleneck"] = "bottleneck"
    pyramid: int = 256
    smooth: bool = False
    head: int = 128
    dropout: float = 0.1
    classes: int = 4
    reduce: float = 2.5


class Fpn(nn.Module):
    """forward: (N, 1, H, W) float32 network units -> (N, classes, H, W) float32 scores."""

    def __init__(self, config: FpnConfig) -> None:
        super().__init__()
        self.config = config
        self.entry = EntryConvolution(1, config.stem, 7, stride=2, padding=3)
        widths = [config.stem, *config.widths]
        self.stages = nn.ModuleList(
            _stage(before, after, count, config.block, stride=1 if number == 0 else 2)
            for number, ((before, after), count) in enumerate(
                zip(itertools.pairwise(widths), config.blocks, strict=True)
            )
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, config.pyramid, 1) for width in config.widths)
        self.smooth = nn.ModuleList(
            nn.Conv2d(config.pyramid, config.pyramid, 3, padding=1) if config.smooth else nn.Identity()
            for _ in config.widths
        )
        self.head = nn.ModuleList(_HeadLevel(config.pyramid, config.head, n) for n in range(len(config.widths)))
        self.dropout = nn.Dropout2d(config.dropout)
        self.classify = nn.Conv2d(config.head, config.classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        dtype = self.classify.weight.dtype
        features = torch.relu(self.entry.short(averaged_down(x, self.config.reduce), dtype))
        features, levels = F.max_pool2d(features, 3, 2, 1), []
        for stage in self.stages:
            features = run(stage, features)
            levels.append(features)
        total = torch.zeros((), dtype=dtype, device=x.device)
        above: Tensor | None = None
        layers = zip(self.lateral, self.smooth, self.head, levels, strict=True)
        for lateral, smooth, head, level in reversed(list(layers)):
            merged = run(lateral, level)
            if above is not None:
                merged = merged + F.interpolate(above, size=merged.shape[-2:], mode="nearest")
            above = merged
            total = total + _resized(run(head, run(smooth, merged)), levels[0])
        return upsampled(run(self.classify, run(self.dropout, total)), x)


class _HeadLevel(nn.Module):
    """A 3x3 convolution, then double size, for each halving since the finest level; there, one convolution."""

    def __init__(self, before: int, after: int, halvings: int) -> None:
        super().__init__()
        widths = [before] + [after] * max(halvings, 1)
        self.layers = nn.ModuleList(_conv(a, b, 3) for a, b in itertools.pairwise(widths))
        self.halvings = halvings

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(run(layer, x))
            if self.halvings:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return x


class _Residual(nn.Module):
    def __init__(self, before: int, after: int, kind: str, stride: int) -> None:
        super().__init__()
        if kind == "bottleneck":
            inner = after // 4
            layers = [_conv(before, inner, 1), _conv(inner, inner, 3, stride), _conv(inner, after, 1)]
        else:
            layers = [_conv(before, after, 3, stride), _conv(after, after, 3)]
        self.layers = nn.ModuleList(layers)
        self.shortcut = nn.Identity() if (before, stride) == (after, 1) else _conv(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = run(self.shortcut, x)
        for number, layer in enumerate(self.layers):
            x = run(layer, x if number == 0 else torch.relu(x))
        return torch.relu(x + shortcut)


def averaged_down(x: Tensor, factor: float) -> Tensor:
    """(N, C, H, W) -> the mean over cells of `factor` pixels a side."""
    if factor == 1.0:
        return x
    if factor == int(factor):
        return F.avg_pool2d(x, int(factor), ceil_mode=True, count_include_pad=False)
    size = [max(round(n / factor), 1) for n in x.shape[-2:]]
    return F.interpolate(x, size=size, mode="area")


def upsampled(scores: Tensor, image: Tensor) -> Tensor:
    """Scores in float32 at the size of `image`, bilinear."""
    return F.interpolate(scores.float(), size=image.shape[-2:], mode="bilinear", align_corners=False)


def size_multiple(config: FpnConfig) -> int:  # noqa: ARG001 - every size is resized to
    """Height and width must be multiples of this."""
    return 1


def size_minimum(config: FpnConfig) -> int:
    """Least height and width: the coarsest stage sees two pixels."""
    return int(config.reduce * 4 * 2 ** len(config.widths))


def bytes_per_pixel(config: FpnConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of the image, bytes."""
    stem = config.stem * 3 / 4
    finest = (3 * config.widths[0] + len(config.widths) * config.pyramid + 3 * config.head) / 16
    # Scores are made at full size in float32, and once more as they are resized.
    return int(itemsize * (stem + finest) / config.reduce**2) + 2 * 4 * config.classes + 16


def _conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Module:
    convolution = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after))


def _stage(before: int, after: int, count: int, kind: str, stride: int) -> nn.Module:
    return nn.Sequential(
        *(_Residual(before if n == 0 else after, after, kind, stride if n == 0 else 1) for n in range(count))
    )


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """Sizes that are no multiple of the strides end a pixel apart."""
    return x if x.shape[-2:] == like.shape[-2:] else F.interpolate(x, like.shape[-2:], mode="bilinear")
