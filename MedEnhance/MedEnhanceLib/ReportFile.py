"""Saves what a panel shows as a file: the report, or its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError


def writeReport(report: dict[str, Any], path: Path, rows: list[tuple[str, ...]], headings: list[str]) -> None:
    """Write a report as JSON, or its table as CSV, by the suffix of ``path``; whole or not at all.

    Raises:
        MedEnhanceError: There is no such folder, the disk is full, or the place cannot be written to; a file that was
            there stays.
    """
    import csv

    from medenhance.files import replacing, write_json

    if not path.parent.is_dir():
        message = _("{path} cannot be written: there is no such folder.").format(path=path)
        raise MedEnhanceError("output-refused", message, _("Choose another place."))
    if path.suffix.lower() != ".csv":
        write_json(path, report)
        return
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([headings, *rows])
