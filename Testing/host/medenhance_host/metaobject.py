"""Questions to Qt about its own objects: class, properties, signals and slots."""

from __future__ import annotations

import functools
import re
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from PySide6.QtCore import QMetaMethod, QMetaObject, QObject


def freshOf(value: QObject) -> QObject:
    """The same object under its right class.

    PySide6 does not notice when Qt deletes an object that Qt made; its Python half then stands for whatever is made at
    the same address next, with the class of the dead one.
    """
    meta = value.metaObject()
    while meta is not None and (right := qtClassOf(meta.className())) is None:
        meta = meta.superClass()
    if meta is None or right is type(value) or not type(value).__module__.startswith("PySide6"):
        return value
    pointer = shiboken6.getCppPointer(value)[0]
    shiboken6.invalidate(value)
    return shiboken6.wrapInstance(pointer, right)


@functools.cache
def qtClassOf(name: str) -> type | None:
    """PySide6's class of a name."""
    return next((getattr(one, name) for one in (QtWidgets, QtGui, QtCore, QtUiTools) if hasattr(one, name)), None)


def propertyIndex(obj: QObject, name: str) -> int:
    """Index of a Qt property; ``name`` is PythonQt's alias of ``objectName``."""
    meta = obj.metaObject()
    index = meta.indexOfProperty(name)
    return meta.indexOfProperty("objectName") if index < 0 and name == "name" else index


def asType(typeName: str, plain: Any, value: Any, name: str) -> Any:
    """The value for a property, converted where PythonQt converts; None is no text.

    Args:
        typeName: C++ type of the property.
        plain: The value as Qt takes it.
        value: As the module gave it.
        name: Name of the property, for the error.
    """
    accepted = {"bool": (int, float), "int": (int, float), "double": (int, float)}
    if typeName == "QString":
        if value is None:
            raise TypeError(f"Property '{name}' of type 'QString' does not accept None")
        return str(value)
    if typeName in accepted:
        if not isinstance(value, accepted[typeName]):
            raise TypeError(f"Property '{name}' of type '{typeName}' does not accept {value!r}")
        return {"bool": bool, "int": int, "double": float}[typeName](value)
    return plain


def signals(obj: QObject, name: str) -> list[QMetaMethod]:
    """The variants of a signal in the order of their declaration."""
    meta = obj.metaObject()
    methods = (meta.method(index) for index in range(meta.methodCount()))
    return [
        m
        for m in methods
        if m.methodType() == QMetaMethod.MethodType.Signal and bytes(m.name().data()).decode() == name
    ]


def isSoleSignal(obj: QObject, name: str) -> bool:
    """Whether a signal has one variant; those without their default arguments do not count."""
    kinds = {tuple(bytes(kind.data()) for kind in method.parameterTypes()) for method in signals(obj, name)}
    longest = max(kinds, key=len)
    return all(longest[: len(kind)] == kind for kind in kinds)


def indexOfSignal(obj: QObject, signature: str) -> int:
    """Index of a signal by its C++ signature; VTK pointers are Python objects here."""
    return _indexOf(obj, signature, QMetaMethod.MethodType.Signal)


def indexOfSlot(obj: QObject, signature: str) -> int:
    """Index of a slot (or signal) by its C++ signature."""
    return _indexOf(obj, signature, QMetaMethod.MethodType.Slot)


def _indexOf(obj: QObject, signature: str, kind: QMetaMethod.MethodType) -> int:
    meta = obj.metaObject()
    text = bytes(QMetaObject.normalizedSignature(re.sub(r"vtk\w+\s*\*", "PyObject", signature)).data()).decode()
    index = meta.indexOfMethod(text)
    if index < 0:
        return -1
    found = meta.method(index).methodType()
    return (
        index
        if found == kind or (kind == QMetaMethod.MethodType.Slot and found == QMetaMethod.MethodType.Signal)
        else -1
    )
