"""Many volumes or studies, one after the other, each into a file of an output folder; one that fails stops no other.

What is done is noted in the folder, with a fingerprint of its input, the model and the options. So a batch that was
stopped goes on where it was, and a result of another patient or of other options is never taken for the one that is
asked for.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.manifest import load_manifest
from MedEnhanceLib.BlockingRun import ask
from MedEnhanceLib.VolumeBridge import exportSteps
from MedEnhanceLib.WorkerClient import WorkerClient
from MedEnhanceLib.WorkerFailures import WORKER_START

TABLE = "medenhance_batch.csv"
# Not the fault of one input: the next one would fail in the same way.
COMMON_KINDS = ("bad-option", "model-unknown", "weights-missing", "device-unavailable", WORKER_START)
_ENDINGS = (
    ".nii.gz", ".nii", ".nrrd", ".igs.mha", ".mha", ".mhd", ".dcm", ".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg",
)  # fmt: skip
_LONGEST_NAME = 100  # of an output, in bytes; file systems take 255, and endings come behind


@dataclass(frozen=True)
class BatchRow:
    """How one input ended.

    Attributes:
        name: Of its outputs.
        status: "done", "skipped" (done before, from the same input with the same model and options) or "failed".
        output: Path of the result.
        seconds: Time that it took.
        message: What went wrong and what to do.
        input: Path of the input, or name of the node.
    """

    name: str
    status: str
    output: str
    seconds: float
    message: str = ""
    input: str = ""


@dataclass(frozen=True)
class BatchRequest:
    """What to do.

    Attributes:
        task: Of the worker, such as "denoise-ct".
        inputs: Volume nodes, and paths of DICOM folders or files.
        outputFolder: Made if needed.
        options: Options of every request.
        suffix: What the results' names end with, before ".nrrd".
        temporaryFolder: Where nodes are written for the worker.
        told: Called with each row as soon as it is known.
        asFolder: Each result is a folder, with its report in it, instead of a file.
        optionsOf: Further options of one input; raises MedEnhanceError for one that is unsuitable.
    """

    task: str
    inputs: Sequence[Any]
    outputFolder: Path
    options: dict[str, Any]
    suffix: str
    temporaryFolder: str
    told: Callable[[BatchRow], object] = lambda _row: None
    asFolder: bool = False
    optionsOf: Callable[[Any], dict[str, Any]] = lambda _one: {}

    def outputOf(self, name: str) -> Path:
        """The result of that name."""
        ending = "" if self.asFolder else ".nrrd"
        return self.outputFolder.absolute() / f"{name}{self.suffix}{ending}"


def runBatch(client: WorkerClient, request: BatchRequest) -> list[BatchRow]:
    """Run a task over nodes and paths.

    Returns:
        A row for each input; they also stand in a table in the output folder, also when the batch was stopped.

    Raises:
        MedEnhanceError: What the next input would fail with, too: an unknown model, no worker, a full folder.
    """
    from medenhance.batch.state import BatchState

    folder = request.outputFolder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = _("The folder {folder} cannot be made: {error}.").format(folder=folder, error=error.strerror or error)
        raise MedEnhanceError("output-refused", message, _("Choose another output folder.")) from error
    state, rows = BatchState(folder), []
    names = _uniqueNames([_nameOf(one) for one in request.inputs])
    try:
        for name, one in zip(names, request.inputs, strict=True):
            rows.append(_row(client, request, state, one, name, request.outputOf(name)))
            request.told(rows[-1])
    finally:
        _writeTable(rows, folder / TABLE)
    return rows


def _row(client: WorkerClient, request: BatchRequest, state: Any, one: Any, name: str, output: Path) -> BatchRow:
    begun = time.monotonic()
    try:
        status, message = _do(client, request, state, one, output), ""
    except Exception as error:
        if isinstance(error, Cancelled) or getattr(error, "kind", "") in COMMON_KINDS:
            raise
        status, message = "failed", str(error) or type(error).__name__
    made = str(output) if status != "failed" else ""
    return BatchRow(name, status, made, time.monotonic() - begun, message, _sourceOf(one))


def _do(client: WorkerClient, request: BatchRequest, state: Any, one: Any, output: Path) -> str:
    """Do one input, unless it is done already; the row's status."""
    with _asFile(one, request.temporaryFolder) as path:
        options = {**request.options, **request.optionsOf(one)}
        fingerprint = _fingerprint(one, path, request, options)
        record = state.record_of(output)
        if record is not None and record.done and record.fingerprint == fingerprint and output.exists():
            return "skipped"
        outputs = [output]
        if not request.asFolder:
            outputs.insert(0, output.with_suffix(".json"))
            options["report"] = str(outputs[0])
        _refuseForeign(state, outputs)
        state.begin(outputs, fingerprint)
        try:
            with _setAside(output if request.asFolder else None):
                ask(client, request.task, {"input": str(path), "output": str(output), "options": options})
        except MedEnhanceError:
            state.give_up(outputs)
            raise
    state.finish(output, fingerprint, {})
    return "done"


