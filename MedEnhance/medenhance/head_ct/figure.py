"""The report on a head CT as one page, PNG: the slices that matter with outlines, probabilities, and the figures."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medenhance.files import replacing
from medenhance.head_ct.figure_rows import COLUMNS, component_rows, summary_rows
from medenhance.head_ct.orientation import turned

if TYPE_CHECKING:
    from medenhance.head_ct.orientation import Turned
    from medenhance.head_ct.report import Findings, HemorrhageReport, SliceEvidence
    from medenhance.volume import Volume

WINDOW_HU = (0.0, 80.0)
_SIZE_INCH, _DPI = (12.0, 9.4), 130
_LEFT, _RIGHT = 0.035, 0.965
_INK, _GREY, _RULE = "#1a1a1a", "#6b6b6b", "#c8c8c8"
_ALERT, _CALM, _MARK, _AREA = "#b3261e", "#2e6b34", "#ff4d3d", "#9db8d2"
_PER_ROW, _ROWS = 5, 2
_FEW = 3  # slices of a scan that are shown larger
_MARGIN_MM = 8.0  # shown around the head
_HEAD_HU = -300.0


def write_figure(path: Path, volume: Volume, mask: np.ndarray | None, report: HemorrhageReport) -> None:
    """Draw the report and write it, whole or not at all; the same input gives the same bytes.

    Args:
        path: Where to write, a PNG.
        volume: The study.
        mask: (D, H, W), not 0 where blood is suspected; None when it was not processed.
        report: On it.

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
    if report.findings is None or mask is None:
        _draw_refusal(figure, report)
    else:
        _draw_slices(figure, volume, mask, report)
        _draw_evidence(figure.add_axes((_LEFT + 0.02, 0.245, 0.40, 0.135)), report.findings)
        _draw_tables(figure, report.findings)
        _draw_warnings(figure, report)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})


def chosen_slices(found: Findings, count: int) -> list[SliceEvidence]:
    """The slices to show, from foot to head: the top ones, disagreements, then evenly from the rest."""
    by_index = {one.index: one for one in found.slices}
    wanted = list(dict.fromkeys((*found.top_slices, *found.disagreements)))
    spread = np.linspace(0, len(found.slices) - 1, count).round().astype(int)
    wanted += [found.slices[k].index for k in spread if found.slices[k].index not in wanted]
    return sorted((by_index[index] for index in wanted[:count]), key=lambda one: one.number)


def _draw_heading(figure: Any, report: HemorrhageReport) -> None:
    figure.text(_LEFT, 0.962, "Head CT: suspected haemorrhage", size=17, weight="bold", color=_INK)
    figure.text(_RIGHT, 0.964, report.notice, size=10.5, weight="bold", color=_ALERT, ha="right")
    found = report.findings
    if found is None:
        figure.text(_LEFT, 0.925, "NOT PROCESSED", size=15, weight="bold", color=_ALERT)
        return
    verdict = "Haemorrhage suspected" if found.suspected else "Nothing flagged"
    figure.text(_LEFT, 0.925, verdict, size=14, weight="bold", color=_ALERT if found.suspected else _CALM)
    point = found.operating_point
    said = (
        f"probability {found.probability:.3f}   ·   operating point {point.name} ({point.threshold:.3f}: sensitivity "
        f"{point.sensitivity:.2f}, specificity {point.specificity:.2f} on {point.measured_on})   ·   {found.priority}"
    )
    figure.text(_LEFT, 0.903, textwrap.shorten(said, 170, placeholder=" ..."), size=9, color=_INK)
    run = found.run
    facts = [f"{run.model_id} {run.model_version}", f"weights {run.weights_sha256[:12]}", f"{run.device}"]
    facts += [f"{run.precision}", f"{report.seconds:.1f} s", textwrap.shorten(report.source, 40, placeholder="...")]
    figure.text(_LEFT, 0.885, "   ·   ".join(facts) + f"   ·   {report.triage_notice}", size=8.2, color=_GREY)


def _draw_refusal(figure: Any, report: HemorrhageReport) -> None:
    lines = textwrap.wrap(report.reason, 120)
    for n, line in enumerate(lines):
        figure.text(_LEFT, 0.885 - 0.024 * n, line, size=11.5, color=_INK)
    top = 0.85 - 0.024 * len(lines)
    figure.text(_LEFT, top, "Nothing is said of what the scan shows. Checks:", size=10, color=_GREY)
    colors = {"passed": _CALM, "warning": _INK, "refused": _ALERT}
    for n, check in enumerate(report.checks):
        y = top - 0.04 - 0.034 * n
        figure.text(_LEFT, y, check.outcome, size=9.5, color=colors[check.outcome], weight="bold")
        figure.text(_LEFT + 0.08, y, check.name, size=9.5, color=_INK)
        figure.text(_LEFT + 0.2, y, textwrap.shorten(check.message, 130, placeholder=" ..."), size=9.5, color=_GREY)
    figure.text(_LEFT, 0.03, report.triage_notice, size=9, color=_GREY)


def _draw_slices(figure: Any, volume: Volume, mask: np.ndarray, report: HemorrhageReport) -> None:
    assert report.findings is not None
    assert report.scan is not None
    shown = turned(volume)
    outlines = turned(replace(volume, array=mask.astype(np.uint8))).volume.array
    box = _head_box(shown, report.scan.hu_offset)
    chosen = chosen_slices(report.findings, _PER_ROW * _ROWS)
    per_row, width, height = (_PER_ROW, 0.178, 0.212) if len(chosen) > _FEW else (_FEW, 0.303, 0.448)
    for n, one in enumerate(chosen):
        row, column = divmod(n, per_row)
        place = (_LEFT + column * (width + 0.01), 0.86 - height - row * (height + 0.024), width, height)
        axes = figure.add_axes(place, facecolor="black", xticks=[], yticks=[])
        index = shown.own_index(one.index)  # turning round twice is not turning
        _draw_slice(axes, shown, outlines[index], index, box, report.scan.hu_offset)
        _draw_caption(figure, place, one)


