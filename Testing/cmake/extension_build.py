"""Configures, builds and installs the extension with the CMake package of this folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def program(name: str) -> str | None:
    """Path of cmake, ctest or ninja: of the wheel in this environment, or the machine's own."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of CMake's programs; the caller looks at the return code."""
    path = program(name)
    assert path, f"{name} is needed: pip install cmake ninja"
    command = [path, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)


def configure(source: Path, build: Path) -> subprocess.CompletedProcess[str]:
    """`cmake -S source -B build` for a source tree that is the project or a copy of it."""
    generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={program('ninja')}"] if program("ninja") else []
    return run(
        "cmake", *generator, "-S", source, "-B", build,
        f"-DSlicer_DIR={HERE}",
        f"-DCMAKE_TOOLCHAIN_FILE={HERE / 'no_compiler.cmake'}",
        # CTest looks for the program of each test; this one exists everywhere.
        f"-DSlicer_LAUNCHER_EXECUTABLE={sys.executable}",
    )  # fmt: skip


@dataclass(frozen=True)
class ExtensionBuild:
    """A built extension.

    Attributes:
        build: CMake's build tree.
        install: Where it was installed: what a user's package holds.
    """

    build: Path
    install: Path

    @property
    def modules_folder(self) -> Path:
        """The installed qt-scripted-modules, which takes the place of MedEnhance/ of the source tree."""
        return next(self.install.rglob("qt-scripted-modules"))

    def installed_again(self, prefix: Path) -> ExtensionBuild:
        """The same build installed elsewhere, where nothing has been imported and so no bytecode lies."""
        checked(run("cmake", "--install", self.build, "--prefix", prefix))
        return ExtensionBuild(self.build, prefix)

    def ctest_entries(self) -> dict[str, dict[str, Any]]:
        """What CTest would run, by name: `command` and `properties`."""
        listing = checked(run("ctest", "--test-dir", self.build, "--show-only=json-v1"))
        return {entry["name"]: entry for entry in json.loads(listing.stdout)["tests"]}


def built_and_installed(folder: Path, source: Path = ROOT) -> ExtensionBuild:
    """Configure, build and install below `folder`; an error of CMake's fails the test that asked."""
    extension = ExtensionBuild(folder / "build", folder / "install")
    checked(configure(source, extension.build))
    checked(run("cmake", "--build", extension.build))
    return extension.installed_again(extension.install)


def checked(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, f"{' '.join(done.args)}\n{done.stdout}\n{done.stderr}"
    return done
