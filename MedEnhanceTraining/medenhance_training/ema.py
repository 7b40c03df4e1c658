"""Exponential moving average of a network's weights, measured in samples rather than steps."""

from __future__ import annotations

import copy

import torch
from torch import nn


def ema_decay(batch_size: int, half_life_samples: float, samples_seen: int, ramp_up: float = 0.05) -> float:
    """Weight of the old average after a step of `batch_size` samples.

    The half-life is at most `ramp_up` of the run so far, so that a short run does not average over its first weights
    (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, official settings).
    """
    half_life = min(half_life_samples, ramp_up * samples_seen)
    return 0.5 ** (batch_size / half_life) if half_life > 0 else 0.0


class Ema:
    """Holds a network whose weights are the moving average of another's.

    Args:
        network: The network that trains; it is copied.
        half_life_samples: Samples after which a weight's share has halved; 0 keeps a plain copy.
    """

    def __init__(self, network: nn.Module, half_life_samples: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.half_life_samples = half_life_samples

    @torch.no_grad()
    def update(self, network: nn.Module, samples_seen: int, batch_size: int) -> None:
        """Move the average towards `network`, as it is after `samples_seen` samples."""
        share = 1.0 - ema_decay(batch_size, self.half_life_samples, samples_seen)
        for average, current in zip(self.network.parameters(), network.parameters(), strict=True):
            average.lerp_(current, share)
        for buffer, current_buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            buffer.copy_(current_buffer)
