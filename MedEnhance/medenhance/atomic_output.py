"""Outputs that appear whole or not at all: written under a temporary name beside their place, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medenhance.errors import MedEnhanceError

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
PREFIX, SUFFIX = ".medenhance-", ".part"
ABANDONED_AFTER_S = 24 * 3600.0


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
        stage = new_stage(path)
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        for folder in made:
            with suppress(OSError):  # not empty: the output is in it
                folder.rmdir()


def new_stage(path: Path) -> Path:
    """Create the temporary folder for ``path``: beside it, so that a rename ends the writing.

    In it where ``path`` is a folder that cannot be renamed to: a mounted disk, as in a container, or one in a place
    where nothing may be created.
    """
    if os.path.ismount(path):
        return _make_stage(path)
    try:
        return _make_stage(path.parent)
    except OSError:
        if not path.is_dir():
            raise
        return _make_stage(path)


def is_stage(path: Path) -> bool:
    """Whether this is a temporary folder of some run."""
    return path.name.startswith(PREFIX) and path.name.endswith(SUFFIX)


def publish_file(written: Path, path: Path) -> None:
    """Give a written file its final name, replacing a file of that name at once."""
    written.replace(path)


def publish_folder(stage: Path, path: Path) -> None:
    """Give a written folder its final name; an empty folder of that name may be there."""
    if stage.parent == path:
        for written in sorted(stage.iterdir()):
            written.rename(path / written.name)
        return
    if path.is_dir():
        path.rmdir()
    stage.rename(path)


def publish_all(stage: Path, path: Path) -> None:
    """Give everything in a stage its final name beside ``path``, what is named like ``path`` last."""
    for written in sorted(stage.iterdir(), key=lambda one: one.name == path.name):
        target = path.with_name(written.name)
        publish_folder(written, target) if written.is_dir() else publish_file(written, target)


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


def _make_stage(place: Path) -> Path:
    _remove_abandoned(place)
    stage = place / f"{PREFIX}{secrets.token_hex(6)}{SUFFIX}"
    stage.mkdir()
    return stage


def _make_parents(folder: Path) -> list[Path]:
    """Create ``folder`` with its parents and return those that were not there, innermost first."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_abandoned(place: Path) -> None:
    """Remove what killed runs left behind; a run that is alive has written within the last day."""
    for stage in place.glob(f"{PREFIX}*{SUFFIX}"):
        with suppress(OSError):
            if time.time() - stage.stat().st_mtime > ABANDONED_AFTER_S:
                shutil.rmtree(stage, ignore_errors=True)
