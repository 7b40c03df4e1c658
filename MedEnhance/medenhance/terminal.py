"""What a person at a terminal sees: progress, warnings and errors on stderr; results go to stdout."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

    from medenhance.failures import Failure

BAR = "{desc:<10}{percentage:3.0f}%|{bar:30}| {elapsed} elapsed, {remaining} left, {rate_fmt}"
BAR_AT_END = "{desc:<10}{percentage:3.0f}%|{bar:30}| {elapsed} elapsed"
INTERVAL_S = 0.1
INTERVAL_IN_FILE_S = 15.0  # a log file keeps every state of the bar


class TerminalProgress:
    """One bar a stage, with rate and time left; a context manager that leaves the terminal tidy.

    Args:
        prefix: Stands before the name of every stage, such as "[3/12] ".
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(done=kind is None)

    def update(self, stage: str, fraction: float) -> None:
        if stage != self._stage or self._bar is None:
            self.close(done=True)  # a stage begins when the one before it has ended
            self._stage, self._bar = stage, self._new_bar(stage)
        self._bar.update(100 * fraction - self._bar.n)

    def warn(self, message: str) -> None:
        self.say(f"Warning: {message}")

    def cancelled(self) -> bool:
        return False  # Ctrl-C arrives as KeyboardInterrupt

    def say(self, line: str) -> None:
        """Print a line on stderr above the bar."""
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)

    def _new_bar(self, stage: str) -> tqdm[NoReturn]:
        from tqdm import tqdm

        interval = INTERVAL_S if sys.stderr.isatty() else INTERVAL_IN_FILE_S
        name = f"{self.prefix}{stage}"
        return tqdm(
            total=100, desc=name, unit="%", bar_format=BAR, mininterval=interval, file=sys.stderr, dynamic_ncols=True
        )

    def close(self, *, done: bool) -> None:
        """End the bar; ``done`` says that its stage came to its end."""
        if self._bar is None:
            return
        if done:
            self._bar.bar_format = BAR_AT_END
            self._bar.update(100 - self._bar.n)
        self._bar.close()
        self._bar = None


def print_failure(failure: Failure) -> None:
    """Say on stderr what happened and what to do."""
    print(f"Error: {failure.message}", file=sys.stderr)
    if failure.hint:
        print(f"       {failure.hint}", file=sys.stderr)


def use_utf8() -> None:
    """Let every path and unit be printed, whatever the code page of a Windows console or the locale of a server."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # a stream that someone put in its place, or none at all
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]


def stop_cleanly_when_terminated() -> None:
    """Treat the polite kill of a batch system or a closed terminal like Ctrl-C, so that temporary files go."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it: so be it
            signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
