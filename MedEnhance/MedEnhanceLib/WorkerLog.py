"""The last lines that a worker wrote about its work."""

from __future__ import annotations

from collections import deque

MAX_LINE = 2000  # characters


class WorkerLog:
    """Keeps the last lines of a text that comes in pieces.

    Args:
        maxLines: How many lines are kept.
    """

    def __init__(self, maxLines: int = 2000) -> None:
        self._lines: deque[str] = deque(maxlen=maxLines)
        self._open = ""  # a line whose end has not come yet

    def append(self, text: str) -> None:
        """Add a piece, wherever it was cut."""
        *ended, self._open = (self._open + text).split("\n")
        # What runs over a screen's line again and again, as progress bars do, counts as one line.
        self._lines.extend(_short(line) for line in ended)
        self._open = _short(self._open)

    def appendLine(self, line: str) -> None:
        """Add a whole line of our own."""
        self.append(("\n" if self._open else "") + line + "\n")

    def text(self) -> str:
        """All that is kept; it can always be written as UTF-8."""
        lines = [*self._lines, self._open] if self._open else list(self._lines)
        return "\n".join(lines).encode("utf-8", "replace").decode("utf-8")

    def clear(self) -> None:
        """Forget everything."""
        self._lines.clear()
        self._open = ""


def _short(line: str) -> str:
    line = line.rstrip("\r").rpartition("\r")[2]
    return line if len(line) <= MAX_LINE else line[: MAX_LINE // 2] + " … " + line[-MAX_LINE // 2 :]
