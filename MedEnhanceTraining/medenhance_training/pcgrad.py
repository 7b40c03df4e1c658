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
        trained = {name: parameter for name, parameter in parameters if not self.untrained(name)}
        by_task = _task_gradients(list(terms.values()), list(trained.values()), context)
        tasks = [dict(zip(trained, row, strict=True)) for row in by_task]
        combined = {name: torch.stack([task[name] for task in tasks]).sum(dim=0) for name in trained}
        combined |= _projected(tasks, [name for name in trained if self.shared(name)], context.generator)
        return [combined.get(name) for name, _ in parameters]


def _projected(tasks: list[dict[str, Tensor]], names: list[str], generator: torch.Generator) -> dict[str, Tensor]:
    """`project_conflicts` over the named gradients of each task, in a random order for each."""
    flat = torch.stack([torch.cat([task[name].reshape(-1) for name in names]) for task in tasks])
    orders = [torch.randperm(len(tasks), generator=generator).tolist() for _ in tasks]
    parts = torch.split(project_conflicts(flat, orders), [tasks[0][name].numel() for name in names])
    return {name: part.reshape(tasks[0][name].shape) for name, part in zip(names, parts, strict=True)}


def _task_gradients(terms: list[Tensor], parameters: list[Tensor], context: StepContext) -> list[list[Tensor]]:
    """For each term its gradient with respect to every parameter, averaged over processes; 0 where it has none."""
    rows = []
    for index, term in enumerate(terms):
        last = index == len(terms) - 1
        row = torch.autograd.grad(term, parameters, retain_graph=not last, allow_unused=True, materialize_grads=True)
        rows.append(context.average(list(row)))
    return rows