def _draw_slice(
    axes: Any, shown: Turned, outline: np.ndarray, index: int, box: tuple[slice, slice], offset_hu: float
) -> None:
    spacing = shown.volume.grid.spacing_mm
    image = shown.volume.array[index][box].astype(np.float32) - offset_hu
    low, high = WINDOW_HU
    aspect = spacing[1] / spacing[0]
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="antialiased")
    if outline[box].any():
        axes.contour(outline[box], levels=[0.5], colors=[_MARK], linewidths=0.9)
    axes.set_anchor("C")
    axes.set_adjustable("datalim")
    for text, x in (("R", 0.03), ("L", 0.97)):
        axes.text(x, 0.5, text, transform=axes.transAxes, size=7, color="white", ha="center", va="center")
    for side in axes.spines.values():
        side.set_visible(False)


def _draw_caption(figure: Any, place: tuple[float, float, float, float], one: SliceEvidence) -> None:
    left, bottom, width, height = place
    odd = one.agreement in ("mask only", "probability only")
    figure.text(left, bottom + height + 0.004, f"slice {one.index + 1}", size=8.2, weight="bold", color=_INK)
    note = f"p {one.probability:.2f},  {one.agreement if odd else f'{one.area_mm2:.0f} mm²'}"
    color = _ALERT if odd else _GREY
    figure.text(left + width, bottom + height + 0.004, note, size=7.6, color=color, ha="right")


def _head_box(shown: Turned, offset_hu: float) -> tuple[slice, slice]:
    """Rows and columns that hold the head in every slice."""
    array = shown.volume.array
    head = (array[:: max(1, len(array) // 30)] > _HEAD_HU + offset_hu).mean(axis=0) > 0.3
    if not head.any():
        head = np.ones(array.shape[1:], bool)
    ranges = []
    for axis, size in ((1, shown.volume.grid.spacing_mm[1]), (0, shown.volume.grid.spacing_mm[0])):
        seen = np.flatnonzero(head.any(axis=axis))
        margin = round(_MARGIN_MM / size)
        ranges.append(slice(max(0, int(seen[0]) - margin), int(seen[-1]) + margin + 1))
    return ranges[0], ranges[1]


def _draw_evidence(axes: Any, found: Findings) -> None:
    numbers = [one.number for one in found.slices]
    areas = axes.twinx()
    areas.bar(numbers, [one.area_mm2 / 100 for one in found.slices], color=_AREA, width=0.8)
    areas.set_ylim(0, max(1.0, 1.15 * max(one.area_mm2 / 100 for one in found.slices)))
    axes.plot(numbers, [one.probability for one in found.slices], color=_INK, lw=1.2, marker="o", ms=2.6)
    axes.set_zorder(areas.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.set(ylim=(0, 1.03), xlim=(0.4, len(numbers) + 0.6))
    if len(numbers) <= _PER_ROW:
        axes.set_xticks(numbers)
    axes.set_xlabel("slice from the foot", size=8, color=_GREY)
    axes.set_ylabel("probability (line)", size=8, color=_INK)
    areas.set_ylabel("area in cm² (bars)", size=8, color="#5a7fa3")
    axes.set_title("Evidence slice by slice", size=10, weight="bold", color=_INK, loc="left")
    axes.set_title(f"concurrence {found.concurrence:.2f}", size=8, color=_GREY, loc="right")
    for one in (axes, areas):
        one.tick_params(labelsize=7.5, colors=_GREY, width=0.6)
        one.spines[["top"]].set_visible(False)


def _draw_tables(figure: Any, found: Findings) -> None:
    axes = figure.add_axes((0.51, 0.205, _RIGHT - 0.51, 0.19))
    axes.set(xlim=(0, 1), ylim=(1, 0))
    axes.axis("off")
    for n, (name, value) in enumerate(summary_rows(found)):
        axes.text(0.0, 0.05 + 0.1 * n, name, size=8.8, color=_GREY, va="center")
        axes.text(0.20, 0.05 + 0.1 * n, value, size=8.8, color=_INK, va="center")
    rows = component_rows(found)
    top = 0.05 + 0.1 * len(summary_rows(found)) + 0.06
    for right, heading in COLUMNS:
        axes.text(right, top, heading, size=7.8, color=_GREY, ha="left" if right == 0 else "right", va="center")
    axes.plot((0, 1), (top + 0.05, top + 0.05), color=_INK, lw=0.8, clip_on=False)
    for n, row in enumerate(rows):
        for (right, _), cell in zip(COLUMNS, row, strict=True):
            y = top + 0.11 + 0.1 * n
            axes.text(right, y, cell, size=8.8, color=_INK, ha="left" if right == 0 else "right", va="center")


def _draw_warnings(figure: Any, report: HemorrhageReport, most: int = 8) -> None:
    assert report.findings is not None
    lines = [*report.findings.priority_reasons, *report.warnings]
    wrapped = [line for one in lines for line in textwrap.wrap("•  " + one, 175, subsequent_indent="    ")]
    if len(wrapped) > most:
        wrapped = [*wrapped[: most - 1], f"•  and more: {len(report.warnings)} warnings in all; see report.json."]
    for n, line in enumerate(wrapped):
        color = _INK if n < len(report.findings.priority_reasons) else _ALERT
        figure.text(_LEFT, 0.168 - 0.0185 * n, line, size=8.6, color=color)
