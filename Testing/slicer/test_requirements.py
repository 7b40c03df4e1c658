"""What is missing is found by asking the worker's Python, and installed without PyTorch ever coming into Slicer."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import slicer

from medenhance.errors import MedEnhanceError
from MedEnhanceLib import PackageProbe, Requirements
from MedEnhanceLib.Interpreter import workerCommand
from MedEnhanceLib.PackageProbe import isNewEnough, probeCommand
from MedEnhanceLib.Requirements import (
    REQUIREMENTS,
    InstallPlan,
    Missing,
    Probe,
    ProbeRun,
    install,
    installPlan,
    missingRequirements,
    planText,
)
from MedEnhanceLib.Settings import WorkerSettings
from MedEnhanceLib.SubprocessTransport import SubprocessTransport
from MedEnhanceLib.WorkerTransport import WorkerCommand

ROOT = Path(__file__).resolve().parents[2]
BY_NAME = {requirement.name: requirement for requirement in REQUIREMENTS}


def ask(command: WorkerCommand) -> Probe:
    answers: list[Probe] = []
    transport = SubprocessTransport()
    ProbeRun(transport, command, answers.append).wait()
    transport.close()
    assert len(answers) == 1
    return answers[0]


def needed(*names: str, found: str | None = None, problem: str = "") -> list[Missing]:
    return [Missing(BY_NAME[name], found, problem) for name in names]


class Calls(list[Any]):
    """What Slicer's tools were asked to do."""

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self]


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def slicer512(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> dict[str, int]:
    """Slicer 5.12's package tools, which end two looks at the window later with the exit code of this dictionary."""
    state = {"code": 0, "busy": 0}
    waiting: list[Callable[[], None]] = []

    def pip_install(
        requirements,
        constraints=None,
        no_deps_requirements=None,
        skip_packages=None,
        blocking=True,
        show_progress=True,
        requester=None,
        parent=None,
        logCallback=None,
        completedCallback=None,
    ):
        assert not blocking
        assert not show_progress
        calls.append(("pip", requirements, Path(constraints).read_text().split()))
        logCallback("Collecting ...")
        state["busy"] = 2
        waiting.append(lambda: completedCallback(state["code"]))

    def executePythonModule(module, args, blocking=True, logCallback=None, completedCallback=None):
        assert not blocking
        calls.append((module, args))
        waiting.append(lambda: completedCallback(state["code"]))

    def processEvents() -> None:
        state["busy"] = max(state["busy"] - 1, 0)
        if not state["busy"]:
            while waiting:
                waiting.pop()()

    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_install = pip_install
    packaging.isPipInstallInProgress = lambda: bool(waiting)
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    monkeypatch.setattr(slicer.util, "executePythonModule", executePythonModule, raising=False)
    monkeypatch.setattr(slicer, "app", types.SimpleNamespace(processEvents=processEvents), raising=False)
    return state


@pytest.fixture
def slicer510(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    """Slicer 5.10's package tools, which block."""
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.delattr(slicer.util, "executePythonModule", raising=False)
    execute = lambda module, args: calls.append((module, args))  # noqa: E731
    monkeypatch.setattr(slicer.util, "_executePythonModule", execute, raising=False)
    monkeypatch.setattr(slicer.util, "pip_install", lambda requirements: calls.append(("pip", requirements)))
    monkeypatch.setattr(slicer, "app", types.SimpleNamespace(processEvents=lambda: None), raising=False)


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> type:
    """Slicer's PyTorch extension as it is: its installTorch brings torchvision along and imports PyTorch."""

    class PyTorchUtilsLogic:
        def installTorch(
            self,
            askConfirmation=False,
            forceComputationBackend=None,
            torchVersionRequirement=None,
            torchvisionVersionRequirement=None,
        ):
            calls.append(("installTorch", askConfirmation, torchVersionRequirement))

        @staticmethod
        def _installLightTheTorch():
            raise AssertionError("our own call reports and does not block")

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return PyTorchUtilsLogic


def test_the_list_is_that_of_the_core() -> None:
    text = (ROOT / "MedEnhance" / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert re.findall(r'"(.+?)"', listed.group(1)) == [str(requirement) for requirement in REQUIREMENTS]


def test_torchvision_is_never_asked_for() -> None:
    assert "torchvision" not in BY_NAME


@pytest.mark.parametrize(
    ("found", "oldest", "expected"),
    [
        ("2.13.0+cpu", "2.2", True),
        ("2.1.9", "2.2", False),
        ("4", "4.0", True),
        ("3.0.0rc1", "3.0", True),
        ("2.4.4", "3.0", False),
        ("10.0", "9.9", True),
        ("", "1.0", True),
    ],
)
def test_versions_are_compared_by_their_numbers(found: str, oldest: str, expected: bool) -> None:
    assert isNewEnough(found, oldest) is expected


def test_this_python_has_everything_and_says_so() -> None:
    probe = ask(workerCommand(WorkerSettings(), fallback=sys.executable))
    assert probe.problem == ""
    assert probe.torchProblem == ""
    assert probe.python == sys.version.split()[0]
    assert missingRequirements(probe) == []


def test_packages_that_are_missing_old_or_broken_are_found(tmp_path: Path) -> None:
    """Slicer brings some packages, as SimpleITK, without a record of their installation."""
    site = tmp_path / "site"
    for name, code in {
        "torch": "raise OSError('libcudart.so is missing')",
        "SimpleITK": "__version__ = '2.4.1'",
        "filelock": "__version__ = '3.0'",
    }.items():
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text(code)
    for name, version in (("numpy", "1.20.0"), ("torch", "2.5.0+cu121")):
        record = site / f"{name}-{version}.dist-info" / "METADATA"
        record.parent.mkdir()
        record.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    command = workerCommand(WorkerSettings(), fallback=sys.executable)
    isolated = replace(
        command,
        arguments=("-S", *command.arguments),
        environment={**command.environment, "PYTHONPATH": str(site)},
        workingFolder=str(tmp_path),
    )
    missing = {item.requirement.name: item for item in missingRequirements(ask(isolated))}
    assert missing["numpy"].found == "1.20.0"
    assert missing["filelock"].found == "3.0"
    assert "libcudart" in missing["torch"].problem
    assert missing["pydicom"].found is None
    assert "SimpleITK" not in missing


def test_a_python_that_does_not_answer_is_a_problem_in_words(tmp_path: Path) -> None:
    command = workerCommand(WorkerSettings(), fallback=sys.executable)
    assert "could not be started" in ask(replace(command, program=str(tmp_path / "gone"))).problem
    broken = replace(command, arguments=("--no-such-flag", *command.arguments))
    problem = ask(broken).problem
    assert "exited with code" in problem
    assert "usage" in problem


def test_the_question_keeps_the_flags_and_the_environment() -> None:
    command = workerCommand(WorkerSettings(), fallback=sys.executable)
    asked = probeCommand(command)
    assert asked.arguments[:3] == ("-u", "-X", "utf8")
    assert "-m" not in asked.arguments
    assert (asked.environment, asked.workingFolder) == (command.environment, command.workingFolder)


def test_a_cancelled_question_is_answered_to_nobody() -> None:
    answers: list[Probe] = []
    transport = SubprocessTransport()
    run = ProbeRun(transport, workerCommand(WorkerSettings(), fallback=sys.executable), answers.append)
    run.cancel()
    transport.close()
    assert answers == []


def test_nothing_is_done_when_nothing_is_missing(calls: Calls) -> None:
    assert install(installPlan([]), calls.append).restart == ()
    assert calls == []
    assert "Everything" in planText(installPlan([]))


def test_a_plan_says_what_and_how_large_and_from_where() -> None:
    plan = installPlan([*needed("torch"), *needed("pydicom", found="2.4.4")])
    text = planText(plan)
    assert "torch>=2.2" in text
    assert "pydicom>=3.0 (version 2.4.4 is there)" in text
    assert "253 MB" in text
    assert "3253 MB" in text
    assert "download.pytorch.org" in text
    assert "PyTorch" not in planText(installPlan(needed("tqdm"))).replace("pytorch", "")


def test_slicer_512_installs_without_blocking_and_without_dialogs(
    slicer512: dict[str, int], extension: type, calls: Calls
) -> None:
    lines: list[str] = []
    outcome = install(installPlan(needed("torch", "pydicom", "tyro")), lines.append)
    assert calls.names == ["pip", "pip", "light_the_torch"]
    assert calls[0][1] == ["pydicom>=3.0", "tyro>=0.9"]
    assert calls[0][2] == [str(requirement) for requirement in REQUIREMENTS]
    assert calls[1][1] == ["light-the-torch>=0.5"]
    assert calls[2][1] == ["install", "torch>=2.2"]
    assert "Collecting ..." in lines
    assert outcome.restart == ()


def test_slicer_510_has_its_own_way(slicer510: None, extension: type, calls: Calls) -> None:
    install(installPlan(needed("torch", "tyro")), lambda text: None)
    assert calls.names == ["pip", "pip", "light_the_torch"]
    assert calls[0][1][:2] == ["tyro>=0.9", "-c"]


def test_another_version_of_the_extension_gets_the_keywords_that_it_has(
    slicer512: dict[str, int], extension: type, calls: Calls
) -> None:
    del extension._installLightTheTorch
    install(installPlan(needed("torch")), lambda text: None)
    assert calls == [("installTorch", False, ">=2.2")]
    extension.installTorch = lambda self, confirm=True: calls.append(("old", confirm))
    install(installPlan(needed("torch")), lambda text: None)
    assert calls[-1] == ("old", False)


def test_without_the_extension_nothing_is_downloaded(
    slicer512: dict[str, int], monkeypatch: pytest.MonkeyPatch, calls: Calls
) -> None:
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(MedEnhanceError, match="Extensions Manager"):
        install(installPlan(needed("torch", "tyro")), lambda text: None)
    assert calls == []


def test_a_pytorch_that_cannot_be_loaded_is_not_installed_over(slicer512: dict[str, int], calls: Calls) -> None:
    with pytest.raises(MedEnhanceError, match="uninstall PyTorch") as caught:
        install(installPlan(needed("torch", found="2.2", problem="OSError: no DLL")), lambda text: None)
    assert "no DLL" in caught.value.message
    assert calls == []


def test_a_python_of_the_users_own_is_left_alone(slicer512: dict[str, int], calls: Calls) -> None:
    plan = installPlan(needed("torch", "tyro"), interpreter="/opt/my conda/python")
    with pytest.raises(MedEnhanceError) as caught:
        install(plan, lambda text: None)
    assert '"/opt/my conda/python" -m pip install "torch>=2.2" "tyro>=0.9"' in caught.value.hint
    assert calls == []
    assert isinstance(plan, InstallPlan)


@pytest.mark.parametrize("names", [("tyro",), ("torch",)])
def test_a_failed_download_says_what_to_do(
    names: tuple[str, ...], slicer512: dict[str, int], extension: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    slicer512["code"] = 1
    with pytest.raises(MedEnhanceError, match="network") as caught:
        install(installPlan(needed(*names)), lambda text: None)
    assert caught.value.kind == "download-failed"


def test_an_old_version_that_slicer_has_loaded_asks_for_a_restart(slicer512: dict[str, int]) -> None:
    import pydicom

    outcome = install(installPlan(needed("pydicom", "tyro", found="0.1")), lambda text: None)
    assert pydicom.__name__ in outcome.restart
    assert outcome.restart == tuple(name for name in ("pydicom", "tyro") if name in sys.modules)


def test_nothing_of_this_loads_pytorch() -> None:
    """In a fresh process, with what there is of Slicer outside of it."""
    script = (
        "import sys, types, slicer\n"
        "i18n = sys.modules.setdefault('slicer.i18n', types.ModuleType('slicer.i18n')); i18n.tr = str\n"
        f"sys.path.insert(0, {str(ROOT / 'MedEnhance')!r})\n"
        "from MedEnhanceLib import Interpreter, Pump, Requirements, Settings, SubprocessTransport, WorkerClient\n"
        "heavy = {'torch', 'pydicom', 'safetensors', 'tyro'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "probe = Requirements.ProbeRun(SubprocessTransport.SubprocessTransport(),\n"
        "    Interpreter.workerCommand(Settings.WorkerSettings(), sys.executable), print)\n"
        "probe.wait()\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Probe(python=" in done.stdout


def test_the_modules_agree_on_what_is_public() -> None:
    assert all(hasattr(Requirements, name) for name in Requirements.__all__)
    assert Requirements.missingRequirements is PackageProbe.missingRequirements
