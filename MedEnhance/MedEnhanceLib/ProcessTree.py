"""Ends a process with all those that it started, with nothing but the standard library."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def killTree(processId: int) -> object:
    """End a child of this process and its descendants, at once.

    PythonSlicer is a launcher that starts the real interpreter, so killing one process alone would leave the work
    going on.

    Returns:
        Something to keep until the process has ended: on Windows, the helper that ends it.
    """
    if os.name == "nt":
        return _askTaskkill(processId)
    _killFrozen(processId)
    return None


def _askTaskkill(processId: int) -> object:
    """Let Windows' own tool walk the tree; it is not waited for, since that would take longer than a frame."""
    command = ["taskkill", "/PID", str(processId), "/T", "/F"]
    quiet = subprocess.DEVNULL
    try:
        noWindow = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, creationflags=noWindow)
    except OSError:
        _send(processId, signal.SIGTERM)  # ends it without a question on Windows
        return None


def _killFrozen(root: int) -> None:
    """Stop every process before its children are listed: what stands still starts no further ones."""
    frozen: list[int] = []
    found = [root]
    while found:
        for processId in found:
            _send(processId, signal.SIGSTOP)
        frozen += found
        children = _childrenByParent()
        found = [child for parent in frozen for child in children[parent] if child not in frozen]
    for processId in frozen:
        _send(processId, signal.SIGKILL)


def killGroup(leader: int) -> None:
    """End what is left of the process group that ``leader`` made; on Windows there is none."""
    if os.name != "nt" and leader != os.getpgrp():
        with suppress(OSError):
            os.killpg(leader, signal.SIGKILL)


def _send(processId: int, number: int) -> None:
    with suppress(OSError):  # it has ended meanwhile
        os.kill(processId, number)


def _childrenByParent() -> defaultdict[int, list[int]]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for processId, parent in _fromProc() if PROC.joinpath("self", "stat").is_file() else _fromPs():
        children[parent].append(processId)
    return children


def _fromProc() -> list[tuple[int, int]]:
    """Process and parent, from the files that Linux keeps about them."""
    pairs = []
    for name in os.listdir(PROC):  # noqa: PTH208 - a tenth of the time of Path.iterdir
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                # The second field, a name in brackets, may hold anything, brackets and blanks too.
                pairs.append((int(name), int(file.read().rpartition(b")")[2].split()[1])))
    return pairs


def _fromPs() -> list[tuple[int, int]]:
    """Process and parent, as POSIX' tool lists them, for macOS."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, timeout=5, check=False)
    rows = (line.split() for line in listed.stdout.splitlines())
    return [(int(row[0]), int(row[1])) for row in rows if len(row) == 2]
