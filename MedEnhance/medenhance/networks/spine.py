"""Enhancement and segmentation of a spine projection as one network, as DA-GAN trains them (papers/001, section 2.4).

Either half may be left out: without an enhancer the image passes unchanged to the segmenter (the paper's vanilla FPN
and U-Net), without a segmenter there are no scores.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from medenhance.networks import dagan, fpn, resnet_generator, unet
from medenhance.networks.dagan import DaGanConfig, DaGanGenerator
from medenhance.networks.fpn import Fpn, FpnConfig
from medenhance.networks.precision import run
from medenhance.networks.resnet_generator import ResnetGenerator, ResnetGeneratorConfig
from medenhance.networks.unet import Unet, UnetConfig


@dataclass(frozen=True)
class SpineConfig:
    """The two halves.

    Attributes:
        enhancer: Image to image; None passes the image on.
        segmenter: Image to scores; None gives none.
    """

    enhancer: DaGanConfig | ResnetGeneratorConfig | None = field(default_factory=DaGanConfig)
    segmenter: FpnConfig | UnetConfig | None = field(default_factory=FpnConfig)


class SpineNetwork(nn.Module):
    """forward: (N, 1, H, W) float32 network units -> (N, 1 + classes, H, W) float32: enhanced image, class scores."""

    def __init__(self, config: SpineConfig) -> None:
        super().__init__()
        self.config = config
        self.enhancer = _enhancer(config)
        self.segmenter = _segmenter(config)

    def forward(self, x: Tensor) -> Tensor:
        enhanced = self.enhance(x)
        return enhanced if self.segmenter is None else torch.cat([enhanced, run(self.segmenter, enhanced)], dim=1)

    def enhance(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> same shape."""
        return x if self.enhancer is None else run(self.enhancer, x)

    def segment(self, enhanced: Tensor) -> Tensor:
        """(N, 1, H, W), an enhanced image -> (N, classes, H, W) scores."""
        assert self.segmenter is not None
        return run(self.segmenter, enhanced)


def classes(config: SpineConfig) -> int:
    """Score maps beside the image."""
    return config.segmenter.classes if config.segmenter is not None else 0


def size_multiple(config: SpineConfig) -> int:
    """Height and width must be multiples of this."""
    if isinstance(config.enhancer, DaGanConfig):
        return dagan.size_multiple(config.enhancer)
    return 1 if config.enhancer is None else resnet_generator.size_multiple(config.enhancer)


def size_minimum(config: SpineConfig) -> int:
    """Least height and width."""
    least = 1
    if isinstance(config.segmenter, FpnConfig):
        least = fpn.size_minimum(config.segmenter)
    elif config.segmenter is not None:
        least = unet.size_minimum(config.segmenter)
    multiple = size_multiple(config)
    return max(least, 8, multiple) + -max(least, 8, multiple) % multiple


def bytes_per_pixel(config: SpineConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of the image, bytes."""
    enhancing = segmenting = 0
    if isinstance(config.enhancer, DaGanConfig):
        enhancing = dagan.bytes_per_pixel(config.enhancer, itemsize)
    elif config.enhancer is not None:
        enhancing = resnet_generator.bytes_per_pixel(config.enhancer, itemsize)
    if isinstance(config.segmenter, FpnConfig):
        segmenting = fpn.bytes_per_pixel(config.segmenter, itemsize)
    elif config.segmenter is not None:
        segmenting = unet.bytes_per_pixel(config.segmenter, itemsize)
    return max(enhancing, segmenting) + 4 * (2 + 2 * classes(config))


def _enhancer(config: SpineConfig) -> nn.Module | None:
    if config.enhancer is None:
        return None
    return (
        DaGanGenerator(config.enhancer)
        if isinstance(config.enhancer, DaGanConfig)
        else ResnetGenerator(config.enhancer)
    )


def _segmenter(config: SpineConfig) -> nn.Module | None:
    if config.segmenter is None:
        return None
    return Fpn(config.segmenter) if isinstance(config.segmenter, FpnConfig) else Unet(config.segmenter)
