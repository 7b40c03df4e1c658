"""Calls at a later time, made by an event loop or by a caller who waits, whoever comes first."""

from __future__ import annotations

import time
from collections.abc import Callable

After = Callable[[float, Callable[[], None]], object]


class _Due:
    """A call that is made once."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self._call: Callable[[], None] | None = call

    @property
    def isOpen(self) -> bool:
        return self._call is not None

    def fire(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class Schedule:
    """Makes calls when their time has come.

    Args:
        after: Schedules a call in an event loop after so many seconds; None where there is none.
    """

    def __init__(self, after: After | None) -> None:
        self._after = after
        self._dues: list[_Due] = []

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Make a call in so many seconds, never before this returns."""
        due = _Due(time.monotonic() + seconds, call)
        self._dues = [*(other for other in self._dues if other.isOpen), due]
        if self._after is not None:
            self._after(seconds, due.fire)

    def secondsToNext(self, limitS: float) -> float:
        """How long a caller may wait for something else: until the next call, and no longer than the limit."""
        waits = [due.at - time.monotonic() for due in self._dues if due.isOpen]
        return max(min([limitS, *waits]), 0.0)

    def fireDue(self) -> None:
        """Make the calls whose time has come."""
        now = time.monotonic()
        for due in self._dues:
            if due.at <= now:
                due.fire()
