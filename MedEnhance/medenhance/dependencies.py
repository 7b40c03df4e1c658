"""Which packages MedEnhance stands on, and whether they can be imported."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import subprocess
import sys
from dataclasses import dataclass

REQUIRED = (
    "numpy",
    "torch",
    "SimpleITK",
    "safetensors",
    "pydicom",
    "highdicom",
    "scipy",
    "tyro",
    "tqdm",
    "requests",
    "platformdirs",
    "psutil",
    "matplotlib",
    "filelock",
)
OPTIONAL = ("distributed",)
IMPORT_LIMIT_S = 120.0


@dataclass(frozen=True)
class Dependency:
    """A package: its version (None: not installed) and why it cannot be imported (empty: it can)."""

    name: str
    version: str | None
    required: bool
    problem: str


def examine_all() -> tuple[Dependency, ...]:
    """Every dependency, imported."""
    return tuple(examine(name, required=name in REQUIRED) for name in (*REQUIRED, *OPTIONAL))


def examine(name: str, *, required: bool) -> Dependency:
    """One dependency, imported; what is optional may be missing."""
    if importlib.util.find_spec(name) is None:
        return Dependency(name, None, required, "it is not installed" if required else "")
    try:
        importlib.import_module(name)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # what damaged packages raise
        return Dependency(name, _version(name), required, f"{type(error).__name__}: {error}")
    return Dependency(name, _version(name), required, "")


def examine_torchvision() -> Dependency:
    """Whether a torchvision is there and fits this PyTorch.

    MedEnhance never imports it, but one that does not fit breaks other programs in the same environment; it is imported
    in another process, because it may crash.
    """
    if importlib.util.find_spec("torchvision") is None:
        return Dependency("torchvision", None, False, "")
    command = [sys.executable, "-c", "import torchvision"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Dependency("torchvision", _version("torchvision"), False, f"its import could not be tried: {error}")
    lines = done.stderr.strip().splitlines() or [f"its import ended with status {done.returncode}"]
    return Dependency("torchvision", _version("torchvision"), False, lines[-1] if done.returncode else "")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
