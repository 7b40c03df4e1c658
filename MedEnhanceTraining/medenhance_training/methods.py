"""Denoisers as values: what to open, where to run it. They can be sent to another process to measure their memory."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import psutil
import torch
from torch import Tensor

from medenhance import devices, networks
from medenhance.manifest import AcceptedInput, ModelEntry, Precision, Task, Tiling, TrustedRange
from medenhance.memory import peak_memory_bytes
from medenhance.predict import Predictor
from medenhance.weights import load_state
from medenhance_training.checkpoint import load_published
from medenhance_training.evaluate import KernelFamily, NetworkRestorer, Restorer, Unchanged
from medenhance_training.objectives.objective import PublishedNetwork

ACCEPTED: dict[Task, AcceptedInput] = {
    "denoise-ct": AcceptedInput(
        "CT", 1, spacing_mm=(0.1, 5.0), slice_spacing_mm=(0.05, 50.0), value_range=(-32768.0, 65535.0)
    ),
    # Trained on pixels of 0.2 mm; others are resampled for it. A projection has no slices.
    "enhance-spine": AcceptedInput(
        "US", 1, spacing_mm=(0.15, 0.25), slice_spacing_mm=(0.05, 50.0), value_range=(0.0, 255.0)
    ),
    # Whether a scan is fit for it, `medenhance.head_ct.acceptance` decides in detail.
    "detect-hemorrhage": AcceptedInput(
        "CT", 1, spacing_mm=(0.1, 5.0), slice_spacing_mm=(0.05, 50.0), value_range=(-32768.0, 65535.0)
    ),
}
TRUSTED: dict[Task, TrustedRange | None] = {
    "denoise-ct": TrustedRange((0.0, 0.0), (0.0, 0.0), 0.0, 0.0),
    "enhance-spine": None,
    "detect-hemorrhage": None,
}
TILING = Tiling(tile=None, overlap=64)
_MIB = 2**20


class Method(Protocol):
    """A denoiser that is not opened yet.

    Attributes:
        title: As in a table.
    """

    @property
    def title(self) -> str: ...

    def open(self) -> Restorer:
        """Load what it needs."""


class NetworkMethod(Method, Protocol):
    """A network that is not loaded yet."""

    def open(self) -> NetworkRestorer:
        """The network, ready to run."""

    def state(self) -> dict[str, Tensor]:
        """Its weights in float32."""


@dataclass(frozen=True)
class InputMethod:
    """Does nothing: the row that all others are compared with."""

    title: str = "input"

    def open(self) -> Unchanged:
        return Unchanged()


@dataclass(frozen=True)
class ModelMethod:
    """A model with a weights file.

    Attributes:
        entry: Its manifest entry.
        path: Its verified weights file.
        device, precision: As in `Predictor.load`.
    """

    entry: ModelEntry
    path: Path
    device: str = "auto"
    precision: str = "auto"

    @property
    def title(self) -> str:
        return f"{self.entry.id} {self.entry.version}"

    def open(self) -> NetworkRestorer:
        return NetworkRestorer(Predictor.load(self.entry, self.path, device=self.device, precision=self.precision))

    def state(self) -> dict[str, Tensor]:
        return load_state(self.path, self.entry)


@dataclass(frozen=True)
class RunMethod:
    """The averaged network of a training run, which has no manifest entry yet.

    Attributes:
        run: The run's folder, or one of its checkpoints.
        device, precision: As in `Predictor.load`.
    """

    run: Path
    device: str = "auto"
    precision: str = "auto"

    @property
    def title(self) -> str:
        if self.run.is_file():
            return f"run {self.run.parents[1].name}, {int(self.run.stem):,} samples"
        return f"run {self.run.name}"

    def open(self) -> NetworkRestorer:
        return NetworkRestorer(open_run(self.run, self.device, self.precision))

    def state(self) -> dict[str, Tensor]:
        return load_published(self.run)[1].state_dict()


@dataclass(frozen=True)
class TrainedRuns:
    """A network, trained with one seed or several.

    Attributes:
        title: As in a table.
        runs: Folders of the runs, or checkpoints.
        device, precision: As in `Predictor.load`.
    """

    title: str
    runs: tuple[Path, ...]
    device: str = "auto"
    precision: str = "auto"

    def predictors(self) -> list[Predictor]:
        """One for each training seed."""
        return [open_run(run, self.device, self.precision) for run in self.runs]


def trial_entry(
    published: PublishedNetwork, precisions: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
) -> ModelEntry:
    """What a `Predictor` must know of a network of which nothing was measured yet; no manifest takes it."""
    config = networks.parse_config(published.network, published.config)
    task = task_of(published)
    return ModelEntry(
        id="trial",
        version="0",
        title="trial",
        task=task,
        network=published.network,
        config=published.config,
        intensity=published.intensity,
        precisions=precisions,
        accepted=ACCEPTED[task],
        trusted=TRUSTED[task],
        tiling=TILING,
        size_multiple=networks.spec(published.network).size_multiple(config),
        sampler=None,
        files=(),
        bundled=False,
        default=False,
        licence="",
        intended_use="",
        limits=(),
        training_data=(),
        metrics={},
        recipe="",
        commit="",
    )


def task_of(published: PublishedNetwork) -> Task:
    """What the network of a run is for: those for scans look for blood, only those for projections see grey values."""
    if networks.spec(published.network).for_scans:
        return "detect-hemorrhage"
    return "enhance-spine" if published.intensity["kind"] == "grey" else "denoise-ct"


def open_run(run: Path, device: str = "auto", precision: str = "auto") -> Predictor:
    """The averaged network of a run (folder or checkpoint), ready to run."""
    published, network = load_published(run)
    entry = trial_entry(published)
    chosen = devices.pick_device(device)
    return Predictor(
        entry, network, device=chosen, precision=devices.pick_precision(precision, chosen, entry.precisions)
    )


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and float32 values: tells weights apart whatever file they are in."""
    digest = hashlib.sha256()
    for name in sorted(state):
        values = state[name].detach().cpu().float().contiguous().numpy()
        digest.update(f"{name}{values.shape}".encode() + values.tobytes())
    return digest.hexdigest()


def peak_memory_mb(method: Method, low: np.ndarray, kernel: KernelFamily) -> float:
    """Memory that opening a method and restoring slices takes at most, MiB: of the GPU when it runs on one.

    Measured in a process of its own, so that nothing that ran before counts.

    Args:
        method: The denoiser.
        low: (D, H, W), HU.
        kernel: As in `Restorer.restore`.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        return process.submit(_measure_memory, method, low, kernel, torch.get_num_threads()).result()


def _measure_memory(method: Method, low: np.ndarray, kernel: KernelFamily, num_threads: int) -> float:
    torch.set_num_threads(num_threads)
    before = psutil.Process().memory_info().rss
    method.open().restore(low, kernel)
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0:
        return torch.cuda.max_memory_allocated() / _MIB
    return float(max(0.0, peak_memory_bytes() - before)) / _MIB
