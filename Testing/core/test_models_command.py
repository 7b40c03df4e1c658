"""`medenhance models`, from its arguments to what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tyro

from medenhance import download
from medenhance.cache import weights_path
from medenhance.commands.models import Command, run
from medenhance.errors import MedEnhanceError
from medenhance.manifest import ModelEntry

WriteModel = Callable[..., ModelEntry]


def models(*arguments: str) -> int:
    return run(tyro.cli(Command, args=arguments))  # type: ignore[arg-type]


@pytest.fixture
def ours(tmp_path: Path, write_model: WriteModel, installed: Callable[..., Path]) -> ModelEntry:
    """A bundled model; another, "far", can be had."""
    bundled = write_model(tmp_path / "resources" / "ours.safetensors", bundled=True)
    far = write_model(tmp_path / "far.safetensors", seed=1, default=False, licence="CC-BY-NC-4.0")
    installed(bundled, far)
    return bundled


@pytest.mark.usefixtures("ours")
def test_the_list_is_a_table_for_people_and_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert models("list") == 0
    header, first, second, notice = capsys.readouterr().out.splitlines()
    assert header.split() == ["ID", "TASK", "INSTALLED", "SIZE", "DEFAULT", "TITLE"]
    assert first.split()[:6] == ["ours", "denoise-ct", "bundled", "0.0", "MB", "yes"]
    assert second.split()[:3] == ["far", "denoise-ct", "available"]
    assert first.index("Tiny") == second.index("Tiny") == header.index("TITLE")
    assert "Research use only" in notice
    assert models("list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["id"], row["installed"], row["default"]) for row in rows] == [
        ("ours", "bundled", True),
        ("far", "available", False),
    ]


def test_the_card_says_all_that_is_known(ours: ModelEntry, capsys: pytest.CaptureFixture[str]) -> None:
    assert models("show", "ours") == 0
    text = capsys.readouterr().out
    expected = (
        "Research use only",
        "Apache-2.0",
        "Knows nothing.",
        "psnr_db: 31.5",
        "None.",
        "0123abc",
        "5.5 to 80 HU",
    )
    for fact in (*expected, ours.files[0].sha256, "0.35 HU", "0.12", "red-cnn-tiny"):
        assert fact in text
    assert models("show", "ours", "--json") == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["sha256"] == ours.files[0].sha256


@pytest.mark.usefixtures("ours")
def test_a_licence_with_terms_has_to_be_agreed_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    def fetched(entry: ModelEntry, cache: Path, *, mirrors: tuple[str, ...], progress: object) -> Path:
        asked.append((entry.id, mirrors))
        return cache / str(progress is not None)

    monkeypatch.setattr(download, "fetch", fetched)
    with pytest.raises(MedEnhanceError) as caught:
        models("download", "far")
    assert "--accept-licence" in caught.value.hint
    assert asked == []
    assert models("download", "far", "--accept-licence", "--mirror", "http://a", "http://b") == 0
    assert asked == [("far", ("http://a", "http://b"))]
    assert "licence CC-BY-NC-4.0" in capsys.readouterr().out
    assert models("download", "ours") == 0
    assert "there is nothing to download" in capsys.readouterr().out
    assert len(asked) == 1
    assert not (tmp_path / "cache").exists()


def test_verify_runs_the_golden_tests_and_fails_with_status_1(
    ours: ModelEntry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models("verify") == 0
    assert capsys.readouterr().out.startswith("ok      ours: golden test")
    (tmp_path / "resources" / ours.files[0].name).write_bytes(b"")
    assert models("verify", "ours") == 1
    assert "FAILED  ours" in capsys.readouterr().out
    assert models("verify", "far") == 1
    assert "not installed" in capsys.readouterr().out


@pytest.mark.usefixtures("ours")
def test_a_model_is_added_packed_deleted_and_brought_back(
    tmp_path: Path, cache: Path, write_model: WriteModel, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = write_model(tmp_path / "mine.safetensors", seed=3)
    stored = weights_path(replace(mine.files[0], name="mine.safetensors"), cache)
    pack = str(tmp_path / "models.zip")
    assert models("add", str(tmp_path / "mine.safetensors")) == 0
    assert models("export-pack", pack, "mine", "ours") == 0
    assert "holds mine, ours" in capsys.readouterr().out
    assert models("delete", "mine") == 0
    assert "0.0 MB became free" in capsys.readouterr().out
    assert not stored.exists()
    assert models("import-pack", pack) == 0
    assert "Installed and verified: mine, ours" in capsys.readouterr().out
    assert stored.exists()


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize("command", ["download", "delete"])
def test_nothing_named_is_an_error_not_everything(command: str) -> None:
    with pytest.raises(MedEnhanceError) as caught:
        models(command)
    assert caught.value.kind == "bad-option"


def test_a_damaged_added_model_is_warned_of(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cache / "models").mkdir(parents=True)
    (cache / "models" / "broken.json").write_text("{", encoding="utf-8")
    assert models("list") == 0
    assert "Warning: The added model broken cannot be used" in capsys.readouterr().err
