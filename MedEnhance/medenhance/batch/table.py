"""The outcome of every study of a batch, as a table for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import ClassVar, Literal

from medenhance.files import replacing

NAME = "batch"
NOTICE = "Research use only. Not for diagnosis."

Status = Literal["done", "skipped", "failed", "not run", "not processed"]


@dataclass(frozen=True)
class StudyOutcome:
    """What became of a study.

    Attributes:
        study: Path below the input folder.
        series: SeriesInstanceUID of a DICOM study.
        status: "skipped" was done by an earlier run, "not run" was not reached before the batch stopped, "not
            processed" was looked at and refused, as a report says.
        output: What was, or would have been, written.
        seconds: Time spent on it.
        warnings: Of reading, of the report and of writing.
        kind: Of a failure, as `medenhance.errors.Kind`.
        message: What went wrong.
        hint: What to do about it.
    """

    study: str
    series: str | None
    status: Status
    output: str
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    kind: str = ""
    message: str = ""
    hint: str = ""

    heading: ClassVar[str] = ""

    def figures(self) -> str:
        """What a row of the terminal's table says of it, below `heading`."""
        return ""


@dataclass(frozen=True)
class DenoiseOutcome(StudyOutcome):
    """What became of a study that was to be denoised.

    Attributes:
        noise_sd_before_hu: Soft-tissue noise SD of the input; None when unknown.
        noise_sd_after_hu: The same of the output.
        bias_hu: Shift of the mean CT number of soft tissue.
    """

    noise_sd_before_hu: float | None = None
    noise_sd_after_hu: float | None = None
    bias_hu: float | None = None

    heading: ClassVar[str] = f"{'noise SD, soft tissue':>25}{'bias':>11}"

    def figures(self) -> str:
        before, after, bias = self.noise_sd_before_hu, self.noise_sd_after_hu, self.bias_hu
        noise = "" if before is None or after is None else f"{before:.1f} -> {after:.1f} HU"
        return f"{noise:>25}{'' if bias is None else f'{bias:+.2f} HU':>11}"


def write_tables(outcomes: Sequence[StudyOutcome], folder: Path) -> list[Path]:
    """Write batch.csv and batch.json, each whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(outcomes[0])], lineterminator="\n")
    writer.writeheader()
    for outcome in outcomes:
        writer.writerow({**asdict(outcome), "warnings": " | ".join(outcome.warnings)})
    paths = [folder / f"{NAME}.csv", folder / f"{NAME}.json"]
    with replacing(paths[0]) as temporary:
        # Spreadsheets take UTF-8 for UTF-8 only when the byte order mark says so.
        temporary.write_text(text.getvalue(), encoding="utf-8-sig", errors="backslashreplace", newline="")
    studies = [asdict(outcome) for outcome in outcomes]
    document = {"schema": 1, "notice": NOTICE, "studies": studies}
    with replacing(paths[1]) as temporary:
        # ASCII escapes, because file names need not be Unicode.
        temporary.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="ascii")
    return paths


def table(outcomes: Sequence[StudyOutcome]) -> list[str]:
    """Lines for a terminal: one a study, failures with their reason, the counts last."""
    width = max(len("study"), *(len(outcome.study) for outcome in outcomes))
    words = max(len("skipped"), *(len(outcome.status) for outcome in outcomes)) + 1
    lines = [f"{'study':<{width}}  {'status':<{words}}{'seconds':>8}{outcomes[0].heading}"]
    for outcome in outcomes:
        lines.append(
            f"{outcome.study:<{width}}  {outcome.status:<{words}}{outcome.seconds:>8.1f}{outcome.figures()}".rstrip()
        )
        if outcome.status in ("failed", "not processed"):
            lines += [f"    {line}" for line in f"{outcome.message} {outcome.hint}".strip().splitlines()]
    counts = Counter(outcome.status for outcome in outcomes)
    return [*lines, ", ".join(f"{count} {status}" for status, count in counts.items()) + f". {NOTICE}"]
