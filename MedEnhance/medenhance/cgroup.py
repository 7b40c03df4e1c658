"""The memory limit that Linux sets on a container or a batch job, which the system-wide figures do not show."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def free_bytes(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Memory that this process may still take before the tightest limit above it, or None where there is none.

    Args:
        root: Where the control groups (version 2 or 1) are mounted.
        membership: The file that names this process's own group.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    free = [value for group in _groups(root, lines) if (value := _free_in(group)) is not None]
    return min(free, default=None)


def _groups(root: Path, lines: list[str]) -> list[Path]:
    """The process's group and all that contain it; inside a container only the outermost may be visible."""
    groups = [root, root / "memory"]
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        base = root / "memory" if controllers else root
        parts = [part for part in name.split("/") if part not in ("", "..")]
        groups += [base.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
    return groups


def _free_in(group: Path) -> int | None:
    for limit_name, used_name, reclaimable in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, used = _number(group / limit_name), _number(group / used_name)
        if limit is None or used is None:
            continue
        # Cached file contents count as used but are given up when memory is needed.
        return max(0, limit - max(0, used - _statistic(group / "memory.stat", reclaimable)))
    return None


def _number(path: Path) -> int | None:
    """The file's number; None where the file is missing or says "max"."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _statistic(path: Path, name: str) -> int:
    try:
        pairs = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    except OSError:
        return 0
    return next((int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] == name), 0)
