"""Fixtures that every test may use."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent / "cmake"))
from extension_build import ExtensionBuild, built_and_installed

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


@pytest.fixture(scope="session")
def installed_extension(tmp_path_factory: pytest.TempPathFactory) -> ExtensionBuild:
    """The extension, built and installed with CMake: once a session, whatever the number of test processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each process has a folder of its own in one that the session shares
    folder = folder / "extension"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            built_and_installed(folder)
            (folder / "complete").touch()
    return ExtensionBuild(folder / "build", folder / "install")


@pytest.fixture(scope="session")
def installed_tree(installed_extension: ExtensionBuild) -> Path:
    """The installed qt-scripted-modules, which takes the place of MedEnhance/ of the source tree."""
    return installed_extension.modules_folder
