"""Single files, such as reports and figures, that are either there whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medenhance.atomic_output import output_error, publish_file, staged
from medenhance.errors import MedEnhanceError

__all__ = ["check_file", "output_error", "replacing", "write_json"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file to write to; it takes the name `path` when the block ends well and goes when it does not.

    The temporary file has the same name, by whose suffix libraries choose a format.

    Raises:
        MedEnhanceError: The disk is full, or the place cannot be written to.
    """
    with staged(path) as stage:
        yield stage / path.name
        publish_file(stage / path.name, path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def check_file(path: Path, suffix: str, input_path: Path) -> None:
    """Refuse a file output before any work is done for it.

    Raises:
        MedEnhanceError: Another suffix, a folder of that name, the input itself, or a place that cannot be written.
    """
    if path.is_dir() or path.resolve() == input_path.resolve():
        what = "a folder" if path.is_dir() else "the input itself"
        raise MedEnhanceError("output-refused", f"{path} is {what}.", "Choose another name.")
    if path.suffix.lower() != suffix:
        message = f"{path.name} does not end in {suffix}, which is what will be written."
        raise MedEnhanceError("output-refused", message, f"Give a name that ends in {suffix}.")
    with staged(path):
        pass  # a stage could be made there, and is gone again
