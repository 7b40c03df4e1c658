"""`medenhance-train export`: turn a training run into weights, a manifest entry and a model card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from medenhance.manifest import Task
from medenhance_training.export import Labels, bundle, export
from medenhance_training.head_report import HeadEvaluation
from medenhance_training.spine_evaluation import SpineEvaluation
from medenhance_training.statement import read_evaluation


@dataclass(frozen=True)
class Export:
    """Publish the averaged network of a training run.

    Writes ID.safetensors (weights with a test of themselves), ID.json (manifest entry) and ID.md (model card). The
    figures come from an evaluation of the same weights: `medenhance-train evaluate --run FOLDER --json PATH`.
    """

    run: Annotated[Positional[Path], arg(metavar="RUN_FOLDER")]
    """The training run, or one of its checkpoints."""
    id: Annotated[str, arg(metavar="ID")]
    """Identifier of the model, such as redcnn-compact."""
    evaluation: Annotated[Path, arg(metavar="PATH.json")]
    """Evaluation of this run."""
    output: Annotated[Path, arg(metavar="FOLDER")]
    """Folder to write to."""
    title: str | None = None
    """One line for a list of models; made from the id if not given."""
    version: str = "1.0.0"
    """Version of the model."""
    intended_use: str | None = None
    """One sentence; that of its task if not given."""
    licence: str = "Apache-2.0"
    """Licence of the weights."""
    url: Annotated[tuple[str, ...], arg(metavar="URL ...")] = ()
    """Where the weights file will be fetched from."""
    bundle: bool = False
    """Also put the model into this installation of MedEnhance, as one that ships with it."""
    default: bool = False
    """Make it the model that its task takes when none is named."""
    max_mb: float | None = None
    """Largest accepted weights file, MB; with --bundle 4 for CT, 8 for spine and 12 for head CT if not given."""


BUNDLE_MB: dict[Task, float] = {"denoise-ct": 4.0, "enhance-spine": 8.0, "detect-hemorrhage": 12.0}
_TITLE: dict[Task, str] = {
    "denoise-ct": "Low-dose CT denoiser",
    "enhance-spine": "Spine ultrasound enhancer and segmenter",
    "detect-hemorrhage": "Head CT haemorrhage detector",
}
_USE: dict[Task, str] = {
    "denoise-ct": "Reduces noise in low-dose CT slices, for research; not for diagnosis.",
    "enhance-spine": "Removes structured noise from coronal ultrasound projections of the spine and finds ribs, "
    "transverse processes and lumbar lumps, for research; not for diagnosis. Trained on simulated projections alone.",
    "detect-hemorrhage": "Marks non-contrast head CT scans that may show intracranial haemorrhage, and where, for "
    "research; not for diagnosis, and never to leave a scan unread.",
}


def run(args: Export) -> int:
    """Export, and print what was written."""
    evaluation = read_evaluation(args.evaluation)
    task: Task = evaluation.task if isinstance(evaluation, (SpineEvaluation, HeadEvaluation)) else "denoise-ct"
    labels = Labels(
        id=args.id,
        version=args.version,
        title=args.title or f"{_TITLE[task]} {args.id}",
        intended_use=args.intended_use or _USE[task],
        licence=args.licence,
        urls=args.url,
        bundled=args.bundle,
        default=args.default,
    )
    max_mb = BUNDLE_MB[task] if args.max_mb is None and args.bundle else args.max_mb
    max_bytes = None if max_mb is None else int(max_mb * 1e6)
    exported = export(args.run, labels, evaluation, args.output, max_bytes)
    if args.bundle:
        bundle(exported)
    for path in (exported.weights, exported.manifest_entry, exported.card):
        print(path)
    return 0
