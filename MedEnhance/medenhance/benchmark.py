"""How fast the installed models run on this machine, and how far that is from what the hardware could do.

For one slice of 512 x 512 pixels three times are taken in turns, so that a busy moment meets all of them: ours (from
HU in to HU out), the same network as plain PyTorch would run it (float32, contiguous, eager, the network alone), and
fast non-local means where scikit-image is installed. The bound is the time that the network's multiply-adds would take
at the rate of a large matrix product on the same device in the same precision; no convolution reaches it.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from statistics import median

import numpy as np
import torch

from medenhance import __version__, networks
from medenhance.catalog import read_catalog
from medenhance.device_speed import matmul_flops_per_s
from medenhance.devices import pick_device
from medenhance.errors import MedEnhanceError
from medenhance.intensity import intensity_map
from medenhance.manifest import ModelEntry
from medenhance.predict import Predictor
from medenhance.progress import Progress, checkpoint
from medenhance.tasks.denoise_ct import TASK
from medenhance.weights import is_installed, load_state, locate

SIDE_PX = 512
NLM_PATCH_PX, NLM_DISTANCE_PX, NLM_STRENGTH_HU = 5, 6, 35.0  # good settings for quarter-dose slices


@dataclass(frozen=True)
class ModelSpeed:
    """Speed of one model.

    Attributes:
        model: Id.
        network: Name of its network.
        precision: What "auto" chose.
        ours_s: Median seconds a slice, HU in to HU out.
        eager_s: The same network in float32, contiguous, eager; network alone.
        bound_s: Its multiply-adds at the measured rate of a matrix product in `precision`.
        multiply_adds: For one slice.
        speedup: eager_s / ours_s.
        rms_from_fp32_hu: Root mean square difference of our result from the eager float32 one.
    """

    model: str
    network: str
    precision: str
    ours_s: float
    eager_s: float
    bound_s: float
    multiply_adds: int
    speedup: float
    rms_from_fp32_hu: float


@dataclass(frozen=True)
class SpeedReport:
    """Speed of all installed models on one device.

    Attributes:
        medenhance, torch, machine, device: What ran where.
        threads: CPU threads of PyTorch.
        repeats: Measurements behind every median.
        slice: What the slice is.
        matmul_gflops: Measured rate of a matrix product by precision, 10^9 operations a second.
        nlm_s: Median seconds of scikit-image's fast non-local means; None when it is not installed.
        models: One entry a model.
    """

    medenhance: str
    torch: str
    machine: str
    device: str
    threads: int
    repeats: int
    slice: str
    matmul_gflops: dict[str, float]
    nlm_s: float | None
    models: tuple[ModelSpeed, ...]


def measure_speed(
    hu: np.ndarray, title: str, *, repeats: int, device: str, progress: Progress, only: tuple[str, ...] = ()
) -> SpeedReport:
    """Measure every installed model for denoising.

    Args:
        hu: (H, W) float32, HU, a realistic slice; brought to 512 x 512 by mirroring or cropping.
        title: What it is.
        repeats: Measurements a figure.
        device: As for `devices.pick_device`.
        progress: Told about every model.
        only: Ids of the models to measure; all installed ones when empty.
    """
    chosen = pick_device(device)
    entries = _installed(only)
    hu = square(hu)
    # Plain PyTorch first: a Predictor changes for good how this process keeps the memory that it frees.
    eager_s = [_eager_seconds(entry, hu, repeats, chosen) for entry in entries]
    rates: dict[str, float] = {}
    speeds = []
    for index, entry in enumerate(entries):
        checkpoint(progress, "benchmark", index / len(entries))
        speeds.append(_model_speed(entry, hu, repeats, chosen, eager_s[index], rates))
    progress.update("benchmark", 1.0)
    return SpeedReport(
        medenhance=__version__,
        torch=torch.__version__,
        machine=platform.processor() or platform.machine(),
        device=str(chosen),
        threads=torch.get_num_threads(),
        repeats=repeats,
        slice=title,
        matmul_gflops={name: rate / 1e9 for name, rate in rates.items()},
        nlm_s=non_local_means_seconds(hu, repeats),
        models=tuple(speeds),
    )


def square(hu: np.ndarray, side_px: int = SIDE_PX) -> np.ndarray:
    """(side, side) float32: the middle of a slice, or the slice continued by its mirror image."""
    for axis, size in enumerate(hu.shape):
        if size >= side_px:
            first = (size - side_px) // 2
            hu = np.take(hu, range(first, first + side_px), axis=axis)
        else:
            padding = [(0, 0), (0, 0)]
            padding[axis] = (0, side_px - size)
            hu = np.pad(hu, padding, mode="symmetric")
    return np.ascontiguousarray(hu, dtype=np.float32)


def multiply_adds(network: torch.nn.Module, x: torch.Tensor) -> int:
    """Multiply-adds of the convolutions and matrix products in one forward pass; Fourier transforms are left out."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(x)
    return counter.get_total_flops() // 2


