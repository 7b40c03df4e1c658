"""The request "worklist-hemorrhage": all head CTs below a folder become a worklist, ordered by priority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medenhance.worker_tasks.hemorrhage_options import HemorrhageOptions
from medenhance.worker_tasks.running import Running

if TYPE_CHECKING:
    from medenhance.batch.table import StudyOutcome
    from medenhance.progress import Progress


@dataclass(frozen=True)
class WorklistHemorrhageMessage:
    """A "worklist-hemorrhage" request; folders in and out."""

    id: str
    task: Literal["worklist-hemorrhage"]
    input: str
    output: str
    options: HemorrhageOptions = field(default_factory=HemorrhageOptions)


def run(message: WorklistHemorrhageMessage, running: Running) -> dict[str, Any]:
    """Look at every study that is not done yet; returns the rows of the worklist."""
    running.progress.update("load", 0.0)
    from medenhance.batch.engine import run_batch
    from medenhance.batch.hemorrhage_work import HemorrhageBatchRequest
    from medenhance.batch.worklist import HemorrhageOutcome, worklist

    asked = message.options
    source, output = Path(message.input), Path(message.output)
    request = HemorrhageBatchRequest(source, output, asked.of_task(), asked.report, asked.format, asked.dicom)
    outcomes: Sequence[StudyOutcome] = run_batch(request, _Listener(running.progress))
    rows = worklist([one for one in outcomes if isinstance(one, HemorrhageOutcome)])
    return {"outputs": {"output": message.output, "worklist": str(output / "worklist.json")}, "rows": rows}


class _Listener:
    """Makes the progress of one request from that of all its studies; stops between studies too."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def scanning(self) -> Progress:
        return _Part(self._progress, "", 0.0, 0.0)

    def started(self, study: str, number: int, total: int) -> Progress:
        return _Part(self._progress, f"{study}: ", (number - 1) / total, 1 / total)

    def finished(self, outcome: StudyOutcome, number: int, total: int) -> None:  # noqa: ARG002 - as listeners are told
        self._progress.update("study", number / total)


@dataclass(frozen=True)
class _Part:
    """Progress of one study, as a part of all."""

    progress: Progress
    name: str
    begin: float
    share: float

    def update(self, stage: str, fraction: float) -> None:
        self.progress.update(stage, self.begin + self.share * fraction / len(_STAGES) + self._stages_before(stage))

    def warn(self, message: str) -> None:
        self.progress.warn(f"{self.name}{message}")

    def cancelled(self) -> bool:
        return self.progress.cancelled()

    def _stages_before(self, stage: str) -> float:
        place = _STAGES.index(stage) if stage in _STAGES else 0
        return self.share * place / len(_STAGES)


_STAGES = ("read", "check", "detect", "measure", "write")
