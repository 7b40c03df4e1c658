"""Which device and which precision a network runs on.

A device is believed only after a real convolution on it gave the result of an independent one in float64. A precision
is chosen by what the hardware is built for, never by a stopwatch: a measured choice could flip between two runs on a
busy machine, and the same input, model and device must give the same bytes twice. `medenhance doctor` measures
whether the choice was right.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import psutil
import torch
import torch.nn.functional as F

from medenhance import cgroup
from medenhance.errors import MedEnhanceError
from medenhance.manifest import Precision
from medenhance.progress import Progress

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Largest accepted error of the probe's convolution, relative to its largest value. NVIDIA GPUs run "fp32"
# convolutions with 10 bits of mantissa (TF32), fp16 has as many, bf16 has 7.
TOLERANCE: dict[Precision, float] = {"fp32": 5e-3, "bf16": 4e-2, "fp16": 5e-3}
AMX_LEVELS = ("AVX512_CORE_AMX", "AVX10_2_512_AMX", "DEFAULT")  # values of ONEDNN_MAX_CPU_ISA that allow AMX


@dataclass(frozen=True)
class DeviceReport:
    """What a device is and whether it can be used.

    Attributes:
        name: "cpu", "cuda:0", "mps", "xpu:0" ...
        title: What its maker calls it.
        works: It convolved correctly.
        problem: Why it does not work, else empty.
        seconds: Time of the first convolution, with starting the device.
    """

    name: str
    title: str
    works: bool
    problem: str
    seconds: float


def available_devices() -> list[DeviceReport]:
    """Every device that PyTorch lists, the preferred one first, each with the outcome of a real convolution."""
    return [probe(name) for name in device_names()]


def device_names() -> list[str]:
    """What PyTorch lists, in order of preference; the CPU is always there, and last."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    xpu = getattr(torch, "xpu", None)
    intel = [f"xpu:{i}" for i in range(xpu.device_count())] if xpu is not None and xpu.is_available() else []
    apple = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *intel, *apple, "cpu"]


@cache
def probe(name: str, precision: Precision = "fp32") -> DeviceReport:
    """Convolve on the device ``name`` and compare; once a process."""
    start = time.perf_counter()
    try:
        error = _convolution_error(torch.device(name), DTYPES[precision])
        title = _title(name)
    except (RuntimeError, AssertionError) as failure:
        return DeviceReport(name, name, False, str(failure).strip().split("\n")[0], time.perf_counter() - start)
    problem = (
        "" if error <= TOLERANCE[precision] else f"its {precision} convolution is wrong by {error:.2g} of the maximum"
    )
    return DeviceReport(name, title, not problem, problem, time.perf_counter() - start)


def pick_device(requested: str = "auto", progress: Progress | None = None) -> torch.device:
    """The device to run on.

    Args:
        requested: "auto" (the first that works), "cpu", "cuda", "cuda:1", "mps", "xpu" ...
        progress: Is told about devices that "auto" had to pass over.

    Raises:
        MedEnhanceError: The device is not there or does not convolve correctly.
    """
    names = device_names()
    if requested == "auto":
        return _first_working(names, progress)
    name = requested if requested in ("cpu", "mps") or ":" in requested else f"{requested}:0"
    if not re.fullmatch(r"cpu|mps|(cuda|xpu):\d+", name):
        raise MedEnhanceError("bad-option", f"unknown device {requested!r}.", f"Choose auto, {', '.join(names)}.")
    hint = f"Devices here: {', '.join(names)}; auto picks the first that works."
    if name not in names:
        raise MedEnhanceError("device-unavailable", f"device {name} is not there: {_absence(name)}.", hint)
    report = probe(name)
    if not report.works:
        raise MedEnhanceError("device-unavailable", f"device {name} does not work: {report.problem}.", hint)
    return torch.device(name)


def pick_precision(requested: str, device: torch.device, allowed: Sequence[str]) -> Precision:
    """The floating-point format to run in.

    Args:
        requested: "auto": bf16, else fp16, where this hardware is built for it and the model allows it, else fp32.
        device: Where the network runs.
        allowed: The model's `precisions`.

    Raises:
        MedEnhanceError: The model does not allow the precision, or the device does not convolve correctly in it.
    """
    if requested == "auto":
        short: tuple[Precision, ...] = ("bf16", "fp16")
        return next((name for name in short if name in allowed and accelerates(device, name)), "fp32")
    for name in DTYPES:
        if name == requested and name in allowed:
            report = probe(str(device), name)
            if not report.works:
                raise MedEnhanceError("device-unavailable", f"{device} cannot run {name}: {report.problem}.")
            return name
    hint = f"Choose auto, {', '.join(allowed)}."
    raise MedEnhanceError("bad-option", f"precision {requested!r} is not allowed for this model.", hint)


