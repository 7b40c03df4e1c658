"""Many volumes or studies, one after the other, each into a file of an output folder; one that fails stops no other."""

from __future__ import annotations

import csv
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from medenhance.errors import Cancelled, MedEnhanceError
from MedEnhanceLib.BlockingRun import ask
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.WorkerClient import WorkerClient

TABLE = "medenhance_batch.csv"


@dataclass(frozen=True)
class BatchRow:
    """How one input ended.

    Attributes:
        name: Of the input.
        status: "done", "skipped" (its output is there already) or "failed".
        output: Path of the result.
        seconds: Time that it took.
        message: What went wrong.
    """

    name: str
    status: str
    output: str
    seconds: float
    message: str = ""


def runBatch(
    client: WorkerClient,
    task: str,
    inputs: Sequence[Any],
    outputFolder: Path,
    options: dict[str, Any],
    suffix: str,
    temporaryFolder: str,
) -> list[BatchRow]:
    """Run a task over nodes and paths.

    Args:
        client: The worker.
        task: Such as "denoise-ct".
        inputs: Volume nodes, and paths of DICOM folders or volume files.
        outputFolder: Made if needed; an input whose result is there already is skipped.
        options: Options of every request.
        suffix: What the results' names end with, before ".nrrd".
        temporaryFolder: Where nodes are written for the worker.

    Returns:
        A row for each input; they also stand in a table in the output folder.
    """
    outputFolder.mkdir(parents=True, exist_ok=True)
    names = _uniqueNames([_nameOf(one) for one in inputs])
    rows = []
    try:
        for name, one in zip(names, inputs):
            output = outputFolder / f"{name}{suffix}.nrrd"
            rows.append(_row(client, task, one, name, output, options, temporaryFolder))
    finally:
        _writeTable(rows, outputFolder / TABLE)
    return rows


def _row(
    client: WorkerClient, task: str, one: Any, name: str, output: Path, options: dict[str, Any], temporaryFolder: str
) -> BatchRow:
    if output.exists():
        return BatchRow(name, "skipped", str(output), 0.0, _("The result is there already."))
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="medenhance-", dir=temporaryFolder))
    try:
        payload = {"input": str(_asFile(one, folder)), "output": str(output), "options": options}
        payload["options"] = {**options, "report": str(output.with_suffix(".json"))}
        ask(client, task, payload)
    except Cancelled:
        raise
    except (MedEnhanceError, OSError, ValueError) as error:
        return BatchRow(name, "failed", "", time.monotonic() - begun, str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return BatchRow(name, "done", str(output), time.monotonic() - begun)


def _asFile(one: Any, folder: Path) -> Path:
    if isinstance(one, (str, Path)):
        return Path(one)
    path = folder / "input.nrrd"
    for _fraction in exportSteps(one, path):
        pass
    return path


def _nameOf(one: Any) -> str:
    name = Path(one).name if isinstance(one, (str, Path)) else one.GetName()
    for ending in (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".dcm"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    # Characters that some file system refuses; letters of any script stay.
    return "".join("_" if c in '<>:"/\\|?*' or ord(c) < 32 else c for c in name).strip(" .") or "volume"


def _uniqueNames(names: Sequence[str]) -> list[str]:
    """The names with a number behind those that came before, whatever their case."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        count = seen[name.lower()] = seen.get(name.lower(), 0) + 1
        unique.append(name if count == 1 else f"{name}_{count}")
    return unique


def _writeTable(rows: Sequence[BatchRow], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, ["name", "status", "output", "seconds", "message"])
        table.writeheader()
        table.writerows({**asdict(row), "seconds": f"{row.seconds:.2f}"} for row in rows)
