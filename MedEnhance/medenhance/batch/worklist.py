"""The worklist of a batch of head CTs: what was flagged comes first, what was not processed is never left out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from medenhance.batch.table import NOTICE, StudyOutcome
from medenhance.files import replacing
from medenhance.head_ct.report import TRIAGE_NOTICE

NAME = "worklist"
# What was not processed may be anything, so it stands before what was looked at and not flagged.
ORDER = ("critical", "review", "not processed", "routine", "not run")


@dataclass(frozen=True)
class HemorrhageOutcome(StudyOutcome):
    """What became of a head CT; the figures are None, and the texts empty, when it was not processed.

    Attributes:
        path: Folder or file that it was read from.
        priority: "critical", "review" or "routine".
        suspected: Whether the probability reaches the operating point.
        probability: Calibrated, of the scan.
        threshold: Of the operating point.
        volume_ml: Of the mask.
        midline_shift_mm: None also when it could not be measured.
        disagreements: Slices where classifier and mask disagree.
        model: Id and version.
        weights_sha256: Of the weights file.
        finished: When, UTC, ISO 8601.
    """

    path: str = ""
    priority: str = ""
    suspected: bool | None = None
    probability: float | None = None
    threshold: float | None = None
    volume_ml: float | None = None
    midline_shift_mm: float | None = None
    disagreements: int | None = None
    model: str = ""
    weights_sha256: str = ""
    finished: str = ""

    heading: ClassVar[str] = f"{'priority':>15}{'probability':>13}{'volume':>12}"

    @property
    def rank(self) -> str:
        """One of `ORDER`."""
        if self.status == "not run":
            return "not run"
        return self.priority or "not processed"

    @property
    def was_processed(self) -> bool:
        return bool(self.priority)

    def figures(self) -> str:
        if self.probability is None or self.volume_ml is None:
            return f"{self.rank:>15}"
        return f"{self.rank:>15}{self.probability:>13.3f}{self.volume_ml:>9.1f} mL"


COLUMNS = (
    "place", "study", "series", "priority", "status", "reason", "suspected", "probability", "threshold", "volume_ml",
    "midline_shift_mm", "disagreements", "seconds", "finished", "model", "weights_sha256", "path", "output", "notice",
)  # fmt: skip


def ordered(outcomes: Sequence[HemorrhageOutcome]) -> list[HemorrhageOutcome]:
    """By class as in `ORDER`, then the more probable, then the larger, then by name."""
    return sorted(
        outcomes,
        key=lambda one: (ORDER.index(one.rank), -(one.probability or 0.0), -(one.volume_ml or 0.0), one.study),
    )


def worklist(outcomes: Sequence[HemorrhageOutcome]) -> list[dict[str, Any]]:
    """The rows of a worklist, in its order, by `COLUMNS`.

    "status" is "processed", "not processed" or "not run"; "reason" says why it was not.
    """
    return [_row(place, one) for place, one in enumerate(ordered(outcomes), start=1)]


def write_worklist(outcomes: Sequence[HemorrhageOutcome], folder: Path) -> list[Path]:
    """Write worklist.csv and worklist.json, each whole or not at all."""
    rows = worklist(outcomes)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    paths = [folder / f"{NAME}.csv", folder / f"{NAME}.json"]
    with replacing(paths[0]) as temporary:
        # Spreadsheets take UTF-8 for UTF-8 only when the byte order mark says so.
        temporary.write_text(text.getvalue(), encoding="utf-8-sig", errors="backslashreplace", newline="")
    document = {"schema": 1, "notice": NOTICE, "triage_notice": TRIAGE_NOTICE, "studies": rows}
    with replacing(paths[1]) as temporary:
        # ASCII escapes, because file names need not be Unicode.
        temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="ascii")
    return paths


def _row(place: int, one: HemorrhageOutcome) -> dict[str, Any]:
    status = "processed" if one.was_processed else one.rank
    said = {"place": place, "priority": one.rank, "status": status, "reason": one.message, "notice": NOTICE}
    return {name: said[name] if name in said else getattr(one, name) for name in COLUMNS}