def accelerates(device: torch.device, precision: Precision) -> bool:
    """Whether the hardware has units for ``precision`` that are faster than those for fp32.

    Apple GPUs run fp16 at the rate of fp32, so nothing shorter is chosen there.
    """
    if precision == "fp32":
        return True
    if device.type == "cpu":
        return _cpu_accelerates(precision)
    if device.type == "cuda":
        return _cuda_accelerates(device, precision)
    if device.type == "xpu":
        # Matrix engines (XMX); without them the short formats run on the fp32 units.
        return bool(torch.xpu.get_device_capability(device).get("has_subgroup_matrix_multiply_accumulate", False))
    return False


def free_memory_bytes(device: torch.device) -> int:
    """Memory that a new allocation on ``device`` can take; on the CPU within a container's or batch job's limit."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    if device.type == "xpu":
        total = torch.xpu.get_device_properties(device).total_memory
        return int(total) - torch.xpu.memory_allocated(device)
    available = int(psutil.virtual_memory().available)
    if device.type == "mps":  # shared with the CPU
        return min(available, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    limit = cgroup.free_bytes()
    return available if limit is None else min(available, limit)


def _first_working(names: list[str], progress: Progress | None) -> torch.device:
    for name in names:
        report = probe(name)
        if report.works:
            return torch.device(name)
        if progress is not None:
            progress.warn(f"{name} ({report.title}) is not used: {report.problem}.")
    hint = "Run `medenhance doctor`; PyTorch may have to be installed again."
    raise MedEnhanceError("device-unavailable", f"not even the CPU convolves: {probe('cpu').problem}.", hint)


def _convolution_error(device: torch.device, dtype: torch.dtype) -> float:
    """Largest error of a 3x3 convolution, relative to the largest value of the exact result."""
    generator = np.random.default_rng(0)
    x, weight = generator.standard_normal((1, 16, 24, 40)), generator.standard_normal((32, 16, 3, 3))
    windows = np.lib.stride_tricks.sliding_window_view(x, (1, 1, 3, 3))[:, :, :, :, 0, 0]
    exact = np.einsum("nchwij,ocij->nohw", windows, weight)
    moved = torch.tensor(x, dtype=dtype).to(device, memory_format=torch.channels_last)
    with torch.inference_mode():
        y = F.conv2d(moved, torch.tensor(weight, dtype=dtype).to(device)).float().cpu().numpy()
    return float(np.abs(y - exact).max() / np.abs(exact).max())


def _cpu_accelerates(precision: Precision) -> bool:
    """Whether the CPU has matrix tiles (AMX) for ``precision``, or is an AMD one with AVX512-BF16.

    AVX512-BF16 counts nowhere else: with AMX masked, a Xeon of the fourth generation took 1.7 times as long for a
    48-channel bf16 convolution as for the fp32 one, and CPUs without either emulate bf16, 5 to 8 times slower. An EPYC
    of the fourth generation ran the default model in bf16 in half the time of fp32.
    """
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "DEFAULT")).upper()
    if not torch.backends.mkldnn.is_available() or not limit.startswith(AMX_LEVELS):  # type: ignore[no-untyped-call]
        return False
    able = _cpu_capabilities()
    if precision == "bf16" and able.get("avx512_bf16", False) and _title("cpu").startswith("AMD"):
        return True
    return able.get({"bf16": "amx_bf16", "fp16": "amx_fp16"}[precision], False)


def _cpu_capabilities() -> dict[str, bool]:
    if hasattr(torch.cpu, "get_capabilities"):
        return {name: bool(value) for name, value in torch.cpu.get_capabilities().items()}
    # Releases before the documented call above have only this.
    return {"amx_bf16": bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())}


def _cuda_accelerates(device: torch.device, precision: Precision) -> bool:
    if torch.version.hip is not None:
        architecture = torch.cuda.get_device_properties(device).gcnArchName
        return bool(architecture.startswith(("gfx908", "gfx90a", "gfx94", "gfx95", "gfx11", "gfx12")))
    # Tensor cores: fp16 since Volta (7.0), bf16 since Ampere (8.0).
    least = {"bf16": (8, 0), "fp16": (7, 0)}
    return torch.cuda.get_device_capability(device) >= least[precision]


def _title(name: str) -> str:
    kind = name.split(":")[0]
    if kind == "cuda":
        return str(torch.cuda.get_device_name(name))
    if kind == "xpu":
        return str(torch.xpu.get_device_name(name))
    if kind == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        return str(torch.cpu.get_capabilities().get("cpu_name", "CPU"))
    return {"cpu": platform.processor() or "CPU", "mps": "Apple GPU"}[kind]


def _absence(name: str) -> str:
    kind = name.split(":")[0]
    if kind == "cuda" and torch.version.cuda is None and torch.version.hip is None:
        return f"PyTorch {torch.__version__} is built without CUDA"
    return f"PyTorch {torch.__version__} lists no such device"
