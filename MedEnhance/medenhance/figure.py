"""The trust report as one page, PNG: what went in, what came out, what was removed, and the figures."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medenhance.files import replacing

if TYPE_CHECKING:
    from medenhance.measure.noise_power import NoisePower
    from medenhance.measure.trust import TissueRow, TrustReport
    from medenhance.volume import Grid

WINDOW_HU = (-160.0, 240.0)
_SIZE_INCH = (12.0, 8.6)
_DPI = 150
_LEFT, _RIGHT = 0.035, 0.965
_INK, _GREY, _RULE = "#1a1a1a", "#6b6b6b", "#c8c8c8"
_BEFORE, _AFTER, _ALERT, _CALM = "#8a8f98", "#1f6fb4", "#b3261e", "#2e6b34"
_NONE = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_TISSUE_NAMES = {"air": "Air", "lung": "Lung", "fat": "Fat", "soft": "Soft tissue", "bone": "Bone"}
_COLUMNS = (  # right end of a column in the table's width, heading
    (0.0, "Tissue\n"),
    (0.33, "Noise SD before\nHU"),
    (0.51, "Noise SD after\nHU"),
    (0.64, "Change\n%"),
    (0.86, "CT-number bias\nHU"),
    (1.0, "Regions\nof noise"),
)


def write_figure(path: Path, before: np.ndarray, after: np.ndarray, report: TrustReport, grid: Grid) -> None:
    """Draw the trust report and write it, whole or not at all; the same input gives the same bytes.

    Args:
        path: Where to write, a PNG.
        before: (D, H, W), HU.
        after: (D, H, W), HU.
        report: Of `before` and `after`.
        grid: Of both.

    Raises:
        MedEnhanceError: The disk is full, or the place cannot be written to.
    """
    # Imported here: matplotlib takes longer to load than all the rest. The figure draws itself (Agg), without pyplot
    # and its global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCH, dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    _draw_heading(figure, report)
    index = informative_slice(before, report.measured_slices)
    _draw_panels(figure, _upright(before[index], grid), _upright(after[index], grid), index, report, grid)
    _draw_table(figure.add_axes((_LEFT, 0.145, 0.47, 0.285)), report.tissues)
    _draw_spectra(figure.add_axes((0.585, 0.205, 0.38, 0.205)), report)
    _draw_verdict(figure, report)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})


def informative_slice(volume: np.ndarray, candidates: tuple[int, ...]) -> int:
    """The slice nearest the middle that shows at least 70 % of the tissue of the fullest slice."""
    fullness = np.array([np.mean(volume[k] > WINDOW_HU[0]) for k in candidates])
    middle = (len(volume) - 1) / 2
    full = [k for k, share in zip(candidates, fullness, strict=True) if share >= 0.7 * fullness.max()]
    return min(full, key=lambda k: abs(k - middle))


def _upright(image: np.ndarray, grid: Grid) -> np.ndarray:
    """An axial slice as radiologists look at it: the patient's left on the right, the front on top."""
    x, y = grid.direction[0], grid.direction[4]
    shown = image.astype(np.float32)
    shown = shown[:, ::-1] if x < -0.7 else shown
    return shown[::-1] if y < -0.7 else shown


def _draw_heading(figure: Any, report: TrustReport) -> None:
    run = report.run
    figure.text(_LEFT, 0.958, "CT denoising: trust report", size=17, weight="bold", color=_INK)
    figure.text(_RIGHT, 0.96, report.notice, size=10.5, weight="bold", color=_ALERT, ha="right")
    depth, height, width = report.shape
    facts = [
        f"{run.model_id} {run.model_version}",
        f"weights {run.weights_sha256[:12]}",
        f"strength {run.strength:g}",
        f"{run.device}, {run.precision}",
        f"{run.seconds:.1f} s",
        f"{width} x {height} x {depth} voxels",
    ]
    if run.peak_memory_mb is not None:
        facts.append(f"peak memory {run.peak_memory_mb:.0f} MB")
    figure.text(_LEFT, 0.928, "   ·   ".join(facts), size=9, color=_GREY)


def _draw_panels(
    figure: Any, before: np.ndarray, after: np.ndarray, index: int, report: TrustReport, grid: Grid
) -> None:
    removed = before - after
    limit = _residual_limit(removed)
    aspect = grid.spacing_mm[1] / grid.spacing_mm[0]
    lo, hi = WINDOW_HU
    window = f"{_signed(lo)} to {hi:g} HU"
    place = f"slice {index + 1} of {report.shape[0]}"
    panels = (
        (before, WINDOW_HU, "black", "Input", f"{place},  {window}"),
        (after, WINDOW_HU, "black", "Denoised", window),
        (removed, (-limit, limit), "#808080", "Removed", f"input minus denoised,  {_signed(-limit)} to {limit:g} HU"),
    )
    width, gap = 0.298, 0.018
    for n, (image, (low, high), empty, title, note) in enumerate(panels):
        left = _LEFT + n * (width + gap)
        axes = figure.add_axes((left, 0.475, width, 0.415), facecolor=empty, xticks=[], yticks=[])
        axes.imshow(image, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="antialiased")
        axes.set_anchor("C")
        axes.set_adjustable("datalim")
        for side in axes.spines.values():
            side.set_visible(False)
        figure.text(left, 0.897, title, size=10.5, weight="bold", color=_INK)
        figure.text(left + width, 0.897, note, size=8.5, color=_GREY, ha="right")


def _residual_limit(removed: np.ndarray) -> float:
    """Half the width of a symmetric window that shows nearly all that was removed, a round number of HU."""
    finite = np.abs(removed[np.isfinite(removed)])
    reach = float(np.percentile(finite, 98.0)) if finite.size else 0.0
    steps = (1, 2, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500)
    return float(next((s for s in steps if s >= reach), 1000))


