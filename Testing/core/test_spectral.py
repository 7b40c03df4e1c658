"""The spectral branch: on a window the windowed one equals the published one; it has no seams and no size."""

from __future__ import annotations

import pytest
import torch

from medenhance.networks import build
from medenhance.networks.spectral import GlobalSpectral, WindowedSpectral


def same_mixing(channels: int, window: int) -> tuple[GlobalSpectral, WindowedSpectral]:
    torch.manual_seed(0)
    whole, windowed = GlobalSpectral(channels), WindowedSpectral(channels, window)
    with torch.no_grad():
        windowed.mix.weight.copy_(whole.mix.weight[:, :, 0, 0])
        windowed.mix.bias.copy_(whole.mix.bias)
    return whole, windowed


def test_each_window_gets_the_published_transform_and_the_results_are_blended():
    """An image that repeats with half a window looks the same to every window; the four that meet are tapered."""
    whole, windowed = same_mixing(3, 8)
    window = torch.randn(1, 3, 4, 4).repeat(1, 1, 2, 2)
    hann = torch.hann_window(8, periodic=True)
    tapered = whole(window) * torch.outer(hann, hann)
    expected = sum(tapered.roll((down, right), (2, 3)) for down in (0, 4) for right in (0, 4))
    inner = windowed(window.repeat(1, 1, 6, 6))[..., 16:24, 16:24]
    assert torch.allclose(inner, expected, atol=1e-5)


def test_windows_blend_to_the_identity_without_seams(monkeypatch):
    branch = WindowedSpectral(2, 8)
    torch.nn.init.eye_(branch.mix.weight)
    torch.nn.init.zeros_(branch.mix.bias)
    monkeypatch.setattr(torch, "relu_", lambda x: x)
    x = torch.randn(2, 2, 37, 50)
    assert torch.allclose(branch(x), x, atol=1e-5)


@pytest.mark.parametrize("window", [3, 2, 7])
def test_odd_and_tiny_windows_are_refused(window):
    with pytest.raises(ValueError, match=str(window)):
        WindowedSpectral(4, window)


def mean_change(network: torch.nn.Module, size: int) -> float:
    """Mean of what a network does to a uniform image, away from its border, network units."""
    x = torch.full((1, 1, size, size), 0.5)
    margin = size // 2 - 8
    with torch.inference_mode():
        return (network(x) - x)[..., margin:-margin, margin:-margin].mean().item()


@pytest.mark.parametrize(("spectral", "shifts"), [("global", True), ("window", False)])
def test_only_the_published_transform_ties_the_mean_to_the_size_of_the_image(spectral, shifts):
    """Spec 1.7: the orthonormal transform's mean grows eightfold from 64 x 64 patches to 512 x 512 slices."""
    torch.manual_seed(0)
    config = {"channels": 8, "levels": 2, "spectral": spectral, "window": 16, "final_relu": False}
    network = build("mtdgan", config).eval()
    patch, whole = mean_change(network, 64), mean_change(network, 512)
    assert (abs(whole - patch) > 1e-4) == shifts
