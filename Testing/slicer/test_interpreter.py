"""The worker runs our code in the Python that was chosen, and nothing of Slicer's gets into a foreign one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import slicer

from medenhance import __version__
from medenhance.errors import MedEnhanceError
from MedEnhanceLib import Interpreter
from MedEnhanceLib.Interpreter import (
    checkInterpreter,
    interpreterCommand,
    otherCopyProblem,
    packageFolder,
    workerCommand,
)
from MedEnhanceLib.Settings import WorkerSettings
from MedEnhanceLib.WorkerTransport import WorkerCommand

MakeProgram = Callable[..., Path]


@pytest.fixture(autouse=True)
def startup(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment as it was before Slicer started, and no PythonSlicer."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: dict(environment), raising=False)
    monkeypatch.setattr(Interpreter.shutil, "which", lambda name: None)
    return environment


@pytest.fixture
def program(tmp_path: Path) -> MakeProgram:
    """A function that makes a program of a shell script."""

    def make(name: str, script: str = f'exec "{sys.executable}" "$@"') -> Path:
        path = tmp_path / "bin é" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


def output(command: WorkerCommand) -> str:
    line = [command.program, *command.arguments]
    done = subprocess.run(line, env=command.environment, cwd=command.workingFolder, capture_output=True, check=True)
    return done.stdout.decode("utf-8").strip()


def test_slicers_own_python_is_the_default(program: MakeProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    own = program("PythonSlicer")
    monkeypatch.setattr(Interpreter.shutil, "which", lambda name: str(own) if name == "PythonSlicer" else None)
    monkeypatch.setenv("PYTHONHOME", "/slicer/python")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/slicer/lib")
    command = workerCommand(WorkerSettings())
    assert command.program == str(own)
    assert command.arguments[-3:] == ("-m", "medenhance", "worker")
    assert command.environment["PYTHONHOME"] == "/slicer/python"
    assert command.environment["LD_LIBRARY_PATH"] == "/slicer/lib"


def test_without_any_python_the_user_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MedEnhanceError, match="PythonSlicer") as caught:
        workerCommand(WorkerSettings())
    assert caught.value.hint
    assert workerCommand(WorkerSettings(), fallback=sys.executable).program == sys.executable


def test_a_foreign_python_gets_nothing_of_slicer(
    program: MakeProgram, startup: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = "/opt/Slicer 5.12"
    monkeypatch.setattr(slicer, "app", type("App", (), {"slicerHome": home}), raising=False)
    startup.update(PYTHONHOME=home, PYTHONPATH=f"{home}/python", LD_LIBRARY_PATH=f"{home}/lib:/usr/local/cuda/lib")
    startup.update(QT_PLUGIN_PATH=f"{home}/plugins")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("QT_SCALE_FACTOR", "2")
    command = workerCommand(WorkerSettings(interpreter=str(program("python3"))))
    environment = command.environment
    assert "PYTHONHOME" not in environment
    assert "QT_PLUGIN_PATH" not in environment
    assert "QT_SCALE_FACTOR" not in environment
    assert environment["PYTHONPATH"] == str(packageFolder())
    assert environment["LD_LIBRARY_PATH"] == "/usr/local/cuda/lib"
    assert environment["https_proxy"] == "http://proxy:3128"


def test_cache_and_mirror_of_the_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDENHANCE_CACHE", "/old")
    settings = WorkerSettings(cacheFolder="/new é", mirror="https://mirror.org")
    assert workerCommand(WorkerSettings(), sys.executable).environment["MEDENHANCE_CACHE"] == "/old"
    environment = workerCommand(settings, sys.executable).environment
    assert environment["MEDENHANCE_CACHE"] == "/new é"
    assert environment["MEDENHANCE_MIRROR"] == "https://mirror.org"


def test_our_code_runs_even_where_another_copy_is_installed(
    program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "site" / "medenhance"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("__version__ = 'another'")
    monkeypatch.setenv("PYTHONPATH", str(other.parent))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    # As PythonSlicer does, which puts Slicer's folders before those that it finds.
    own = program("PythonSlicer", f'export PYTHONPATH="{other.parent}:$PYTHONPATH"\nexec "{sys.executable}" "$@"')
    command = interpreterCommand(WorkerSettings(), ("-m", "medenhance", "--version"), fallback=str(own))
    assert output(command) == f"medenhance {__version__}"


def test_text_is_utf8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert output(interpreterCommand(WorkerSettings(), ("-c", "print('é 脑')"), fallback=sys.executable)) == "é 脑"


def test_a_good_interpreter_and_an_empty_field_have_no_problem(program: MakeProgram) -> None:
    assert checkInterpreter("") == ""
    assert checkInterpreter(sys.executable) == ""
    assert checkInterpreter(str(program("python3"))) == ""


@pytest.mark.parametrize(
    ("name", "script", "words"),
    [
        ("Slicer", "", "Slicer itself"),
        ("notes", "echo hello", "no Python interpreter"),
        ("python3", "echo 3 9", "3.10 or newer"),
        ("python3", "exit 1", "no Python interpreter"),
        ("python3", "sleep 60", "does not answer"),
    ],
)
def test_what_is_no_python_is_named(
    program: MakeProgram, name: str, script: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Interpreter, "CHECK_LIMIT_S", 0.3 if "sleep" in script else 10.0)
    path = program(name, script.replace("sleep", "exec sleep"))
    problem = checkInterpreter(str(path))
    assert words in problem
    assert str(path) in problem


def test_paths_that_are_no_programs_are_named(tmp_path: Path) -> None:
    text = tmp_path / "python.txt"
    text.write_text("no program")
    text.chmod(0o644)
    assert "no file" in checkInterpreter(str(tmp_path / "gone"))
    assert "is a folder" in checkInterpreter(str(tmp_path))
    assert "can be run" in checkInterpreter(str(text))


def test_another_copy_of_the_core_in_slicer_is_told(monkeypatch, tmp_path):
    import medenhance

    monkeypatch.setattr(medenhance, "__file__", str(packageFolder() / "medenhance" / "__init__.py"))
    assert otherCopyProblem() == ""

    monkeypatch.setattr(medenhance, "__file__", str(tmp_path / "medenhance" / "__init__.py"))
    assert str(tmp_path / "medenhance") in otherCopyProblem()
    assert "pip_uninstall('medenhance')" in otherCopyProblem()
