"""Makes `tiny_runs.py` and `tiny_data.py` importable, for tests and for the processes that they start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors gain nothing from threads, and lose much where the cores are busy."""
    import torch

    torch.set_num_threads(1)
