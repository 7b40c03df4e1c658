"""What can go wrong for a user, with a stable kind, what happened and what to do."""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "bad-option",  # an argument outside what is accepted
    "input-missing",  # nothing readable at that path
    "input-unreadable",  # damaged or unsupported file
    "input-unsuitable",  # readable, but not what this task or model works on
    "series-ambiguous",  # several series, and none was named
    "output-refused",  # not writable, not empty, or in the way of the input
    "disk-full",
    "model-unknown",
    "model-invalid",  # a manifest entry or weights file that does not pass its checks
    "weights-missing",  # not installed, and not fetched
    "download-failed",
    "device-unavailable",
    "out-of-memory",
    "cancelled",
    "worker-protocol",
    "training-diverged",
    "unexpected",  # a fault of ours; the details are in a log file
]


class MedEnhanceError(ValueError):
    """An error that a user meets.

    Args:
        kind: Stable identifier, for programs.
        message: What happened, with the offending value.
        hint: What to do about it.
    """

    def __init__(self, kind: Kind, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.kind: Kind = kind
        self.message = message
        self.hint = hint


class Cancelled(MedEnhanceError):  # noqa: N818 - what happened, not what went wrong
    """The user asked to stop; nothing was written."""

    def __init__(self) -> None:
        super().__init__("cancelled", "Cancelled.", "Nothing was written.")
