"""Speeds are measured on real work."""

from __future__ import annotations

import pytest
import torch

from medenhance import device_speed
from medenhance.device_speed import convolution_seconds, matmul_flops_per_s

CPU = torch.device("cpu")


def test_a_larger_convolution_takes_longer() -> None:
    small = convolution_seconds(CPU, "fp32", channels=8, size=16)
    large = convolution_seconds(CPU, "fp32", channels=64, size=128)
    assert 0 < 3 * small < large


def test_the_rate_is_operations_by_the_fastest_of_three_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.4, 0.03, 0.02, 0.04])
    monkeypatch.setattr(device_speed, "_seconds", lambda *_: next(seconds))
    assert matmul_flops_per_s(CPU, "fp32", size=100) == pytest.approx(2 * 100**3 / 0.02)


def test_a_long_first_run_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.8])
    monkeypatch.setattr(device_speed, "_seconds", lambda *_: next(seconds))
    assert convolution_seconds(CPU, "fp32", channels=1, size=8) == 0.8