@contextmanager
def _setAside(folder: Path | None) -> Iterator[None]:
    """Have a result of an earlier batch out of the way: it comes back when there is no new one. None: nothing to do."""
    if folder is None or not folder.exists():
        yield
        return
    aside = folder.with_name(f".{folder.name}.before")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    try:
        yield
    finally:
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.rename(folder)


def _refuseForeign(state: Any, outputs: Sequence[Path]) -> None:
    for path in outputs:
        if path.exists() and not state.owns(path):
            message = _("{path} exists and was not written by a batch.").format(path=path)
            raise MedEnhanceError("output-refused", message, _("Move it away, or choose another output folder."))


@contextmanager
def _asFile(one: Any, temporaryFolder: str) -> Iterator[Path]:
    """The path of an input; a node is written into a temporary file."""
    if isinstance(one, (str, Path)):
        yield Path(one).absolute()
        return
    if not hasattr(one, "GetImageData"):
        message = _("{thing} is no volume.").format(thing=_sourceOf(one))
        raise MedEnhanceError("input-unsuitable", message, _("Give volume nodes, and paths of studies."))
    folder = Path(tempfile.mkdtemp(prefix="medenhance-", dir=temporaryFolder))
    try:
        path = folder / "input.nrrd"
        for _fraction in exportSteps(one, path):
            pass
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fingerprint(one: Any, path: Path, request: BatchRequest, options: dict[str, Any]) -> str:
    """Of all that the result depends on: the input, the model and the options."""
    from medenhance.batch.state import fingerprint

    settings = {"task": request.task, "options": options, "weights": _weights(request)}
    if isinstance(one, (str, Path)):
        return fingerprint(_filesOf(path), path.parent, settings)
    return fingerprint([], path.parent, {**settings, "voxels": _digest(path)})


def _weights(request: BatchRequest) -> list[str]:
    """Hashes of the model's files, as far as it comes with MedEnhance; the name of any other one must do."""
    asked = request.options.get("model")
    entries = [entry for entry in load_manifest().values() if entry.task == request.task]
    return [file.sha256 for entry in entries if (entry.id == asked if asked else entry.default) for file in entry.files]


def _filesOf(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file()]
    if path.suffix.lower() == ".mhd":
        return [file for file in path.parent.iterdir() if file.is_file() and file.stem == path.stem]
    return [path] if path.is_file() else []


def _digest(path: Path) -> str:
    import hashlib

    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _sourceOf(one: Any) -> str:
    if isinstance(one, (str, Path)):
        return str(one)
    return one.GetName() or "" if hasattr(one, "GetName") else str(one)


def _nameOf(one: Any) -> str:
    """A name for its outputs, which every file system takes."""
    name = Path(one).absolute().name if isinstance(one, (str, Path)) else _sourceOf(one)
    for ending in _ENDINGS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    # Letters of any script stay.
    name = "".join("_" if c in '<>:"/\\|?*' or ord(c) < 32 else c for c in name)
    return name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore").strip(" .") or "volume"


def _uniqueNames(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that came before, whatever their case."""
    taken: set[str] = set()
    unique = []
    for name in names:
        new, count = name, 1
        while new.lower() in taken:
            count += 1
            new = f"{name}_{count}"
        taken.add(new.lower())
        unique.append(new)
    return unique


def _writeTable(rows: Sequence[BatchRow], path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        table = csv.DictWriter(stream, [field.name for field in fields(BatchRow)])
        table.writeheader()
        table.writerows({**asdict(row), "seconds": f"{row.seconds:.2f}"} for row in rows)
