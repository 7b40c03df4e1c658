"""What a batch has done, kept in its output folder as JSON lines, so that a stopped batch goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medenhance.files import output_error

NAME = "batch.jsonl"


@dataclass(frozen=True)
class Record:
    """The newest that is known of one output.

    Attributes:
        fingerprint: Of the input, the model and the options that it was made from.
        done: It was finished.
        facts: What the batch reported of it.
    """

    fingerprint: str
    done: bool
    facts: dict[str, Any]


class BatchState:
    """Reads the records of earlier runs in a folder and appends those of this one.

    A line is written before an output gets its name and another one when the study is finished. So whatever stands in
    the folder after a crash is known to be this batch's own, and may be replaced; anything else never is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        self._records: dict[str, Record] = {}
        self._own: set[str] = set()
        for line in self._lines():
            self._take(line)

    def record_of(self, output: Path) -> Record | None:
        """The newest record of a study's output, or None."""
        return self._records.get(self._key(output))

    def owns(self, path: Path) -> bool:
        """Whether a file or folder was written by this batch."""
        return self._key(path) in self._own

    def begin(self, outputs: Iterable[Path], fingerprint: str) -> None:
        """Note that these outputs, the study last, are about to be written."""
        keys = [self._key(path) for path in outputs]
        self._append({"begun": keys, "output": keys[-1], "fingerprint": fingerprint})

    def finish(self, output: Path, fingerprint: str, facts: dict[str, Any]) -> None:
        """Note that a study's outputs are complete."""
        self._append({"output": self._key(output), "fingerprint": fingerprint, "facts": facts})

    def give_up(self, outputs: Iterable[Path]) -> None:
        """Note that a study failed: what is not there is no longer this batch's own."""
        self._append({"gone": [self._key(path) for path in outputs if not path.exists()]})

    def _key(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _lines(self) -> list[dict[str, Any]]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [value for line in lines if (value := _object(line)) is not None]

    def _take(self, line: dict[str, Any]) -> None:
        self._own.update(line.get("begun", ()))
        self._own.difference_update(line.get("gone", ()))
        if "output" not in line:
            return
        facts = line.get("facts")
        self._records[line["output"]] = Record(line["fingerprint"], facts is not None, facts or {})

    def _append(self, line: dict[str, Any]) -> None:
        self._take(line)
        # A newline on both sides keeps a line that was cut off by a crash from spoiling the next one.
        data = f"\n{json.dumps(line, ensure_ascii=True)}\n".encode()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise output_error(self._path, error) from error


def fingerprint(files: Iterable[Path], root: Path, settings: dict[str, Any]) -> str:
    """SHA-256 over what an output depends on: names, sizes and times of the input files, and the settings.

    Args:
        files: Input files below ``root``.
        root: Their names are taken relative to it, so that a moved tree is still the same.
        settings: JSON values: model, weights, options.
    """
    stats = [(path.relative_to(root).as_posix(), path.stat()) for path in files]
    listed = sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
    text = json.dumps([listed, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _object(line: str) -> dict[str, Any] | None:
    """The record in a line; None for an empty line or one that was cut off."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
