"""`medenhance benchmark`: how fast the installed models are here."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, arg

from medenhance.errors import MedEnhanceError
from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    import numpy as np

    from medenhance.benchmark import SpeedReport
    from medenhance.memory_benchmark import MemoryReport


@dataclass(frozen=True)
class Benchmark:
    """Time the installed models on one 512 x 512 slice.

    Columns: ours (HU in to HU out), the same network as plain float32 PyTorch, how many times faster ours is, the time
    that its multiply-adds would take at this machine's measured matrix-product rate, and how far ours is from float32.
    """

    model: Annotated[tuple[str, ...], arg(metavar="[ID ...]")] = ()
    """Models to measure; all installed ones if not given."""
    input: Annotated[Path | None, arg(metavar="PATH")] = None
    """Study whose middle slice is used; the case of `medenhance demo` if not given."""
    repeats: int = 5
    """Measurements behind every median."""
    device: Annotated[str, arg(metavar="D")] = "auto"
    """auto, cpu, cuda, cuda:1, mps or xpu."""
    memory: Annotated[bool, FlagCreatePairsOff] = False
    """Measure instead the peak memory of denoise-ct for 60 and for 600 slices."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON."""


def run(args: Benchmark) -> int:
    """Measure and print; the exit status is 1 when memory grows by more than input and output take."""
    if args.repeats < 1:
        raise MedEnhanceError("bad-option", f"{args.repeats} repeats measure nothing.", "Choose 1 or more.")
    return _memory(args) if args.memory else _speed(args)


def speed_table(report: SpeedReport) -> list[str]:
    """The figures as lines for a terminal."""
    width = max(len("model"), *(len(speed.model) for speed in report.models)) if report.models else len("model")
    lines = [
        f"medenhance {report.medenhance}, torch {report.torch}, {report.machine}, {report.device}, "
        f"{report.threads} threads; median of {report.repeats}; {report.slice}",
        f"{'model':<{width}}  precision  ours [s]  fp32 eager [s]   ratio  bound [s]  GMAC  RMS from fp32 [HU]",
    ]
    for speed in report.models:
        times = f"{speed.ours_s:>10.4f}{speed.eager_s:>16.4f}{speed.speedup:>8.1f}{speed.bound_s:>11.4f}"
        rest = f"{speed.multiply_adds / 1e9:>6.1f}{speed.rms_from_fp32_hu:>20.3f}"
        lines.append(f"{speed.model:<{width}}  {speed.precision:<9}{times}{rest}")
    rates = ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in report.matmul_gflops.items())
    lines.append(f"matrix product: {rates or 'not measured'}")
    nlm = "scikit-image is not installed" if report.nlm_s is None else f"{report.nlm_s:.4f} s"
    return [*lines, f"fast non-local means (scikit-image): {nlm}"]


def memory_lines(report: MemoryReport) -> list[str]:
    """The figures as lines for a terminal."""
    lines = [f"{'slices':>8}{'peak [MiB]':>12}{'input and output [MiB]':>24}"]
    for count, peak, arrays in zip(report.num_slices, report.peak_bytes, report.arrays_bytes, strict=True):
        lines.append(f"{count:>8}{peak / 2**20:>12.0f}{arrays / 2**20:>24.0f}")
    grown, allowed = report.growth_bytes / 2**20, report.allowed_bytes / 2**20
    return [*lines, f"the peak grew by {grown:.0f} MiB, of {allowed:.0f} MiB that input and output may take"]


def _speed(args: Benchmark) -> int:
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.benchmark import measure_speed

        hu, title = _slice(args.input)
        report = measure_speed(hu, title, repeats=args.repeats, device=args.device, progress=progress, only=args.model)
    print(json_format.dumps(asdict(report), indent=2) if args.json else "\n".join(speed_table(report)))
    return 0


def _memory(args: Benchmark) -> int:
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.memory_benchmark import measure_memory

        report = measure_memory(args.model[0] if args.model else None, progress)
    print(json_format.dumps(asdict(report), indent=2) if args.json else "\n".join(memory_lines(report)))
    return int(report.growth_bytes > report.allowed_bytes)


def _slice(path: Path | None) -> tuple[np.ndarray, str]:
    """(H, W) HU and what it is."""
    from medenhance.demo import LOW_DOSE
    from medenhance.study import read_study

    study = path or LOW_DOSE
    array = read_study(study).array
    return array[len(array) // 2].astype("float32"), f"middle slice of {study.name}"
