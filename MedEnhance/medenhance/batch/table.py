"""The outcome of every study of a batch, as a table for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from medenhance.files import replacing

NAME = "batch"
NOTICE = "Research use only. Not for diagnosis."

Status = Literal["done", "skipped", "failed", "not run"]


@dataclass(frozen=True)
class StudyOutcome:
    """What became of a study.

    Attributes:
        study: Path below the input folder.
        series: SeriesInstanceUID of a DICOM study.
        status: "skipped" was done by an earlier run, "not run" was not reached before the batch stopped.
        output: What was, or would have been, written.
        seconds: Time spent on it.
        noise_sd_before_hu: Soft-tissue noise SD of the input; None when unknown.
        noise_sd_after_hu: The same of the output.
        bias_hu: Shift of the mean CT number of soft tissue.
        warnings: Of reading, of the trust report and of writing.
        kind: Of a failure, as `medenhance.errors.Kind`.
        message: What went wrong.
        hint: What to do about it.
    """

    study: str
    series: str | None
    status: Status
    output: str
    seconds: float = 0.0
    noise_sd_before_hu: float | None = None
    noise_sd_after_hu: float | None = None
    bias_hu: float | None = None
    warnings: tuple[str, ...] = ()
    kind: str = ""
    message: str = ""
    hint: str = ""


def write_tables(outcomes: list[StudyOutcome], folder: Path) -> None:
    """Write batch.csv and batch.json, each whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(StudyOutcome)], lineterminator="\n")
    writer.writeheader()
    for outcome in outcomes:
        writer.writerow({**asdict(outcome), "warnings": " | ".join(outcome.warnings)})
    with replacing(folder / f"{NAME}.csv") as temporary:
        # Spreadsheets take UTF-8 for UTF-8 only when the byte order mark says so.
        temporary.write_text(text.getvalue(), encoding="utf-8-sig", errors="backslashreplace", newline="")
    studies = [asdict(outcome) for outcome in outcomes]
    document = {"schema": 1, "notice": NOTICE, "studies": studies}
    with replacing(folder / f"{NAME}.json") as temporary:
        # ASCII escapes, because file names need not be Unicode.
        temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="ascii")


def table(outcomes: list[StudyOutcome]) -> list[str]:
    """Lines for a terminal: one a study, failures with their reason, the counts last."""
    width = max(len("study"), *(len(outcome.study) for outcome in outcomes))
    lines = [f"{'study':<{width}}  {'status':<8}{'seconds':>8}{'noise SD, soft tissue':>25}{'bias':>11}"]
    for outcome in outcomes:
        lines.append(
            f"{outcome.study:<{width}}  {outcome.status:<8}{outcome.seconds:>8.1f}{_figures(outcome)}".rstrip()
        )
        if outcome.status == "failed":
            lines += [f"    {line}" for line in f"{outcome.message} {outcome.hint}".strip().splitlines()]
    counts = Counter(outcome.status for outcome in outcomes)
    return [*lines, ", ".join(f"{count} {status}" for status, count in counts.items()) + f". {NOTICE}"]


def _figures(outcome: StudyOutcome) -> str:
    before, after, bias = outcome.noise_sd_before_hu, outcome.noise_sd_after_hu, outcome.bias_hu
    noise = "" if before is None or after is None else f"{before:.1f} -> {after:.1f} HU"
    return f"{noise:>25}{'' if bias is None else f'{bias:+.2f} HU':>11}"
