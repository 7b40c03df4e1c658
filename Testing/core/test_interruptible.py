"""Waiting in a thread: the items as they are, errors as they are, and never deaf."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from medenhance.interruptible import WAITING, interruptible


class StoppedError(Exception):
    pass


def nothing() -> None:
    pass


def numbers(count: int, closed: threading.Event) -> Generator[int, None, None]:
    try:
        yield from range(count)
    finally:
        closed.set()


def test_all_items_come_in_order_and_the_source_is_closed() -> None:
    closed = threading.Event()
    assert list(interruptible(numbers(100, closed), nothing)) == list(range(100))
    assert closed.wait(5)


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise StoppedError("a reason")

    items = interruptible(failing(), nothing)
    assert next(items) == 1
    with pytest.raises(StoppedError, match="a reason"):
        next(items)


def test_whoever_waits_is_asked_again_and_again_and_may_leave() -> None:
    released, closed = threading.Event(), threading.Event()
    asked: list[float] = []

    def silent() -> Generator[int, None, None]:
        try:
            yield 1
            released.wait(30)
            yield 2
        finally:
            closed.set()

    def idle() -> None:
        asked.append(time.monotonic())
        if len(asked) == 3:
            raise StoppedError

    items = interruptible(silent(), idle, interval_s=0.01)
    assert next(items) == 1
    with pytest.raises(StoppedError):
        next(items)
    assert not closed.is_set()
    released.set()
    assert closed.wait(5), "the source was not closed after its caller had left"


def test_a_source_that_is_not_read_to_its_end_is_closed() -> None:
    closed = threading.Event()
    items = interruptible(numbers(10 * WAITING, closed), nothing)
    assert next(items) == 0
    assert not closed.is_set()
    items.close()
    assert closed.wait(5)
