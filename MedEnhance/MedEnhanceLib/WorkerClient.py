"""Runs of the worker: one process that stays warm, one request at a time, and an end for each within reach."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

from MedEnhanceLib.Schedule import After, Schedule
from MedEnhanceLib.WorkerFailures import WorkerFailure, died, notStartable, notStarted
from MedEnhanceLib.WorkerLog import WorkerLog
from MedEnhanceLib.WorkerRun import RunCallbacks, WorkerRun
from MedEnhanceLib.WorkerTransport import WorkerCommand, WorkerTransport

__all__ = ["RunCallbacks", "WorkerClient", "WorkerFailure", "WorkerRun"]

START_STAGE = "start"  # of the progress while the process starts
KILL_LIMIT_S = 0.5  # for a killed process to go before its run is given up anyway
SHOWN_GARBAGE = 300  # characters
LAST_WORDS = 50  # lines


class WorkerClient:
    """Sends requests to a worker process, which it starts when first needed and after a crash.

    Requests wait here until the one before has ended, so that a crash or a kill costs one run only.

    Args:
        transport: Reaches the process.
        command: What to start now; when its answer changes, the idle process is replaced before the next run. An
            exception of it becomes the run's failure.
        log: Gets what the worker writes to stderr; a new one when None.
        after: Schedules a call on the main thread after so many seconds. None is for callers who always `wait`.
        cancelGraceS: How long a worker may take to stop by itself after a cancel.

    Attributes:
        log: See above.
    """

    def __init__(
        self,
        transport: WorkerTransport,
        command: Callable[[], WorkerCommand],
        log: WorkerLog | None = None,
        after: After | None = None,
        cancelGraceS: float = 1.2,
    ) -> None:
        self.log = log if log is not None else WorkerLog()
        self._transport, self._command, self._cancelGraceS = transport, command, cancelGraceS
        self._schedule = Schedule(after)
        self._ids = count(1)
        self._queue: deque[WorkerRun] = deque()
        self._active: WorkerRun | None = None
        self._startedWith: WorkerCommand | None = None  # None: no process
        self._lastWords = WorkerLog(LAST_WORDS)  # of this process
        self._isAnswering = False  # this process has answered something
        self._isStarting = self._isEnding = self._isShuttingDown = False

    def submit(self, task: str, payload: dict[str, Any], callbacks: RunCallbacks) -> WorkerRun:
        """Have a task done.

        Args:
            task: Its name in the protocol.
            payload: The request's other keys.
            callbacks: Are told how it goes. Only `progress` may be called before this returns.
        """
        runId = str(next(self._ids))
        line = _line({**payload, "id": runId, "task": task})
        run = WorkerRun(runId, line, callbacks, self._cancel, self.deliver)
        self._queue.append(run)
        self._advance()
        return run

    def busy(self) -> bool:
        """Whether a run waits or is being done."""
        return self._active is not None or bool(self._queue)

    def shutdown(self) -> None:
        """Cancel what runs and end the process; a later run would start a new one."""
        self._isShuttingDown = True
        try:
            self._cancelQueue()
            active = self._active
            if active is not None:
                active.isCancelled = True
                self._transport.kill()
            self._transport.close()
            if active is not None:
                self._end(active, active.callbacks.cancelled)
            self._cancelQueue()  # what those who were told have asked for
        finally:
            self._isShuttingDown = False

    def onLine(self, line: str) -> None:
        """An event of the worker, or garbage."""
        event = _event(line)
        if event is None:
            self.log.appendLine("unexpected output: " + line[:SHOWN_GARBAGE])
            return
        self._isAnswering = True
        run = self._active
        if run is not None and event.get("id") == run.id:
            tellEnd = run.tell(event)
            if tellEnd is not None:
                self._end(run, tellEnd)
        elif event["event"] == "error" and event.get("id") is None:
            self.log.appendLine(f"the worker did not understand a request: {event.get('message')}")

    def onLog(self, text: str) -> None:
        """What the worker writes for people."""
        self.log.append(text)
        self._lastWords.append(text)

    def onFinished(self, reason: str) -> None:
        """The process has ended."""
        if self._isStarting:
            # Not before `submit` has returned: the caller does not know its run yet.
            self._schedule.later(0.0, lambda: self._ended(reason))
        else:
            self._ended(reason)

    def _advance(self) -> None:
        """Begin the next run, unless one is on or the process is about to end."""
        if self._active is not None or not self._queue or self._isEnding or self._isShuttingDown:
            return
        try:
            command = self._command()
        except Exception as error:
            self._refuse(notStartable(error))
            return
        if self._startedWith not in (None, command):
            self._kill()  # when it has ended, this is called again
            return
        self._begin(command)

    def _refuse(self, failure: WorkerFailure) -> None:
        run = self._active = self._queue.popleft()
        self._schedule.later(0.0, lambda: self._end(run, lambda: run.callbacks.failed(failure)))

    def _begin(self, command: WorkerCommand) -> None:
        run = self._active = self._queue.popleft()
        if self._startedWith is None:
            self._start(command)
            run.callbacks.progress(START_STAGE, 0.0, None)
        self._transport.send(run.line)

    def _start(self, command: WorkerCommand) -> None:
        self._startedWith, self._isAnswering = command, False
        self._lastWords.clear()
        self._isStarting = True
        try:
            self._transport.start(command, self)
        finally:
            self._isStarting = False

    def _cancel(self, run: WorkerRun) -> None:
        if run in self._queue:
            self._queue.remove(run)
            self._end(run, run.callbacks.cancelled)
        elif self._startedWith is None:
            self._end(run, run.callbacks.cancelled)  # nothing was started for it
        else:
            self._transport.send(_line({"cancel": run.id}))
            self._schedule.later(self._cancelGraceS, lambda: self._killFor(run))

    def _cancelQueue(self) -> None:
        for run in list(self._queue):
            run.cancel()

    def _killFor(self, run: WorkerRun) -> None:
        """The worker did not stop by itself."""
        if run.isActive:
            self._kill()
            self._schedule.later(KILL_LIMIT_S, lambda: self._end(run, run.callbacks.cancelled))

    def _kill(self) -> None:
        self._isEnding = True
        self._transport.kill()

    def _ended(self, reason: str) -> None:
        run, answered = self._active, self._isAnswering
        self._startedWith, self._isEnding = None, False
        self.log.appendLine(f"the worker {reason}")
        if run is None:
            self._advance()
        elif run.isCancelled:
            self._end(run, run.callbacks.cancelled)
        elif answered and not run.isAnswered and not run.isRepeated:
            self._repeat(run)  # a warm worker had died unnoticed when the request was sent
        else:
            failure = died(reason) if answered else notStarted(reason, self._lastWords.text())
            self._end(run, lambda: run.callbacks.failed(failure))

    def _repeat(self, run: WorkerRun) -> None:
        run.isRepeated, self._active = True, None
        self._queue.appendleft(run)
        self._advance()

    def _end(self, run: WorkerRun, tell: Callable[[], None]) -> None:
        """Tell a run's end, once, and go on with the next."""
        if not run.isActive:
            return
        run.isActive = False
        if self._active is run:
            self._active = None
        try:
            tell()
        finally:
            self._advance()

    def deliver(self, timeoutS: float) -> None:
        """Tell what has arrived and what is due, waiting at most so long; for callers without an event loop."""
        self._transport.deliver(self._schedule.secondsToNext(timeoutS))
        self._schedule.fireDue()


def _line(message: dict[str, Any]) -> bytes:
    # ASCII escapes: a file name that is no Unicode (lone surrogates) must not fail here.
    return json.dumps(message, allow_nan=False).encode("ascii") + b"\n"


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
