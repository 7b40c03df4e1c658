"""Waiting for something that blocks, such as a silent server, without being deaf meanwhile."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

WAITING = 8  # items that may be ahead of whoever takes them


@dataclass(frozen=True)
class _End(Generic[T]):
    """Nothing comes any more, or `error` came."""

    error: BaseException | None


def interruptible(
    items: Generator[T, None, None], idle: Callable[[], None], interval_s: float = 0.2
) -> Generator[T, None, None]:
    """Iterate over ``items`` in a thread of its own.

    Args:
        items: Is closed in that thread: at its end, or as soon as it gives way after the caller has stopped taking.
        idle: Is called whenever nothing has come for ``interval_s``; may raise to stop waiting.
        interval_s: Seconds.
    """
    arrived: queue.Queue[T | _End[T]] = queue.Queue(WAITING)
    stopped = threading.Event()
    # A daemon: a process that ends does not wait for a server.
    threading.Thread(target=_pass_on, args=(items, arrived, stopped), name="waits", daemon=True).start()
    try:
        while True:
            try:
                item = arrived.get(timeout=interval_s)
            except queue.Empty:
                idle()
                continue
            if not isinstance(item, _End):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error
    finally:
        stopped.set()


def _pass_on(items: Generator[T, None, None], arrived: queue.Queue[T | _End[T]], stopped: threading.Event) -> None:
    error = None
    try:
        for item in items:
            if not _put(item, arrived, stopped):
                break
    except BaseException as caught:  # raised again where the items are taken
        error = caught
    items.close()
    _put(_End(error), arrived, stopped)


def _put(item: T | _End[T], arrived: queue.Queue[T | _End[T]], stopped: threading.Event) -> bool:
    """Whether anybody still takes what comes."""
    while not stopped.is_set():
        try:
            arrived.put(item, timeout=0.2)
        except queue.Full:
            continue
        return True
    return False
