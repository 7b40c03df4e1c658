"""What the sources and .ui files of the Slicer layer say, read without running them."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

# Widgets that a user operates; each needs a tool tip. Layouts and plain text do not.
CONTROLS = (
    "Button",
    "ComboBox",
    "CheckBox",
    "Slider",
    "SliderWidget",
    "LineEdit",
    "PathLineEdit",
    "SpinBox",
    "TableWidget",
    "TreeWidget",
    "ListWidget",
    "TextBrowser",
    "TextEdit",
    "PlainTextEdit",
    "ProgressBar",
)


class UiFile:
    """A panel's .ui file."""

    def __init__(self, path: Path) -> None:
        self.root = ElementTree.parse(path).getroot()

    @property
    def top(self) -> ElementTree.Element:
        found = self.root.find("widget")
        assert found is not None
        return found

    def widgets(self) -> Iterator[ElementTree.Element]:
        yield from self.root.iter("widget")

    def names(self) -> set[str]:
        """Names of widgets, layouts and actions."""
        return {one.get("name", "") for tag in ("widget", "layout", "action") for one in self.root.iter(tag)}

    def connections(self) -> set[tuple[str, str, str, str]]:
        """(sender, signal, receiver, slot)."""
        tags = ("sender", "signal", "receiver", "slot")
        return {tuple(one.findtext(tag, "") for tag in tags) for one in self.root.iter("connection")}  # type: ignore[misc]

    def parameters(self) -> dict[str, str]:
        """Parameter name by widget name."""
        found = {one.get("name", ""): propertyOf(one, "SlicerParameterName") for one in self.widgets()}
        return {name: parameter for name, parameter in found.items() if parameter is not None}


def propertyOf(widget: ElementTree.Element, name: str) -> str | None:
    """Text of a property; None where the widget has none."""
    for one in widget.findall("property"):
        if one.get("name") == name:
            return "".join(one.itertext()).strip()
    return None


def isControl(widget: ElementTree.Element) -> bool:
    return widget.get("class", "").endswith(CONTROLS)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def importedAtFileScope(path: Path) -> Iterator[str]:
    """Full names of modules that importing the file imports; ``if TYPE_CHECKING:`` does not count."""
    for node in outside(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def outside(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the file is imported: everything but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from outside(child)


def importedAnywhere(path: Path) -> set[str]:
    nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [[a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""] for node in nodes]
    return {name.split(".")[0] for some in names for name in some}


def attributesOfUi(path: Path) -> set[str]:
    """Names used as ``ui.name`` or ``self.ui.name``, in any file."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute):
            owner = node.value
            isUi = (isinstance(owner, ast.Name) and owner.id in ("ui", "_ui")) or (
                isinstance(owner, ast.Attribute) and owner.attr in ("ui", "_ui")
            )
            if isUi:
                found.add(node.attr)
    return found


def parameterNodeMembers(path: Path) -> set[str]:
    """Typed members of the classes that ``@parameterNodeWrapper`` decorates."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef) and any(
            "parameterNodeWrapper" in ast.unparse(d) for d in node.decorator_list
        ):
            found |= {
                one.target.id
                for one in node.body
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
            }
    return found


def attributesUsed(path: Path) -> set[str]:
    """Names of attributes that are read or set anywhere in a file."""
    return {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
