"""Runs a study so that all its outputs appear together, and may take the place of those of an earlier run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from medenhance.atomic_output import staged
from medenhance.image_files import image_format, raw_file
from medenhance.measure.trust import TrustReport
from medenhance.predict import Predictor
from medenhance.progress import Progress
from medenhance.tasks.denoise_ct import DenoiseRequest, run


def run_staged(request: DenoiseRequest, progress: Progress, predictor: Predictor | None = None) -> TrustReport:
    """`tasks.denoise_ct.run`, with the outputs given their names only when all of them are there.

    Whatever has these names is replaced: the caller has made sure that it may go.

    Args:
        request: All its outputs lie in one folder.
        progress: As for `run`.
        predictor: As for `run`.
    """
    assert {path.parent for path in outputs_of(request)} == {request.output.parent}
    with staged(request.output) as stage:
        new, old = stage / "new", stage / "old"
        old.mkdir()
        report = run(_within(request, new), progress, predictor)
        # All that was written, with the data file of a MetaImage header; the study itself comes last.
        for written in sorted(new.iterdir(), key=lambda path: path.name == request.output.name):
            _publish(written, request.output.with_name(written.name), old)
    return report


def outputs_of(request: DenoiseRequest) -> list[Path]:
    """What the request makes files or folders of, the data files of MetaImage headers too; the study comes last."""
    optional = [request.report, request.figure, request.residual]
    asked = [*(path for path in optional if path is not None), request.output]
    return [*(raw_file(path) for path in asked if image_format(path) == ".mhd"), *asked]


def _within(request: DenoiseRequest, folder: Path) -> DenoiseRequest:
    return replace(
        request,
        output=folder / request.output.name,
        residual=None if request.residual is None else folder / request.residual.name,
        report=None if request.report is None else folder / request.report.name,
        figure=None if request.figure is None else folder / request.figure.name,
    )


def _publish(written: Path, path: Path, old: Path) -> None:
    """Move into place; a folder that stands there is moved out of the way, as a folder cannot be replaced at once."""
    if path.is_dir():
        path.rename(old / path.name)
    written.replace(path)
