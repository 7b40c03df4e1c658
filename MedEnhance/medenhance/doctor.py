"""Finds out whether MedEnhance can work here: what is installed, which devices compute, where models are kept.

Every part is examined by using it: devices convolve, dependencies are imported, bundled weights run their golden test.
No network is used and no secret is reported.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medenhance import __version__
from medenhance.cache import cache_folder, free_disk_bytes, nearest_existing
from medenhance.catalog import read_catalog
from medenhance.dependencies import Dependency, examine_all, examine_torchvision
from medenhance.download import MIRROR_VARIABLE
from medenhance.errors import MedEnhanceError
from medenhance.http_transfer import without_secrets
from medenhance.manifest import Precision
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.strict_json import to_json
from medenhance.weights import place, verify

GAIN_EXPECTED = 1.3  # a shorter format that is not so much faster than fp32 is not worth its rounding
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Attributes:
        essential: Nothing works until it is mended.
        text: What is wrong, and what to do.
    """

    essential: bool
    text: str


@dataclass(frozen=True)
class Speed:
    """Measured speed of a device in one precision; `gain` is how many times as fast as fp32 it convolves."""

    precision: Precision
    convolution_ms: float
    gain: float
    matmul_gflops_per_s: float


@dataclass(frozen=True)
class Device:
    """A device, whether a real convolution on it was right, and how fast it is.

    Attributes:
        auto_precision: What "auto" picks here for a model that allows every precision.
    """

    name: str
    title: str
    works: bool
    problem: str
    convolution_s: float
    free_bytes: int
    auto_precision: str
    speeds: tuple[Speed, ...]


@dataclass(frozen=True)
class Model:
    """A model, "bundled", "cached" or "available", and the outcome of its check where it is installed."""

    id: str
    place: str
    problem: str


