"""PCGrad: gradients of several tasks, each without its conflict with the others.

Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, algorithm 1; with the sum over tasks and the order
over all tasks that MTD-GAN's release uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medenhance_training.objectives.objective import Gradients, NamedParameters, StepContext


def project_conflicts(gradients: Tensor, orders: Sequence[Sequence[int]]) -> Tensor:
    """The sum over tasks of each gradient, minus its part against any other.

    Args:
        gradients: (T, P), one row for each task.
        orders: For each task, the tasks that it is compared with, in order.

    Returns:
        (P,)
    """
    total = torch.zeros_like(gradients[0])
    for gradient, order in zip(gradients, orders, strict=True):
        projected = gradient.clone()
        for other in gradients[list(order)]:
            along = torch.dot(projected, other)
            if along < 0:
                projected -= along / torch.dot(other, other) * other
        total += projected
    return total


@dataclass(frozen=True)
class PcGrad:
    """The gradient rule of a network with shared and task-specific parameters.

    Attributes:
        shared: Whether the parameter of that name is shared by the tasks; shared ones get the projected sum, the
            others the plain sum.
        untrained: Whether the parameter of that name gets no gradient at all.
    """

    shared: Callable[[str], bool]
    untrained: Callable[[str], bool] = lambda name: False  # noqa: ARG005

    def __call__(self, terms: Mapping[str, Tensor], parameters: NamedParameters, context: StepContext) -> Gradients:
        trained = [(name, parameter) for name, parameter in parameters if not self.untrained(name)]
        by_task = _task_gradients(list(terms.values()), [parameter for _, parameter in trained], context)
        shared = [index for index, (name, _) in enumerate(trained) if self.shared(name)]
        combined = dict(zip((name for name, _ in trained), (sum(column) for column in zip(*by_task, strict=True))))
        flat = torch.stack([torch.cat([row[index].reshape(-1) for index in shared]) for row in by_task])
        orders = [torch.randperm(len(by_task), generator=context.generator).tolist() for _ in by_task]
        parts = project_conflicts(flat, orders).split([trained[index][1].numel() for index in shared])
        for index, part in zip(shared, parts, strict=True):
            name, parameter = trained[index]
            combined[name] = part.reshape(parameter.shape)
        return [combined.get(name) for name, _ in parameters]


def _task_gradients(terms: list[Tensor], parameters: list[Tensor], context: StepContext) -> list[list[Tensor]]:
    """For each term its gradient with respect to every parameter, averaged over processes; 0 where it has none."""
    rows = []
    for index, term in enumerate(terms):
        last = index == len(terms) - 1
        row = torch.autograd.grad(term, parameters, retain_graph=not last, allow_unused=True, materialize_grads=True)
        rows.append(context.average(list(row)))
    return rows
