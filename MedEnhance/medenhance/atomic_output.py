"""Outputs that appear whole or not at all: written under a temporary name beside their place, then renamed."""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medenhance.errors import MedEnhanceError

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A new folder beside ``path`` to write in; it is gone afterwards, whatever happened.

    Move what shall stay with `publish_file` or `publish_folder` before leaving.

    Raises:
        MedEnhanceError: disk-full, or output-refused when the place cannot be written.
    """
    made: list[Path] = []
    try:
        made = _make_parents(path.parent)
        stage = path.parent / f".medenhance-{secrets.token_hex(6)}.part"
        stage.mkdir()
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # not empty: the output is in it
                folder.rmdir()


def publish_file(written: Path, path: Path) -> None:
    """Give a written file its final name, replacing a file of that name at once."""
    written.replace(path)


def publish_folder(stage: Path, path: Path) -> None:
    """Give a written folder its final name; an empty folder of that name may be there."""
    if path.is_dir():
        path.rmdir()
    stage.rename(path)


def output_error(path: Path, error: OSError) -> MedEnhanceError:
    """What an operating system's refusal to write means for a user."""
    if error.errno in FULL:
        return MedEnhanceError(
            "disk-full",
            f"The disk is full: {path} was not written ({error.strerror}).",
            "Free some space or choose another place; nothing was left behind.",
        )
    return MedEnhanceError(
        "output-refused",
        f"{path} cannot be written: {error.strerror or error}.",
        "Choose a place that you may write to.",
    )


def _make_parents(folder: Path) -> list[Path]:
    """Create ``folder`` with its parents and return those that were not there, outermost first."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]
