"""How a `WorkerClient` reaches a worker process: the seam between Qt's processes and Python's own."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class WorkerCommand:
    """What to start.

    Attributes:
        program: Full path of the interpreter.
        arguments: What it gets.
        environment: All of its environment, not additions to ours.
        workingFolder: Where it runs; None for where this process runs.
    """

    program: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    workingFolder: str | None = None


class TransportListener(Protocol):
    """Who is told what arrives; every call comes on the main thread, `onFinished` last and once a start."""

    def onLine(self, line: str) -> None:
        """A whole line of stdout, without its end."""

    def onLog(self, text: str) -> None:
        """Some text of stderr, wherever it was cut."""

    def onFinished(self, reason: str) -> None:
        """The process has ended, or could not be started; ``reason`` goes after "the program"."""


class WorkerTransport(Protocol):
    """One process at a time, which may be started again after it has ended."""

    def start(self, command: WorkerCommand, listener: TransportListener) -> None:
        """Start the process; a failure is told by `onFinished`, at the earliest before this returns."""

    def send(self, line: bytes) -> None:
        """Write to its stdin; nothing happens when it has ended."""

    def isRunning(self) -> bool:
        """Whether the process is there."""

    def kill(self) -> None:
        """End the process and those it started, at once and without waiting; `onFinished` follows."""

    def close(self) -> None:
        """End its stdin, give it half a second to leave, then kill it; returns when it has ended."""

    def deliver(self, timeoutS: float) -> None:
        """Tell the listener what has arrived, waiting at most so long; for callers without an event loop."""


def endReason(exitCode: int, killedBySignal: bool, killedByUs: bool) -> str:
    """How a process ended, in words that go after "the program".

    Args:
        exitCode: Its exit status, or the number of the signal that ended it.
        killedBySignal: Which of the two.
        killedByUs: It was killed from here.
    """
    if killedByUs:
        return "was killed"
    if not killedBySignal:
        return f"exited with code {exitCode}"
    if exitCode == getattr(signal, "SIGKILL", None):
        return "was killed by the system or by another program"
    return f"crashed ({_signalName(exitCode)})"


def _signalName(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
