"""The moving average of weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medenhance_training.ema import Ema, ema_decay


def constant(value: float) -> nn.Linear:
    layer = nn.Linear(1, 1)
    nn.init.constant_(layer.weight, value)
    nn.init.constant_(layer.bias, value)
    return layer


def test_share_of_the_old_average_halves_after_one_half_life() -> None:
    assert ema_decay(batch_size=500, half_life_samples=500, samples_seen=10**9) == pytest.approx(0.5)
    assert ema_decay(batch_size=16, half_life_samples=500, samples_seen=10**9) ** (500 / 16) == pytest.approx(0.5)


def test_half_life_is_at_most_a_share_of_the_run_so_far() -> None:
    assert ema_decay(batch_size=50, half_life_samples=10**9, samples_seen=1000, ramp_up=0.05) == pytest.approx(0.5)


def test_average_moves_towards_the_network() -> None:
    ema, network = Ema(constant(0.0), half_life_samples=100.0), constant(1.0)
    ema.update(network, samples_seen=10**6, batch_size=100)
    assert ema.network.weight.item() == pytest.approx(0.5)
    ema.update(network, samples_seen=10**6, batch_size=100)
    assert ema.network.weight.item() == pytest.approx(0.75)


def test_without_a_half_life_the_average_is_the_network_itself() -> None:
    ema, network = Ema(constant(0.0), half_life_samples=0.0), nn.Linear(1, 1)
    ema.update(network, samples_seen=16, batch_size=16)
    assert torch.equal(ema.network.weight, network.weight)


def test_buffers_are_copied_and_nothing_of_the_average_trains() -> None:
    ema, network = Ema(nn.BatchNorm2d(2), half_life_samples=10.0), nn.BatchNorm2d(2)
    network.running_mean.fill_(3.0)
    network.num_batches_tracked.fill_(7)
    ema.update(network, samples_seen=16, batch_size=16)
    assert ema.network.running_mean.tolist() == [3.0, 3.0]
    assert ema.network.num_batches_tracked.item() == 7
    assert not any(parameter.requires_grad for parameter in ema.network.parameters())
    assert not ema.network.training
