"""Learning rates, as a function of the samples seen."""

from __future__ import annotations

import pytest

from medenhance_training.schedule import ScheduleConfig, learning_rate_factor

RELEASED = ScheduleConfig("mtd-gan-released", warmup_samples=1000, hold_samples=5000, floor=1e-6, epoch_samples=100)


def released(epoch: int) -> float:
    return learning_rate_factor(RELEASED, epoch * 100 + 50, 500 * 100)


def test_constant_stays() -> None:
    config = ScheduleConfig("constant")
    assert {learning_rate_factor(config, seen, 1000) for seen in (0, 500, 999)} == {1.0}


def test_warm_up_rises_from_more_than_nothing_to_one() -> None:
    config = ScheduleConfig("constant", warmup_samples=99)
    factors = [learning_rate_factor(config, seen, 1000) for seen in (0, 49, 99)]
    assert factors == pytest.approx([0.01, 0.5, 1.0])


def test_linear_decay_ends_at_the_floor_with_the_last_sample() -> None:
    config = ScheduleConfig("linear", hold_samples=200, floor=0.1)
    factors = [learning_rate_factor(config, seen, 1000) for seen in (0, 200, 600, 1000)]
    assert factors == pytest.approx([1.0, 1.0, 0.55, 0.1])


def test_cosine_decay_is_halfway_in_the_middle() -> None:
    config = ScheduleConfig("cosine", floor=0.0)
    factors = [learning_rate_factor(config, seen, 1000) for seen in (0, 500, 1000)]
    assert factors == pytest.approx([1.0, 0.5, 0.0], abs=1e-12)


def test_released_schedule_runs_its_first_two_epochs_at_rate_zero() -> None:
    assert [released(epoch) for epoch in range(4)] == pytest.approx([0.0, 0.0, 0.1, 0.2])


def test_released_schedule_is_one_epoch_late_everywhere() -> None:
    assert released(10) == pytest.approx(0.9)
    assert [released(11), released(51)] == pytest.approx([1.0, 1.0])
    assert released(52) == pytest.approx(1.0 - 1.0 / 450.0)


def test_released_minimum_is_a_floor_of_the_factor() -> None:
    assert learning_rate_factor(RELEASED, 600 * 100, 500 * 100) == 1e-6


def test_an_epoch_keeps_its_rate_and_the_first_one_learns() -> None:
    config = ScheduleConfig("polynomial", warmup_samples=300, floor=0.0, epoch_samples=100, power=0.5)
    factors = [learning_rate_factor(config, seen, 1000) for seen in (0, 99, 100, 200, 300, 650, 999)]
    # (e + 1) / 3 while it warms up, then sqrt(1 - (e - 3) / 7) of the epochs 3 to 9
    assert factors == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1.0, 1.0, (4 / 7) ** 0.5, (1 / 7) ** 0.5])


def test_polynomial_decay_goes_step_by_step_without_epochs() -> None:
    config = ScheduleConfig("polynomial", floor=0.0, power=2.0)
    factors = [learning_rate_factor(config, seen, 100) for seen in (0, 50, 100)]
    assert factors == pytest.approx([1.0, 0.25, 0.0])
