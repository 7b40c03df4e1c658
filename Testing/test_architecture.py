"""The arrows point down: the core knows neither Slicer nor training, and nothing writes to the one real stdout."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "MedEnhance" / "medenhance"
TRAINING = ROOT / "MedEnhanceTraining" / "medenhance_training"
SLICER = {"slicer", "qt", "ctk", "vtk", "mrml", "PythonQt"}
# Loading these takes longer than a command line may take to answer `--help`.
HEAVY = {"torch", "numpy", "SimpleITK", "pydicom", "highdicom", "scipy", "matplotlib", "requests", "safetensors"}


def sources(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found, f"no sources in {folder}"
    return found


def imported(path: Path, *, only_top: bool = False) -> Iterator[str]:
    """Full names of the modules that a file imports; those of `if TYPE_CHECKING:` are not run and do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if only_top else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", sources(CORE), ids=lambda p: str(p.relative_to(CORE)))
def test_the_core_imports_neither_slicer_nor_training(path):
    assert roots(path).isdisjoint(SLICER | {"medenhance_training", "MedEnhanceLib", "lightning_fabric"})


@pytest.mark.parametrize("path", sources(TRAINING), ids=lambda p: str(p.relative_to(TRAINING)))
def test_training_imports_no_slicer_layer(path):
    assert roots(path).isdisjoint(SLICER | {"MedEnhanceLib"})


@pytest.mark.parametrize("path", [CORE / "__main__.py", *sources(CORE / "commands")], ids=lambda p: p.name)
def test_commands_load_nothing_heavy_before_they_run(path):
    assert {name.split(".")[0] for name in imported(path, only_top=True)}.isdisjoint(HEAVY)


@pytest.mark.parametrize("path", [*sources(CORE), *sources(TRAINING)], ids=lambda p: p.stem)
def test_nothing_unpickles_code(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"load", "loads"}:
            called = ast.unparse(node.func)
            assert called not in {"pickle.load", "pickle.loads", "joblib.load"}, f"{path}:{node.lineno}"
            if called == "torch.load":
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert keywords.get("weights_only") == "True", f"{path}:{node.lineno}"


def test_networks_know_nothing_of_files_and_tasks():
    """A network definition is a pure function of its config."""
    for path in sources(CORE / "networks"):
        # What a network sees of a head is two numbers of its config; how a scan gets there is not its business.
        allowed = {
            "medenhance.networks",
            "medenhance.errors",
            "medenhance.strict_json",
            "medenhance.head_ct.frame_config",
        }
        ours = {name for name in imported(path) if name.startswith("medenhance")}
        assert all(any(name.startswith(prefix) for prefix in allowed) for name in ours), path