def _signed(value: float) -> str:
    return f"{value:g}".replace("-", _MINUS)


def _draw_table(axes: Any, rows: tuple[TissueRow, ...]) -> None:
    axes.set(xlim=(0, 1), ylim=(len(rows) + 1.35, 0))
    axes.axis("off")
    for right, heading in _COLUMNS:
        align = "left" if right == 0 else "right"
        for line, text in enumerate(heading.split("\n")):
            axes.text(right, 0.55 + 0.38 * line, text, size=8.5, color=_GREY, ha=align, va="baseline")
    axes.plot((0, 1), (1.1, 1.1), color=_INK, lw=0.9, clip_on=False)
    for n, row in enumerate(rows):
        y = n + 1.62
        for (right, _), cell in zip(_COLUMNS, _cells(row), strict=True):
            axes.text(right, y, cell, size=10, color=_INK, ha="left" if right == 0 else "right", va="center")
        if row.note:
            axes.text(0, y + 0.36, row.note, size=7, color=_GREY, va="center")
        axes.plot((0, 1), (n + 2.15, n + 2.15), color=_RULE, lw=0.6, clip_on=False)


def _cells(row: TissueRow) -> tuple[str, ...]:
    before, after = row.noise_sd_before_hu, row.noise_sd_after_hu
    noise = (_NONE, _NONE, _NONE)
    if before is not None and after is not None:
        change = f"{100 * (after - before) / before:+.0f}" if before > 0 else _NONE
        noise = (f"{before:.1f}", f"{after:.1f}", change.replace("-", _MINUS))
    bias = _NONE
    if row.bias_hu is not None:
        bias = f"{row.bias_hu:+.1f} ± {row.bias_standard_error_hu:.1f}".replace("-", _MINUS)
    return (_TISSUE_NAMES.get(row.tissue, row.tissue), *noise, bias, str(row.num_regions or _NONE))


def _draw_spectra(axes: Any, report: TrustReport) -> None:
    before, after = report.noise_power_before, report.noise_power_after
    axes.set_title("Noise power spectrum", size=10.5, weight="bold", color=_INK, loc="left", pad=8)
    if before is None or after is None or report.noise_power_tissue is None:
        axes.axis("off")
        why = textwrap.fill(f"Not measured: {report.noise_power_note}.", 60)
        axes.text(0, 0.95, why, size=9, color=_GREY, va="top", transform=axes.transAxes)
        return
    where = f"{_TISSUE_NAMES[report.noise_power_tissue].lower()}, {before.num_regions} regions of {before.side_px} px"
    axes.set_title(where, size=8.5, color=_GREY, loc="right", pad=8)
    _draw_curves(axes, before, after)
    unit = "mm" if before.unit == "mm^-1" else "px"
    axes.set_xlabel(f"spatial frequency ({unit}⁻¹)", size=8.5, color=_GREY)
    axes.set_ylabel(f"HU² {unit}²", size=8.5, color=_GREY)
    axes.tick_params(labelsize=8, colors=_GREY, width=0.6)
    for side in axes.spines.values():
        side.set(color=_RULE, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_curves(axes: Any, before: NoisePower, after: NoisePower) -> None:
    for power, color, name in ((before, _BEFORE, "before"), (after, _AFTER, "after")):
        label = f"{name}: mean {power.mean_frequency:.2f}, peak {power.peak_frequency:.2f}"
        axes.plot(power.frequency, power.power, color=color, lw=1.8, label=label)
    # As high as the spectrum before, to compare the shapes.
    gain = max(before.power) / max(after.power) if max(after.power) > 0 else 1.0
    if gain > 1.5:
        scaled = [gain * p for p in after.power]
        axes.plot(after.frequency, scaled, color=_AFTER, lw=1.2, ls=":", label=f"after x {gain:.3g}")
    axes.set_xlim(0, before.frequency[-1])
    axes.set_ylim(0, 1.05 * max(max(line.get_ydata()) for line in axes.lines) or 1.0)
    axes.legend(
        frameon=False, fontsize=7.8, labelcolor=_INK, loc="upper left", bbox_to_anchor=(-0.02, -0.25), ncols=3,
        handlelength=1.3, columnspacing=1.0, borderaxespad=0,
    )  # fmt: skip


def _draw_verdict(figure: Any, report: TrustReport) -> None:
    figure.text(_LEFT, 0.105, "Residual structure index", size=9.5, weight="bold", color=_INK)
    index, amplitude = report.residual_structure, report.residual_structure_hu
    if index is None or amplitude is None:
        figure.text(_LEFT + 0.17, 0.105, f"not measured: {report.residual_structure_note}", size=8.5, color=_GREY)
    else:
        meaning = f"share of anatomy in what was removed near structures, about {amplitude:.1f} HU; 0 is noise only"
        figure.text(_LEFT + 0.17, 0.105, f"{index:.3f}", size=9.5, color=_INK)
        figure.text(_LEFT + 0.22, 0.105, meaning, size=8.5, color=_GREY)
    lines, color = _warning_lines(report)
    for n, line in enumerate(lines):
        figure.text(_LEFT, 0.078 - 0.0195 * n, line, size=8.8, color=color)


def _warning_lines(report: TrustReport, most: int = 4) -> tuple[list[str], str]:
    if not report.warnings:
        judged = "Every figure lies within what the model card promises."
        return [judged if report.promised else "There is no model card to judge these figures by."], _CALM
    lines = [line for w in report.warnings for line in textwrap.wrap("•  " + w, 170, subsequent_indent="    ")]
    if len(lines) > most:
        lines = [*lines[: most - 1], f"•  and more: {len(report.warnings)} warnings in all; see the report's JSON."]
    return lines, _ALERT