@dataclass(frozen=True)
class Diagnosis:
    """All findings."""

    medenhance: str
    python: str
    executable: str
    platform: str
    dependencies: tuple[Dependency, ...]
    torchvision: Dependency
    devices: tuple[Device, ...]
    auto_device: str
    memory_bytes: int
    free_memory_bytes: int
    cache: str
    cache_writable: bool
    free_disk_bytes: int
    proxies: dict[str, str]
    mirrors: str
    models: tuple[Model, ...]
    problems: tuple[Problem, ...]

    @property
    def healthy(self) -> bool:
        """Whether the essentials work."""
        return not any(problem.essential for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {**to_json(self), "healthy": self.healthy}


def diagnose(cache: Path | None = None, progress: Progress | None = None) -> Diagnosis:
    """Examine this installation on this machine; takes some seconds.

    Args:
        cache: The cache folder; the user's own when None.
        progress: Is told which part is examined, and may cancel.
    """
    cache, progress = cache or cache_folder(), progress or Silent()
    checkpoint(progress, "dependencies", 0.0)
    dependencies = examine_all()
    torch_works = not any(item.problem for item in dependencies if item.name in ("torch", "numpy", "psutil"))
    checkpoint(progress, "devices", 0.0)
    devices = tuple(_devices(progress)) if torch_works else ()
    checkpoint(progress, "models", 0.0)
    models, model_problems = _models(cache, progress, run=torch_works)
    writable = _writable(cache)
    checkpoint(progress, "torchvision", 0.0)
    torchvision = examine_torchvision()
    problems = (
        *_dependency_problems(dependencies),
        *_device_problems(devices, torch_works),
        *model_problems,
        *([] if writable else [Problem(False, f"The cache {cache} cannot be written; set MEDENHANCE_CACHE.")]),
        *_dependency_problems((torchvision,)),
    )
    total, free = _memory() if torch_works else (0, 0)
    return Diagnosis(
        medenhance=__version__,
        python=platform.python_version(),
        executable=sys.executable,
        platform=platform.platform(),
        dependencies=dependencies,
        torchvision=torchvision,
        devices=devices,
        auto_device=next((device.name for device in devices if device.works), ""),
        memory_bytes=total,
        free_memory_bytes=free,
        cache=str(cache),
        cache_writable=writable,
        free_disk_bytes=free_disk_bytes(cache),
        proxies={kind: _masked(address) for kind, address in sorted(urllib.request.getproxies().items())},
        mirrors=" ".join(map(without_secrets, os.environ.get(MIRROR_VARIABLE, "").split())),
        models=models,
        problems=problems,
    )


def _dependency_problems(dependencies: tuple[Dependency, ...]) -> Iterator[Problem]:
    for item in dependencies:
        if item.problem:
            advice = "Install it again with pip." if item.required else "Nothing here needs it; pip can uninstall it."
            yield Problem(item.required, f"{item.name} cannot be used: {item.problem}. {advice}")


def _devices(progress: Progress) -> Iterator[Device]:
    import torch

    from medenhance.devices import available_devices, free_memory_bytes, pick_precision

    for report in available_devices():
        device = torch.device(report.name)
        yield Device(
            name=report.name,
            title=report.title,
            works=report.works,
            problem=report.problem,
            convolution_s=report.seconds,
            free_bytes=free_memory_bytes(device) if report.works else 0,
            auto_precision=pick_precision("auto", device, PRECISIONS) if report.works else "",
            speeds=tuple(_speeds(report.name, progress)) if report.works else (),
        )


def _speeds(name: str, progress: Progress) -> Iterator[Speed]:
    import torch

    from medenhance.device_speed import convolution_seconds, matmul_flops_per_s
    from medenhance.devices import probe

    device = torch.device(name)
    reference = convolution_seconds(device, "fp32")
    for index, precision in enumerate(PRECISIONS):
        checkpoint(progress, "devices", index / len(PRECISIONS))
        if probe(name, precision).works:
            seconds = reference if precision == "fp32" else convolution_seconds(device, precision)
            rate = matmul_flops_per_s(device, precision)
            yield Speed(precision, 1000 * seconds, reference / seconds, rate / 1e9)


def _device_problems(devices: tuple[Device, ...], torch_works: bool) -> Iterator[Problem]:
    for device in devices:
        if not device.works:
            yield Problem(device.name == "cpu", f"{device.name} is there but not usable: {device.problem}.")
        for speed in device.speeds:
            chosen = speed.precision == device.auto_precision != "fp32"
            if chosen and speed.gain < GAIN_EXPECTED:
                advice = "If it stays so on a quiet machine, --precision fp32 is the better choice."
                text = f"{device.name} picks {speed.precision}, which is only {speed.gain:.1f} times as fast as fp32."
                yield Problem(False, f"{text} {advice}")
    if torch_works and not devices:
        yield Problem(True, "PyTorch lists no device, not even the CPU.")


def _models(cache: Path, progress: Progress, *, run: bool) -> tuple[tuple[Model, ...], list[Problem]]:
    """Every model with its place; installed ones are verified where PyTorch can run."""
    try:
        catalog = read_catalog(cache)
    except MedEnhanceError as error:
        return (), [Problem(True, f"{error} Install MedEnhance again.")]
    models, problems = [], [Problem(False, text) for text in catalog.problems]
    for index, entry in enumerate(catalog.entries.values()):
        checkpoint(progress, "models", index / len(catalog.entries))
        where, problem = place(entry, cache), ""
        if run and where != "available":
            try:
                verify(entry, cache)
            except MedEnhanceError as error:
                problem = str(error)
                problems.append(Problem(entry.bundled, f"The model {entry.id}: {problem}"))
        models.append(Model(entry.id, where, problem))
    return tuple(models), problems


def _memory() -> tuple[int, int]:
    import psutil
    import torch

    from medenhance.devices import free_memory_bytes

    return int(psutil.virtual_memory().total), free_memory_bytes(torch.device("cpu"))


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=nearest_existing(folder)):
            return True
    except OSError:
        return False


def _masked(address: str) -> str:
    """A proxy's address, with or without a scheme, fit to be shown."""
    return without_secrets(address) if "://" in address else address.rpartition("@")[2]
