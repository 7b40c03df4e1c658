"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Hypothesis' deadline times each example; tests here prove correctness, and a busy machine must not fail them.
settings.register_profile("project", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("project")

# Two test processes share two cores: with more threads each, they wait for one another most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images beside the project; only this project's developers have it."""
    folder = Path(os.environ.get("MEDENHANCE_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real images are not at hand: {folder} does not exist (set MEDENHANCE_SHARED_DATA)")
    return folder
