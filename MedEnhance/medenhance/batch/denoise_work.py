"""Denoising as a batch does it: a file or folder a study in a mirrored tree, with its report beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from medenhance.batch.studies import Study
from medenhance.batch.table import DenoiseOutcome, StudyOutcome, write_tables
from medenhance.image_files import image_format
from medenhance.measure.tissue import SOFT
from medenhance.measure.trust import TrustReport
from medenhance.predict import Predictor
from medenhance.progress import Progress
from medenhance.staged_run import outputs_of, run_staged
from medenhance.tasks.denoise_ct import TASK, DenoiseOptions, DenoiseRequest, load_predictor

Format = Literal["same", "dicom", "nrrd", "nifti"]
SUFFIXES: dict[str, str] = {"dicom": "", "nrrd": ".nrrd", "nifti": ".nii.gz"}
_KEPT = ("noise_sd_before_hu", "noise_sd_after_hu", "bias_hu")


@dataclass(frozen=True)
class DenoiseWork:
    """The fields are those of `medenhance.batch.plan.BatchRequest`."""

    options: DenoiseOptions
    format: Format
    report: bool
    figure: bool
    residual: bool
    task: str = TASK

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    def output(self, study: Study, root: Path, *, unique: bool) -> Path:
        source = image_format(study.path) or ""
        suffix = source if self.format == "same" else SUFFIXES[self.format]
        stem = study.name[: len(study.name) - len(source)]
        if unique and source != suffix:
            stem += source or ".dicom"
        return root / (stem + suffix)

    def request(self, study: Study, output: Path) -> DenoiseRequest:
        suffix = image_format(output) or ""
        stem = output.name[: len(output.name) - len(suffix)]
        return DenoiseRequest(
            input=study.path,
            output=output,
            residual=output.with_name(f"{stem}.residual{suffix}") if self.residual else None,
            report=output.with_name(f"{stem}.report.json") if self.report else None,
            figure=output.with_name(f"{stem}.figure.png") if self.figure else None,
            series=study.series,
            options=self.options,
        )

    def outputs_of(self, request: DenoiseRequest) -> list[Path]:
        return outputs_of(request)

    def load(self) -> Predictor:
        return load_predictor(self.options)

    def run(self, request: DenoiseRequest, progress: Progress, predictor: Predictor | None) -> TrustReport:
        return run_staged(request, progress, predictor)

    def not_run(self, study: Study, output: Path) -> StudyOutcome:
        return DenoiseOutcome(study.name, study.series, "not run", str(output))

    def done(self, outcome: StudyOutcome, report: TrustReport) -> StudyOutcome:
        assert isinstance(outcome, DenoiseOutcome)
        soft = report.row(SOFT)
        return replace(
            outcome,
            status="done",
            noise_sd_before_hu=soft.noise_sd_before_hu,
            noise_sd_after_hu=soft.noise_sd_after_hu,
            bias_hu=soft.bias_hu,
        )

    def skipped(self, outcome: StudyOutcome, facts: dict[str, Any]) -> StudyOutcome:
        assert isinstance(outcome, DenoiseOutcome)
        kept: dict[str, Any] = {name: facts.get(name) for name in _KEPT}
        return replace(outcome, status="skipped", **kept)

    def write_tables(self, outcomes: Sequence[StudyOutcome], folder: Path) -> list[Path]:
        return write_tables(outcomes, folder)
