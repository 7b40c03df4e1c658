"""What any exception means to the person or program that asked for the work; the way in decides how to show it."""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from medenhance import __version__
from medenhance.errors import MedEnhanceError

UNEXPECTED = "unexpected"  # a fault of this program or of a library, not of its user


@dataclass(frozen=True)
class Failure:
    """An error in the words of the worker protocol.

    Attributes:
        kind: One of `medenhance.errors.Kind`, or "unexpected".
        message: What happened.
        hint: What to do about it.
    """

    kind: str
    message: str
    hint: str


def describe(error: BaseException) -> Failure:
    """What happened and what to do; the traceback of an unexpected error goes to a log file that the hint names."""
    if isinstance(error, MedEnhanceError):
        return Failure(error.kind, error.message, error.hint)
    if isinstance(error, MemoryError):
        return Failure(
            "out-of-memory", "Memory ran out.", "Close other programs, or run on a machine with more memory."
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Failure("disk-full", f"The disk is full: {error}.", "Free some space.")
    text = f"Unexpected error: {type(error).__name__}: {str(error).strip() or 'no message'}"
    path = _write_log(error)
    where = f"in {path}" if path else "above"
    return Failure(UNEXPECTED, text, f"The details are {where}; please report them.")


def _write_log(error: BaseException) -> Path | None:
    """Write the traceback to a new file in the user's cache, else in the temporary folder, else to stderr (None)."""
    from medenhance.cache import cache_folder

    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 10**9:09d}.log"
    text = "".join(traceback.format_exception(error))
    setting = f"medenhance {__version__}, Python {sys.version}, {platform.platform()}\n{' '.join(sys.argv)}\n\n"
    for folder in (cache_folder() / "logs", Path(tempfile.gettempdir())):
        with suppress(OSError):
            return _written(folder / f"medenhance-{name}", setting + text)
    print(text, file=sys.stderr)
    return None


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path
