"""How much memory a process has taken, and what it does with what it frees."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import psutil

STATUS = Path("/proc/self/status")
# Parameters of glibc's mallopt, and their values here in bytes; a larger block threshold is refused by it.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_KEPT_BLOCK, MOST_KEPT = 32 * 2**20, 96 * 2**20


def peak_memory_bytes() -> int:
    """Highest resident memory of this process so far.

    On Linux the kernel's own figure for this program is read: that of getrusage begins with what the parent had in
    memory when it started the process.
    """
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return int(info.peak_wset)
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


def keep_freed_memory() -> None:
    """Let the C library keep the memory of freed tensors for the next ones, where it is glibc.

    By default it hands large blocks back to the system, and every layer of every slice then waits for fresh pages: on a
    virtual machine that took longer than the convolutions themselves.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BLOCK)
    mallopt(M_TRIM_THRESHOLD, MOST_KEPT)
