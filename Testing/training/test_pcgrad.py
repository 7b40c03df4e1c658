"""PCGrad against cases worked out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from medenhance_training.objectives.objective import StepContext
from medenhance_training.pcgrad import PcGrad, project_conflicts


def alone() -> StepContext:
    """One process."""
    return StepContext(average=lambda tensors: tensors, generator=torch.Generator().manual_seed(0))


def test_agreeing_gradients_are_summed() -> None:
    gradients = torch.tensor([[1.0, 0.0], [1.0, 2.0]])
    assert project_conflicts(gradients, [[0, 1], [1, 0]]).tolist() == [2.0, 2.0]


def test_orthogonal_gradients_are_summed() -> None:
    gradients = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    assert project_conflicts(gradients, [[0, 1], [0, 1]]).tolist() == [1.0, 3.0]


def test_conflicting_gradients_lose_the_part_against_each_other() -> None:
    # g1.g2 = -1: g1 becomes (1, 0) + (-1, 1)/2 = (0.5, 0.5), g2 becomes (-1, 1) + (1, 0) = (0, 1).
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    assert project_conflicts(gradients, [[0, 1], [1, 0]]).tolist() == [0.5, 1.5]


def test_opposite_gradients_cancel() -> None:
    gradients = torch.tensor([[2.0, 0.0], [-5.0, 0.0]])
    assert project_conflicts(gradients, [[1], [0]]).tolist() == [0.0, 0.0]


def test_order_of_three_tasks_matters_and_is_respected() -> None:
    # g1 = (1, 0); against g2 = (-1, 1) it becomes (0.5, 0.5), then against g3 = (0, -1), (0.5, 0).
    # In the other order g3 is no conflict with (1, 0), and g2 leaves (0.5, 0.5).
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])
    only_first = [[1, 2], [], []]
    other_order = [[2, 1], [], []]
    rest = gradients[1] + gradients[2]
    assert (project_conflicts(gradients, only_first) - rest).tolist() == [0.5, 0.0]
    assert (project_conflicts(gradients, other_order) - rest).tolist() == [0.5, 0.5]


@settings(deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_result_never_works_against_either_of_two_tasks(seed: int) -> None:
    gradients = torch.randn(2, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    together = project_conflicts(gradients, [[0, 1], [1, 0]])
    assert (gradients @ together).min() >= -1e-9


class TwoHeads(nn.Module):
    """A shared scale and one bias for each of two tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Parameter(torch.tensor([1.0, 0.0]))
        self.first = nn.Parameter(torch.tensor(2.0))
        self.second = nn.Parameter(torch.tensor(3.0))

    def terms(self) -> dict[str, torch.Tensor]:
        """Gradients of the shared parameter are (1, 0) and (-1, 1), those of the heads 4 and 2 + 6."""
        a, b = self.shared
        return {"one": a + 4.0 * self.first + 2.0 * self.second, "two": b - a + self.second**2}


def test_shared_parameters_are_projected_and_the_others_summed() -> None:
    network = TwoHeads()
    rule = PcGrad(shared=lambda name: name == "shared")
    gradients = rule(network.terms(), list(network.named_parameters()), alone())
    assert [gradient.tolist() for gradient in gradients if gradient is not None] == [[0.5, 1.5], 4.0, 8.0]


def test_untrained_parameter_gets_no_gradient() -> None:
    network = TwoHeads()
    rule = PcGrad(shared=lambda name: name == "shared", untrained=lambda name: name == "first")
    gradients = rule(network.terms(), list(network.named_parameters()), alone())
    assert gradients[1] is None
    assert gradients[2] is not None
    assert gradients[2].item() == pytest.approx(8.0)


def test_gradients_of_each_task_are_averaged_over_processes_before_they_are_projected() -> None:
    network, seen = TwoHeads(), []

    def average(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        seen.append(tensors[0].tolist())
        return [2.0 * tensor for tensor in tensors]

    context = StepContext(average, torch.Generator().manual_seed(0))
    gradients = PcGrad(shared=lambda name: name == "shared")(network.terms(), list(network.named_parameters()), context)
    assert seen == [[1.0, 0.0], [-1.0, 1.0]]
    assert gradients[0] is not None
    assert gradients[0].tolist() == [1.0, 3.0]
