"""What a user is told when the worker process itself fails."""

from __future__ import annotations

from dataclasses import dataclass

try:
    from slicer.i18n import tr as _
except ImportError:  # outside of Slicer nothing is translated

    def _(text: str) -> str:
        return text


WORKER_START, WORKER_DIED = "worker-start", "worker-died"


@dataclass(frozen=True)
class WorkerFailure:
    """Why a run failed.

    Attributes:
        kind: Stable identifier: one of `medenhance.errors.Kind`, "worker-start" or "worker-died".
        message: What happened.
        hint: What to do.
    """

    kind: str
    message: str
    hint: str = ""


def notStarted(reason: str, log: str) -> WorkerFailure:
    """The process never answered.

    Args:
        reason: How it ended, in words that go after "the program".
        log: What it wrote.
    """
    message = _("The program that does the processing {reason}.").format(reason=reason.rstrip("."))
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if lines:
        message += " " + _("Its last words: {words}").format(words=lines[-1])
    hint = _("Check the Python interpreter in the settings; an empty field means Slicer's own.")
    if "No module named" in log:
        hint = _("Its Python lacks a package. Install the requirements, or name another interpreter in the settings.")
    return WorkerFailure(WORKER_START, message, hint)


def notStartable(error: Exception) -> WorkerFailure:
    """It is not even known what to start."""
    hint = getattr(error, "hint", "") or _("Check the Python interpreter in the settings.")
    return WorkerFailure(WORKER_START, getattr(error, "message", str(error)), hint)


def died(reason: str) -> WorkerFailure:
    """The process ended in the middle of a run."""
    message = _("The program that does the processing {reason}, and the run was lost.").format(reason=reason)
    hint = _(
        "Try again. If it happens again, memory may be short: close other programs, or choose another device in the "
        "settings. The log in the settings has the details."
    )
    return WorkerFailure(WORKER_DIED, message, hint)
