"""One optimizer for each network that trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

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
        ratios: Beginnings of parameter names, and the share of the learning rate that such parameters get; the first
            that fits counts.
        schedule: How the learning rate moves.
    """

    kind: Literal["adam", "adamw"] = "adamw"
    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip_norm: float | None = None
    ratios: tuple[tuple[str, float], ...] = ()
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)


def build_optimizer(config: OptimizerConfig, network: nn.Module) -> torch.optim.Optimizer:
    """An optimizer over every parameter of `network`."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.kind]
    groups = _groups(config, network) if config.ratios else network.parameters()
    optimizer: torch.optim.Optimizer = kind(groups, lr=config.lr, betas=config.betas, weight_decay=config.weight_decay)
    return optimizer


def set_learning_rate(
    optimizer: torch.optim.Optimizer, config: OptimizerConfig, samples_seen: int, total_samples: int
) -> float:
    """Put the optimizer's learning rate where its schedule has it now, and return it."""
    rate = config.lr * learning_rate_factor(config.schedule, samples_seen, total_samples)
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("ratio", 1.0)
    return rate


def _groups(config: OptimizerConfig, network: nn.Module) -> list[dict[str, Any]]:
    """Parameters by the ratio of their learning rate, in the order of the ratios, then all others."""
    groups: list[dict[str, Any]] = [{"params": [], "ratio": ratio} for _, ratio in (*config.ratios, ("", 1.0))]
    prefixes = [prefix for prefix, _ in config.ratios] + [""]
    for name, parameter in network.named_parameters():
        first = next(i for i, prefix in enumerate(prefixes) if name.startswith(prefix))
        groups[first]["params"].append(parameter)
    return [group for group in groups if group["params"]]
