"""Long work is cut into turns that leave the window its time, and cleans up behind itself."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

from MedEnhanceLib.Pump import Pump, runNow


class Loop:
    """An event loop of which each turn can be watched."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], None]] = deque()
        self.turnsS: list[float] = []

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == 0.0
        self._calls.append(call)

    def turn(self) -> bool:
        if not self._calls:
            return False
        begin = time.perf_counter()
        self._calls.popleft()()
        self.turnsS.append(time.perf_counter() - begin)
        return True

    def all(self) -> None:
        while self.turn():
            pass


class Work:
    """A generator that says whether it has cleaned up."""

    def __init__(self, num: int, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.num, self.seconds, self.error = num, seconds, error
        self.done, self.isClean = 0, False

    def steps(self) -> Iterator[float | None]:
        try:
            for i in range(self.num):
                time.sleep(self.seconds)
                self.done += 1
                yield (i + 1) / self.num if i % 2 else None
            if self.error is not None:
                raise self.error
            return "value"
        finally:
            self.isClean = True


class Told:
    def __init__(self) -> None:
        self.ends: list[object] = []
        self.fractions: list[float] = []

    def run(self, after: Callable[..., object], work: Work, budgetS: float = 0.01):
        pump = Pump(after, budgetS)
        return pump.run(work.steps(), lambda: self.ends.append("done"), self.ends.append, self.fractions.append)


def test_all_steps_are_done_and_the_end_is_told_once() -> None:
    loop, told, work = Loop(), Told(), Work(100)
    run = told.run(loop.after, work)
    assert work.done == 0
    loop.all()
    assert (work.done, told.ends, run.isActive, run.value) == (100, ["done"], False, "value")
    assert told.fractions[-1] == 1.0


def test_a_turn_takes_no_longer_than_the_budget_and_a_step() -> None:
    loop, told, work = Loop(), Told(), Work(40, 0.004)
    told.run(loop.after, work)
    loop.all()
    assert len(loop.turnsS) > 10
    assert sorted(loop.turnsS)[len(loop.turnsS) // 2] < 0.02
    assert told.fractions == sorted(told.fractions)
    assert told.ends == ["done"]


def test_a_cancel_cleans_up_at_once_and_tells_nobody() -> None:
    loop, told, work = Loop(), Told(), Work(40, 0.004)
    run = told.run(loop.after, work)
    loop.turn()
    assert 0 < work.done < 40
    run.cancel()
    assert work.isClean
    loop.all()
    assert told.ends == []


def test_a_cancel_before_the_last_call_tells_nobody() -> None:
    loop, told = Loop(), Told()
    run = told.run(loop.after, Work(1))
    loop.turn()
    run.cancel()
    loop.all()
    assert told.ends == []


def test_a_cancel_from_within_a_step_ends_after_it() -> None:
    loop, told = Loop(), Told()
    runs: list = []
    clean: list[bool] = []

    def steps() -> Iterator[None]:
        try:
            runs[0].cancel()
            yield
            raise AssertionError("a step after the cancel")
        finally:
            clean.append(True)

    runs.append(Pump(loop.after).run(steps(), lambda: told.ends.append("done"), told.ends.append))
    loop.all()
    assert (told.ends, clean) == ([], [True])


def test_what_a_step_raises_is_told_and_cleaned_up() -> None:
    loop, told, error = Loop(), Told(), ValueError("bad")
    work = Work(3, error=error)
    told.run(loop.after, work)
    loop.all()
    assert told.ends == [error]
    assert work.isClean


def test_what_the_end_raises_is_told() -> None:
    loop, error = Loop(), OSError("full")
    told: list[Exception] = []

    def done() -> None:
        raise error

    Pump(loop.after).run(iter([None]), done, told.append)
    loop.all()
    assert told == [error]


def test_a_loop_that_calls_at_once_makes_it_blocking_without_recursion() -> None:
    told, work = Told(), Work(5000)
    told.run(lambda seconds, call: call(), work, budgetS=0.0)
    assert (work.done, told.ends) == (5000, ["done"])


def test_steps_can_be_done_at_once() -> None:
    assert runNow(Work(7).steps()) == "value"
