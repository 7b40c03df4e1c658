"""Installs what the worker needs into Slicer's own Python.

PyTorch comes with the tools of Slicer's PyTorch extension, the rest with Slicer's package tools. Nothing is installed
into any other Python: that one belongs to the user, who is told the command instead.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.PackageProbe import (
    REQUIREMENTS,
    TORCH,
    TORCH_GPU_DOWNLOAD_MB,
    Missing,
    Probe,
    ProbeRun,
    missingRequirements,
)

__all__ = [
    "REQUIREMENTS",
    "InstallOutcome",
    "InstallPlan",
    "Missing",
    "Probe",
    "ProbeRun",
    "install",
    "installPlan",
    "installSteps",
    "missingRequirements",
    "planText",
]

Report = Callable[[str], None]
LIGHT_THE_TORCH = "light-the-torch>=0.5"  # finds the build of PyTorch that fits the machine; the extension's own tool
POLL_S = 0.02


@dataclass(frozen=True)
class InstallPlan:
    """What would be installed, before anything is.

    Attributes:
        missing: What is needed.
        interpreter: The user's own Python, which is left alone; empty for Slicer's.
    """

    missing: tuple[Missing, ...]
    interpreter: str = ""

    @property
    def needsTorch(self) -> bool:
        return any(item.requirement.name == TORCH for item in self.missing)

    @property
    def packages(self) -> tuple[str, ...]:
        """What pip installs, without PyTorch."""
        return tuple(str(item.requirement) for item in self.missing if item.requirement.name != TORCH)

    @property
    def downloadMB(self) -> tuple[int, int]:
        """About how much is downloaded, at least and at most."""
        least = sum(item.requirement.downloadMB for item in self.missing)
        return least, least + (TORCH_GPU_DOWNLOAD_MB if self.needsTorch else 0)


@dataclass(frozen=True)
class InstallOutcome:
    """What was done.

    Attributes:
        restart: Packages of which Slicer has an older version loaded until it is restarted.
    """

    restart: tuple[str, ...] = ()


def installPlan(missing: Sequence[Missing], interpreter: str = "") -> InstallPlan:
    """What would have to be installed.

    Args:
        missing: Of `missingRequirements`.
        interpreter: `WorkerSettings.interpreter`.
    """
    return InstallPlan(tuple(missing), interpreter)


def planText(plan: InstallPlan) -> str:
    """What is missing, how large it is and where it comes from, for the user to decide."""
    if not plan.missing:
        return _("Everything that is needed is installed.")
    lines = [_("These Python packages are needed:"), *(f"  {_missingText(item)}" for item in plan.missing)]
    if plan.interpreter:
        command = " ".join(f'"{item.requirement}"' for item in plan.missing)
        text = _("Install them in {interpreter} with this command:").format(interpreter=plan.interpreter)
        return "\n".join([*lines, text, f'"{plan.interpreter}" -m pip install {command}'])
    least, most = plan.downloadMB
    size = _("About {n} MB are downloaded from the Python Package Index.").format(n=least)
    if plan.needsTorch:
        size = _(
            "About {n} MB are downloaded from the Python Package Index and download.pytorch.org, up to {most} MB with "
            "an NVIDIA graphics card."
        ).format(n=least, most=most)
    return "\n".join([*lines, size, _("They are installed into Slicer's Python; this takes some minutes.")])


def _missingText(item: Missing) -> str:
    text = str(item.requirement)
    if item.problem:
        return _("{package} (version {found} cannot be loaded: {problem})").format(
            package=text, found=item.found, problem=item.problem
        )
    return _("{package} (version {found} is there)").format(package=text, found=item.found) if item.found else text


def install(plan: InstallPlan, report: Report) -> InstallOutcome:
    """Do a plan while Slicer's window stays live; at once, and without network, when nothing is missing.

    Args:
        plan: What to install.
        report: Is told what goes on, line by line.

    Raises:
        MedEnhanceError: It did not work, with what to do.
    """
    steps = installSteps(plan, report)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        slicer.app.processEvents()
        time.sleep(POLL_S)


def installSteps(plan: InstallPlan, report: Report) -> Generator[None, None, InstallOutcome]:
    """`install` in steps, for a `Pump`."""
    _refuse(plan)
    if plan.packages:
        report(_("Installing {packages} ...").format(packages=", ".join(plan.packages)))
        yield from _packageSteps(list(plan.packages), report)
    if plan.needsTorch:
        torch = next(str(item.requirement) for item in plan.missing if item.requirement.name == TORCH)
        report(_("Installing PyTorch ..."))
        yield from _torchSteps(torch, report)
    importlib.invalidate_caches()
    old = (item.requirement.name for item in plan.missing if item.found is not None)
    return InstallOutcome(tuple(name for name in old if name in sys.modules))


def _refuse(plan: InstallPlan) -> None:
    """Raise what can be known to fail before anything is downloaded."""
    if plan.interpreter and plan.missing:
        message = _("{interpreter} is not Slicer's Python; nothing is installed there.")
        raise MedEnhanceError("bad-option", message.format(interpreter=plan.interpreter), planText(plan))
    broken = next((item for item in plan.missing if item.problem), None)
    if broken is not None:
        message = _("PyTorch {found} is installed and cannot be loaded: {problem}.")
        hint = _("Open the module PyTorch Utils, uninstall PyTorch, restart Slicer and try again.")
        raise MedEnhanceError("unexpected", message.format(found=broken.found, problem=broken.problem), hint)
    if plan.needsTorch:
        torchTools()


def torchTools() -> Any:
    """The logic of Slicer's PyTorch extension.

    Raises:
        MedEnhanceError: The extension is not there, with how to install it.
    """
    try:
        import PyTorchUtils
    except ImportError as error:
        message = _("Slicer's extension PyTorch, which installs PyTorch, is not there.")
        hint = _("Open View > Extensions Manager, install the extension PyTorch, restart Slicer and try again.")
        raise MedEnhanceError("unexpected", message, hint) from error
    return PyTorchUtils.PyTorchUtilsLogic()


def _torchSteps(requirement: str, report: Report) -> Generator[None, None, None]:
    """Have the extension's tool install PyTorch, and nothing else.

    `installTorch` itself would add torchvision and import PyTorch into Slicer. It is used where the extension has
    another way than light-the-torch.
    """
    logic = torchTools()
    if not hasattr(logic, "_installLightTheTorch"):
        yield
        logic.installTorch(**_accepted(logic.installTorch, _torchOptions(requirement)))
        return
    if importlib.util.find_spec("light_the_torch") is None:
        yield from _packageSteps([LIGHT_THE_TORCH], report)
    yield from _moduleSteps("light_the_torch", ["install", requirement], report)


def _torchOptions(requirement: str) -> dict[str, Any]:
    """Every keyword that a version of the extension has, or had, for what is wanted here."""
    return {
        "askConfirmation": False,  # the user was asked before
        "confirm": False,
        "torchVersionRequirement": requirement.removeprefix(TORCH),
    }


def _accepted(call: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that this version of a function takes."""
    known = inspect.signature(call).parameters
    return {name: value for name, value in options.items() if name in known}


