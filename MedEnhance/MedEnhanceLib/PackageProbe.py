"""What the worker's Python needs, and what of it is missing.

Nothing is imported here to find out: a script asks the worker's own interpreter, so PyTorch is never loaded in Slicer,
and a broken installation of it breaks nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from slicer.i18n import tr as _

from MedEnhanceLib.WorkerTransport import WorkerCommand, WorkerTransport


@dataclass(frozen=True)
class Requirement:
    """A package that the worker needs.

    Attributes:
        name: Of the package, and of what is imported.
        oldest: Oldest version that will do.
        downloadMB: About how much is downloaded for it and for what it brings.
    """

    name: str
    oldest: str
    downloadMB: int

    def __str__(self) -> str:
        return f"{self.name}>={self.oldest}"


TORCH = "torch"
TORCH_GPU_DOWNLOAD_MB = 3000  # with NVIDIA's libraries
# The dependencies of MedEnhance/pyproject.toml; a test compares them. No torchvision: it would lock torch's version.
REQUIREMENTS = (
    Requirement("numpy", "1.26", 20),
    Requirement("torch", "2.2", 250),
    Requirement("SimpleITK", "2.3", 55),
    Requirement("safetensors", "0.4", 1),
    Requirement("pydicom", "3.0", 3),
    Requirement("highdicom", "0.28", 5),
    Requirement("scipy", "1.11", 40),
    Requirement("tyro", "0.9", 3),
    Requirement("tqdm", "4.66", 1),
    Requirement("requests", "2.31", 1),
    Requirement("platformdirs", "4", 1),
    Requirement("psutil", "5.9", 1),
    Requirement("matplotlib", "3.8", 20),
    Requirement("filelock", "3.12", 1),
)

# Slicer brings some packages, such as SimpleITK, without a record of their installation: they are imported for their
# version. PyTorch is always imported, last, since only that tells whether its libraries load.
PROBE_SCRIPT = """
import importlib, importlib.metadata, importlib.util, json, sys

def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if importlib.util.find_spec(name) is None:
            return None
    try:
        return str(getattr(importlib.import_module(name), "__version__", ""))
    except Exception:
        return None

def problem(name):
    try:
        importlib.import_module(name)
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
    return ""

names = sys.argv[1:]
versions = {name: version(name) for name in names}
torch = problem("torch") if importlib.util.find_spec("torch") else ""
print(json.dumps({"event": "probe", "python": sys.version.split()[0], "versions": versions, "torch": torch}))
"""


@dataclass(frozen=True)
class Probe:
    """What an interpreter has.

    Attributes:
        python: Its version.
        versions: Of each package that was asked for; None: not installed, empty: unknown.
        torchProblem: Why an installed PyTorch cannot be loaded, or empty.
        problem: Why the interpreter did not answer, or empty.
    """

    python: str
    versions: dict[str, str | None]
    torchProblem: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Missing:
    """A requirement that is not met.

    Attributes:
        requirement: What is needed.
        found: Version that is there and will not do, or None.
        problem: Why what is there cannot be loaded, or empty.
    """

    requirement: Requirement
    found: str | None = None
    problem: str = ""


def probeCommand(command: WorkerCommand) -> WorkerCommand:
    """The command that asks the interpreter of ``command``, in its environment, what it has.

    Args:
        command: Of `Interpreter.workerCommand`.
    """
    flags = command.arguments[: command.arguments.index("-m")]
    names = (requirement.name for requirement in REQUIREMENTS)
    return replace(command, arguments=(*flags, "-c", PROBE_SCRIPT, *names))


class ProbeRun:
    """Asks an interpreter, which takes as long as PyTorch takes to load; ends in one call of ``done``.

    Args:
        transport: One of its own, not the worker's.
        command: Of `Interpreter.workerCommand`.
        done: Called with the answer, on the main thread.
    """

    def __init__(self, transport: WorkerTransport, command: WorkerCommand, done: Callable[[Probe], None]) -> None:
        self._transport, self._done = transport, done
        self._answer: Probe | None = None
        self._words = ""
        self.isActive = True
        transport.start(probeCommand(command), self)

    def cancel(self) -> None:
        """Forget the question; nobody is called any more."""
        self.isActive = False
        self._transport.kill()

    def wait(self) -> None:
        """Block until the answer is there."""
        while self.isActive:
            self._transport.deliver(0.05)

    def onLine(self, line: str) -> None:
        self._answer = _parsed(line) or self._answer

    def onLog(self, text: str) -> None:
        self._words = (self._words + text)[-2000:]

    def onFinished(self, reason: str) -> None:
        if not self.isActive:
            return
        self.isActive = False
        problem = " ".join([_("The Python interpreter {reason}.").format(reason=reason), *self._words.split("\n")[-3:]])
        self._done(self._answer or Probe("", {}, problem=problem.strip()))


def missingRequirements(probe: Probe) -> list[Missing]:
    """What an interpreter lacks, in the order of `REQUIREMENTS`."""
    missing = []
    for requirement in REQUIREMENTS:
        found = probe.versions.get(requirement.name)
        problem = probe.torchProblem if requirement.name == TORCH else ""
        if found is None or problem or not isNewEnough(found, requirement.oldest):
            missing.append(Missing(requirement, found, problem))
    return missing


def isNewEnough(found: str, oldest: str) -> bool:
    """Whether a version will do; one that nobody knows will."""
    return not found or _release(found) >= _release(oldest)


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version up to its first letter, without zeros at the end: "2.13.0+cpu" is (2, 13)."""
    numbers = re.match(r"[0-9.]*", version)
    release = [int(number) for number in (numbers.group() if numbers else "").split(".") if number]
    while release and release[-1] == 0:
        release.pop()
    return tuple(release)


def _parsed(line: str) -> Probe | None:
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("event") != "probe":
        return None
    return Probe(answer["python"], answer["versions"], answer["torch"])
