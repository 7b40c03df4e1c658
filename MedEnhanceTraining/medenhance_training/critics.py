"""The multi-task discriminator of MTD-GAN (thesis, papers/004, C 2.2.1 and Figure 15; sizes from the release).

One encoder answers three questions about a patch: is it real as a whole (CLS), is it real here (SEG), and what did it
look like (REC). Needed for training alone, so it lives here and not in the core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from medenhance.errors import MedEnhanceError

SLOPE = 0.2  # of every LeakyReLU
WIDTHS = (1, 2, 4, 8, 8, 8)  # of the levels, in units of the first one's channels


@dataclass(frozen=True)
class MultiTaskCriticConfig:
    """Shape of the critic; the defaults are the released ones.

    Attributes:
        channels: Feature maps of the first level.
        levels: Times that the encoder halves the patch, at most 6; a patch has exactly 2**levels pixels a side.
        segmentation: Has the SEG head.
        reconstruction: Has the REC head.
        dropout: Before the last layer of the CLS head.
    """

    channels: int = 64
    levels: int = 6
    segmentation: bool = True
    reconstruction: bool = True
    dropout: float = 0.3

    @property
    def patch(self) -> int:
        """Side of the one patch size that the CLS head accepts."""
        return 1 << self.levels


class Verdict(NamedTuple):
    """Answers of the heads; float32.

    Attributes:
        whole: CLS, (N, 1) scores.
        pixels: SEG, (N, 1, H, W) scores.
        reconstruction: REC, (N, 1, H, W) network units.
    """

    whole: Tensor
    pixels: Tensor | None
    reconstruction: Tensor | None


class MultiTaskCritic(nn.Module):
    """forward: (N, 1, P, P) network units, P = ``config.patch`` -> `Verdict`."""

    def __init__(self, config: MultiTaskCriticConfig) -> None:
        super().__init__()
        if not 1 <= config.levels <= len(WIDTHS):
            raise MedEnhanceError("bad-option", f"A critic has 1 to {len(WIDTHS)} levels, not {config.levels}.")
        self.config = config
        widths = [factor * config.channels for factor in WIDTHS[: config.levels]]
        self.encoder = nn.ModuleList(
            _EncoderLevel(before, after) for before, after in zip([1, *widths[:-1]], widths, strict=True)
        )
        deepest = widths[-1]
        self.bottleneck = nn.ModuleList(_normed_conv(deepest, deepest, 1) for _ in range(2))
        self.classify = _ClassifyHead(deepest, config.dropout)
        self.segment = _Decoder(widths, _Bilinear) if config.segmentation else None
        self.reconstruct = _Decoder(widths, _SubPixel) if config.reconstruction else None

    def forward(self, image: Tensor, with_reconstruction: bool = True) -> Verdict:
        self._check_size(image)
        features, skips = image, []
        for level in self.encoder:
            skip, features = level(features)
            skips.append(skip)
        for convolution in self.bottleneck:
            features = _leaky(convolution(features))
        return Verdict(
            self.classify(features).float(),
            None if self.segment is None else self.segment(features, skips).float(),
            self.reconstruct(features, skips).float() if self.reconstruct is not None and with_reconstruction else None,
        )

    def _check_size(self, image: Tensor) -> None:
        side = self.config.patch
        if image.shape[1:] != (1, side, side):
            seen = "x".join(map(str, image.shape[1:]))
            raise MedEnhanceError(
                "bad-option",
                f"A critic of {self.config.levels} levels sees patches of 1x{side}x{side}, not of {seen}.",
                f"Set --data.patch {side}, or other --objective.critic.levels.",
            )


class _EncoderLevel(nn.Module):
    """Two convolutions, then a strided one that halves the size and has no activation."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = _normed_conv(before, after, 3)
        self.second = _normed_conv(after, after, 3)
        self.down = spectral_norm(_normal_init(nn.Conv2d(after, after, 4, stride=2, padding=1)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the features for the decoders, at the size of `x`, and those for the next level."""
        skip = _leaky(self.second(_leaky(self.first(x))))
        return skip, self.down(skip)


class _ClassifyHead(nn.Module):
    """Flatten -> Linear -> LeakyReLU -> dropout -> Linear: one score a patch."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.hidden = spectral_norm(_normal_init(nn.Linear(width, width)))
        self.dropout = nn.Dropout(dropout)
        self.score = _normal_init(nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.score(self.dropout(_leaky(self.hidden(x.flatten(1)))))
        return score


class _Decoder(nn.Module):
    """Back to the size of the image, with the encoder's features beside its own at every level."""

    def __init__(self, widths: list[int], up: type[_Bilinear] | type[_SubPixel]) -> None:
        super().__init__()
        self.up = nn.ModuleList(up(width) for width in reversed(widths))
        sizes = list(zip(reversed(widths), reversed([1, *widths[:-1]]), strict=True))
        self.first = nn.ModuleList(_normed_conv(2 * width, output, 3) for width, output in sizes)
        self.second = nn.ModuleList(_normed_conv(output, output, 3) for _, output in sizes)
        self.head = _normal_init(nn.Conv2d(1, 1, 1))

    def forward(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        for up, first, second, skip in zip(self.up, self.first, self.second, reversed(skips), strict=True):
            x = _leaky(second(_leaky(first(torch.cat([up(x), skip], dim=1)))))
        output: Tensor = self.head(x)
        return output


class _Bilinear(nn.Module):
    def __init__(self, width: int) -> None:  # noqa: ARG002 - has no weights; _SubPixel has
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class _SubPixel(nn.Module):
    """1x1 convolution to four times the channels, then pixel shuffle; not normed, as released."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.expand = _normal_init(nn.Conv2d(width, 4 * width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.expand(x), 2)


def _normed_conv(before: int, after: int, kernel: int) -> nn.Module:
    return spectral_norm(_normal_init(nn.Conv2d(before, after, kernel, padding=kernel // 2)))


def _normal_init(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """The released start: weights from N(0, 0.01), biases 0. Set before the norm is put on, which measures them."""
    nn.init.normal_(layer.weight, 0.0, 0.01)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)
