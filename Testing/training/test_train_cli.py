"""The command line of training."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from medenhance_training.__main__ import COMMANDS, main, overview
from medenhance_training.checkpoint import load_published
from medenhance_training.recipes import RECIPES

SMALL = [
    "--threads=1",
    "--data.num-phantoms=1",
    "--data.phantom-size=96",
    "--data.num-validation=1",
    "--data.patch=64",
    "--data.noise.num-fields=1",
    "--loop.batch-size=2",
]


def test_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)
    assert "Research use only" in shown
    assert main([]) == 0


def test_overview_imports_nothing_heavy() -> None:
    code = (
        "import sys; from medenhance_training.__main__ import main; main(['--help'])\n"
        "heavy = {'torch', 'tyro', 'numpy', 'lightning_fabric', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "medenhance_training", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("medenhance-train 0.")


def test_an_unknown_command_is_refused_with_the_overview(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "redcnn"]) == 2
    assert overview() in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        assert main([*name.split(), "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.out.strip()
    assert captured.err == ""


def test_recipes_are_listed_with_a_sentence_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)
    assert all(line.endswith(".") for line in lines)


def test_fit_without_a_recipe_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--help"]) == 0
    assert "mtd-gan-official" in capsys.readouterr().out


def test_fit_of_an_unknown_recipe_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "mtdgan"]) == 1
    message = capsys.readouterr().err
    assert "no recipe 'mtdgan'" in message
    assert "mtd-gan-official" in message


def test_help_of_a_recipe_has_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fit", "mtd-gan", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for setting in (
        "--run",
        "--resume",
        "--init-from",
        "--devices",
        "--num-nodes",
        "--precision",
        "--threads",
        "--data.root",
        "--loop.samples",
        "--loop.minutes",
        "--loop.batch-size",
        "--objective.generator.channels",
        "--objective.critic.channels",
        "--objective.generator-optimizer.schedule.warmup-samples",
    ):
        assert setting in shown


def test_missing_data_is_a_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere" / "index.json"
    assert main(["fit", "redcnn-compact", f"--data.index={missing}", f"--run={tmp_path / 'run'}"]) == 1
    assert str(missing) in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["samples", "batch-size", "log-every-samples", "validate-every-samples"])
def test_a_count_of_zero_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fit", "redcnn-compact", f"--loop.{option}=0"])
    assert ended.value.code == 2
    assert f"--loop.{option} is at least 1, not 0." in capsys.readouterr().err


def test_fit_trains_resumes_and_refuses_a_used_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run with spaces é"
    arguments = ["fit", "redcnn-compact", f"--run={run}", "--objective.network.channels=4", *SMALL]
    assert main([*arguments, "--loop.samples=4"]) == 0
    assert main([*arguments, "--loop.samples=6"]) == 1
    assert "Add --resume" in capsys.readouterr().err
    assert main([*arguments, "--loop.samples=6", "--resume"]) == 0
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert [session["from_samples"] for session in record["sessions"]] == [0, 4]
    assert record["config"]["objective"]["network"]["channels"] == 4
    published, _ = load_published(run)
    assert published.config["channels"] == 4


def test_mtd_gan_trains_on_phantoms(tmp_path: Path) -> None:
    arguments = ["fit", "mtd-gan-compact", f"--run={tmp_path / 'run'}", *SMALL, "--loop.samples=2"]
    small = ["--objective.generator.channels=2", "--objective.generator.levels=1", "--objective.critic.channels=2"]
    assert main([*arguments, *small]) == 0
    assert (tmp_path / "run" / "pictures" / "000000000002_low_output_normal.png").is_file()


def test_a_patch_that_the_critic_cannot_see_says_which_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fit", "mtd-gan-compact", f"--run={tmp_path / 'run'}", *SMALL, "--data.patch=48"]
    assert main(arguments) == 1
    assert "--data.patch 64" in capsys.readouterr().err
