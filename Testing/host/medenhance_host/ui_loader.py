"""Reads .ui files: Qt's own loader, the stand-in widgets, and connections that fail aloud where Slicer only warns."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from PySide6 import QtWidgets
from PySide6.QtCore import QBuffer, QByteArray, QFile, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import QWidget

from medenhance_host.metaobject import indexOfSignal, indexOfSlot
from medenhance_host.path_widgets import PathFilters
from medenhance_host.pythonqt import exposed


class UiLoader(QUiLoader):
    """``qt.QUiLoader``.

    Raises:
        RuntimeError: A widget class is unknown, or a connection names an object, signal or slot that does not exist.
    """

    classes: dict[str, type[QWidget]] = {}  # noqa: RUF012 - filled once, by install()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._unknown: list[str] = []
        # PySide6 must not collect the stand-ins before they have a parent.
        self._made: list[QWidget] = []

    def createWidget(self, className: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        # Qt's own widgets are made here too: once Python has made a combo box of its own kind, those that Qt's loader
        # makes come to Python as plain widgets (PySide6 6.12).
        known = self.classes.get(className) or getattr(QtWidgets, className, None)
        if known is not None:
            widget = known(parent)
            widget.setObjectName(name)
            self._made.append(widget)
            return widget
        if className not in self.availableWidgets():
            self._unknown.append(className)
        return super().createWidget(className, parent, name)

    @exposed
    def load(self, device: QFile, parent: QWidget | None = None) -> QWidget:
        text = bytes(device.readAll().data())
        tree = ElementTree.fromstring(text)
        numberPathFilters(tree)
        connections = tree.find("connections")
        if connections is not None:
            tree.remove(connections)
        buffer = QBuffer()
        buffer.setData(QByteArray(ElementTree.tostring(tree, encoding="utf-8")))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(buffer, parent)
        if self._unknown:
            raise RuntimeError(f"the .ui file has widgets that the host does not know: {sorted(set(self._unknown))}")
        for connection in connections if connections is not None else ():
            connect(widget, {part.tag: part.text or "" for part in connection})
        # Keep the Python halves of the stand-ins as long as the panel lives.
        widget.standIns = self._made
        return widget


def numberPathFilters(tree: ElementTree.Element) -> None:
    """Write the flags of ctkPathLineEdit as numbers: Qt's loader knows names only of C++ enums."""
    for node in [one for tag in ("set", "enum") for one in tree.iter(tag)]:
        names = [name.strip() for name in (node.text or "").split("|")]
        if all(name.startswith("ctkPathLineEdit::") for name in names):
            node.tag, node.text = "number", str(sum(PathFilters[name.split("::")[-1]].value for name in names))


def connect(root: QWidget, texts: dict[str, str]) -> None:
    """Make one connection of a .ui file."""
    sender, receiver = (named(root, texts[role]) for role in ("sender", "receiver"))
    signal, slot = texts["signal"], texts["slot"]
    if indexOfSignal(sender, signal) < 0:
        raise RuntimeError(f"No such signal {type(sender).__name__}::{signal} ({sender.objectName()})")
    if indexOfSlot(receiver, slot) < 0 and not hasattr(getattr(receiver, slot.split("(")[0], None), "isExposed"):
        raise RuntimeError(f"No such slot {type(receiver).__name__}::{slot} ({receiver.objectName()})")
    if slot.count(",") > signal.count(",") or (slot.endswith("()") is False and signal.endswith("()")):
        raise RuntimeError(f"Incompatible sender/receiver arguments {signal} --> {slot}")
    target: Any = getattr(receiver, slot.split("(")[0])
    if slot.endswith("()"):
        getattr(sender, signal.split("(")[0]).connect(lambda *_arguments: target())
    else:
        getattr(sender, signal.split("(")[0]).connect(target)


def named(root: QWidget, name: str) -> QObject:
    if root.objectName() == name:
        return root
    found = root.findChild(QObject, name)
    if found is None:
        raise RuntimeError(f"the .ui file connects {name!r}, which it has not")
    return found
