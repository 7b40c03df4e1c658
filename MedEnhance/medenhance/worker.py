"""The worker: does the requests of `medenhance.worker_protocol` and keeps loaded weights in between."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from medenhance.errors import Cancelled
from medenhance.failures import describe
from medenhance.predictor_cache import PredictorCache
from medenhance.worker_protocol import BadLineError, CancelMessage, EventStream, parse_line
from medenhance.worker_tasks import TASKS, Message, Running

PROGRESS_INTERVAL_S = 0.1


@dataclass
class Job:
    """A request that waits or runs, and whether it shall stop."""

    message: Message
    cancelled: threading.Event = field(default_factory=threading.Event)


class JobProgress:
    """Passes a job's progress on as events, at most ten a second."""

    def __init__(self, job: Job, events: EventStream, clock: Callable[[], float] = time.monotonic) -> None:
        self._job, self._events, self._clock = job, events, clock
        self._stage, self._stage_began, self._last_sent = "", 0.0, 0.0

    def update(self, stage: str, fraction: float) -> None:
        now = self._clock()
        if stage != self._stage:
            self._stage, self._stage_began = stage, now
        elif fraction < 1.0 and now - self._last_sent < PROGRESS_INTERVAL_S:
            return
        self._last_sent = now
        eta_s = (now - self._stage_began) * (1 - fraction) / fraction if fraction > 0 else None
        rounded = None if eta_s is None else round(eta_s, 2)
        self._events.send(self._job.message.id, "progress", stage=stage, fraction=round(fraction, 4), eta_s=rounded)

    def warn(self, message: str) -> None:
        self._events.send(self._job.message.id, "warning", message=message)

    def cancelled(self) -> bool:
        return self._job.cancelled.is_set() or self._events.broken


class Worker:
    """Takes requests from one thread and does them in another."""

    def __init__(self, events: EventStream) -> None:
        self._events = events
        self._jobs: deque[Job] = deque()  # the first one runs
        self._changed = threading.Condition()
        self._ended = False
        self._predictors = PredictorCache()

    def read(self, lines: IO[bytes]) -> None:
        """Accept every line until the stream ends."""
        for line in iter(lines.readline, b""):
            if line.strip():
                self.accept(line)
        with self._changed:
            self._ended = True
            self._changed.notify()

    def accept(self, line: bytes) -> None:
        """Queue a request, or obey a cancel, or say what is wrong with the line."""
        try:
            message = parse_line(line)
            if isinstance(message, CancelMessage):
                self._cancel(message.cancel)
            else:
                self._queue(Job(message))
        except BadLineError as error:
            # An error with the id of a request in use would end that request for the reader.
            known_id = None if self._in_use(error.request_id) else error.request_id
            hint = "See the description of medenhance.worker_protocol."
            self._events.send(known_id, "error", kind="worker-protocol", message=str(error), hint=hint)

    def work(self) -> None:
        """Do what is queued until the requests have ended or nobody reads the events."""
        while (job := self._next()) is not None:
            event, values = self._done(job)
            with self._changed:
                self._jobs.popleft()  # before its last event, after which its id may be used again
            self._events.send(job.message.id, event, **values)

    def _queue(self, job: Job) -> None:
        with self._changed:
            if self._in_use(job.message.id):
                raise BadLineError(job.message.id, f"request.id: {job.message.id!r} is still in use.")
            self._jobs.append(job)
            self._changed.notify()

    def _in_use(self, request_id: str | None) -> bool:
        with self._changed:
            return any(job.message.id == request_id for job in self._jobs)

    def _cancel(self, request_id: str) -> None:
        with self._changed:
            job = next((job for job in self._jobs if job.message.id == request_id), None)
            if job is None:
                return
            job.cancelled.set()
            if job is self._jobs[0]:
                return  # it says so itself when it has stopped
            self._jobs.remove(job)
        self._events.send(request_id, "cancelled")

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._ended)
            return self._jobs[0] if self._jobs and not self._events.broken else None

    def _done(self, job: Job) -> tuple[str, dict[str, Any]]:
        """Do a job and return its last event."""
        try:
            if job.cancelled.is_set():
                raise Cancelled
            self._events.send(job.message.id, "started")
            return "result", self._result(job.message, JobProgress(job, self._events))
        except Cancelled:
            return "cancelled", {}
        except Exception as error:
            failure = describe(error)
            return "error", {"kind": failure.kind, "message": failure.message, "hint": failure.hint}

    def _result(self, message: Message, progress: JobProgress) -> dict[str, Any]:
        _, handler = TASKS[message.task]
        return handler(message, Running(progress, self._predictors))


def serve(requests: IO[bytes], events: IO[str]) -> None:
    """Answer requests until they end; requests are read in a thread so that a cancel is heard during the work."""
    worker = Worker(EventStream(events))
    threading.Thread(target=worker.read, args=(requests,), name="requests", daemon=True).start()
    worker.work()


def main() -> int:
    """Serve stdin and stdout of this process."""
    with claim_stdout() as events:
        # A stream of our own: Python may close its own stdin at exit while the thread still waits in it.
        requests = os.fdopen(os.dup(0), "rb")
        serve(requests, events)
    return 0


def claim_stdout() -> IO[str]:
    """A text stream to where stdout went; whatever else is written to stdout goes to stderr from now on.

    The file descriptor itself is redirected, so that this holds for C and C++ libraries and for subprocesses too.
    """
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(private, "w", encoding="utf-8", newline="\n")
