"""The doctor finds what is wrong, says whether it matters, and gives no secret away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medenhance import dependencies, device_speed, doctor
from medenhance.added_models import add_model
from medenhance.commands.doctor import Doctor, lines, run
from medenhance.dependencies import OPTIONAL, REQUIRED, Dependency, examine, examine_torchvision
from medenhance.doctor import Diagnosis, diagnose
from medenhance.manifest import ModelEntry

WriteModel = Callable[..., ModelEntry]
PROJECT = Path(__file__).resolve().parents[2] / "MedEnhance" / "pyproject.toml"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speeds without measuring them for seconds."""
    seconds = {"fp32": 0.012, "bf16": 0.002, "fp16": 0.024}
    monkeypatch.setattr(device_speed, "convolution_seconds", lambda _, precision: seconds[precision])
    monkeypatch.setattr(device_speed, "matmul_flops_per_s", lambda *_: 5e10)


def fake_package(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, program: str) -> None:
    """A package of that name, found by this process and by its children."""
    (folder / "site" / name).mkdir(parents=True)
    (folder / "site" / name / "__init__.py").write_text(program, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder / "site"))
    monkeypatch.setenv("PYTHONPATH", str(folder / "site"))


def test_it_knows_the_dependencies_that_the_package_declares() -> None:
    text = PROJECT.read_text(encoding="utf-8")
    required = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    optional = re.search(r"^\[project.optional-dependencies\](.*?)^\[", text, re.DOTALL | re.MULTILINE)
    assert required is not None
    assert optional is not None
    assert set(REQUIRED) == set(re.findall(r'^\s*"([A-Za-z0-9_-]+)', required[1], re.MULTILINE))
    assert set(OPTIONAL) == set(re.findall(r'\["([A-Za-z0-9_-]+)', optional[1]))


@pytest.mark.usefixtures("cache")
def test_this_installation_is_healthy() -> None:
    diagnosis = diagnose()
    assert diagnosis.healthy
    assert [device.name for device in diagnosis.devices][-1] == "cpu"
    assert diagnosis.auto_device
    assert {item.name for item in diagnosis.dependencies if item.version is None} <= set(OPTIONAL)
    assert 0 < diagnosis.free_memory_bytes <= diagnosis.memory_bytes
    assert not Path(diagnosis.cache).exists()


@pytest.mark.usefixtures("cache")
def test_json_and_text_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Doctor(json=True)) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["healthy"] is True
    assert run(Doctor()) == 0
    text = capsys.readouterr().out
    for expected in (value["cache"], value["python"], value["devices"][-1]["title"], "research use only"):
        assert expected in text
    speeds = {speed["precision"]: speed["gain"] for speed in value["devices"][-1]["speeds"]}
    assert speeds == pytest.approx({"fp32": 1.0, "bf16": 6.0, "fp16": 0.5})


@pytest.mark.usefixtures("cache")
def test_passwords_of_proxies_and_mirrors_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:geheim@proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "ann:geheim@proxy.example:3128")
    monkeypatch.setenv("MEDENHANCE_MIRROR", "https://bob:geheim@mirror.example/m?key=geheim")
    for arguments in (Doctor(), Doctor(json=True)):
        run(arguments)
        text = capsys.readouterr().out
        assert "geheim" not in text
        assert "ann" not in re.findall(r"\w+", text)
        assert "http://***@proxy.example:3128" in text
        assert "https://***@mirror.example/m" in text


@pytest.mark.parametrize(
    "program",
    ["raise RuntimeError('operator torchvision::nms does not exist')", "import os; os._exit(3)"],
    ids=["misfit", "crash"],
)
def test_a_broken_torchvision_is_a_warning_and_is_not_imported_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, program: str
) -> None:
    fake_package(tmp_path, monkeypatch, "torchvision", program)
    diagnosis = diagnose(cache)
    assert diagnosis.healthy
    assert "nms does not exist" in diagnosis.torchvision.problem or "status 3" in diagnosis.torchvision.problem
    assert [problem.essential for problem in diagnosis.problems if "torchvision" in problem.text] == [False]


