"""What a test has left behind, where a user would notice: errors, dialogs, processes, files."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from medenhance_host.host import Host


def check(host: Host, before: Iterable[psutil.Process] = ()) -> None:
    """Close the modules and look.

    Args:
        host: It.
        before: Processes that ran before the test.

    Raises:
        AssertionError: Something was left; it says what.
    """
    errors, unexpected, unused = list(host.errors), list(host.dialogs.unexpected), host.dialogs.unused
    host.closeAll()
    host.processEvents()
    errors += [error for error in host.errors if error not in errors]
    assert not errors, "raised in a handler:\n" + "\n".join(text for _, text in errors)
    assert not unexpected, f"opened without being asked for: {unexpected}"
    assert unused == 0, f"{unused} answers to dialogs were never needed"
    assert not workers(before), "a worker process is still running"
    left = sorted(path.name for path in host.temporaryFolder.iterdir())
    assert not left, f"left in Slicer's temporary folder: {left}"


def workers(before: Iterable[psutil.Process] = (), patienceS: float = 1.0) -> list[psutil.Process]:
    """Child processes that still run, but for those of ``before``; one that was told to end has a moment for it."""
    known = set(before)
    children = [one for one in psutil.Process().children(recursive=True) if one not in known]
    _, alive = psutil.wait_procs(children, timeout=patienceS)
    return [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
