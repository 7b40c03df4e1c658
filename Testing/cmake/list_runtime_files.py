"""Writes the list of runtime files in MedEnhance/CMakeLists.txt from what lies in MedEnhance/.

    python Testing/cmake/list_runtime_files.py            # rewrite the list
    python Testing/cmake/list_runtime_files.py --check    # only say whether it is current

Slicer's convention is an explicit list, so that nothing ships by accident; this keeps it from being forgotten.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

BEGIN = "# runtime files: begin (written by `python Testing/cmake/list_runtime_files.py`)\n"
END = "# runtime files: end\n"
# The target that owns what the modules share.
SHARED = "MedEnhanceLib"
# What serves development: the wheel's description, Slicer's build file, what pip, Python and tools leave behind.
DEVELOPMENT_FOLDERS = ("__pycache__", "build", "dist", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")
DEVELOPMENT_FILES = ("CMakeLists.txt", "pyproject.toml")


def runtime_files(folder: Path) -> list[str]:
    """Paths of all files that ship, relative to `folder` (MedEnhance/), with forward slashes, sorted."""
    return sorted(
        (
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and not _serves_development(path.relative_to(folder))
        ),
        key=lambda name: (name.count("/") > 0, name),
    )


def _serves_development(path: Path) -> bool:
    if any(part in DEVELOPMENT_FOLDERS or part.endswith(".egg-info") for part in path.parts[:-1]):
        return True
    return len(path.parts) == 1 and path.name in DEVELOPMENT_FILES


def modules(files: Iterable[str]) -> list[str]:
    """Names of the Slicer modules: the Python files at the top."""
    return [name.removesuffix(".py") for name in files if "/" not in name and name.endswith(".py")]


def owner(name: str, module_names: Iterable[str]) -> str:
    """The target that a file belongs to: a module (its own file, the resources that carry its name), or SHARED."""
    belongs_to_module = "/" not in name or name.startswith("Resources/")
    stem = name.rpartition("/")[2].partition(".")[0]
    return stem if belongs_to_module and stem in module_names else SHARED


def block(files: list[str]) -> str:
    """The CMake text between the markers, markers included."""
    names = modules(files)
    parts = [_cmake_list("MedEnhance_MODULES", names)]
    for target in [*names, SHARED]:
        own = [name for name in files if owner(name, names) == target]
        parts.append(_cmake_list(f"{target}_SCRIPTS", [name for name in own if name.endswith(".py")]))
        parts.append(_cmake_list(f"{target}_RESOURCES", [name for name in own if not name.endswith(".py")]))
    return BEGIN + "\n".join(parts) + END


def _cmake_list(variable: str, values: list[str]) -> str:
    return f"set({variable}\n" + "".join(f"  {value}\n" for value in values) + "  )\n"


def with_current_list(cmake_text: str, folder: Path) -> str:
    """The text of MedEnhance/CMakeLists.txt with its list replaced by what lies in `folder`."""
    before, begin, rest = cmake_text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"MedEnhance/CMakeLists.txt has lost its markers: {BEGIN.strip()!r} ... {END.strip()!r}")
    return before + block(runtime_files(folder)) + after


def main() -> int:
    folder = Path(__file__).resolve().parents[2] / "MedEnhance"
    path = folder / "CMakeLists.txt"
    old = path.read_text(encoding="utf-8")
    new = with_current_list(old, folder)
    if old == new:
        print(f"{path} lists all {len(runtime_files(folder))} runtime files.")
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{path} is not current: run python Testing/cmake/list_runtime_files.py")
        return 1
    path.write_text(new, encoding="utf-8", newline="\n")
    print(f"{path} now lists {len(runtime_files(folder))} runtime files.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
