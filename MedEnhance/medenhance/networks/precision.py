"""Running a network in a short floating-point format without losing what the short format cannot hold."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class EntryConvolution(nn.Conv2d):
    """First convolution of a network: its input and its weights need more than a short format holds.

    A CT value in bf16 is off by up to 2 HU at -800 HU, and so is what rounded weights make of it. In a short format the
    convolution therefore runs on sums of two short numbers, high + low, which keep 16 bits of mantissa:
    (xh + xl) * (wh + wl) without the negligible xl * wl. It is linear, so that is one convolution of three times as
    many channels. `cast` leaves its weights in float32.
    """

    def short(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """(N, C, H, W) float32 network units -> (N, C', H', W') in `dtype`."""
        if dtype == torch.float32:
            return run(self, x)
        x_high, x_low = _split(x, dtype)
        w_high, w_low = _split(self.weight, dtype)
        parts = torch.cat([x_high, x_low, x_high], dim=1).contiguous(memory_format=torch.channels_last)
        weight = torch.cat([w_high, w_high, w_low], dim=1).contiguous(memory_format=torch.channels_last)
        bias = None if self.bias is None else self.bias.to(dtype)
        return F.conv2d(parts, weight, bias, self.stride, self.padding, self.dilation)


def cast(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Cast `network` to `dtype`, but leave its `EntryConvolution` in float32.

    Args:
        network: With float32 weights.
        dtype: Of all other weights, and of the computation.
    """
    entries = [module for module in network.modules() if isinstance(module, EntryConvolution)]
    exact = [(module, module.weight.detach().clone()) for module in entries]
    network.to(dtype=dtype)
    for module, weight in exact:
        module.weight = nn.Parameter(weight, requires_grad=False)
    return network


def enter(first: nn.Module, x: Tensor, last: nn.Module) -> Tensor:
    """Call a network's first layer, an `EntryConvolution`, so that its output has the format of the last layer.

    The first layer's own weights do not tell that format: `cast` leaves them in float32.
    """
    assert isinstance(first, EntryConvolution)
    assert isinstance(last.weight, Tensor)
    return first.short(x, last.weight.dtype)


def run(module: nn.Module, x: Tensor) -> Tensor:
    """Call `module` on one tensor; only states the return type that `nn.Module.__call__` loses."""
    y: Tensor = module(x)
    return y


def _split(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Two short numbers whose sum is `x` to twice their mantissa."""
    high = x.to(dtype)
    return high, (x - high.to(x.dtype)).to(dtype)
