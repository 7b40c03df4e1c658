"""Rules of the Slicer layer's sources: what they import, what they show, what ships."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from medenhance_host import sources
from medenhance_host.host import SOURCE_TREE

LAYER = [*sorted(SOURCE_TREE.glob("*.py")), *sorted((SOURCE_TREE / "MedEnhanceLib").rglob("*.py"))]
every_file = pytest.mark.parametrize("path", LAYER, ids=lambda path: str(path.relative_to(SOURCE_TREE)))
SLICER_OWN = {"slicer", "qt", "ctk", "vtk", "MedEnhanceLib"}
# Parts of the core that import nothing but the standard library, so that Slicer may load them.
CORE_PARTS = {
    "medenhance",
    "medenhance.errors",
    "medenhance.manifest",
    "medenhance.worker_protocol",
    "medenhance.strict_json",
}
# Calls whose text a user reads: methods by name, and the positions of their text.
SHOWN = {
    "setText": 0,
    "setToolTip": 0,
    "setWindowTitle": 0,
    "setPlainText": 0,
    "setHtml": 0,
    "setTitle": 0,
    "errorDisplay": 0,
    "warningDisplay": 0,
    "infoDisplay": 0,
    "messageBox": 0,
    "addItem": 0,
    "confirmOkCancelDisplay": 0,
    "confirmYesNoDisplay": 0,
    "confirmRetryCloseDisplay": 0,
    "tryWithErrorDisplay": 0,
    "showStatusMessage": 0,
    "getOpenFileName": 1,
    "getSaveFileName": 1,
    "getExistingDirectory": 1,
    "getText": 1,
    "setHorizontalHeaderLabels": 0,
    "setHeaderLabels": 0,
}
SHOWN_PROPERTIES = {
    "text",
    "toolTip",
    "windowTitle",
    "title",
    "helpText",
    "acknowledgementText",
    "plainText",
    "placeholderText",
}
# Functions of slicer.util with a shared default, and the place of that argument.
PROPERTIES_AT = {
    "loadNodeFromFile": 3,
    "exportNode": 3,
    "saveNode": 3,
    "saveScene": 2,
    "loadScene": 2,
    "loadVolume": 2,
    "loadLabelVolume": 2,
    "loadSegmentation": 2,
    "loadSequence": 2,
}
PURE = ("WorkerTransport", "SubprocessTransport", "WorkerClient", "WorkerLog", "Pump")


@every_file
def test_only_the_standard_library_and_slicer_are_imported_at_file_scope(path):
    for name in sources.importedAtFileScope(path):
        root = name.split(".")[0]
        allowed = root in sys.stdlib_module_names or root in SLICER_OWN or name in CORE_PARTS
        assert allowed, f"imports {name} when it is loaded"


@pytest.mark.parametrize("name", sorted(CORE_PARTS))
def test_the_parts_of_the_core_that_slicer_loads_need_the_standard_library_alone(name):
    path = SOURCE_TREE.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    seen, queue = set(), [path]
    while queue:
        for imported in sources.importedAtFileScope(queue.pop()):
            if imported.split(".")[0] == "medenhance" and imported not in seen:
                seen.add(imported)
                part = SOURCE_TREE.joinpath(*imported.split("."))
                queue.append(part / "__init__.py" if part.is_dir() else part.with_suffix(".py"))
            else:
                assert imported in seen or imported.split(".")[0] in sys.stdlib_module_names, f"{name} loads {imported}"


@every_file
def test_torch_is_never_imported(path):
    assert sources.importedAnywhere(path).isdisjoint({"torch", "torchvision"})


@pytest.mark.parametrize("path", [one for one in LAYER if one.stem in PURE], ids=lambda path: path.stem)
def test_what_runs_without_slicer_loads_without_it(path):
    roots = {name.split(".")[0] for name in sources.importedAtFileScope(path)}
    assert roots.isdisjoint({"slicer", "qt", "ctk", "vtk"})


def plainTexts(node: ast.AST) -> Iterator[str]:
    """Literal texts with words in them that no call of ``_()`` or ``translate()`` encloses."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "translate", "escape"):
        if node.func.id == "escape":
            for argument in node.args:
                yield from plainTexts(argument)
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        yield from plainTexts(node.func.value)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = re.sub(r"<[^>]*>", "", node.value)
        if re.search(r"[A-Za-z]{2,}", text):
            yield node.value
        return
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.IfExp | ast.List | ast.Tuple | ast.BoolOp):
        for child in ast.iter_child_nodes(node):
            yield from plainTexts(child)


def shownNodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SHOWN:
            yield from node.args[SHOWN[node.func.attr] : SHOWN[node.func.attr] + 1]
        elif isinstance(node, ast.Assign):
            named = [one for one in node.targets if isinstance(one, ast.Attribute) and one.attr in SHOWN_PROPERTIES]
            if named and not any(isinstance(one.value, ast.Name) and one.value.id == "self" for one in named):
                yield node.value


@every_file
def test_what_users_read_can_be_translated(path):
    plain = [text for node in shownNodes(sources.tree(path)) for text in plainTexts(node)]
    assert not plain, f"not inside of _(): {plain}"


@every_file
def test_translated_texts_are_literals(path):
    """lupdate finds literals only; values are put in with format()."""
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            literal = (
                len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
            )
            assert literal, f"{path.name}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize(
    "text",
    [
        'label.setText("Done")',
        'label.setText(f"<b>{x} slices</b>")',
        'button.toolTip = "Stop"',
        'box.setText("not done" if x else _("c"))',
    ],
)
def test_untranslated_texts_are_found(text):
    assert [one for node in shownNodes(ast.parse(text)) for one in plainTexts(node)]


@every_file
def test_nothing_shares_the_default_properties_of_slicer_util(path):
    """loadVolume and its like have one dictionary as their default; what a caller puts into it stays for the next."""
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PROPERTIES_AT:
            count = PROPERTIES_AT[node.func.attr]
            given = len(node.args) >= count or any(one.arg == "properties" for one in node.keywords)
            assert given, f"{path.name}:{node.lineno}: pass properties={{}}"


def listed() -> set[str]:
    text = (SOURCE_TREE / "CMakeLists.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^\s+((?:MedEnhance|medenhance|Resources)[\w./-]*\.\w+)\s*$", text, flags=re.MULTILINE))


def shipped() -> set[str]:
    folders = ("MedEnhanceLib", "medenhance", "Resources")
    found = [path for folder in folders for path in (SOURCE_TREE / folder).rglob("*") if path.is_file()]
    found += SOURCE_TREE.glob("*.py")
    # A checkout holds what Python and editors leave behind, too.
    return {str(path.relative_to(SOURCE_TREE).as_posix()) for path in found if not isLeftBehind(path)}


def isLeftBehind(path: Path) -> bool:
    return "__pycache__" in path.parts or path.suffix == ".pyc" or path.name.startswith(".")


@pytest.mark.skipif(not (SOURCE_TREE / "CMakeLists.txt").exists(), reason="this tree is not built with CMake")
def test_cmake_lists_every_file_that_ships_and_no_other():
    assert sorted(shipped() - listed()) == []
    assert sorted(listed() - shipped()) == []
