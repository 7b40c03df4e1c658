"""The host of Testing/host for every test of the Slicer layer, and checks that each test leaves nothing behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOST_FOLDER = Path(__file__).resolve().parents[1] / "host"
sys.path[:0] = [str(Path(__file__).parent), str(HOST_FOLDER)]

from medenhance_host import SOURCE_TREE, Host, install, leftovers  # noqa: E402 - the folder above must be known first

# The folder of the module files: the source tree, or an installed one (test_installed_tree.py).
TREE = Path(os.environ.get("MEDENHANCE_TREE", SOURCE_TREE))
if TREE != SOURCE_TREE:
    sys.path.insert(0, str(TREE))

install(TREE)  # now: test files import MedEnhanceLib, which imports qt and slicer.i18n, when they are collected


@pytest.fixture
def host() -> Iterator[Host]:
    """A Slicer with an empty scene.

    After the test it fails it for what a user would have seen or lost: an exception in a handler, a dialog nobody asked
    for, an answer nobody needed, a process or a temporary file left behind. A test that means an error empties
    ``host.errors``.
    """
    made = install(TREE)
    made.renew()
    # Tests of other folders, which ran in this process before, may have started some that stay.
    before = leftovers.workers(patienceS=0.0)
    yield made
    try:
        leftovers.check(made, before)
    finally:
        made.renew()
