"""The benchmark of low-dose CT: classical methods and networks on the same held-out slices, in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from medenhance.measure.trust import NOTICE
from medenhance.progress import Progress, Silent
from medenhance_training.benchmark.classical import CLASSICAL, Classical, Parameters, TunedClassical, tune
from medenhance_training.benchmark.pairs import FAMILIES, HeldOutData, is_unchanged, tuning_pairs
from medenhance_training.evaluate import MAIN_WINDOW_HU, KernelFamily, Pair, SliceFigures, evaluate
from medenhance_training.evaluation import processor
from medenhance_training.methods import InputMethod, Method, peak_memory_mb
from medenhance_training.summary import Difference, Summary, by_subset, paired_difference, summarise
from medenhance_training.table import Table, number

SCHEMA: Literal[1] = 1
ALL = "all low-dose slices"


@dataclass(frozen=True)
class Row:
    """One method on one subset.

    Attributes:
        method: Title of the method.
        kind: What the method is.
        summary: Its figures.
        psnr_gain_db: Over the classical method with the best PSNR of the subset; only for networks.
        ssim_gain: Over the classical method with the best SSIM.
    """

    method: str
    kind: Literal["input", "classical", "network"]
    summary: Summary
    psnr_gain_db: Difference | None = None
    ssim_gain: Difference | None = None


@dataclass(frozen=True)
class Benchmark:
    """All that was found.

    Attributes:
        window_hu: Window of PSNR, SSIM and RMSE.
        parameters: Classical method -> kernel family -> tuned parameters, in units of the slice's noise.
        peak_memory_mb: Method -> MiB for one slice.
        rows: By subset, then by method.
        threads: CPU threads of PyTorch; the classical methods use one, those of ITK all.
        processor: Name of the CPU.
        notice: What the figures may be used for.
    """

    schema: Literal[1]
    window_hu: tuple[float, float]
    parameters: dict[str, dict[str, dict[str, float]]]
    peak_memory_mb: dict[str, float]
    rows: tuple[Row, ...]
    threads: int
    processor: str
    notice: str = NOTICE


@dataclass(frozen=True)
class _Measured:
    """A method and its figures of every slice."""

    method: Method
    kind: Literal["input", "classical", "network"]
    figures: list[SliceFigures]


def tuned_classical(
    data: HeldOutData, methods: Sequence[Classical] = CLASSICAL, progress: Progress | None = None
) -> list[TunedClassical]:
    """The classical methods with their best settings on the training slices, for each kernel family."""
    found: dict[str, dict[KernelFamily, Parameters]] = {method.id: {} for method in methods}
    for family in FAMILIES:
        pairs = tuning_pairs(data, family, progress)
        for method in methods:
            found[method.id][family] = tune(method, pairs, MAIN_WINDOW_HU, progress)
    return [TunedClassical(name, parameters) for name, parameters in found.items()]


def run_benchmark(
    pairs: Sequence[Pair],
    classical: Sequence[TunedClassical],
    networks: Sequence[Method],
    progress: Progress | None = None,
) -> Benchmark:
    """Run every method on every pair."""
    progress = progress or Silent()
    methods: list[tuple[Method, Literal["input", "classical", "network"]]] = [(InputMethod(), "input")]
    methods += [(method, "classical") for method in classical]
    methods += [(method, "network") for method in networks]
    measured = [_Measured(m, kind, evaluate(m.open(), pairs, progress, m.title[:20])) for m, kind in methods]
    one = pairs[0]
    return Benchmark(
        schema=SCHEMA,
        window_hu=MAIN_WINDOW_HU,
        parameters={c.id: {family: dict(p) for family, p in c.parameters.items()} for c in classical},
        peak_memory_mb={m.title: peak_memory_mb(m, one.low[:1], one.kernel) for m, _ in methods[1:]},
        rows=tuple(_rows(measured)),
        threads=torch.get_num_threads(),
        processor=processor(),
    )


def benchmark_table(found: Benchmark) -> Table:
    """All rows, subset after subset."""
    low, high = found.window_hu
    table = Table(
        f"Low-dose CT on held-out slices, window [{low:g}, {high:g}] HU",
        ("method", "PSNR dB", "SSIM", "RMSE HU", "shift HU", "structure", "s/slice", "MiB", "PSNR over best classical"),
    )
    subset = ""
    for row in found.rows:
        if row.summary.subset != subset:
            subset = row.summary.subset
            table.add(f"{subset} ({row.summary.num_slices} slices)")
        table.add(*_cells(row, found.peak_memory_mb.get(row.method)))
    table.notes += [
        "mean +- SD over slices; shift: soft tissue, output minus input; structure: residual structure index",
        "classical parameters: best mean PSNR on training slices, for each kernel family",
        "[ ]: 95 % bootstrap interval over anatomical slices; MiB: memory of one slice",
        f"{found.processor}, {found.threads} threads",
        found.notice,
    ]
    return table


def _rows(measured: Sequence[_Measured]) -> list[Row]:
    """Rows of each subset, then of all slices with a lowered dose together."""
    split = [by_subset(m.figures) for m in measured]
    rows = []
    for subset in split[0]:
        rows += _subset_rows(subset, measured, [figures[subset] for figures in split])
    low_dose = [[f for f in m.figures if not is_unchanged(f.subset)] for m in measured]
    if len(split[0]) > 1 and low_dose[0]:
        rows += _subset_rows(ALL, measured, low_dose)
    return rows


def _subset_rows(subset: str, measured: Sequence[_Measured], figures: Sequence[list[SliceFigures]]) -> list[Row]:
    classical = [f for m, f in zip(measured, figures, strict=True) if m.kind == "classical"]
    rows = []
    for m, ours in zip(measured, figures, strict=True):
        # In a clean image the best classical method is the one that does least: no measure of gain.
        compared = m.kind == "network" and classical and not is_unchanged(subset)
        gains = [_gain(ours, classical, value) for value in (_psnr_db, _ssim)] if compared else [None, None]
        rows.append(Row(m.method.title, m.kind, summarise(subset, ours), *gains))
    return rows


def _gain(
    ours: list[SliceFigures], classical: list[list[SliceFigures]], value: Callable[[SliceFigures], float]
) -> Difference:
    """Over the classical method with the highest mean."""
    best = max(classical, key=lambda figures: float(np.mean([value(f) for f in figures])))
    return paired_difference(ours, best, value)


def _psnr_db(figures: SliceFigures) -> float:
    return figures.main.psnr_db


def _ssim(figures: SliceFigures) -> float:
    return figures.main.ssim


def _cells(row: Row, memory_mb: float | None) -> tuple[str, ...]:
    s = row.summary
    return (
        row.method,
        f"{s.psnr_db.mean:.2f} +- {s.psnr_db.sd:.2f}",
        f"{s.ssim.mean:.4f}",
        f"{s.rmse_hu.mean:.2f}",
        number(s.soft_shift_hu, 2, sign=True) if row.kind != "input" else "-",
        number(s.residual_structure, 3) if row.kind != "input" else "-",
        number(s.seconds.mean, 3) if row.kind != "input" else "-",
        number(memory_mb, 0),
        _interval(row.psnr_gain_db),
    )


def _interval(gain: Difference | None) -> str:
    if gain is None:
        return ""
    interval = f" [{gain.interval[0]:+.2f}, {gain.interval[1]:+.2f}]" if gain.interval else ""
    return f"{gain.mean:+.2f}{interval}"
