"""Ctrl-C, or a cluster's signal before it ends a job, stops a run between two steps, with a checkpoint."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """While the block runs, SIGINT and SIGTERM set the event; a second one acts as usual."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # only the main thread may set handlers
        return
    previous = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}

    def ask(kind: int, frame: object) -> None:  # noqa: ARG001
        asked.set()
        signal.signal(kind, previous[signal.Signals(kind)])

    for kind in previous:
        signal.signal(kind, ask)
    try:
        yield asked
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)
