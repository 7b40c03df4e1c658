"""The per-user folder of downloaded and added models, shared by every installation on the machine.

``weights/<first digits of the SHA-256>/<name>`` holds weights files, so that two versions of a model never fight for
one name; ``models/<id>.json`` holds the manifest entries of models that the user added. A file gets its final name only
after its checks.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medenhance.errors import MedEnhanceError
from medenhance.manifest import WeightsFile

VARIABLE = "MEDENHANCE_CACHE"


def cache_folder() -> Path:
    """The folder named by MEDENHANCE_CACHE, else this platform's place for a user's caches; it need not exist."""
    chosen = os.environ.get(VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("medenhance", appauthor=False))


def weights_path(file: WeightsFile, cache: Path | None = None) -> Path:
    """Where the cache keeps a weights file, whether or not it is there."""
    return (cache or cache_folder()) / "weights" / file.sha256[:16] / file.name


def entry_path(model_id: str, cache: Path | None = None) -> Path:
    """Where the cache keeps the manifest entry of an added model."""
    return (cache or cache_folder()) / "models" / f"{model_id}.json"


def file_problem(path: Path, file: WeightsFile) -> str:
    """Why the file at ``path`` is not ``file``, or an empty string when size and SHA-256 are right."""
    size = path.stat().st_size
    if size != file.size_bytes:
        return f"it has {size} bytes instead of {file.size_bytes}"
    found = sha256_of(path)
    return "" if found == file.sha256 else f"its SHA-256 is {found} instead of {file.sha256}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def free_disk_bytes(folder: Path) -> int:
    """Free bytes on the disk of ``folder``, which need not exist yet."""
    return shutil.disk_usage(nearest_existing(folder)).free


def used_bytes(folder: Path) -> int:
    """Bytes of all files below ``folder``, which need not exist; files that go meanwhile do not count."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def nearest_existing(folder: Path) -> Path:
    """``folder``, or the innermost folder above it that exists."""
    return next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())


def require_space(folder: Path, size_bytes: int) -> None:
    """Raise "disk-full" before work begins that would fill the disk."""
    free = free_disk_bytes(folder)
    if free < size_bytes:
        message = f"{megabytes(size_bytes)} are needed in {folder}, and {megabytes(free)} are free."
        raise MedEnhanceError("disk-full", message, _SPACE_HINT)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Make ``folder``, and turn the operating system's refusals to write in it into errors that a user understands."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if disk_is_full(error):
            raise MedEnhanceError("disk-full", f"the disk of {folder} is full.", _SPACE_HINT) from error
        hint = f"Choose another folder; for the cache, the environment variable {VARIABLE} names it."
        raise MedEnhanceError("output-refused", f"{folder} cannot be written: {error}.", hint) from error


def disk_is_full(error: OSError) -> bool:
    """Whether the system refused to write for want of space or quota."""
    return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def megabytes(size_bytes: int) -> str:
    """A size for people."""
    return f"{size_bytes / 1e6:.1f} MB"


_SPACE_HINT = f"Free some space, or name a folder on another disk in the environment variable {VARIABLE}."
