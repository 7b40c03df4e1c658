"""Fetches a model's weights: resumable, from several sources, and under their final names only after their checks."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from medenhance.cache import disk_is_full, file_problem, require_space, weights_path, writing_to
from medenhance.errors import MedEnhanceError
from medenhance.http_transfer import BrokenOffError, PartialFile, RefusedError, receive, without_secrets
from medenhance.manifest import ModelEntry, WeightsFile
from medenhance.progress import Progress, Silent, checkpoint

MIRROR_VARIABLE = "MEDENHANCE_MIRROR"
Report = Callable[[int], None]


@dataclass(frozen=True)
class Patience:
    """How long a download waits.

    Attributes:
        connect_s: For a connection.
        read_s: For the next bytes.
        attempts: Tries of one source before the next one.
        pause_s: Between the first two tries; doubled after each.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    attempts: int = 3
    pause_s: float = 1.0


def fetch(
    entry: ModelEntry,
    cache: Path | None = None,
    *,
    mirrors: Sequence[str] = (),
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Path:
    """Download what is not yet there of a model's weights.

    Args:
        entry: The model.
        cache: The cache folder; the user's own when None.
        mirrors: Base addresses that are tried before those of the manifest; when empty, those in the environment
            variable MEDENHANCE_MIRROR, separated by spaces.
        progress: Receives the share of the model's bytes that is there, and may cancel; what was received is kept for
            the next time.
        patience: Time limits and tries.

    Returns:
        The first weights file, verified.

    Raises:
        MedEnhanceError: No source gave the right file (each is named with its reason), or the cache cannot take it.
    """
    progress, patience = progress or Silent(), patience or Patience()
    bases = _checked(tuple(mirrors) or tuple(os.environ.get(MIRROR_VARIABLE, "").split()))
    done = 0
    for file in entry.files:
        sources = [f"{base.rstrip('/')}/{file.name}" for base in bases] + list(file.urls)
        report = _share_of(entry, done, progress)
        path = weights_path(file, cache)
        with writing_to(path.parent), _alone(path, progress):
            if not path.is_file() or file_problem(path, file):
                _fetch_file(file, path, sources, patience, report)
        report(file.size_bytes)
        done += file.size_bytes
    return weights_path(entry.files[0], cache)


def check_licence(entry: ModelEntry, *, accepted: bool) -> None:
    """Refuse a model whose licence asks for more than attribution, until the user has agreed to it.

    Raises:
        MedEnhanceError: bad-option; the licence is named.
    """
    if not entry.permissive and not accepted:
        hint = 'Read it, and agree with --accept-licence (a program: "accept_licence").'
        raise MedEnhanceError("bad-option", f"the licence of {entry.id} is {entry.licence}.", hint)


def _checked(bases: tuple[str, ...]) -> tuple[str, ...]:
    for base in bases:
        if not re.match(r"https?://[^/]", base):
            message = f"the mirror {without_secrets(base)!r} is not an http or https address."
            raise MedEnhanceError("bad-option", message, f"Correct --mirror, or {MIRROR_VARIABLE}.")
    return bases


def _share_of(entry: ModelEntry, done: int, progress: Progress) -> Report:
    """A function that takes the bytes of the file after the first ``done`` bytes of the model."""
    return lambda received: checkpoint(progress, "download", (done + received) / entry.size_bytes)


@contextmanager
def _alone(path: Path, progress: Progress) -> Iterator[None]:
    """Wait until no other process downloads to ``path``; the system frees the lock of a process that died."""
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(path.name + ".lock"))
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            checkpoint(progress, "wait for another download", 0.0)
        except NotImplementedError as error:
            hint = "Name a folder on another disk in the environment variable MEDENHANCE_CACHE."
            raise MedEnhanceError("output-refused", f"{path.parent} cannot hold file locks.", hint) from error
    try:
        yield
    finally:
        lock.release()


def _fetch_file(file: WeightsFile, path: Path, sources: list[str], patience: Patience, report: Report) -> None:
    """Try the sources in order until one has given the right file."""
    part = PartialFile(path, file.size_bytes)
    if part.path.is_file() and not file_problem(part.path, file):  # stopped between the last byte and the check
        return part.finish()
    reasons = []
    require_space(path.parent, file.size_bytes - part.received())
    for address in sources:
        try:
            return _from_source(address, file, part, patience, report)
        except (RefusedError, BrokenOffError) as reason:
            reasons.append(f"{without_secrets(address)}: {reason}")
        except OSError as error:
            if disk_is_full(error):  # a full disk is worse than a lost beginning
                part.discard()
            raise
    message = f"{file.name} could not be downloaded. " + "; ".join(reasons or ["No address is known for it"])
    hint = (
        "Check the network and the proxy (HTTPS_PROXY), name a mirror with --mirror, or bring the model from another "
        "machine by `medenhance models export-pack` and `import-pack`."
    )
    raise MedEnhanceError("download-failed", f"{message}.", hint)


def _from_source(address: str, file: WeightsFile, part: PartialFile, patience: Patience, report: Report) -> None:
    timeout_s = (patience.connect_s, patience.read_s)
    for attempt in range(patience.attempts):
        try:
            if problem := _received_problem(address, file, part, timeout_s, report):
                part.discard()
                raise RefusedError(f"its file is not the right one: {problem}")
            part.finish()
            return
        except BrokenOffError:
            if attempt + 1 == patience.attempts:
                raise
            _pause(patience.pause_s * 2**attempt, part, report)


def _received_problem(
    address: str, file: WeightsFile, part: PartialFile, timeout_s: tuple[float, float], report: Report
) -> str:
    """Receive the file and say what is wrong with it."""
    resumed = part.received() > 0
    receive(address, part, timeout_s, report)
    problem = file_problem(part.path, file)
    if problem and resumed:  # the bytes from the earlier time may be the wrong ones
        part.discard()
        receive(address, part, timeout_s, report)
        problem = file_problem(part.path, file)
    return problem


def _pause(seconds: float, part: PartialFile, report: Report) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        report(part.received())
        time.sleep(min(0.1, left))
