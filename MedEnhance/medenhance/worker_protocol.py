"""The worker's protocol: one JSON request a line on stdin, one JSON event a line on stdout.

`python -m medenhance worker` serves a program, such as the Slicer panels, that must not load PyTorch itself. All lines
are UTF-8 on every platform. Nothing but events is ever written to stdout, not by a C library either; logs and Python
warnings go to stderr.

Requests are done one after the other, in the order of their arrival::

    {"id": "7", "task": "denoise-ct", "input": PATH, "output": PATH, "options": {...}}
    {"id": "8", "task": "hello"}
    {"cancel": "7"}

Events of a request, of which exactly one is of the last three kinds::

    {"id": "7", "event": "started"}
    {"id": "7", "event": "progress", "stage": "denoise", "fraction": 0.4, "eta_s": 12.5}
    {"id": "7", "event": "warning", "message": "..."}
    {"id": "7", "event": "result", ...}
    {"id": "7", "event": "error", "kind": "input-missing", "message": "...", "hint": "..."}
    {"id": "7", "event": "cancelled"}

"fraction" and "eta_s" are those of the stage; "eta_s" is null while it cannot be told. "kind" is one of
`medenhance.errors.Kind`, or "unexpected". A line that is no request, or that reuses the id of a request still to be
done, is answered by an error of kind "worker-protocol" whose id is null when no other id can be meant.

The tasks, with the keys of a request beside "id" and "task", and those of its result. An unknown key is an error, never
ignored. Keys with a value here may be left out.

hello
    Result: "version", "protocol", "python", "torch", "tasks", "models", "devices" (every one with the outcome of a real
    convolution).
denoise-ct: "input", "output", "options": {}
    Options, all optional, are those of the command: "model", "strength", "residual", "report", "figure", "device",
    "precision", "series". Result: "outputs" (what was written, name to path), "report" (the trust report).
project-vpi: "input", "output", "options": {}
    Options, all optional, are those of the command: "axes", "roi", "image_to_probe", "depths_mm", "thickness_mm",
    "blend", "trust_axes", "series". Result: "outputs" (the folder), "files" (its projections, superficial first),
    "depths_mm", "lamina_mm", "notes".
enhance-spine: "input", "output", "options": {}
    Options, all optional, are those of the command: "model", "steps", "depth", "spacing_mm", "other_depths",
    "thoracic_end", "device", "precision", "dicom" (write DICOM too, where the input is DICOM), and "projection" (the
    options of project-vpi, for a volume). Result: "outputs" (the folder), "report". `medenhance.tasks.spine_files` and
    `medenhance.tasks.spine_dicom` say what the folder holds.
measure-uca: "input", "output": null, "options": {}
    "input" is the label map of the original image. Options: "enhanced" (label map of the enhanced one), "order",
    "spacing_mm", "thoracic_end". Result: "outputs", "report".
detect-hemorrhage: "input", "output", "options": {}
    Options, all optional, are those of the command: "model", "operating_point", "mask_threshold", "top_slices",
    "thresholds", "series", "report" (draw it), "format", "dicom", "prior", "source" (DICOM files that an image file
    was loaded from), "device", "precision". Result: "outputs" (the folder and what lies in it), "report". A scan that
    fails an acceptance check is a result, too: its report has the status "not processed".
measure-hemorrhage: "input", "mask", "report", "source": []
    Measures the image file "mask", which a person may have edited, on its scan "input" without the network. "report" is
    that of detect-hemorrhage; "source" are the DICOM files that the scan was loaded from, if any. Result: "findings",
    as in that report.
export-hemorrhage: "input", "mask", "report", "source", "output", "objects": ["seg", "sr", "ko"], "edited": false
    Writes DICOM objects into the new folder "output". An edited mask is measured anew. Result: "outputs", "warnings".
worklist-hemorrhage: "input", "output", "options": {}
    All head CTs below a folder. Options as of detect-hemorrhage, as far as they hold for every study. Result:
    "outputs", "rows" (of the worklist, in its order).
export-dicom: "input", "source", "output", "provenance", "series": null
    Writes the volume file "input", a result on the grid of its source, as a DICOM series derived from "source": a
    folder, a file, or a list of all files; null is refused. Which grids are taken, `medenhance.dicom.placement` says.
    "provenance": {"model_id", "model_version", "weights_sha256", "strength", "precision", "what": "denoised",
    "removed" or "enhanced"}. Result: "outputs", "warnings" (which are events too).
export-segmentation: "input", "source", "output", "kinds", "provenance", "names": [], "edited": false, "series": null
    Writes the label map "input" as a DICOM segmentation of "source", both as in "export-dicom", into the file "output"
    (.dcm). "kinds" says what its values 1, 2, ... are: "hemorrhage", "rib", "thoracic-transverse-process" or
    "lumbar-lump"; "names" are other names of the segments; "edited" says that a person changed it. Result: "outputs",
    "warnings" (which are events too).
models
    Result: "models", each with all keys of its manifest entry and "installed" ("bundled", "installed" or "available"),
    "added" (by the user), "size_bytes", "permissive" (the licence asks for no more than attribution), "path" (null when
    it is not installed); "problems" (one sentence for each added model that cannot be used); "cache" (its folder),
    "cache_bytes". Answered without loading PyTorch.
model-download: "model", "accept_licence": false
    Result: "path". Must be accepted if the licence is not permissive. What was received is kept when it is cancelled.
model-verify: "model"
    Result: "difference" of the golden test, in network units, and the "tolerance" that it is within.
model-delete: "model"
    Result: "freed_bytes".
model-add: "path"
    Result: "model" (its id), "title".
pack-export: "path", "models": []
    Result: "models" (ids). No models mean all that are installed.
pack-import: "path"
    Result: "models" (ids). All of them are installed, or none.
doctor
    Result: "report" (as `medenhance doctor --json`), "text" (as `medenhance doctor`).

A cancel is asked for at every slice, and several times a second while a server is waited for; what takes seconds in one
piece, such as loading PyTorch, is finished first. A cancel for a request that is done or unknown does nothing, since it
may have crossed the result on its way. Nothing is ever left half-written. After stdin has ended, the requests that were
made are still done; when stdout is closed too, nobody is left to work for, and the worker stops.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import IO, Any

from medenhance.strict_json import SchemaError, from_json
from medenhance.worker_tasks import TASKS, Message

PROTOCOL = 1


@dataclass(frozen=True)
class CancelMessage:
    """Asks to stop the request of that id."""

    cancel: str


def parse_line(line: bytes) -> Message | CancelMessage:
    """The message in a line.

    Raises:
        BadLineError: It is none.
    """
    value: Any = None
    try:
        value = _object(line)
        if "cancel" in value:
            return from_json(CancelMessage, value, "request")
        return from_json(_message_type(value), value, "request")
    except SchemaError as error:
        given = value.get("id") if isinstance(value, dict) else None
        raise BadLineError(given if isinstance(given, str) else None, f"{error}.") from error


class BadLineError(ValueError):
    """A line that is no message.

    Args:
        request_id: Whom to answer; None when the line does not say.
        problem: What is wrong with it.
    """

    def __init__(self, request_id: str | None, problem: str) -> None:
        super().__init__(problem)
        self.request_id = request_id


class EventStream:
    """Writes events to a text stream, from any thread.

    Attributes:
        broken: Nobody reads any more.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.broken = False
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, request_id: str | None, event: str, **values: Any) -> None:
        # ASCII escapes keep file names that are no Unicode (lone surrogates) from ending the stream.
        line = json.dumps({"id": request_id, "event": event, **values}, allow_nan=False)
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # ValueError: the stream is closed
                self.broken = True


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SchemaError("request", f"not JSON in UTF-8 ({error})") from error
    if not isinstance(value, dict):
        raise SchemaError("request", "an object was expected")
    return value


def _message_type(value: dict[str, Any]) -> type[Message]:
    task = value.get("task")
    if not isinstance(task, str) or task not in TASKS:
        raise SchemaError("request.task", f"one of {', '.join(map(repr, TASKS))} was expected, not {task!r}")
    return TASKS[task][0]
