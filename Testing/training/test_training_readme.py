"""Every command of the training README is understood by the program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medenhance_training.__main__ import main
from medenhance_training.recipes import RECIPES

README = Path(__file__).parents[2] / "MedEnhanceTraining" / "README.md"
PROGRAMS = ("medenhance-train ", "-m medenhance_training ")


def commands() -> list[str]:
    """What follows the program's name on each line of the README's shell blocks."""
    blocks = re.findall(r"^ *```\n(.*?)^ *```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.split(program, 1)[1] for line in lines for program in PROGRAMS if program in line]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the commands would have been called with, instead of calling them."""
    seen: list[Any] = []

    def instead(result: Any) -> Callable[..., Any]:
        def record(parameters: Any, *unused: Any) -> Any:
            seen.append(parameters)
            return result

        return record

    package = "medenhance_training.commands"
    monkeypatch.setattr(f"{package}.fit.fit", instead(None))
    monkeypatch.setattr(f"{package}.index.make_index_file", instead(""))
    monkeypatch.setattr(f"{package}.simulate.simulate_low_dose_ct", instead([]))
    monkeypatch.setattr(f"{package}.index_head.index_head_ct", instead(""))
    for name in ("evaluate", "export", "benchmark", "benchmark_spine", "benchmark_head", "check_table"):
        monkeypatch.setattr(f"{package}.{name}.run", instead(0))
    return seen


def test_the_readme_shows_every_step_from_data_to_weights() -> None:
    shown = " ".join(commands())
    for word in ("index", "simulate", "fit", "evaluate", "export", "benchmark"):
        assert word in shown


@pytest.mark.parametrize("command", commands())
def test_command_is_understood(command: str, parsed: list[Any]) -> None:
    assert main(shlex.split(command)) == 0
    assert len(parsed) == (0 if "--help" in command else 1)


def test_python_example_runs(parsed: list[Any]) -> None:
    block = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    exec(compile(block[1], str(README), "exec"), {})
    assert parsed[0].objective.network.channels == 96


def test_the_table_of_recipes_is_complete() -> None:
    text = README.read_text(encoding="utf-8")
    named = [name for name in RECIPES if "ablation" not in name]
    assert [name for name in named if f"`{name}`" not in text] == []
    assert "`mtd-gan-ablation-a` ... `-g`" in text
