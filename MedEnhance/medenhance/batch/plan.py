"""What a batch has to do: which study goes where, and what its output depends on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medenhance.batch.denoise_work import DenoiseWork, Format
from medenhance.batch.state import fingerprint
from medenhance.batch.studies import Study, find_studies
from medenhance.batch.work import BatchOf, Work
from medenhance.errors import MedEnhanceError
from medenhance.failures import Failure
from medenhance.models import find_model
from medenhance.progress import Progress
from medenhance.strict_json import to_json
from medenhance.tasks.denoise_ct import DenoiseOptions


@dataclass(frozen=True)
class BatchRequest:
    """What to work through and what to write.

    Attributes:
        input_root: Folder; every study below it is denoised.
        output_root: Folder that mirrors it.
        options: How to denoise.
        format: "same" keeps each study's format; the others convert.
        report: Write the trust report of every study beside it.
        figure: The same for its figure.
        residual: The same for what was removed.
        scheduler: Address of a Dask scheduler; None to work here.
    """

    input_root: Path
    output_root: Path
    options: DenoiseOptions = field(default_factory=DenoiseOptions)
    format: Format = "same"
    report: bool = True
    figure: bool = False
    residual: bool = False
    scheduler: str | None = None

    @property
    def work(self) -> DenoiseWork:
        return DenoiseWork(self.options, self.format, self.report, self.figure, self.residual)


@dataclass(frozen=True)
class Job:
    """A study and what is to be written for it.

    Attributes:
        study: What to read.
        work: What to do with it.
        request: The same with its outputs, which share a folder, and the options.
        fingerprint: Of all that the outputs depend on.
        problem: Why it cannot be done.
    """

    study: Study
    work: Work
    request: Any
    fingerprint: str
    problem: Failure | None = None


def plan(request: BatchOf, progress: Progress) -> list[Job]:
    """What is to be done for every study below the input folder; no two studies share an output.

    Raises:
        MedEnhanceError: There is no study, or no such model.
    """
    work, root = request.work, request.output_root
    settings = _settings(work)
    studies = find_studies(request.input_root, progress)
    if not studies:
        hint = "Give a folder with DICOM folders, NRRD, NIfTI, MHA or MHD files below it."
        raise MedEnhanceError("input-missing", f"there is no study below {request.input_root}.", hint)
    count = Counter(work.output(study, root, unique=False) for study in studies)
    jobs = []
    for study in studies:
        output = work.output(study, root, unique=False)
        output = work.output(study, root, unique=True) if count[output] > 1 else output
        print_of_input = fingerprint(study.files, request.input_root, settings)
        jobs.append(Job(study, work, work.request(study, output), print_of_input, study.problem))
    return _without_clashes(jobs)


def _settings(work: Work) -> dict[str, Any]:
    """What an output depends on besides its input."""
    entry = find_model(work.task, work.options.model)
    weights = [file.sha256 for file in entry.files]
    options = {**to_json(work.options), "model": entry.id}
    return {"version": entry.version, "weights": weights, "options": options, **work.settings}


def _without_clashes(jobs: list[Job]) -> list[Job]:
    """Fail a study whose output is another's companion, such as a.residual.nrrd beside a.nrrd."""
    taken: set[Path] = set()
    kept = []
    for job in jobs:
        paths = job.work.outputs_of(job.request)
        if clashes := taken.intersection(paths):
            message = f"another study is written to {min(clashes)} too."
            job = replace(job, problem=Failure("output-refused", message, "Rename one of them."))
        taken.update(paths)
        kept.append(job)
    return kept
