"""RED-CNN: residual encoder-decoder for low-dose CT.

Chen et al., "Low-Dose CT with a Residual Encoder-Decoder Convolutional Neural Network", IEEE TMI 2017.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medenhance.networks.precision import EntryConvolution, enter, run


@dataclass(frozen=True)
class RedCnnConfig:
    """Shape of the network; the defaults are the paper's.

    Attributes:
        channels: Feature maps of every inner layer.
        kernel: Edge length of every kernel, odd.
        depth: Number of convolutions, and of transposed convolutions.
        padding: "valid" lets convolutions shrink the image and transposed ones grow it back, as in the paper; "same"
            keeps its size.
        unshuffle: The image is folded into unshuffle**2 channels of 1/unshuffle its size before the first layer and
            unfolded after the last: a larger field of view for less arithmetic. 1 is the paper's network.
        final_relu: The paper's last activation; it bounds the output below at 0 network units.
    """

    channels: int = 96
    kernel: int = 5
    depth: int = 5
    padding: Literal["valid", "same"] = "valid"
    unshuffle: int = 1
    final_relu: bool = True


class RedCnn(nn.Module):
    """Convolutions down, transposed convolutions up, a shortcut every second level, the input added at the end.

    forward: (N, 1, H, W) float32 network units -> same shape, float32. H and W are multiples of `unshuffle`, and with
    "valid" padding at least ``size_minimum(config)``.
    """

    def __init__(self, config: RedCnnConfig) -> None:
        super().__init__()
        self.config = config
        folded = config.unshuffle**2
        padding = config.kernel // 2 if config.padding == "same" else 0
        widths = [folded] + [config.channels] * config.depth
        kinds = [EntryConvolution] + [nn.Conv2d] * (config.depth - 1)
        self.encoder = nn.ModuleList(
            kind(before, after, config.kernel, padding=padding)
            for kind, (before, after) in zip(kinds, itertools.pairwise(widths), strict=True)
        )
        widths = [config.channels] * config.depth + [folded]
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(before, after, config.kernel, padding=padding)
            for before, after in itertools.pairwise(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        folded = F.pixel_unshuffle(x, self.config.unshuffle)
        shortcuts = []
        features = folded
        for level, convolution in enumerate(self.encoder):
            if level % 2 == 0 and level > 0:
                shortcuts.append(features)
            features = enter(convolution, folded, self.decoder[-1]) if level == 0 else run(convolution, features)
            features = torch.relu_(features)
        for level, deconvolution in enumerate(self.decoder):
            features = run(deconvolution, features)
            last = level == self.config.depth - 1
            if last:
                break
            # The decoder level that mirrors an encoder level with a shortcut adds it before its activation.
            if (self.config.depth - 1 - level) % 2 == 0 and shortcuts:
                features = features + shortcuts.pop()
            features = torch.relu_(features)
        output = x + F.pixel_shuffle(features.to(x.dtype), self.config.unshuffle)
        return torch.relu(output) if self.config.final_relu else output


def size_multiple(config: RedCnnConfig) -> int:
    """Height and width must be multiples of this."""
    return config.unshuffle


def size_minimum(config: RedCnnConfig) -> int:
    """Least height and width."""
    if config.padding == "same":
        return config.unshuffle
    return config.unshuffle * (config.depth * (config.kernel - 1) + 1)


def bytes_per_pixel(config: RedCnnConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of the image, bytes."""
    kept = (config.depth - 1) // 2 + 4  # shortcuts, and what is alive inside one layer
    return config.channels * itemsize * kept // config.unshuffle**2 + 32
