"""What a batch asks of a task: where a study's results go, how it is done, what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from medenhance.batch.studies import Study
from medenhance.batch.table import StudyOutcome
from medenhance.predict import Predictor
from medenhance.predictor_cache import ModelChoice
from medenhance.progress import Progress


class StudyRequest(Protocol):
    """What every task's request has."""

    @property
    def input(self) -> Path: ...

    @property
    def output(self) -> Path: ...


class Work(Protocol):
    """A task with its options, as a batch does it for every study; it travels to the workers of a cluster."""

    @property
    def task(self) -> str:
        """Such as "denoise-ct"."""

    @property
    def options(self) -> ModelChoice:
        """Of the task; what a result depends on besides its input, with `settings`."""

    @property
    def settings(self) -> dict[str, Any]:
        """JSON values: what else a result depends on."""

    def output(self, study: Study, root: Path, *, unique: bool) -> Path:
        """Where a study goes; ``unique`` keeps apart what only differs in its format, such as a.nrrd and a.nii."""

    def request(self, study: Study, output: Path) -> Any:
        """The request for one study."""

    def outputs_of(self, request: Any) -> list[Path]:
        """Files and folders that the request writes, which share a folder; the study's own comes last."""

    def load(self) -> Predictor:
        """The model that the options name."""

    def run(self, request: Any, progress: Progress, predictor: Predictor | None) -> Any:
        """Do it, so that all outputs appear together and take the place of those of an earlier run."""

    def not_run(self, study: Study, output: Path) -> StudyOutcome:
        """The outcome of a study that was not reached."""

    def done(self, outcome: StudyOutcome, report: Any) -> StudyOutcome:
        """`outcome` with what the report says."""

    def skipped(self, outcome: StudyOutcome, facts: dict[str, Any]) -> StudyOutcome:
        """`outcome` with what was kept of an earlier run."""

    def write_tables(self, outcomes: Sequence[StudyOutcome], folder: Path) -> list[Path]:
        """Write what tables there are; the paths of what was written."""


class BatchOf(Protocol):
    """What every batch has."""

    @property
    def input_root(self) -> Path: ...

    @property
    def output_root(self) -> Path: ...

    @property
    def scheduler(self) -> str | None: ...

    @property
    def work(self) -> Work: ...
