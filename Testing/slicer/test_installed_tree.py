"""The panels as CMake installs them, not as they lie in the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PANELS = ("test_low_dose_panel.py", "test_models_panel.py")
HERE = Path(__file__).parent


def test_the_installed_tree_passes_the_tests_of_the_panels(installed_tree: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    environment = {**os.environ, "MEDENHANCE_TREE": str(installed_tree)}
    environment.pop("PYTEST_ADDOPTS", None)
    process = subprocess.run(
        [*command, *(str(HERE / name) for name in PANELS)],
        env=environment,
        cwd=HERE.parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert process.returncode == 0, process.stdout[-4000:]


def test_the_modules_come_from_the_tree_that_is_named(installed_tree: Path) -> None:
    script = "import conftest, MedEnhanceLib, medenhance; print(MedEnhanceLib.__file__, medenhance.__file__, sep='\\n')"
    environment = {**os.environ, "MEDENHANCE_TREE": str(installed_tree)}
    answer = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=HERE, capture_output=True, text=True, check=True
    )
    assert all(Path(line).is_relative_to(installed_tree) for line in answer.stdout.splitlines()[-2:])
