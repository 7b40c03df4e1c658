"""Critics of patches: those of DA-GAN with spatial attention (papers/001, Figure 2) and CycleGAN's PatchGAN.

Needed for training alone, so they live here and not in the core.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from medenhance.errors import MedEnhanceError
from medenhance.networks.attention import SpatialAttention

SLOPE = 0.2  # of every LeakyReLU
_HIDDEN = 1024  # of the dense head in the authors' later code


@dataclass(frozen=True)
class PatchCriticConfig:
    """Shape of a critic.

    Attributes:
        widths: Feature maps of the strided blocks.
        kernel: 3, the paper's, or 4, that of the authors' later code and of PatchGAN.
        attention: Whether there is spatial attention after each block.
        head: "map" scores every cell; "dense" flattens to one score and needs patches of `patch` px.
        patch: Side of a patch for the "dense" head.
    """

    widths: tuple[int, ...] = (64, 128, 256)
    kernel: Literal[3, 4] = 3
    attention: bool = True
    head: Literal["map", "dense"] = "map"
    patch: int = 128


class PatchCritic(nn.Module):
    """forward: (N, 1, H, W) network units -> (N, 1) scores, float32: the mean over the map, or the dense head's."""

    def __init__(self, config: PatchCriticConfig) -> None:
        super().__init__()
        self.config = config
        widths = [1, *config.widths]
        self.blocks = nn.Sequential(*(_block(a, b, config, n) for n, (a, b) in enumerate(itertools.pairwise(widths))))
        if config.head == "map":
            self.score: nn.Module = nn.Conv2d(widths[-1], 1, 1)
        else:
            cells = (config.patch // 2 ** len(config.widths)) ** 2
            self.score = nn.Sequential(
                nn.Linear(widths[-1] * cells, _HIDDEN), nn.LeakyReLU(SLOPE), nn.Linear(_HIDDEN, 1)
            )

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.blocks(image)
        if self.config.head == "dense":
            self._check_size(image)
            features = features.flatten(1)
        score: Tensor = self.score(features)
        return score.float().flatten(1).mean(dim=1, keepdim=True)

    def _check_size(self, image: Tensor) -> None:
        side = self.config.patch
        if image.shape[-2:] != (side, side):
            seen = "x".join(map(str, image.shape[-2:]))
            message = f"A critic with a dense head sees patches of {side}x{side}, not of {seen}."
            raise MedEnhanceError("bad-option", message, f"Set --data.patch {side}, or the head to map.")


class TwoCritics(nn.Module):
    """The two critics of dual adversarial learning, which learn in one phase: of clean and of corrupted patches."""

    def __init__(self, make: Callable[[], PatchCritic]) -> None:
        super().__init__()
        self.clean = make()
        self.corrupted = make()


def _block(before: int, after: int, config: PatchCriticConfig, number: int) -> nn.Module:
    """A strided convolution, instance normalisation (not of the image itself), LeakyReLU, attention."""
    normed = number > 0
    layers: list[nn.Module] = [nn.Conv2d(before, after, config.kernel, 2, 1, bias=not normed)]
    if normed:
        layers.append(nn.InstanceNorm2d(after, affine=True))
    layers.append(nn.LeakyReLU(SLOPE))
    if config.attention:
        layers.append(SpatialAttention())
    return nn.Sequential(*layers)
