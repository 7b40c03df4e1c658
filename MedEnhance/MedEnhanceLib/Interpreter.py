"""Which Python the worker runs in, and the environment it gets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.Settings import WorkerSettings
from MedEnhanceLib.WorkerTransport import WorkerCommand

OLDEST_PYTHON = (3, 10)
CHECK_LIMIT_S = 10.0
# Variables that lead another Python to the libraries of Slicer's.
LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH", "QT_PLUGIN_PATH")
PASSED_ON = re.compile(r"(https?|ftp|all|no)_proxy|MEDENHANCE_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE", re.IGNORECASE)


def packageFolder() -> Path:
    """The folder that holds the `medenhance` that came with this file."""
    return Path(__file__).resolve().parents[1]


def pythonSlicer() -> str:
    """Full path of Slicer's own Python; empty outside of Slicer."""
    return shutil.which("PythonSlicer") or ""


def workerCommand(settings: WorkerSettings, fallback: str = "") -> WorkerCommand:
    """How to start the worker.

    Args:
        settings: The user's.
        fallback: Interpreter to use where there is no PythonSlicer, for programs outside of Slicer.

    Raises:
        MedEnhanceError: No interpreter is known.
    """
    return interpreterCommand(settings, ("-m", "medenhance", "worker"), fallback)


def interpreterCommand(settings: WorkerSettings, arguments: tuple[str, ...], fallback: str = "") -> WorkerCommand:
    """How to run something in the worker's interpreter and environment.

    The working folder is the one that holds our `medenhance`: with "-m", Python looks there first, so that another
    `medenhance` in that interpreter does not come in the way.
    """
    ours = pythonSlicer() or fallback
    program = settings.interpreter or ours
    if not program:
        hint = _("Name a Python interpreter in the settings, or reinstall Slicer.")
        raise MedEnhanceError("bad-option", _("PythonSlicer, the Python of Slicer, was not found."), hint)
    isOurs = bool(ours) and Path(program).resolve() == Path(ours).resolve()
    environment = dict(os.environ) if isOurs else foreignEnvironment(program)
    environment.update(_added(settings, environment))
    environment.pop("PYTHONSAFEPATH", None)  # it would keep Python from looking in the working folder
    return WorkerCommand(program, ("-u", "-X", "utf8", *arguments), environment, str(packageFolder()))


def foreignEnvironment(program: str) -> dict[str, str]:
    """The environment for a Python that is not Slicer's: as it was before Slicer started."""
    started = {name: value for name, value in slicer.util.startupEnvironment().items() if name}
    passedOn = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    environment = {**passedOn, **started}
    for name in ("PYTHONHOME", "PYTHONPATH"):
        environment.pop(name, None)
    for name in LIBRARY_PATHS:
        kept = _withoutSlicer(environment.pop(name, ""))
        if kept:
            environment[name] = kept
    if os.name == "nt":
        environment["PATH"] = os.pathsep.join([*_condaFolders(Path(program).parent), environment.get("PATH", "")])
    return environment


def _added(settings: WorkerSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """What the worker needs beside the environment that it runs in."""
    added = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(packageFolder()), environment.get("PYTHONPATH", "")])),
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    chosen = {"MEDENHANCE_CACHE": settings.cacheFolder, "MEDENHANCE_MIRROR": settings.mirror}
    return {**added, **{name: value for name, value in chosen.items() if value}}


def _withoutSlicer(paths: str) -> str:
    """A list of folders without those of Slicer."""
    home = str(getattr(getattr(slicer, "app", None), "slicerHome", "") or "")
    kept = [path for path in paths.split(os.pathsep) if path and not (home and Path(path).is_relative_to(home))]
    return os.pathsep.join(kept)


def _condaFolders(folder: Path) -> list[str]:
    """Where the libraries of a conda environment lie on Windows, which its activation would add to the path."""
    folders = [folder, folder / "Library" / "mingw-w64" / "bin", folder / "Library" / "bin", folder / "Scripts"]
    return [str(path) for path in folders if path.is_dir()]


def checkInterpreter(path: str) -> str:
    """What is wrong with an interpreter that the user names, in plain words, or an empty string.

    It is started once, which takes a fraction of a second. Whether it has the packages is a matter of `Requirements`.
    """
    return _fileProblem(path) or _pythonProblem(path) if path else ""


def _fileProblem(path: str) -> str:
    file = Path(path)
    if not file.exists():
        return _("There is no file {path}.").format(path=path)
    if file.is_dir():
        return _("{path} is a folder; choose the Python program in it.").format(path=path)
    if re.fullmatch(r"Slicer(App-real)?(\.exe)?", file.name):
        return _("{path} is Slicer itself; leave the field empty to use its Python.").format(path=path)
    if not os.access(path, os.X_OK):
        return _("{path} is no program that can be run.").format(path=path)
    return ""


def _pythonProblem(path: str) -> str:
    script = "import sys; print(*sys.version_info[:2])"
    environment = foreignEnvironment(path)
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        answer = subprocess.run(
            [path, "-I", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CHECK_LIMIT_S,
            env=environment,
            creationflags=flags,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _("{path} does not answer as Python does.").format(path=path)
    except OSError as error:
        return _("{path} cannot be run: {error}.").format(path=path, error=error.strerror or error)
    return _versionProblem(path, answer.stdout.decode("utf-8", "replace").split())


def _versionProblem(path: str, words: list[str]) -> str:
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return _("{path} is no Python interpreter.").format(path=path)
    if (int(words[0]), int(words[1])) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return _("{path} is Python {found}; {oldest} or newer is needed.").format(
            path=path, found=".".join(words), oldest=oldest
        )
    return ""


def otherCopyProblem() -> str:
    """Whether Slicer has loaded another MedEnhance than the one that came with this file, in plain words, or empty.

    Slicer puts the folders of its modules at the end of the search path, so that one installed with pip comes first.
    """
    import medenhance

    found = Path(medenhance.__file__).resolve().parent
    if found == packageFolder() / "medenhance":
        return ""
    return _(
        "Slicer has loaded another copy of MedEnhance, from {folder}. If something does not work, uninstall it with "
        "slicer.util.pip_uninstall('medenhance') and restart Slicer."
    ).format(folder=found)
