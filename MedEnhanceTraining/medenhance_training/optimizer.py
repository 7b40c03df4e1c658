"""One optimizer for each network that trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from medenhance_training.schedule import ScheduleConfig, learning_rate_factor


@dataclass(frozen=True)
class OptimizerConfig:
    """How one network's weights follow their gradients.

    Attributes:
        kind: Adam, or AdamW (decoupled weight decay).
        lr: Peak learning rate.
        betas: Decay of the running first and second moments.
        weight_decay: Of AdamW.
        clip_norm: Gradients longer than this, taken over all weights, are shortened to it; None leaves them.
        schedule: How the learning rate moves.
    """

    kind: Literal["adam", "adamw"] = "adamw"
    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip_norm: float | None = None
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)


def build_optimizer(config: OptimizerConfig, network: nn.Module) -> torch.optim.Optimizer:
    """An optimizer over every parameter of `network`."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.kind]
    optimizer: torch.optim.Optimizer = kind(
        network.parameters(), lr=config.lr, betas=config.betas, weight_decay=config.weight_decay
    )
    return optimizer


def set_learning_rate(
    optimizer: torch.optim.Optimizer, config: OptimizerConfig, samples_seen: int, total_samples: int
) -> float:
    """Put the optimizer's learning rate where its schedule has it now, and return it."""
    rate = config.lr * learning_rate_factor(config.schedule, samples_seen, total_samples)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate
