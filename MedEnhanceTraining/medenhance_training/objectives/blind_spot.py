"""Denoisers that learn from noisy images alone, with a segmenter on what they return (papers/001, Table 1).

N2V: Krull et al., "Noise2Void", CVPR 2019; its structured variant: Broaddus et al., ISBI 2020. N2S: Batson and Royer,
"Noise2Self", ICML 2019. Each hides pixels and asks for them back; noise that is independent between pixels cannot be
guessed, so the answer is without it. Dashes are not independent along a row, which the structured variant answers by
hiding a pixel's row neighbours too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from medenhance.errors import MedEnhanceError
from medenhance.intensity import Grey
from medenhance.networks.dagan import DaGanConfig
from medenhance.networks.spine import SpineConfig
from medenhance_training import losses
from medenhance_training.objectives.objective import Batch, Phase
from medenhance_training.objectives.spine_network import SpineNetworkObjective
from medenhance_training.optimizer import OptimizerConfig


@dataclass(frozen=True)
class BlindSpotConfig:
    """The method and its variants.

    Attributes:
        network: Enhancer and segmenter.
        intensity: Map between grey and network units.
        hide: "scattered" pixels, each replaced by a random neighbour (N2V), or a "grid" of them, replaced by the mean
            of their neighbours (N2S).
        share: Share of scattered pixels; 0.2 % as in CAREamics.
        window: Side of the square from which a neighbour is drawn.
        row_span: Pixels of a row that are hidden about each scattered one; 1 for plain N2V.
        grid: Distance of the grid's pixels.
        optimizer: Of the one network.
    """

    network: SpineConfig = field(default_factory=lambda: SpineConfig(enhancer=DaGanConfig(attention=False)))
    intensity: Any = field(default_factory=Grey)
    hide: Literal["scattered", "grid"] = "scattered"
    share: float = 0.002
    window: int = 11
    row_span: int = 1
    grid: int = 4
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        if self.row_span % 2 == 0 or self.window % 2 == 0 or not 0 < self.share < 1 or self.grid < 2:
            message = (
                f"spans {self.row_span} and {self.window} are odd, the share {self.share} below 1, the grid 2 or more."
            )
            raise MedEnhanceError("bad-option", message)

    def build(self) -> BlindSpot:
        return BlindSpot(self)


class BlindSpot(SpineNetworkObjective):
    """The objective of `BlindSpotConfig`."""

    def __init__(self, config: BlindSpotConfig) -> None:
        super().__init__(config.network, config.intensity)
        self.config = config
        self.optimizers = {"network": config.optimizer}
        self.phases = [Phase("network", trains="network", losses=self.losses)]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Squared error of the hidden pixels, and cross-entropy of a segmenter that does not move the enhancer."""
        x = self.intensity.forward(torch.cat([batch["corrupted"], batch["clean"]]))
        hidden, asked = self._hidden(x)
        error = (self.network.enhance(hidden) - x).square() * asked
        crop = self.intensity.forward(batch["image"])
        with torch.no_grad():
            enhanced = self.network.enhance(crop)
        return {
            "hidden": error.sum() / asked.sum().clamp(min=1.0),
            "segmentation": losses.pixel_cross_entropy(self.network.segment(enhanced), batch["labels"]),
        }

    def _hidden(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The image with hidden pixels, and 1 at those that are asked for, both like `x`."""
        if self.config.hide == "grid":
            return hide_grid(x, self.config.grid, int(torch.randint(self.config.grid**2, ())))
        return hide_scattered(x, self.config.share, self.config.window, self.config.row_span)


def hide_scattered(x: Tensor, share: float, window: int, row_span: int) -> tuple[Tensor, Tensor]:
    """Replace random pixels, and `row_span` pixels of their rows, by neighbours from a square window.

    Args:
        x: (N, 1, H, W).
        share: Probability of a pixel to be asked for.
        window: Side of the square; the pixel itself and its hidden row neighbours are not drawn.
        row_span: Odd; 1 hides the pixel alone.

    Returns:
        The image with hidden pixels, and 1 at the pixels asked for; both like `x`.
    """
    asked = (torch.rand_like(x) < share).to(x.dtype)
    hidden = F.max_pool2d(asked, (1, row_span), 1, (0, row_span // 2)) if row_span > 1 else asked
    half = window // 2
    down = torch.randint(1, half + 1, x.shape, device=x.device) * (1 - 2 * torch.randint(2, x.shape, device=x.device))
    across = torch.randint(-half, half + 1, x.shape, device=x.device)
    height, width = x.shape[-2:]
    # Another row always: along its own row the neighbours may be hidden too.
    row = _mirrored(torch.arange(height, device=x.device).view(1, 1, -1, 1) + down, height)
    column = _mirrored(torch.arange(width, device=x.device).view(1, 1, 1, -1) + across, width)
    drawn = x.flatten(2).gather(2, (row * width + column).flatten(2)).view_as(x)
    return torch.where(hidden > 0, drawn, x), asked


def hide_grid(x: Tensor, grid: int, phase: int) -> tuple[Tensor, Tensor]:
    """Replace every `grid`-th pixel in both directions by the weighted mean of its eight neighbours.

    Args:
        x: (N, 1, H, W).
        grid: Distance of hidden pixels.
        phase: 0 to grid**2 - 1: which of them.
    """
    asked = torch.zeros_like(x)
    asked[..., phase // grid :: grid, phase % grid :: grid] = 1.0
    taps = x.new_tensor([[0.5, 1.0, 0.5], [1.0, 0.0, 1.0], [0.5, 1.0, 0.5]]).view(1, 1, 3, 3) / 6.0
    mean = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), taps)
    return torch.where(asked > 0, mean, x), asked


def _mirrored(index: Tensor, length: int) -> Tensor:
    index = index.abs()
    return torch.where(index >= length, 2 * (length - 1) - index, index).clamp(0, length - 1)
