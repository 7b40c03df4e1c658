"""A program named PythonSlicer on the search path, which runs the Python of the tests, as Slicer brings its own."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path


def putOnPath() -> None:
    """Make the program in a folder of its own, which goes with the process."""
    folder = Path(tempfile.mkdtemp(prefix="medenhance-python-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if os.name == "nt":
        (folder / "PythonSlicer.cmd").write_text(f'@"{sys.executable}" %*\n', encoding="utf-8")
    else:
        # A script: a link would not find the packages of a virtual environment.
        program = folder / "PythonSlicer"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
