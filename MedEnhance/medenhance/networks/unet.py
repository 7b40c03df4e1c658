"""U-Net segmenter (Ronneberger et al., MICCAI 2015), also with pyramid pooling in its deep skips (PPMU).

Both are compared with DA-GAN in papers/001, Table 1. PPMU: "Pyramid pooling module U-Net", arXiv 1901.09197, pooling as
in PSPNet (Zhao et al., CVPR 2017) with bins 1, 2, 3 and 6. RSNU is the plain network under another loss.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.fpn import averaged_down, upsampled
from medenhance.networks.precision import EntryConvolution, run


@dataclass(frozen=True)
class UnetConfig:
    """Shape of the segmenter; the defaults are the usual five levels.

    Attributes:
        channels: Feature maps of the finest level; each level below has twice as many.
        levels: Number of levels.
        pyramid_bins: Bins of pyramid pooling in the skips of the deeper half; none for the plain network.
        classes: Number of classes, background included.
        reduce: The image is averaged down by this factor first.
    """

    channels: int = 64
    levels: int = 5
    pyramid_bins: tuple[int, ...] = ()
    classes: int = 4
    reduce: float = 2.5


class Unet(nn.Module):
    """forward: (N, 1, H, W) float32 network units -> (N, classes, H, W) float32 scores."""

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels * 2**level for level in range(config.levels)]
        self.entry = EntryConvolution(1, widths[0], 3, padding=1)
        blocks = [_conv(widths[0], widths[0])]
        blocks += [
            nn.Sequential(_conv(before, after), _conv(after, after)) for before, after in itertools.pairwise(widths)
        ]
        self.encoder = nn.ModuleList(blocks)
        deeper = config.levels // 2
        self.skips = nn.ModuleList(
            _PyramidPooling(width, config.pyramid_bins) if config.pyramid_bins and level >= deeper else nn.Identity()
            for level, width in enumerate(widths[:-1])
        )
        upward = list(itertools.pairwise(reversed(widths)))
        self.up = nn.ModuleList(nn.ConvTranspose2d(before, after, 2, stride=2) for before, after in upward)
        self.decoder = nn.ModuleList(nn.Sequential(_conv(2 * after, after), _conv(after, after)) for _, after in upward)
        self.classify = nn.Conv2d(widths[0], config.classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = torch.relu(self.entry.short(averaged_down(x, self.config.reduce), self.classify.weight.dtype))
        levels = []
        for level, block in enumerate(self.encoder):
            features = run(block, features if level == 0 else F.max_pool2d(features, 2, ceil_mode=True))
            levels.append(features)
        levels.pop()
        for up, block, pool in zip(self.up, self.decoder, reversed(self.skips), strict=True):
            skip = run(pool, levels.pop())
            # An odd size below was rounded up, so what comes up may be a pixel longer.
            features = run(up, features)[..., : skip.shape[-2], : skip.shape[-1]]
            features = run(block, torch.cat([features, skip], dim=1))
        return upsampled(run(self.classify, features), x)


class _PyramidPooling(nn.Module):
    """Means over ever finer bins beside the features themselves, folded back to as many maps."""

    def __init__(self, width: int, bins: tuple[int, ...]) -> None:
        super().__init__()
        self.bins = bins
        inner = max(width // len(bins), 1)
        self.reduce = nn.ModuleList(nn.Conv2d(width, inner, 1) for _ in bins)
        self.fold = nn.Conv2d(width + inner * len(bins), width, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        pooled = [
            F.interpolate(run(layer, F.adaptive_avg_pool2d(x, n)), size=size, mode="bilinear", align_corners=False)
            for layer, n in zip(self.reduce, self.bins, strict=True)
        ]
        return torch.relu(run(self.fold, torch.cat([x, *pooled], dim=1)))


def size_multiple(config: UnetConfig) -> int:  # noqa: ARG001 - every size is rounded up to
    """Height and width must be multiples of this."""
    return 1


def size_minimum(config: UnetConfig) -> int:
    """Least height and width: the coarsest level sees two pixels."""
    return int(config.reduce * 2**config.levels)


def bytes_per_pixel(config: UnetConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of the image, bytes."""
    alive = 8  # skips of all levels are less than 2, and a decoder block reads two and makes two
    return int(config.channels * itemsize * alive / config.reduce**2) + 2 * 4 * config.classes + 16


def _conv(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
