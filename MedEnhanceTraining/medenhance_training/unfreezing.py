"""Gradual unfreezing: which modules learn when, as a function of the samples seen (Howard and Ruder, ACL 2018).

The released SMART-Net froze its whole model and then unfroze all of it at once, or not at all (specification, 1.5);
this is what the paper says: the encoder waits, then follows stage by stage from the top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medenhance.errors import MedEnhanceError
from medenhance_training.objectives.objective import Gradients, NamedParameters, StepContext


@dataclass(frozen=True)
class Unfreeze:
    """A module starts to learn.

    Attributes:
        after_samples: So many samples into the run; 0 from the start.
        prefix: Name of the module, or the beginning of it up to a dot.
    """

    after_samples: int
    prefix: str


def frozen_prefixes(schedule: Sequence[Unfreeze], samples_seen: int) -> tuple[str, ...]:
    """Those that do not learn yet at this position."""
    return tuple(step.prefix for step in schedule if samples_seen < step.after_samples)


def check_schedule(network: nn.Module, schedule: Sequence[Unfreeze]) -> None:
    """Refuse a schedule that names what the network does not have.

    Raises:
        MedEnhanceError: With the prefix.
    """
    names = [name for name, _ in network.named_modules()]
    for step in schedule:
        if step.prefix not in names:
            raise MedEnhanceError("bad-option", f"the network has no module {step.prefix!r} to unfreeze.")


def freeze(network: nn.Module, prefixes: Sequence[str]) -> None:
    """Keep these modules as they are: no gradients, and evaluation mode, so that statistics and dropout rest too."""
    for name, module in network.named_modules():
        if name in prefixes:
            module.eval()
            module.requires_grad_(False)


def gradient_of_learning(terms: Mapping[str, Tensor], parameters: NamedParameters, context: StepContext) -> Gradients:
    """Gradient of the sum of all terms; None for what is frozen, and for what no term reaches."""
    learning = [parameter for _, parameter in parameters if parameter.requires_grad]
    found = torch.autograd.grad(torch.stack(list(terms.values())).sum(), learning, allow_unused=True)
    averaged = iter(context.average([gradient for gradient in found if gradient is not None]))
    by_parameter = {
        id(parameter): None if gradient is None else next(averaged)
        for parameter, gradient in zip(learning, found, strict=True)
    }
    return [by_parameter.get(id(parameter)) for _, parameter in parameters]
