"""Many projections or volumes of the back, one after the other, each into a folder; one that fails stops no other."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from medenhance.errors import Cancelled, MedEnhanceError
from MedEnhanceLib.BatchRun import BatchRow
from MedEnhanceLib.BlockingRun import ask
from MedEnhanceLib.SpineRun import TASK, projectionProblem, spacingOf
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.WorkerClient import WorkerClient

# Not the fault of one input: the next one would fail in the same way.
COMMON_KINDS = ("bad-option", "model-unknown", "weights-missing", "device-unavailable", "worker-start")


def runSpineBatch(
    client: WorkerClient,
    inputs: Sequence[Any],
    outputFolder: Path,
    options: dict[str, Any],
    pixelMm: float,
    temporaryFolder: str,
) -> list[BatchRow]:
    """Enhance, segment and measure.

    Args:
        client: The worker.
        inputs: Projection nodes, and paths of projections or volumes.
        outputFolder: Made if needed; an input whose folder is there already is skipped.
        options: Of every request.
        pixelMm: Size of the pixels; 0 for what each image states.
        temporaryFolder: Where nodes are written for the worker.

    Returns:
        A row for each input.

    Raises:
        MedEnhanceError: What the next input would fail with, too, such as an unknown model.
    """
    outputFolder.mkdir(parents=True, exist_ok=True)
    rows, used = [], set()
    for one in inputs:
        name = base = _nameOf(one)
        while name.lower() in used:
            name = f"{base}_{sum(known.startswith(base.lower()) for known in used) + 1}"
        used.add(name.lower())
        rows.append(_row(client, one, outputFolder / name, options, pixelMm, temporaryFolder))
    return rows


def _row(
    client: WorkerClient, one: Any, output: Path, options: dict[str, Any], pixelMm: float, temporaryFolder: str
) -> BatchRow:
    if output.exists():
        return BatchRow(output.name, "skipped", str(output), 0.0, _("The result is there already."))
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="medenhance-", dir=temporaryFolder))
    try:
        path, spacing = _asFile(one, folder, pixelMm)
        ask(client, TASK, {"input": path, "output": str(output), "options": {**options, "spacing_mm": spacing}})
    except (MedEnhanceError, OSError, ValueError) as error:
        if isinstance(error, Cancelled) or getattr(error, "kind", "") in COMMON_KINDS:
            raise
        return BatchRow(output.name, "failed", "", time.monotonic() - begun, str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return BatchRow(output.name, "done", str(output), time.monotonic() - begun)


def _asFile(one: Any, folder: Path, pixelMm: float) -> tuple[str, list[float] | None]:
    """Path of an input, and the size of its pixels where the file itself does not tell."""
    given = [pixelMm, pixelMm] if pixelMm > 0 else None
    if isinstance(one, (str, Path)):
        return str(Path(one).absolute()), given
    problem = projectionProblem(one, pixelMm)
    if problem:
        raise MedEnhanceError("input-unsuitable", problem)
    for _fraction in exportSteps(one, folder / "input.nrrd"):
        pass
    return str(folder / "input.nrrd"), list(spacingOf(one, pixelMm) or ())


def _nameOf(one: Any) -> str:
    name = Path(one).name.split(".")[0] if isinstance(one, (str, Path)) else one.GetName()
    # Characters that some file system refuses; letters of any script stay.
    return "".join("_" if c in '<>:"/\\|?*' or ord(c) < 32 else c for c in name).strip(" .")[:60] or "projection"
