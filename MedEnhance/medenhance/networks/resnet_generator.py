"""Generator of CycleGAN: downsampling, residual blocks, upsampling (Zhu et al., ICCV 2017, its appendix 7.2).

Compared with DA-GAN as SynSeg-Net uses it. It maps one domain to the other anew, so nothing ties its output to its
input but training.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from medenhance.networks.precision import EntryConvolution, run


@dataclass(frozen=True)
class ResnetGeneratorConfig:
    """Shape of the generator; the defaults are the published ones.

    Attributes:
        channels: Feature maps at full size; twice and four times as many deeper.
        residual_blocks: Number of residual blocks.
    """

    channels: int = 64
    residual_blocks: int = 9


class ResnetGenerator(nn.Module):
    """forward: (N, 1, H, W) float32 network units -> same shape, float32; H and W are multiples of 4."""

    def __init__(self, config: ResnetGeneratorConfig) -> None:
        super().__init__()
        width = config.channels
        self.entry = EntryConvolution(1, width, 7, padding=3)
        self.down = nn.Sequential(
            _normed(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), _normed(2 * width), nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=False), _normed(4 * width), nn.ReLU(),
        )  # fmt: skip
        self.blocks = nn.Sequential(*(_Residual(4 * width) for _ in range(config.residual_blocks)))
        self.up = nn.Sequential(
            nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, 1, bias=False), _normed(2 * width), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1, bias=False), _normed(width), nn.ReLU(),
        )  # fmt: skip
        self.last = nn.Conv2d(width, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        features = run(self.down, self.entry.short(x, self.last.weight.dtype))
        return run(self.last, run(self.up, run(self.blocks, features))).to(x.dtype)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), _normed(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), _normed(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + run(self.body, x)


def _normed(width: int) -> nn.Module:
    """Instance normalisation with weights, so that each convolution's bias is not lost in it."""
    return nn.InstanceNorm2d(width, affine=True)


def size_multiple(config: ResnetGeneratorConfig) -> int:  # noqa: ARG001 - two halvings whatever the config
    """Height and width must be multiples of this."""
    return 4


def size_minimum(config: ResnetGeneratorConfig) -> int:  # noqa: ARG001
    """Least height and width: instance normalisation needs more than one value."""
    return 8


def bytes_per_pixel(config: ResnetGeneratorConfig, itemsize: int) -> int:
    """Working memory that a forward pass needs for one pixel of the image, bytes."""
    return config.channels * itemsize * 4 + 32
