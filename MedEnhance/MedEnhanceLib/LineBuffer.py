"""Cuts a stream of bytes into lines of text."""

from __future__ import annotations

MAX_LINE_BYTES = 32 << 20  # a worker's longest line, a report, has less than one megabyte


class LineBuffer:
    """Collects bytes until their line is whole; a line that would fill the memory is replaced by a note.

    Args:
        maxBytes: Longest line that is kept.
    """

    def __init__(self, maxBytes: int = MAX_LINE_BYTES) -> None:
        self._maxBytes = maxBytes
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that ``data`` completes, without their ends; bytes that are no UTF-8 are replaced."""
        *ends, rest = data.split(b"\n")
        lines = []
        for end in ends:
            self._add(end)
            lines.append(self._take())
        self._add(rest)
        return lines

    def rest(self) -> list[str]:
        """What is left when the stream has ended: a last line without an end, or nothing."""
        return [self._take()] if self._size else []

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._maxBytes:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _take(self) -> str:
        line, size = b"".join(self._parts), self._size
        self._parts, self._size = [], 0
        if size > self._maxBytes:
            return f"(a line of {size} bytes was left out)"
        return line.removesuffix(b"\r").decode("utf-8", "replace")
