"""The worker's protocol: one JSON request a line on stdin, one JSON event a line on stdout.

`python -m medenhance worker` serves a program, such as the Slicer panels, that must not load PyTorch itself. All lines
are UTF-8 on every platform. Nothing but events is ever written to stdout, not by a C library either; logs and Python
warnings go to stderr.

Requests are done one after the other, in the order of their arrival::

    {"id": "7", "task": "denoise-ct", "input": PATH, "output": PATH, "options": {...}}
    {"id": "8", "task": "hello"}
    {"cancel": "7"}

The options of "denoise-ct", all optional, are those of the command: "model", "strength", "residual", "report",
"figure", "device", "precision", "series". An unknown key is an error, never ignored.

Events of a request, of which exactly one is of the last three kinds::

    {"id": "7", "event": "started"}
    {"id": "7", "event": "progress", "stage": "denoise", "fraction": 0.4, "eta_s": 12.5}
    {"id": "7", "event": "warning", "message": "..."}
    {"id": "7", "event": "result", ...}
    {"id": "7", "event": "error", "kind": "input-missing", "message": "...", "hint": "..."}
    {"id": "7", "event": "cancelled"}

"fraction" and "eta_s" are those of the stage; "eta_s" is null while it cannot be told. The result of "denoise-ct" has
"outputs" (what was written, name to path) and "report" (the trust report); that of "hello" has "version", "protocol",
"python", "torch", "tasks", "models" and "devices" (every one with the outcome of a real convolution). "kind" is one of
`medenhance.errors.Kind`, or "unexpected". A line that is no request, or that reuses the id of a request still to be
done, is answered by an error of kind "worker-protocol" whose id is null when no other id can be meant.

A cancel is asked for at every slice; one for a request that is done or unknown does nothing, since it may have crossed
the result on its way. After stdin has ended, the requests that were made are still done; when stdout is closed too,
nobody is left to work for, and the worker stops.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import IO, Any, Literal

from medenhance.strict_json import SchemaError, from_json

PROTOCOL = 1


@dataclass(frozen=True)
class DenoiseCtOptions:
    """The "options" of a "denoise-ct" request."""

    model: str | None = None
    strength: float = 1.0
    residual: str | None = None
    report: str | None = None
    figure: str | None = None
    device: str = "auto"
    precision: str = "auto"
    series: str | None = None


@dataclass(frozen=True)
class DenoiseCtMessage:
    """A "denoise-ct" request."""

    id: str
    task: Literal["denoise-ct"]
    input: str
    output: str
    options: DenoiseCtOptions = field(default_factory=DenoiseCtOptions)


@dataclass(frozen=True)
class HelloMessage:
    """A "hello" request."""

    id: str
    task: Literal["hello"]


@dataclass(frozen=True)
class CancelMessage:
    """Asks to stop the request of that id."""

    cancel: str


Message = DenoiseCtMessage | HelloMessage
MESSAGES: dict[str, type[Message]] = {"denoise-ct": DenoiseCtMessage, "hello": HelloMessage}


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
    if not isinstance(task, str) or task not in MESSAGES:
        raise SchemaError("request.task", f"one of {', '.join(map(repr, MESSAGES))} was expected, not {task!r}")
    return MESSAGES[task]