def _packageSteps(packages: list[str], report: Report) -> Generator[None, None, None]:
    """Have Slicer install packages; what is there and new enough stays as it is."""
    codes: list[int] = []
    with tempfile.TemporaryDirectory(prefix="medenhance-") as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{requirement}\n" for requirement in REQUIREMENTS), encoding="utf-8")
        with _explained(", ".join(packages)):
            pipInstall, isBusy = _slicerPip()
            options = {
                "constraints": constraints,
                "blocking": False,
                "show_progress": False,
                "logCallback": report,
                "completedCallback": codes.append,
            }
            if set(options) <= set(inspect.signature(pipInstall).parameters):
                pipInstall(packages, **options)
            else:  # Slicer 5.10, which handles the window's events while pip writes
                pipInstall([*packages, "-c", str(constraints)])
            while not codes and isBusy():
                yield
            _require(codes)


def _slicerPip() -> tuple[Callable[..., Any], Callable[[], bool]]:
    """Slicer's `pip_install` and whether one is still going on."""
    try:
        packaging = importlib.import_module("slicer.packaging")
    except ImportError:
        return slicer.util.pip_install, lambda: False
    return packaging.pip_install, getattr(packaging, "isPipInstallInProgress", lambda: False)


def _moduleSteps(module: str, arguments: list[str], report: Report) -> Generator[None, None, None]:
    """Run a module of Slicer's Python in a process of its own."""
    execute = getattr(slicer.util, "executePythonModule", None) or slicer.util._executePythonModule
    codes: list[int] = []
    options = {"blocking": False, "logCallback": report, "completedCallback": codes.append}
    accepted = _accepted(execute, options)
    with _explained(arguments[-1]):
        if accepted == options:
            execute(module, arguments, **options)
            while not codes:
                yield
        else:  # Slicer 5.10
            yield
            execute(module, arguments)
        _require(codes)


def _require(codes: list[int]) -> None:
    if any(codes):
        raise RuntimeError(f"exit code {codes[0]}")


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn whatever goes wrong in an installation into what a user can do about it."""
    try:
        yield
    except Exception as error:
        message = _("{what} could not be installed: {error}.").format(what=what, error=error)
        hint = _(
            "Check the network and the proxy, and that the disk is not full, and try again. Or name a Python that has "
            "the packages in the settings."
        )
        raise MedEnhanceError("download-failed", message, hint) from error
