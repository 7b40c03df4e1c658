"""Writing a file so that it is either there whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medenhance.errors import MedEnhanceError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling to write to; it takes the name `path` when the block ends well and goes when it does not.

    The sibling keeps the suffix of `path`, by which libraries choose a format.

    Raises:
        MedEnhanceError: The disk is full, or the place cannot be written to.
    """
    temporary = path.with_name(f".{secrets.token_hex(6)}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def output_error(path: Path, error: OSError) -> MedEnhanceError:
    """What a failed write means to a user."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC):
        return MedEnhanceError("disk-full", f"the disk is full: {path} was not written.", "Free some space.")
    reason = error.strerror or str(error)
    return MedEnhanceError("output-refused", f"{path} cannot be written: {reason}.", "Choose another place.")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
