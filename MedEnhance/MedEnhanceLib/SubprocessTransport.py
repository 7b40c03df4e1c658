"""A worker process through Python's own `subprocess`, for programs without Qt's event loop."""

from __future__ import annotations

import codecs
import os
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from typing import IO

from MedEnhanceLib.LineBuffer import LineBuffer
from MedEnhanceLib.ProcessTree import killGroup, killTree
from MedEnhanceLib.WorkerTransport import TransportListener, WorkerCommand, endReason

BLOCK_BYTES = 1 << 16
CLOSE_GRACE_S, KILL_LIMIT_S = 0.5, 1.0


class Arrivals:
    """What the reading threads have read and nobody has been told yet; bounded in both directions.

    Lines wait for the listener when too many are there. Log text never does: a worker that cannot write its log would
    stand still, so the oldest text goes.
    """

    def __init__(self, maxLines: int = 1000, maxLogBlocks: int = 64) -> None:
        self._lines: deque[str] = deque()
        self._logs: deque[str] = deque(maxlen=maxLogBlocks)
        self._maxLines = maxLines
        self._changed = threading.Condition()
        self._reason: str | None = None

    def addLines(self, lines: list[str]) -> None:
        for line in lines:
            with self._changed:
                self._changed.wait_for(lambda: len(self._lines) < self._maxLines or self._reason is not None)
                self._lines.append(line)
                self._changed.notify_all()

    def addLog(self, text: str) -> None:
        with self._changed:
            self._logs.append(text)
            self._changed.notify_all()

    def end(self, reason: str) -> None:
        with self._changed:
            self._reason = reason
            self._changed.notify_all()

    def tell(self, listener: TransportListener, timeoutS: float) -> bool:
        """Tell what has arrived, waiting at most so long for something; whether the end was told."""
        until = time.monotonic() + timeoutS
        with self._changed:
            while not (self._lines or self._logs or self._reason is not None):
                if not self._changed.wait(max(until - time.monotonic(), 0.0)):
                    return False
            # No more than what is there now: a flood must not keep the caller here.
            numLogs, numLines = len(self._logs), len(self._lines)
        for _ in range(numLogs):
            self._tellOne(self._logs, listener.onLog)
        for _ in range(numLines):
            self._tellOne(self._lines, listener.onLine)
        return self._tellEnd(listener)

    def _tellOne(self, waiting: deque[str], tell: object) -> None:
        with self._changed:
            text = waiting.popleft() if waiting else None
            self._changed.notify_all()
        if text is not None:
            tell(text)  # type: ignore[operator]

    def _tellEnd(self, listener: TransportListener) -> bool:
        with self._changed:
            if self._reason is None or self._lines or self._logs:
                return False
            reason, self._reason = self._reason, None
        listener.onFinished(reason)
        return True


class SubprocessTransport:
    """A `WorkerTransport`; the listener is told from within `deliver` and `close`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: TransportListener | None = None
        self._arrivals = Arrivals()
        self._isKilled = False
        self._killer: object = None

    def start(self, command: WorkerCommand, listener: TransportListener) -> None:
        self._listener, self._arrivals, self._isKilled = listener, Arrivals(), False
        try:
            self._process = _open(command)
        except (OSError, ValueError) as error:
            self._process = None
            self._arrivals.end(f"could not be started: {error}")
            return
        threading.Thread(target=self._watch, args=(self._process, self._arrivals), daemon=True).start()

    def send(self, line: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError, ValueError):  # it has ended, which is told in its own way
                process.stdin.write(line)
                process.stdin.flush()

    def isRunning(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        if self._process is not None and self.isRunning():
            self._isKilled = True
            self._killer = killTree(self._process.pid)

    def close(self) -> None:
        if self._process is None:
            return
        _closeQuietly(self._process.stdin)
        if not self._waitFor(CLOSE_GRACE_S):
            self.kill()
            self._waitFor(KILL_LIMIT_S)
        self._tellUntilEnd(KILL_LIMIT_S)

    def deliver(self, timeoutS: float) -> None:
        if self._listener is None:
            time.sleep(timeoutS)
            return
        arrivals = self._arrivals
        if arrivals.tell(self._listener, timeoutS) and arrivals is self._arrivals:
            self._listener = None  # unless it has started the next process already

    def _waitFor(self, seconds: float) -> bool:
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _tellUntilEnd(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._listener is not None and time.monotonic() < until:
            self.deliver(0.05)

    def _watch(self, process: subprocess.Popen[bytes], arrivals: Arrivals) -> None:
        """Read until the process has ended, then say so; in a thread of its own."""
        readers = [
            threading.Thread(target=_readLines, args=(process.stdout, arrivals), daemon=True),
            threading.Thread(target=_readLog, args=(process.stderr, arrivals), daemon=True),
        ]
        for reader in readers:
            reader.start()
        code = process.wait()
        killGroup(process.pid)  # a worker that was killed by others may leave children
        for reader in readers:
            reader.join(CLOSE_GRACE_S)  # a process that left the group may hold the pipe open for ever
        _closeQuietly(process.stdin)
        arrivals.end(endReason(abs(code), code < 0, self._isKilled))


def _open(command: WorkerCommand) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [command.program, *command.arguments],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        cwd=command.workingFolder,
        env=command.environment,
        start_new_session=os.name != "nt",  # Ctrl+C in a terminal is for the program, not for its worker
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _readLines(stream: IO[bytes], arrivals: Arrivals) -> None:
    buffer = LineBuffer()
    with stream:
        while data := os.read(stream.fileno(), BLOCK_BYTES):
            arrivals.addLines(buffer.feed(data))
    arrivals.addLines(buffer.rest())


def _readLog(stream: IO[bytes], arrivals: Arrivals) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with stream:
        while data := os.read(stream.fileno(), BLOCK_BYTES):
            arrivals.addLog(decoder.decode(data))


def _closeQuietly(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with suppress(OSError):
            stream.close()