def test_a_torchvision_that_works_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_package(tmp_path, monkeypatch, "torchvision", "")
    assert examine_torchvision() == Dependency("torchvision", "unknown", False, "")


def test_a_package_that_is_missing_or_cannot_be_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_package(tmp_path, monkeypatch, "damaged_package", "raise ImportError('DLL load failed')")
    assert examine("damaged_package", required=True).problem == "ImportError: DLL load failed"
    assert examine("no_such_package_at_all", required=True).problem == "it is not installed"
    assert examine("no_such_package_at_all", required=False).problem == ""


@pytest.mark.usefixtures("cache")
def test_without_pytorch_the_rest_is_still_examined_and_the_exit_status_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_torch(name: str, *, required: bool) -> Dependency:
        problem = "OSError: libc10.so" if name == "torch" else ""
        return Dependency(name, "1", required, problem)

    monkeypatch.setattr(dependencies, "examine", without_torch)
    assert run(Doctor()) == 1
    text = capsys.readouterr().out
    assert "ERROR   torch cannot be used: OSError: libc10.so" in text
    assert "Disk" in text


def test_models_are_verified_by_running_them(
    cache: Path, tmp_path: Path, write_model: WriteModel, installed: Callable[..., Path]
) -> None:
    resources = tmp_path / "resources"
    bundled = write_model(resources / "ours.safetensors", bundled=True)
    far = write_model(tmp_path / "far.safetensors", seed=1, default=False)
    write_model(tmp_path / "mine.safetensors", seed=2)
    installed(bundled, far)
    add_model(tmp_path / "mine.safetensors")
    diagnosis = diagnose(cache)
    assert [(model.id, model.place, model.problem) for model in diagnosis.models] == [
        ("ours", "bundled", ""),
        ("far", "available", ""),
        ("mine", "cached", ""),
    ]
    assert diagnosis.healthy
    (resources / "ours.safetensors").write_bytes(b"git-lfs pointer")
    diagnosis = diagnose(cache)
    assert not diagnosis.healthy
    assert "ours" in next(problem.text for problem in diagnosis.problems if problem.essential)


def test_a_damaged_manifest_is_essential(cache: Path) -> None:
    (cache.parent / "resources" / "models.json").write_text("{", encoding="utf-8")
    diagnosis = diagnose(cache)
    assert not diagnosis.healthy
    assert diagnosis.models == ()


def test_a_cache_that_cannot_be_written_is_a_warning(cache: Path) -> None:
    cache.write_text("a file", encoding="utf-8")
    diagnosis = diagnose(cache)
    assert diagnosis.healthy
    assert not diagnosis.cache_writable
    assert "MEDENHANCE_CACHE" in " ".join(problem.text for problem in diagnosis.problems)


def examined(diagnosis: Diagnosis, **changes: object) -> list[doctor.Problem]:
    device = replace(diagnosis.devices[-1], **changes)  # type: ignore[arg-type]
    return list(doctor._device_problems((device,), True))


@pytest.mark.usefixtures("cache")
def test_a_precision_that_does_not_pay_and_a_device_that_fails_are_told() -> None:
    diagnosis = diagnose()
    slow = (doctor.Speed("bf16", 10.0, 1.1, 5.0),)
    (problem,) = examined(diagnosis, auto_precision="bf16", speeds=slow)
    assert "picks bf16, which is only 1.1 times as fast" in problem.text
    assert not problem.essential
    assert examined(diagnosis, auto_precision="fp32", speeds=slow) == []
    (problem,) = examined(diagnosis, name="cuda:0", works=False, problem="no kernel image", speeds=())
    assert not problem.essential
    (problem,) = examined(diagnosis, works=False, problem="illegal instruction", speeds=())
    assert problem.essential
    broken = replace(diagnosis, problems=(problem,))
    assert "ERROR   cpu is there but not usable: illegal instruction." in "\n".join(lines(broken))
