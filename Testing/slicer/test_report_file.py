"""A saved report is there whole, or what was there before it stays."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.ReportFile import writeReport

REPORT = {"seconds": 1.5, "notice": "Research use only. Not for diagnosis.", "name": "Käse"}
ROWS, HEADINGS = [("T2 to T7", "25.3°")], ["Curve", "Angle"]


def test_the_suffix_says_what_is_written(tmp_path: Path) -> None:
    for name in ("a.json", "a.csv", "a.CSV"):
        writeReport(REPORT, tmp_path / name, ROWS, HEADINGS)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == REPORT
    for name in ("a.csv", "a.CSV"):
        with (tmp_path / name).open(encoding="utf-8", newline="") as stream:
            assert list(csv.reader(stream)) == [HEADINGS, list(ROWS[0])]


@pytest.mark.parametrize(("name", "rows"), [("a.csv", [("whole",), object()]), ("a.json", ROWS)])
def test_what_was_there_stays_when_writing_fails(tmp_path: Path, name: str, rows: Any) -> None:
    (tmp_path / name).write_text("before", encoding="utf-8")
    with pytest.raises((TypeError, csv.Error)):
        writeReport({"no JSON": object()}, tmp_path / name, rows, HEADINGS)
    assert (tmp_path / name).read_text(encoding="utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_place_that_cannot_be_written_to_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(MedEnhanceError):
        writeReport(REPORT, tmp_path / "file" / "a.json", ROWS, HEADINGS)
