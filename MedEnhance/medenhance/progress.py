"""How long work says where it is, and how it learns that it should stop."""

from __future__ import annotations

from typing import Protocol

from medenhance.errors import Cancelled


class Progress(Protocol):
    """Receives the position of a running task; a terminal, the worker and the panels implement it."""

    def update(self, stage: str, fraction: float) -> None:
        """Report that ``stage`` ("read", "denoise", "measure", "write" ...) is ``fraction`` in [0, 1] done."""

    def warn(self, message: str) -> None:
        """Pass on something that the user should know although the work goes on."""

    def cancelled(self) -> bool:
        """Whether the user asked to stop."""


class Silent:
    """The progress of a caller that does not want any."""

    def update(self, stage: str, fraction: float) -> None:
        pass

    def warn(self, message: str) -> None:
        pass

    def cancelled(self) -> bool:
        return False


def checkpoint(progress: Progress, stage: str, fraction: float) -> None:
    """Report a position and stop here if the user asked for it.

    Raises:
        Cancelled: The user asked to stop.
    """
    if progress.cancelled():
        raise Cancelled
    progress.update(stage, fraction)
