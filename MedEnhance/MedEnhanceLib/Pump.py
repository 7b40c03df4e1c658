"""Does long work on the main thread in small portions, so that the window stays live."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

After = Callable[[float, Callable[[], None]], object]


class PumpRun:
    """Work that is being done.

    Attributes:
        isActive: Neither done, failed nor cancelled.
        value: What the generator returned, once it is done.
    """

    def __init__(
        self,
        steps: Iterator[float | None],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
        progress: Callable[[float], None] | None,
    ) -> None:
        self._steps, self._done, self._failed, self._progress = steps, done, failed, progress
        self.isActive = True
        self.value: Any = None

    def cancel(self) -> None:
        """Stop; the generator cleans up behind itself, and nobody is called any more."""
        self.isActive = False
        # From within a step it cannot be closed; then the pump calls this again after the step.
        if isinstance(self._steps, Generator) and not getattr(self._steps, "gi_running", False):
            self._steps.close()


class Pump:
    """Runs generators between the events of a window.

    Args:
        after: Schedules a call on the main thread after so many seconds; one that calls at once makes `run` blocking.
        budgetS: How long steps may take before the window has its turn.
    """

    def __init__(self, after: After, budgetS: float = 0.015) -> None:
        self._after, self._budgetS = after, budgetS

    def run(
        self,
        steps: Iterator[float | None],
        done: Callable[[], None],
        failed: Callable[[Exception], None],
        progress: Callable[[float], None] | None = None,
    ) -> PumpRun:
        """Do ``steps`` a few at a time; none is done before this returns, unless ``after`` calls at once.

        Args:
            steps: Each step takes a few milliseconds, and yields what fraction is done, or None.
            done: Called after the last step.
            failed: Called with what a step, or ``done``, raised.
            progress: Called with the last fraction, once a turn.
        """
        run = PumpRun(steps, done, failed, progress)
        self._trampoline(lambda: self._turn(run))
        return run

    def _trampoline(self, turn: Callable[[], bool]) -> None:
        """Schedule ``turn`` until it returns False.

        A loop where ``after`` calls at once: each turn within the one before would end at Python's recursion limit.
        """
        state = {"looping": False, "again": False}

        def called() -> None:
            state["again"] = True
            if state["looping"]:
                return
            state["looping"] = True
            try:
                while state["again"]:
                    state["again"] = False
                    if turn():
                        self._after(0.0, called)
            finally:
                state["looping"] = False

        self._after(0.0, called)

    def _turn(self, run: PumpRun) -> bool:
        """Do steps until the time is up; whether there may be more."""
        if not run.isActive:
            return False
        try:
            fraction, isDone = self._doSteps(run)
            if run._progress is not None and fraction is not None and run.isActive:
                run._progress(fraction)
        except Exception as error:
            run.cancel()
            run._failed(error)
            return False
        if isDone:
            self._after(0.0, lambda: self._finish(run))
        elif not run.isActive:
            run.cancel()
        return run.isActive and not isDone

    def _doSteps(self, run: PumpRun) -> tuple[float | None, bool]:
        """The last fraction, and whether that was all."""
        fraction = None
        end = time.perf_counter() + self._budgetS
        while run.isActive:
            try:
                step = next(run._steps)
            except StopIteration as ended:
                run.value = ended.value
                return fraction, True
            fraction = step if step is not None else fraction
            if time.perf_counter() >= end:
                break
        return fraction, False

    def _finish(self, run: PumpRun) -> None:
        """A turn of its own: what follows the last step may take as long as a turn."""
        if not run.isActive:
            return
        run.isActive = False
        try:
            run._done()
        except Exception as error:
            run._failed(error)


def runNow(steps: Iterator[float | None]) -> Any:
    """Do all steps at once; what the generator returned."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
