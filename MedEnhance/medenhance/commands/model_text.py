"""Models as text: the table of all and the card of one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medenhance.manifest import ModelEntry, Range

NOTICE = "Research use only. Not for diagnosis."


def summary(entry: ModelEntry) -> dict[str, Any]:
    """What `models list` says of a model."""
    from medenhance.weights import place

    return {
        "id": entry.id,
        "version": entry.version,
        "title": entry.title,
        "task": entry.task,
        "installed": place(entry),
        "size_bytes": entry.size_bytes,
        "default": entry.default,
        "licence": entry.licence,
    }


def table(entries: Iterable[ModelEntry]) -> Iterator[str]:
    """One line a model under a line of headings, in columns."""
    rows = [("ID", "TASK", "INSTALLED", "SIZE", "DEFAULT", "TITLE")]
    for row in map(summary, entries):
        default = "yes" if row["default"] else ""
        rows.append((row["id"], row["task"], row["installed"], size_text(row["size_bytes"]), default, row["title"]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def card(entry: ModelEntry) -> Iterator[str]:
    """All that is known of a model, for people."""
    from medenhance.weights import place

    accepted, trusted = entry.accepted, entry.trusted
    unit = "HU" if accepted.modality == "CT" else "grey"
    yield f"{entry.title}\n{NOTICE}\n"
    yield f"id            {entry.id}, version {entry.version}{', default' if entry.default else ''}"
    yield f"task          {entry.task}"
    yield f"network       {entry.network} {json.dumps(entry.config)}"
    yield f"installed     {place(entry)}, {size_text(entry.size_bytes)}"
    yield f"licence       {entry.licence}"
    yield f"intended use  {entry.intended_use}"
    yield f"accepts       {accepted.modality}, {accepted.channels} channel(s), {_span(accepted.value_range, unit)},"
    yield f"              pixels {_span(accepted.spacing_mm, 'mm')}, slices {_span(accepted.slice_spacing_mm, 'mm')}"
    if trusted is not None:
        yield f"measured on   noise SD {_span(trusted.noise_sd_hu, 'HU')}, pixels {_span(trusted.spacing_mm, 'mm')}"
        yield f"expected      CT-number bias up to {trusted.max_abs_bias_hu:g} HU,"
        yield f"              structure in what is removed up to {trusted.max_residual_structure:g}"
    yield f"precisions    {', '.join(entry.precisions)}"
    yield from _section("Limits", entry.limits)
    yield from _section("Training data", entry.training_data)
    yield from _section("Figures", [f"{name}: {value:g}" for name, value in entry.metrics.items()])
    yield f"\nTrained by the recipe {entry.recipe} at commit {entry.commit}."
    for file in entry.files:
        yield f"{file.name}: SHA-256 {file.sha256}"


def size_text(size_bytes: int) -> str:
    """A size for people, MB of a million bytes."""
    return f"{size_bytes / 1e6:.1f} MB"


def _span(limits: Range, unit: str) -> str:
    return f"{limits[0]:g} to {limits[1]:g} {unit}"


def _section(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"\n{title}"
    for item in items:
        yield f"  - {item}"
