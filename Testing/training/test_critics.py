"""The multi-task critic against the published sizes and placements."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from medenhance.errors import MedEnhanceError
from medenhance_training.critics import MultiTaskCritic, MultiTaskCriticConfig
from medenhance_training.step import freeze_all_but

TINY = MultiTaskCriticConfig(channels=4, levels=3)


def num_parameters(critic: nn.Module) -> int:
    return sum(parameter.numel() for parameter in critic.parameters())


@pytest.fixture(scope="module")
def published() -> MultiTaskCritic:
    """Shapes without storage: 68 million weights would take seconds to draw and to norm."""
    with torch.device("meta"):
        return MultiTaskCritic(MultiTaskCriticConfig())


def test_published_size(published: MultiTaskCritic) -> None:
    assert num_parameters(published) == 68_432_027


def test_spectral_norm_stands_everywhere_but_on_sub_pixel_convolutions_and_heads(published: MultiTaskCritic) -> None:
    layers = {n: m for n, m in published.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    bare = {name for name, layer in layers.items() if not parametrize.is_parametrized(layer, "weight")}
    sub_pixel = {f"reconstruct.up.{level}.expand" for level in range(6)}
    assert bare == {"classify.score", "segment.head", "reconstruct.head"} | sub_pixel


def test_released_initial_weights() -> None:
    layer = MultiTaskCritic(MultiTaskCriticConfig(channels=16, levels=3)).encoder[2].second
    assert layer.parametrizations.weight.original.std().item() == pytest.approx(0.01, rel=0.02)
    assert torch.count_nonzero(layer.bias) == 0


def test_normed_weight_has_a_largest_singular_value_of_one() -> None:
    torch.manual_seed(0)
    critic = MultiTaskCritic(TINY).train()
    for _ in range(30):
        critic(torch.rand(1, 1, 8, 8))
    weight = critic.eval().encoder[1].second.weight
    assert torch.linalg.matrix_norm(weight.flatten(1), ord=2).item() == pytest.approx(1.0, abs=1e-3)


def test_heads_answer_once_a_patch_once_a_pixel_and_with_an_image() -> None:
    verdict = MultiTaskCritic(TINY)(torch.rand(3, 1, 8, 8))
    assert verdict.whole.shape == (3, 1)
    assert verdict.pixels.shape == (3, 1, 8, 8)
    assert verdict.reconstruction.shape == (3, 1, 8, 8)


def test_heads_can_be_left_out() -> None:
    whole_only = MultiTaskCritic(MultiTaskCriticConfig(channels=4, levels=3, segmentation=False, reconstruction=False))
    verdict = whole_only(torch.rand(1, 1, 8, 8))
    assert verdict.pixels is None
    assert verdict.reconstruction is None
    assert num_parameters(whole_only) < num_parameters(MultiTaskCritic(TINY))


def test_every_parameter_is_reached_by_some_head() -> None:
    critic = MultiTaskCritic(TINY)
    verdict = critic(torch.rand(2, 1, 8, 8))
    (verdict.whole.sum() + verdict.pixels.sum() + verdict.reconstruction.sum()).backward()
    assert [name for name, parameter in critic.named_parameters() if parameter.grad is None] == []


def test_another_patch_size_is_refused() -> None:
    with pytest.raises(MedEnhanceError, match=r"sees patches of 1x8x8, not of 1x16x16.*--data\.patch 8"):
        MultiTaskCritic(TINY)(torch.rand(1, 1, 16, 16))


def test_a_frozen_critic_changes_nothing_in_itself_when_it_judges() -> None:
    critic = MultiTaskCritic(TINY)
    freeze_all_but("generator", {"critic": critic})
    before = {name: tensor.clone() for name, tensor in critic.state_dict().items()}
    critic(torch.rand(2, 1, 8, 8))
    assert all(torch.equal(tensor, before[name]) for name, tensor in critic.state_dict().items())
