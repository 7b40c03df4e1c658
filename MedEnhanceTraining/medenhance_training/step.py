"""One training step: the objective's phases in order, each with gradients averaged over all processes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from medenhance_training.checkpoint import TrainingState
from medenhance_training.objectives.objective import Batch, Gradients, Objective, Phase, StepContext
from medenhance_training.optimizer import set_learning_rate


def seed_of(*position: int) -> int:
    """A well-mixed 63-bit seed for a position such as (seed, rank, samples seen)."""
    return int(np.random.SeedSequence(position).generate_state(1, np.uint64)[0] >> 1)


def average_over_processes(fabric: Fabric, tensors: list[Tensor]) -> list[Tensor]:
    """The mean of each tensor over all processes, in one exchange.

    Gradients are averaged here and not by a wrapper around the network: a rule such as PCGrad is not linear in the
    gradients of the tasks, so each of them must be averaged before it is applied.
    """
    if fabric.world_size == 1 or not tensors:
        return tensors
    flat = fabric.all_reduce(torch.cat([tensor.reshape(-1) for tensor in tensors]), reduce_op="mean")
    assert isinstance(flat, Tensor)
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def train_step(
    fabric: Fabric, objective: Objective, state: TrainingState, batch: Batch, seed: int, batch_size: int, total: int
) -> dict[str, Tensor | float]:
    """Run the phases that are due and move the state on by one batch.

    Args:
        batch: This process's share, on the device, HU.
        batch_size: Samples of the step, over all processes.
        total: Samples of the whole run, for the schedules.

    Returns:
        Loss terms (on the device), gradient norms and learning rates, by name.
    """
    torch.manual_seed(seed_of(seed, fabric.global_rank, state.samples_seen))
    generator = torch.Generator().manual_seed(seed_of(seed, state.samples_seen))
    context = StepContext(lambda tensors: average_over_processes(fabric, tensors), generator)
    metrics: dict[str, Tensor | float] = {}
    step = state.samples_seen // batch_size
    for phase in objective.phases:
        if step % phase.every == 0:
            config = objective.optimizers[phase.trains]
            rate = set_learning_rate(state.optimizers[phase.trains], config, state.samples_seen, total)
            metrics |= run_phase(fabric, phase, state, batch, context, config.clip_norm)
            metrics[f"{phase.name}/learning_rate"] = rate
    state.samples_seen += batch_size
    state.ema.update(state.networks[objective.published_name], state.samples_seen, batch_size)
    return metrics


def run_phase(
    fabric: Fabric, phase: Phase, state: TrainingState, batch: Batch, context: StepContext, clip_norm: float | None
) -> dict[str, Tensor | float]:
    """Let one network learn from one batch while the others are frozen."""
    freeze_all_but(phase.trains, state.networks)
    with fabric.autocast():
        terms = phase.losses(batch)
    parameters = list(state.networks[phase.trains].named_parameters())
    gradients = phase.gradients(terms, parameters, context)
    norm = _apply(state.optimizers[phase.trains], [parameter for _, parameter in parameters], gradients, clip_norm)
    metrics: dict[str, Tensor | float] = {f"{phase.name}/{name}": term.detach() for name, term in terms.items()}
    return {**metrics, f"{phase.name}/gradient_norm": norm}


def freeze_all_but(trained: str, networks: Mapping[str, nn.Module]) -> None:
    """Only `trained` collects gradients and is in training mode (dropout, power iteration of spectral norms)."""
    for name, network in networks.items():
        network.requires_grad_(name == trained)
        network.train(name == trained)


def _apply(
    optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], gradients: Gradients, clip_norm: float | None
) -> Tensor:
    """Step along the gradients; a parameter without one stays as it is. Returns the norm before clipping."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip_norm if clip_norm is not None else float("inf"))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm
