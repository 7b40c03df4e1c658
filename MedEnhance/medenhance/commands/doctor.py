"""`medenhance doctor`: can MedEnhance work here, and how fast."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medenhance.dependencies import Dependency
    from medenhance.doctor import Device, Diagnosis


@dataclass(frozen=True)
class Doctor:
    """Examine this installation: dependencies, devices, precision, memory, disk, cache, proxy, models.

    Attributes:
        json: Print the findings as JSON.
    """

    json: bool = False


def run(arguments: Doctor) -> int:
    """Print the findings.

    Returns:
        The exit status: 1 when something essential does not work.
    """
    from medenhance.doctor import diagnose

    diagnosis = diagnose()
    if arguments.json:
        print(json.dumps(diagnosis.to_json(), indent=2, ensure_ascii=False))
    else:
        print("\n".join(lines(diagnosis)))
    return 0 if diagnosis.healthy else 1


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The findings for people."""
    yield f"MedEnhance {diagnosis.medenhance}, research use only"
    yield f"Python      {diagnosis.python} ({diagnosis.executable})"
    yield f"Platform    {diagnosis.platform}"
    yield f"Memory      {_gigabytes(diagnosis.free_memory_bytes)} free of {_gigabytes(diagnosis.memory_bytes)}"
    yield f"Cache       {diagnosis.cache}{'' if diagnosis.cache_writable else ' (cannot be written)'}"
    yield f"Disk        {_gigabytes(diagnosis.free_disk_bytes)} free at the cache"
    yield f"Proxy       {', '.join(f'{k} {v}' for k, v in diagnosis.proxies.items()) or 'none'}"
    yield f"Mirrors     {diagnosis.mirrors or 'none'}"
    yield f"torchvision {_state(diagnosis.torchvision)} (MedEnhance does not use it)"
    yield "\nDevices"
    for device in diagnosis.devices:
        yield from _device_lines(device, auto=device.name == diagnosis.auto_device)
    yield "\nModels"
    for model in diagnosis.models:
        yield f"  {model.id:24} {model.place:10} {model.problem or ('' if model.place == 'available' else 'verified')}"
    yield "\nDependencies"
    for item in diagnosis.dependencies:
        yield f"  {item.name:24} {_state(item)}"
    yield "\nProblems" if diagnosis.problems else "\nNo problem was found."
    for problem in diagnosis.problems:
        yield f"  {'ERROR  ' if problem.essential else 'warning'} {problem.text}"


def _device_lines(device: Device, *, auto: bool) -> Iterator[str]:
    state = f"convolves correctly, first in {device.convolution_s:.2f} s" if device.works else device.problem
    yield f"  {device.name:8} {device.title}: {state}{' (auto)' if auto else ''}"
    if device.works:
        yield f"           {_gigabytes(device.free_bytes)} free"
    for speed in device.speeds:
        chosen = " (auto)" if speed.precision == device.auto_precision else ""
        convolution = f"3x3 convolution {speed.convolution_ms:8.2f} ms, {speed.gain:5.2f} times fp32"
        product = f"matrix product {speed.matmul_gflops_per_s:8.0f} GFLOP/s"
        yield f"           {speed.precision}: {convolution}; {product}{chosen}"


def _state(item: Dependency) -> str:
    if item.version is None:
        return "not installed"
    return f"{item.version} BROKEN" if item.problem else item.version


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
