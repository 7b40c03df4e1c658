"""Phantom scans in files: resolution, noise power and detectability of each insert, before or after denoising."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.files import check_file, write_json
from medenhance.measure.phantom import PhantomReport, phantom_report
from medenhance.measure.task_transfer import Insert
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.study import read_study
from medenhance.volume import Volume

COLUMNS = ("name", "row", "column", "radius_mm", "contrast_hu")
_HINT = f"Give a CSV with the heading {','.join(COLUMNS)}, a row an insert; contrast_hu may be empty."


def measure_phantom(
    present: Path, absent: Path, inserts: Path, output: Path | None = None, progress: Progress | None = None
) -> PhantomReport:
    """Measure every insert of a phantom that was scanned several times.

    Args:
        present: Study of the phantom with its inserts; every slice is one more scan of the same place.
        absent: The same phantom without inserts, at least two slices.
        inserts: CSV with the columns of `COLUMNS`: centres in pixels from 0, radii in mm.
        output: JSON to write, whole or not at all.
        progress: Is told where the work is, and may cancel it.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable, output-refused, cancelled.
    """
    progress = progress or Silent()
    if output is not None:
        check_file(output, ".json", present)
    named = read_inserts(inserts)
    with_inserts, without = read_study(present, progress=progress), read_study(absent, progress=progress)
    spacing = _spacing(with_inserts, without, present.name, absent.name)
    checkpoint(progress, "measure", 0.0)
    try:
        found = phantom_report(with_inserts.array, without.array, named, spacing)
    except ValueError as error:
        hint = "Both studies show the same slice of the phantom, each slice one scan, and the inserts lie inside."
        raise MedEnhanceError("input-unsuitable", f"{present.name}: {error}.", hint) from error
    if output is not None:
        write_json(output, found.to_json())
    return found


def read_inserts(table: Path) -> tuple[Insert, ...]:
    """The inserts of a CSV.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable.
    """
    if not table.is_file():
        raise MedEnhanceError("input-missing", f"There is no file {table}.", _HINT)
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MedEnhanceError("input-unreadable", f"{table.name} is no CSV: {error}.", _HINT) from error
    if not rows:
        raise MedEnhanceError("input-unsuitable", f"{table.name} names no insert.", _HINT)
    return tuple(_insert(row, f"{table.name}, row {number}") for number, row in enumerate(rows, 1))


def _insert(row: dict[str, str | None], where: str) -> Insert:
    numbers: dict[str, float | None] = {}
    for column in COLUMNS[1:]:
        text = (row.get(column) or "").strip()
        if not text and column == "contrast_hu":
            numbers[column] = None
            continue
        numbers[column] = _number(text, f"{where}, column {column}")
    centre_row, centre_column, radius = (float(numbers[name] or 0.0) for name in COLUMNS[1:4])
    if radius <= 0:
        raise MedEnhanceError("input-unsuitable", f"{where}: a radius of {radius:g} mm is no insert.", _HINT)
    return Insert(row.get("name") or where, centre_row, centre_column, radius, numbers["contrast_hu"])


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise MedEnhanceError("input-unsuitable", f"{where}: {text!r} is no number.", _HINT)
    return value


def _spacing(present: Volume, absent: Volume, *names: str) -> tuple[float, float]:
    """Pixel size along columns and rows, mm.

    Raises:
        MedEnhanceError: input-unsuitable: none is stated, or the two studies differ.
    """
    for volume, name in zip((present, absent), names, strict=True):
        if not volume.grid.spacing_known:
            message = f"{name} states no pixel size, and frequencies in mm^-1 would be wrong."
            raise MedEnhanceError("input-unsuitable", message, "Give a study that states it.")
    first, second = present.grid.spacing_mm[:2], absent.grid.spacing_mm[:2]
    if not np.allclose(first, second, rtol=1e-4):
        message = f"{names[0]} has pixels of {first} mm and {names[1]} of {second} mm."
        raise MedEnhanceError("input-unsuitable", message, "Give two studies with the same reconstruction.")
    return first
