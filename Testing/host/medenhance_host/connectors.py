"""Which widget can show which type of parameter: exactly Slicer's pairs, by exact widget class."""

from __future__ import annotations

import enum
import logging
import typing
from collections.abc import Callable
from typing import Any

import slicer

from medenhance_host.stored_types import (
    PATH_TYPES,
    Choice,
    Decimals,
    Maximum,
    Minimum,
    SingleStep,
    WithinRange,
    first,
    isNodeClass,
    splitAnnotations,
    unannotatedType,
)


class GuiConnector:
    """One widget and how its value is read, written and watched."""

    signal = ""

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._callback: Callable[[], None] | None = None

    def widget(self) -> Any:
        return self._widget

    def onChanged(self, callback: Callable[[], None] | None) -> None:
        self._callback = callback
        signal = getattr(self._widget, self.signal)
        if callback is None:
            signal.disconnect(self.changed)
        else:
            signal.connect(self.changed)

    def changed(self) -> None:
        if self._callback:
            self._callback()

    def read(self) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> None:
        raise NotImplementedError


class PropertyConnector(GuiConnector):
    """A widget whose value is one property."""

    def __init__(self, widget: Any, signal: str, name: str) -> None:
        super().__init__(widget)
        self.signal, self._name = signal, name

    def read(self) -> Any:
        return getattr(self._widget, self._name)

    def write(self, value: Any) -> None:
        setattr(self._widget, self._name, value)


class TextConnector(GuiConnector):
    signal = "textChanged"

    def read(self) -> str:
        return self._widget.toPlainText()

    def write(self, value: str) -> None:
        self._widget.setPlainText(value)


class PathConnector(PropertyConnector):
    def __init__(self, widget: Any, signal: str, name: str, kind: Any) -> None:
        super().__init__(widget, signal, name)
        self._kind = kind

    def read(self) -> Any:
        return self._kind(super().read())

    def write(self, value: Any) -> None:
        super().write(str(value))


class ComboConnector(GuiConnector):
    """A combo box filled with the choices of a parameter; the binding empties it first."""

    signal = "currentIndexChanged"

    def __init__(self, widget: Any, choices: list[Any], texts: list[str]) -> None:
        super().__init__(widget)
        self._choices = choices
        widget.clear()
        for text in texts:
            widget.addItem(text)

    def read(self) -> Any:
        return self._choices[self._widget.currentIndex]

    def write(self, value: Any) -> None:
        if value not in self._choices:
            raise ValueError(f"Unable to find value {value} in choices {self._choices}")
        self._widget.currentIndex = self._choices.index(value)


class NodeConnector(GuiConnector):
    signal = "currentNodeChanged"

    def __init__(self, widget: Any, nodeTypes: tuple[str, ...]) -> None:
        super().__init__(widget)
        widget.nodeTypes = nodeTypes

    def read(self) -> Any:
        return self._widget.currentNode()

    def write(self, value: Any) -> None:
        self._widget.setCurrentNode(value)


def connectorOf(widget: Any, datatype: Any) -> GuiConnector:
    """The connector of a widget and a type.

    Raises:
        RuntimeError: Slicer has none for them.
    """
    if isinstance(widget, GuiConnector):
        return widget
    for make in (_plain, _number, _combo, _path, _node):
        connector = make(widget, datatype)
        if connector is not None:
            return connector
    raise RuntimeError(f"Unable to create GUI connector from datatype '{datatype}' to widget type '{type(widget)}'")


def _plain(widget: Any, datatype: Any) -> GuiConnector | None:
    import qt

    kind = unannotatedType(datatype)
    if kind is bool and type(widget) is qt.QCheckBox:
        return PropertyConnector(widget, "stateChanged", "checked")
    if kind is bool and type(widget) is qt.QPushButton:
        if not widget.checkable:
            logging.warning(f"Making push button checkable for conversion to bool: button {widget.name}")
            widget.checkable = True
        return PropertyConnector(widget, "toggled", "checked")
    if kind is str and type(widget) is qt.QLineEdit:
        return PropertyConnector(widget, "textChanged", "text")
    if kind is str and type(widget) is qt.QTextEdit:
        return TextConnector(widget)
    return None


def _number(widget: Any, datatype: Any) -> GuiConnector | None:
    import ctk
    import qt

    kind, annotations = splitAnnotations(datatype)
    integers, floats = (qt.QSlider, qt.QSpinBox), (qt.QDoubleSpinBox, ctk.ctkSliderWidget)
    if not ((kind is int and type(widget) in integers) or (kind is float and type(widget) in floats)):
        return None
    within, low, high = (first(annotations, one) for one in (WithinRange, Minimum, Maximum))
    if type(widget) in (qt.QSlider, ctk.ctkSliderWidget) and within is None and (low is None or high is None):
        raise RuntimeError(f"Cannot have a connection to {type(widget).__name__} where the type is unbounded.")
    for annotation, name in ((Decimals, "decimals"), (SingleStep, "singleStep")):
        found = first(annotations, annotation)
        if found is not None:
            setattr(widget, name, found.value)
    unbounded = (-(2**31), 2**31 - 1) if kind is int else (float("-inf"), float("inf"))
    widget.minimum = within.minimum if within else low.minimum if low else unbounded[0]
    widget.maximum = within.maximum if within else high.maximum if high else unbounded[1]
    return PropertyConnector(widget, "valueChanged", "value")


def _combo(widget: Any, datatype: Any) -> GuiConnector | None:
    import qt

    kind, annotations = splitAnnotations(datatype)
    if type(widget) is not qt.QComboBox:
        return None
    if kind in (int, float, str, bool):
        choice = first(annotations, Choice)
        if choice is None:
            raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
        return ComboConnector(widget, list(choice.choices), [str(one) for one in choice.choices])
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        label = getattr(kind, "label", lambda one: one.name)
        return ComboConnector(widget, list(kind), [label(one) for one in kind])
    return None


def _path(widget: Any, datatype: Any) -> GuiConnector | None:
    import ctk

    kind = unannotatedType(datatype)
    if kind in PATH_TYPES and type(widget) is ctk.ctkPathLineEdit:
        return PathConnector(widget, "currentPathChanged", "currentPath", kind)
    if kind in PATH_TYPES and type(widget) is ctk.ctkDirectoryButton:
        return PathConnector(widget, "directoryChanged", "directory", kind)
    return None


def _node(widget: Any, datatype: Any) -> GuiConnector | None:
    kind = unannotatedType(datatype)
    kinds = (
        [unannotatedType(one) for one in typing.get_args(kind)] if typing.get_origin(kind) is typing.Union else [kind]
    )
    nodes = [one for one in kinds if isNodeClass(one)]
    if type(widget) is not slicer.qMRMLNodeComboBox or not nodes or len(nodes) + (type(None) in kinds) != len(kinds):
        return None
    return NodeConnector(widget, tuple(one().GetClassName() for one in nodes))
