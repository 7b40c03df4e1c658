"""Runs so small that they end in a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tiny_data import SyntheticData

from medenhance.networks.mtdgan import MtdGanConfig
from medenhance.networks.redcnn import RedCnnConfig
from medenhance_training.checkpoint import latest_checkpoint, read_checkpoint
from medenhance_training.config import LoopConfig, RunConfig
from medenhance_training.critics import MultiTaskCriticConfig
from medenhance_training.objectives.mtd_gan import MtdGanObjectiveConfig
from medenhance_training.objectives.supervised import SupervisedConfig
from medenhance_training.optimizer import OptimizerConfig
from medenhance_training.schedule import ScheduleConfig

LOOP = LoopConfig(
    samples=48, batch_size=4, ema_half_life_samples=16.0, log_every_samples=8, validate_every_samples=10**9
)
OPTIMIZER = OptimizerConfig(lr=1e-3, schedule=ScheduleConfig("cosine", warmup_samples=8))


def supervised(run: Path, **changes: Any) -> RunConfig:
    objective = SupervisedConfig(
        RedCnnConfig(channels=4, kernel=3, depth=3, padding="same", final_relu=False), optimizer=OPTIMIZER
    )
    return replace(RunConfig("tiny-supervised", objective, SyntheticData(16), LOOP, run=run, threads=1), **changes)


def adversarial(run: Path, dropout: float = 0.3, **changes: Any) -> RunConfig:
    objective = MtdGanObjectiveConfig(
        generator=MtdGanConfig(channels=4, levels=2),
        critic=MultiTaskCriticConfig(channels=4, levels=4, dropout=dropout),
        generator_optimizer=OPTIMIZER,
        critic_optimizer=OPTIMIZER,
    )
    return replace(RunConfig("tiny-mtd-gan", objective, SyntheticData(16), LOOP, run=run, threads=1), **changes)


def state_of(run: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a run's newest checkpoint, by its path in the file."""
    return dict(_tensors(read_checkpoint(latest_checkpoint(run)), ""))


def _tensors(value: Any, path: str) -> list[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        return [(path, value)]
    if isinstance(value, dict):
        return [entry for key, item in value.items() for entry in _tensors(item, f"{path}/{key}")]
    if isinstance(value, list):
        return [entry for index, item in enumerate(value) for entry in _tensors(item, f"{path}/{index}")]
    return [(path, torch.tensor(value))] if isinstance(value, (int, float)) else []
