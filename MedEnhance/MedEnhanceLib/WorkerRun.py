"""One request to the worker, and what it tells those who wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from MedEnhanceLib.WorkerFailures import WorkerFailure

SLICE_S = 0.05  # of blocking, between two looks at the clock


@dataclass
class RunCallbacks:
    """What a run tells, on the main thread; exactly one of the last three is called, once.

    Attributes:
        started: The worker has begun.
        progress: Stage, fraction of it in [0, 1], seconds left or None.
        warning: Something that the user should know.
        finished: The worker's result.
        failed: What happened and what to do.
        cancelled: It was cancelled; whatever it may have written in the meantime does not count.
    """

    started: Callable[[], None] = lambda: None
    progress: Callable[[str, float, float | None], None] = lambda *_: None
    warning: Callable[[str], None] = lambda *_: None
    finished: Callable[[dict[str, Any]], None] = lambda *_: None
    failed: Callable[[WorkerFailure], None] = lambda *_: None
    cancelled: Callable[[], None] = lambda: None


class WorkerRun:
    """A request that waits, is being done, or has ended. Only `WorkerClient` makes one.

    Args:
        runId: Its name in the protocol.
        line: The request.
        callbacks: Are told how it goes.
        cancel: Has the client cancel a run.
        deliver: Has the client tell what has arrived, waiting at most so many seconds.

    Attributes:
        id: See above.
        isActive: Its end has not been told yet.
        isCancelled: Its cancel was asked for.
        isAnswered: The worker has said something about it.
        isRepeated: It was sent a second time.
    """

    def __init__(
        self,
        runId: str,
        line: bytes,
        callbacks: RunCallbacks,
        cancel: Callable[[WorkerRun], None],
        deliver: Callable[[float], None],
    ) -> None:
        self.id, self.line, self.callbacks = runId, line, callbacks
        self._cancel, self._deliver = cancel, deliver
        self.isActive = True
        self.isCancelled = self.isAnswered = self.isRepeated = False

    def cancel(self) -> None:
        """Stop; `cancelled` is called within two seconds, at once when the run has not begun."""
        if self.isActive and not self.isCancelled:
            self.isCancelled = True
            self._cancel(self)

    def wait(self, timeoutS: float | None = None) -> None:
        """Block until the run has ended, or so long; the callbacks are called meanwhile."""
        until = None if timeoutS is None else time.monotonic() + timeoutS
        while self.isActive and (until is None or time.monotonic() < until):
            self._deliver(SLICE_S if until is None else min(SLICE_S, max(until - time.monotonic(), 0.0)))

    def tell(self, event: dict[str, Any]) -> Callable[[], None] | None:
        """Pass an event on; when it is the last one, return the call that does so instead."""
        self.isAnswered = True
        callbacks, kind = self.callbacks, event["event"]
        if kind == "result":
            # A result that crossed a cancel on its way does not count: the user has turned away from it.
            return callbacks.cancelled if self.isCancelled else lambda: callbacks.finished(_values(event))
        if kind == "error":
            return callbacks.cancelled if self.isCancelled else lambda: callbacks.failed(_failure(event))
        if kind == "cancelled":
            return callbacks.cancelled
        if kind == "warning":
            callbacks.warning(str(event.get("message", "")))
        elif kind == "started" and not self.isCancelled:
            callbacks.started()
        elif kind == "progress" and not self.isCancelled:
            callbacks.progress(str(event.get("stage", "")), float(event.get("fraction") or 0.0), event.get("eta_s"))
        return None


def _values(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("id", "event")}


def _failure(event: dict[str, Any]) -> WorkerFailure:
    return WorkerFailure(*(str(event.get(name, "")) for name in ("kind", "message", "hint")))
