"""Spatial attention of DA-GAN (papers/001, Figure 2): a heat map from each pixel's mean and largest feature."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medenhance.networks.precision import run


class SpatialAttention(nn.Module):
    """forward: (N, C, H, W) -> same shape: the input, plus itself rescaled by the heat map (a residual connection).

    The paper fixes two maps, 1x1 convolutions and a sigmoid; it leaves the number of layers open.

    Args:
        hidden: Maps of a layer with ReLU between; 0 goes from two maps to the heat map at once.
    """

    def __init__(self, hidden: int = 0) -> None:
        super().__init__()
        self.heat: nn.Module = nn.Conv2d(2, 1, 1)
        if hidden:
            self.heat = nn.Sequential(nn.Conv2d(2, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x + x * torch.sigmoid(run(self.heat, maps))
