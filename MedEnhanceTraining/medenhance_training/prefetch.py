"""Reads the next batch while the current one trains; exact, since a batch is a function of its position."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from medenhance_training.config import Stream
from medenhance_training.objectives.objective import Batch


class Prefetch:
    """Batches in order from a position on; a context manager, for its one thread."""

    def __init__(self, stream: Stream, samples_seen: int, batch_size: int) -> None:
        self._stream = stream
        self._batch_size = batch_size
        self._position = samples_seen
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
        self._next = self._pool.submit(stream.batch_at, samples_seen)

    def next(self) -> Batch:
        """The batch at the current position; reading of the following one begins."""
        batch = self._next.result()
        self._position += self._batch_size
        self._next = self._pool.submit(self._stream.batch_at, self._position)
        return batch

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, *unused: object) -> None:
        self._pool.shutdown(cancel_futures=True)