def medians_in_turns(works: list[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of each; one uncounted run each comes first, and then they take turns."""
    seconds: list[list[float]] = [[] for _ in works]
    for turn in range(repeats + 1):
        for work, taken in zip(works, seconds, strict=True):
            begun = time.perf_counter()
            work()
            if turn > 0:
                taken.append(time.perf_counter() - begun)
    return [median(taken) for taken in seconds]


def non_local_means_seconds(hu: np.ndarray, repeats: int) -> float | None:
    """Median seconds of scikit-image's fast non-local means on (H, W) HU; None when it is not installed."""
    if find_spec("skimage") is None:
        return None
    # Not an import statement: the core does without scikit-image and only compares itself with it here.
    restoration = import_module("skimage.restoration")

    def work() -> object:
        return restoration.denoise_nl_means(
            hu, NLM_PATCH_PX, NLM_DISTANCE_PX, h=NLM_STRENGTH_HU, fast_mode=True, preserve_range=True
        )

    return medians_in_turns([work], repeats)[0]


def _installed(only: tuple[str, ...]) -> list[ModelEntry]:
    """The installed models for denoising, or those of them that are named.

    Raises:
        MedEnhanceError: A named one is not among them.
    """
    entries = {e.id: e for e in read_catalog().entries.values() if e.task == TASK and is_installed(e)}
    for name in only:
        if name not in entries:
            hint = f"Installed: {', '.join(entries) or 'none'}."
            raise MedEnhanceError("model-unknown", f"no model {name!r} for {TASK} is installed.", hint)
    return [entries[name] for name in only or entries]


def _eager_seconds(entry: ModelEntry, hu: np.ndarray, repeats: int, device: torch.device) -> float:
    """Time of the network alone as plain PyTorch runs it: float32, contiguous, eager."""
    eager, x = _eager(entry, device), _network_units(entry, hu).to(device)

    def run_eager() -> torch.Tensor:
        with torch.inference_mode():
            y: torch.Tensor = eager(x)
            return y.cpu()  # waits for the device, as ours does

    return medians_in_turns([run_eager], repeats)[0]


def _eager(entry: ModelEntry, device: torch.device) -> torch.nn.Module:
    network = networks.build(entry.network, entry.config).eval()
    network.load_state_dict(load_state(locate(entry), entry))
    return network.to(device)


def _network_units(entry: ModelEntry, hu: np.ndarray) -> torch.Tensor:
    return intensity_map(entry.intensity).forward(torch.from_numpy(hu))[None, None]


def _model_speed(
    entry: ModelEntry, hu: np.ndarray, repeats: int, device: torch.device, eager_s: float, rates: dict[str, float]
) -> ModelSpeed:
    """Measure one model; ``rates`` keeps the matrix-product rates that were measured already."""
    predictor = Predictor.load(entry, locate(entry), device=str(device))
    ours_s = medians_in_turns([lambda: predictor.restore(hu[None])], repeats)[0]
    if predictor.precision not in rates:
        rates[predictor.precision] = matmul_flops_per_s(device, predictor.precision)
    eager = _eager(entry, device)
    operations = multiply_adds(eager, _network_units(entry, hu).to(device))
    fp32 = Predictor(entry, eager, device=device, precision="fp32").restore(hu[None])
    difference = predictor.restore(hu[None]) - fp32
    return ModelSpeed(
        model=entry.id,
        network=entry.network,
        precision=predictor.precision,
        ours_s=ours_s,
        eager_s=eager_s,
        bound_s=2 * operations / rates[predictor.precision],
        multiply_adds=operations,
        speedup=eager_s / ours_s,
        rms_from_fp32_hu=float(np.sqrt(np.mean(np.square(difference, dtype=np.float64)))),
    )
