"""How fast a device really is: for `medenhance doctor` and benchmarks, never for choosing what to run."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from medenhance.devices import DTYPES
from medenhance.manifest import Precision

REPEATS = 3
LONG_S = 0.5  # a first run of this length is no start-up cost but the device's pace; it is not repeated


def convolution_seconds(device: torch.device, precision: Precision, channels: int = 48, size: int = 256) -> float:
    """Seconds of the 3x3 convolution that denoisers consist of, channels_last; the fastest of three.

    Args:
        device: Where.
        precision: In which format.
        channels: Feature maps in and out.
        size: Height and width, pixels.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, channels, size, size, generator=generator).to(device, DTYPES[precision])
    weight = torch.randn(channels, channels, 3, 3, generator=generator).to(device, DTYPES[precision])
    x, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, weight))
    return _fastest(lambda: F.conv2d(x, weight, padding=1), device)


def matmul_flops_per_s(device: torch.device, precision: Precision, size: int | None = None) -> float:
    """Floating-point operations a second (two for a multiply-add) of a square matrix product; the fastest of three.

    Args:
        device: Where.
        precision: In which format.
        size: Rows and columns; large enough to fill the device when None.
    """
    size = size or (1024 if device.type == "cpu" else 4096)
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(size, size, generator=generator).to(device, DTYPES[precision])
    return 2 * size**3 / _fastest(lambda: a @ a, device)


@torch.inference_mode()
def _fastest(work: Callable[[], Tensor], device: torch.device) -> float:
    """Seconds of the fastest of some runs after one that is not counted."""
    first = _seconds(work, device)
    if first > LONG_S:
        return first
    return min(_seconds(work, device) for _ in range(REPEATS))


def _seconds(work: Callable[[], Tensor], device: torch.device) -> float:
    _synchronize(device)
    start = time.perf_counter()
    work()
    _synchronize(device)
    return time.perf_counter() - start


def _synchronize(device: torch.device) -> None:
    """Wait for the work that the device has been given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "xpu":
        torch.xpu.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
