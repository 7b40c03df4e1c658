"""What a training method is to the loop: networks, and an ordered list of phases.

The loop owns time (samples seen, random state, averaging over processes, checkpoints, logs); an objective owns
mathematics. Supervised training has one phase, an adversarial method two, an alternating detector a third.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from medenhance_training.optimizer import OptimizerConfig

Batch = dict[str, Tensor]
NamedParameters = Sequence[tuple[str, nn.Parameter]]
Gradients = list[Tensor | None]


@dataclass(frozen=True)
class StepContext:
    """What the loop lends to a phase while it takes gradients.

    Attributes:
        average: Mean of each tensor over all processes; the tensors themselves where there is one process.
        generator: Random numbers that are the same in every process.
    """

    average: Callable[[list[Tensor]], list[Tensor]]
    generator: torch.Generator


LossTerms = Callable[[Batch], dict[str, Tensor]]
GradientRule = Callable[[Mapping[str, Tensor], NamedParameters, StepContext], Gradients]


def gradient_of_sum(terms: Mapping[str, Tensor], parameters: NamedParameters, context: StepContext) -> Gradients:
    """Gradient of the sum of all terms, averaged over processes; None for a parameter that no term reaches."""
    total = torch.stack(list(terms.values())).sum()
    gradients = torch.autograd.grad(total, [parameter for _, parameter in parameters], allow_unused=True)
    reached = iter(context.average([gradient for gradient in gradients if gradient is not None]))
    return [None if gradient is None else next(reached) for gradient in gradients]


@dataclass(frozen=True)
class Phase:
    """One network's share of a training step.

    Attributes:
        name: Prefix of its entries in the log.
        trains: The network that changes; all others are frozen meanwhile, and in evaluation mode.
        losses: Batch (HU or grey, on the device) -> scalar terms, already weighted.
        gradients: How the terms become one gradient for each parameter.
        every: The phase runs at every so many steps.
    """

    name: str
    trains: str
    losses: LossTerms
    gradients: GradientRule = gradient_of_sum
    every: int = 1


@dataclass(frozen=True)
class PublishedNetwork:
    """What inference must know of the network that a run is for.

    Attributes:
        network: Key of `medenhance.networks.NETWORKS`.
        config: Its configuration, plain JSON values.
        intensity: Map between HU and network units, as `medenhance.intensity.intensity_map` reads it.
    """

    network: str
    config: dict[str, Any]
    intensity: dict[str, Any]


class Objective(Protocol):
    """A training method, built from its config on every process."""

    networks: Mapping[str, nn.Module]
    optimizers: Mapping[str, OptimizerConfig]
    phases: Sequence[Phase]
    published_name: str
    published: PublishedNetwork

    def restore(self, network: nn.Module, low_hu: Tensor) -> Tensor:
        """Run `network` (the published one or its average): (N, 1, H, W) HU -> same shape, HU.

        Class scores, which some networks return beside the image, follow it in the channels.
        """


class ObjectiveConfig(Protocol):
    """A frozen dataclass that a recipe fills in and the command line overrides."""

    def build(self) -> Objective:
        """New networks and their phases."""
