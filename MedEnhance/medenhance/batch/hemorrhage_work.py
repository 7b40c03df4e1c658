"""Triage of head CTs as a batch does it: a folder a study, and a worklist of all of them ordered by priority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from medenhance.atomic_output import publish_folder, staged
from medenhance.batch.studies import Study
from medenhance.batch.table import Status, StudyOutcome, write_tables
from medenhance.batch.worklist import HemorrhageOutcome, write_worklist
from medenhance.head_ct.report import HemorrhageReport
from medenhance.image_files import image_format
from medenhance.predict import Predictor
from medenhance.progress import Progress
from medenhance.tasks.detect_hemorrhage import (
    TASK,
    DetectHemorrhageOptions,
    DetectHemorrhageRequest,
    DicomObject,
    MaskFormat,
    load_predictor,
    run,
)

# Keeps a study's folder apart from those of studies that lie below it.
SUFFIX = ".hemorrhage"
_OWN = {one.name for one in fields(HemorrhageOutcome)} - {one.name for one in fields(StudyOutcome)} - {"path"}


@dataclass(frozen=True)
class HemorrhageBatchRequest:
    """What to work through and what to write.

    Attributes:
        input_root: Folder; every study below it is looked at.
        output_root: Folder for one folder a study, and the worklist.
        options: How to look.
        figure: Draw the report of every study.
        format: Of the masks.
        dicom: DICOM objects to write for studies that are DICOM.
        scheduler: Address of a Dask scheduler; None to work here.
    """

    input_root: Path
    output_root: Path
    options: DetectHemorrhageOptions = field(default_factory=DetectHemorrhageOptions)
    figure: bool = False
    format: MaskFormat = "nrrd"
    dicom: tuple[DicomObject, ...] = ()
    scheduler: str | None = None

    @property
    def work(self) -> HemorrhageWork:
        return HemorrhageWork(self.options, self.figure, self.format, self.dicom)


@dataclass(frozen=True)
class HemorrhageWork:
    """The fields are those of `HemorrhageBatchRequest`."""

    options: DetectHemorrhageOptions
    figure: bool
    format: MaskFormat
    dicom: tuple[DicomObject, ...]
    task: str = TASK

    @property
    def settings(self) -> dict[str, Any]:
        return {"figure": self.figure, "format": self.format, "dicom": list(self.dicom)}

    def output(self, study: Study, root: Path, *, unique: bool) -> Path:
        source = image_format(study.path) or ""
        stem = study.name[: len(study.name) - len(source)]
        return root / (stem + (source or ".dicom" if unique else "") + SUFFIX)

    def request(self, study: Study, output: Path) -> DetectHemorrhageRequest:
        return DetectHemorrhageRequest(
            input=study.path,
            output=output,
            options=self.options,
            series=study.series,
            figure=self.figure,
            format=self.format,
            dicom=self.dicom if study.is_dicom else (),
        )

    def outputs_of(self, request: DetectHemorrhageRequest) -> list[Path]:
        return [request.output]

    def load(self) -> Predictor:
        return load_predictor(self.options)

    def run(
        self, request: DetectHemorrhageRequest, progress: Progress, predictor: Predictor | None
    ) -> HemorrhageReport:
        with staged(request.output) as stage:
            new, old = stage / "new", stage / "old"
            report = run(replace(request, output=new / request.output.name), progress, predictor)
            if request.output.is_dir():  # of an earlier run: it cannot be replaced at once
                request.output.rename(old)
            publish_folder(new / request.output.name, request.output)
            return report

    def not_run(self, study: Study, output: Path) -> StudyOutcome:
        return HemorrhageOutcome(study.name, study.series, "not run", str(output), path=str(study.path))

    def done(self, outcome: StudyOutcome, report: HemorrhageReport) -> StudyOutcome:
        assert isinstance(outcome, HemorrhageOutcome)
        finished = datetime.now(timezone.utc).isoformat(timespec="seconds")
        found = report.findings
        if found is None:
            return replace(outcome, status="not processed", message=report.reason, finished=finished)
        shift = found.midline_shift
        return replace(
            outcome,
            status="done",
            priority=found.priority,
            suspected=found.suspected,
            probability=found.probability,
            threshold=found.operating_point.threshold,
            volume_ml=found.total.ml,
            midline_shift_mm=None if shift is None else shift.mm,
            disagreements=len(found.disagreements),
            model=f"{found.run.model_id} {found.run.model_version}",
            weights_sha256=found.run.weights_sha256,
            finished=finished,
        )

    def skipped(self, outcome: StudyOutcome, facts: dict[str, Any]) -> StudyOutcome:
        assert isinstance(outcome, HemorrhageOutcome)
        kept = {name: facts[name] for name in (*_OWN, "seconds", "message") if name in facts}
        status: Status = "not processed" if facts.get("status") == "not processed" else "skipped"
        return replace(outcome, status=status, **kept)

    def write_tables(self, outcomes: Sequence[StudyOutcome], folder: Path) -> list[Path]:
        rows = [one for one in outcomes if isinstance(one, HemorrhageOutcome)]
        return [*write_worklist(rows, folder), *write_tables(outcomes, folder)]
