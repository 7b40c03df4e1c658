"""The progress bar of a download: bytes, rate and time left, on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import NoReturn

from tqdm import tqdm


class DownloadProgress:
    """A context manager that shows how much of ``size_bytes`` is there; bytes of an earlier try do not count as rate.

    Args:
        size_bytes: Size of the whole download.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> DownloadProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, stage: str, fraction: float) -> None:
        received = round(fraction * self.size_bytes)
        bar = self._bar = self._bar or self._begun(received)
        bar.set_description(stage, refresh=False)
        bar.update(received - bar.n)

    def warn(self, message: str) -> None:
        tqdm.write(f"Warning: {message}", file=sys.stderr)

    def cancelled(self) -> bool:
        return False  # Ctrl-C arrives as KeyboardInterrupt

    def _begun(self, received: int) -> tqdm[NoReturn]:
        return tqdm(total=self.size_bytes, initial=received, unit="B", unit_scale=True, file=sys.stderr)
