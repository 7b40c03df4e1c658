"""A worker process through Qt, which tells about it from the event loop of Slicer."""

from __future__ import annotations

import codecs
import time
from collections import deque
from collections.abc import Callable

import qt

from MedEnhanceLib.LineBuffer import LineBuffer
from MedEnhanceLib.ProcessTree import killTree
from MedEnhanceLib.WorkerTransport import TransportListener, WorkerCommand, endReason

CLOSE_GRACE_MS, KILL_LIMIT_MS = 500, 1000


class QtTransport:
    """A `WorkerTransport` with one QProcess for its whole life.

    One object, started again and again: a QProcess that is replaced in a call of its own signal would be deleted
    there by PythonQt.
    """

    def __init__(self) -> None:
        self._listener: TransportListener | None = None
        self._waiting: deque[Callable[[], None]] = deque()
        self._wasStarted = self._isKilled = False
        self._killer: object = None
        self._beginReading()
        self._process = qt.QProcess()
        self._process.started.connect(self._onStarted)
        self._process.errorOccurred.connect(self._onError)
        self._process.finished.connect(self._onFinished)
        self._process.readyReadStandardOutput.connect(self._onOutput)
        self._process.readyReadStandardError.connect(self._onErrorOutput)

    def start(self, command: WorkerCommand, listener: TransportListener) -> None:
        self._listener, self._wasStarted, self._isKilled = listener, False, False
        self._beginReading()
        environment = qt.QProcessEnvironment()
        for name, value in command.environment.items():
            environment.insert(name, value)
        self._process.setProcessEnvironment(environment)
        self._process.setWorkingDirectory(command.workingFolder or "")
        self._process.start(command.program, list(command.arguments))

    def send(self, line: bytes) -> None:
        if self.isRunning():
            self._process.write(line)

    def isRunning(self) -> bool:
        return self._process.state() != qt.QProcess.NotRunning

    def kill(self) -> None:
        if not self.isRunning():
            return
        self._isKilled = True
        processId = self._process.processId()
        if processId > 0:
            self._killer = killTree(processId)
        else:
            self._process.kill()

    def close(self) -> None:
        if not self.isRunning():
            return
        self._process.closeWriteChannel()
        if not self._process.waitForFinished(CLOSE_GRACE_MS) and self.isRunning():
            self.kill()
            self._process.waitForFinished(KILL_LIMIT_MS)
        self._tell()

    def deliver(self, timeoutS: float) -> None:
        milliseconds = max(round(1000 * timeoutS), 1)
        if not self.isRunning():
            time.sleep(timeoutS)
        elif self._process.state() == qt.QProcess.Starting:
            self._process.waitForStarted(milliseconds)
        else:
            # Sends what is still to be written, too, and emits the signals of whatever happens meanwhile.
            self._process.waitForReadyRead(milliseconds)
        self._tell()

    def _beginReading(self) -> None:
        self._lines = LineBuffer()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def _onStarted(self) -> None:
        self._wasStarted = True

    def _onError(self) -> None:
        # Every other error is followed by `finished`, or is one of the pipes, which ends with the process.
        if not self._wasStarted and not self.isRunning():
            self._end("could not be started: " + self._process.errorString())

    def _onFinished(self) -> None:
        self._onErrorOutput()
        self._onOutput()
        self._addLines(self._lines.rest())
        crashed = self._process.exitStatus() == qt.QProcess.CrashExit
        self._end(endReason(self._process.exitCode(), crashed, self._isKilled))

    def _onOutput(self) -> None:
        self._addLines(self._lines.feed(bytes(self._process.readAllStandardOutput().data())))
        self._tell()

    def _onErrorOutput(self) -> None:
        text = self._decoder.decode(bytes(self._process.readAllStandardError().data()))
        if text and self._listener is not None:
            listener = self._listener
            self._waiting.append(lambda: listener.onLog(text))
        self._tell()

    def _addLines(self, lines: list[str]) -> None:
        if self._listener is None:
            return
        for line in lines:
            self._waiting.append(lambda line=line, listener=self._listener: listener.onLine(line))

    def _end(self, reason: str) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._waiting.append(lambda: listener.onFinished(reason))
            # Whoever waited for the end may drop this object, but a QProcess must not go in a call of its own signal.
            qt.QTimer.singleShot(0, lambda: self)
        self._tell()

    def _tell(self) -> None:
        """Tell in the order of arrival, also when a listener lets the event loop run in between."""
        while self._waiting:
            self._waiting.popleft()()
