"""`medenhance worker`: the way in for programs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Worker:
    """Serve a program: JSON requests on stdin, JSON events on stdout.

    The Python module medenhance.worker_protocol describes them.
    """


def run(args: Worker) -> int:
    """Serve until stdin ends."""
    from medenhance.worker import main

    del args
    return main()
