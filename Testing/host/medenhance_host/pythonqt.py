"""Real Qt objects behind the rules of PythonQt, Slicer's own Qt binding.

PySide6 does the work; what a module sees is a wrapper that behaves as PythonQt's does: properties are attributes and
not callable, wrapper classes do not inherit from one another, no attribute can be added to a C++ object, a handler gets
as many arguments as it declares, an exception in a handler is reported and does not reach the sender, lists arrive as
tuples.
"""

from __future__ import annotations

import enum
import functools
import time
import traceback
import types
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, SignalInstance

from medenhance_host.enum_value import EnumClass, EnumValue
from medenhance_host.metaobject import asType, freshOf, indexOfSignal, isSoleSignal, propertyIndex, signals

# What handlers raised, as (exception, traceback text); Slicer prints these and goes on.
handlerErrors: list[tuple[BaseException, str]] = []

# How long handlers held the main thread: (name, seconds) of the latest.
handlerTimes: deque[tuple[str, float]] = deque(maxlen=100_000)

_wrapperClasses: dict[type, PythonQtClass] = {}
_wrappers: weakref.WeakValueDictionary[int, PythonQtInstance] = weakref.WeakValueDictionary()
# Functions that take the place of static methods, by Qt class name: dialogs must not wait for a user.
replacedStatics: dict[str, dict[str, Callable[..., Any]]] = {}


def exposed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a method of a stand-in class as a slot or Q_INVOKABLE of the real class; modules see no other."""
    function.isExposed = True  # type: ignore[attr-defined]
    return function


def wrap(value: Any) -> Any:
    """What a module sees of a value that comes from Qt."""
    if isinstance(value, shiboken6.Object):
        return wrapObject(value)
    if isinstance(value, enum.Enum):
        return EnumValue(value)
    if isinstance(value, list | tuple):
        return tuple(wrap(item) for item in value)
    if isinstance(value, dict):
        return {key: wrap(item) for key, item in value.items()}
    return value


def unwrap(value: Any) -> Any:
    """What Qt gets of a value that a module passes."""
    if isinstance(value, PythonQtInstance):
        return value._living("argument")
    if isinstance(value, EnumValue):
        return value.member
    if isinstance(value, PythonQtClass):
        return value.qtClass
    if isinstance(value, list | tuple):
        return [unwrap(item) for item in value]
    if isinstance(value, types.FunctionType | types.MethodType | functools.partial | BoundMethod):
        return Handler(value)
    return value


def wrapObject(value: Any) -> PythonQtInstance:
    """The one living wrapper of a Qt object, as long as somebody holds it."""
    if isinstance(value, QObject):
        value = freshOf(value)
    pointer = shiboken6.getCppPointer(value)[0] if isinstance(value, QObject) else id(value)
    known = _wrappers.get(pointer)
    if known is not None and known._qt is value:
        return known
    wrapper = object.__new__(wrapperClass(type(value)))
    object.__setattr__(wrapper, "_qt", value)
    _wrappers[pointer] = wrapper
    return wrapper


def wrapperClass(qtClass: type) -> PythonQtClass:
    """The PythonQt class of a PySide6 or stand-in class."""
    if qtClass not in _wrapperClasses:
        members = {"__slots__": (), "__module__": "qt"}
        _wrapperClasses[qtClass] = PythonQtClass._of(qtClass, members)
    return _wrapperClasses[qtClass]


class Handler:
    """A Python callable at the end of a signal: takes the arguments it declares, and its errors stop here."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.count = declaredArguments(function)

    def __call__(self, *arguments: Any) -> None:
        if self.count is not None:
            arguments = arguments[: self.count]
        begun = time.perf_counter()
        try:
            self.function(*(wrap(argument) for argument in arguments))
        except Exception as error:
            handlerErrors.append((error, traceback.format_exc()))
        handlerTimes.append((getattr(self.function, "__qualname__", repr(self.function)), time.perf_counter() - begun))


def declaredArguments(function: Callable[..., Any]) -> int | None:
    """How many arguments PythonQt passes at most; None is all (``*args``, and whatever is no function or method)."""
    bound = isinstance(function, types.MethodType)
    plain = function.__func__ if bound else function
    if not isinstance(plain, types.FunctionType) or plain.__code__.co_flags & 0x04:
        return None
    return plain.__code__.co_argcount - (1 if bound else 0)


class Signal:
    """A signal of an object: ``connect``, ``disconnect``, ``emit``, or a call that emits."""

    def __init__(self, owner: PythonQtInstance, name: str, instance: SignalInstance, count: int) -> None:
        self._owner, self._name, self._instance, self._count = owner, name, instance, count

    def connect(self, handler: Any) -> bool:
        if not callable(handler):
            raise TypeError(f"{handler!r} is not callable")
        slot = withArity(Handler(handler), self._count)
        self._instance.connect(slot)
        connections(self._owner._qt).append((self._name, handler, slot, self._instance))
        return True

    def disconnect(self, *handlers: Any) -> bool:
        if len(handlers) > 1:
            raise ValueError("Called disconnect with wrong number of arguments")
        return disconnect(self._owner._qt, self._name, *handlers)

    def emit(self, *arguments: Any) -> None:
        self._instance.emit(*(unwrap(argument) for argument in arguments))

    __call__ = emit


def withArity(slot: Callable[..., None], count: int) -> Callable[..., None]:
    """A function of so many arguments: PySide6 decides by them which variant of a signal it connects."""
    makers: list[Callable[[], Callable[..., None]]] = [
        lambda: lambda: slot(),
        lambda: lambda a: slot(a),
        lambda: lambda a, b: slot(a, b),
        lambda: lambda a, b, c: slot(a, b, c),
        lambda: lambda a, b, c, d: slot(a, b, c, d),
    ]
    return makers[count]()


_connections: dict[int, list[tuple[str, Any, Any, SignalInstance]]] = {}


def connections(obj: QObject) -> list[tuple[str, Any, Any, SignalInstance]]:
    """Connections made from Python: signal name, handler, the slot that Qt calls, the signal."""
    pointer = shiboken6.getCppPointer(obj)[0]
    if pointer not in _connections:
        _connections[pointer] = []
        obj.destroyed.connect(functools.partial(_forget, pointer))
    return _connections[pointer]


def _forget(pointer: int, *_arguments: Any) -> None:
    _connections.pop(pointer, None)


def disconnect(obj: QObject, name: str, *handlers: Any) -> bool:
    """Undo the connections of a signal to one handler, or to all."""
    all_ = connections(obj)
    chosen = [entry for entry in all_ if entry[0] == name and (not handlers or entry[1] == handlers[0])]
    for entry in chosen[: 1 if handlers else None]:
        entry[3].disconnect(entry[2])
        all_.remove(entry)
    return bool(chosen)


class BoundMethod:
    """A C++ method of an object or, without one, of its class."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if keywords:
            raise TypeError(f"{self.name}() takes no keyword arguments in PythonQt, got {sorted(keywords)}")
        return wrap(self.function(*(unwrap(argument) for argument in arguments)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundMethod) and self.function == other.function

    def __hash__(self) -> int:
        return hash(self.function)


class PythonQtClass(type):
    """A wrapper class: calling it makes the Qt object, its attributes are enums, enum values and methods."""

    qtClass: type

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> PythonQtClass:
        if any(isinstance(base, PythonQtClass) and base is not PythonQtInstance for base in bases):
            raise TypeError(f"{name}: the test host has no Python subclasses of Qt classes; hold the object instead")
        return super().__new__(cls, name, bases, members)

    @classmethod
    def _of(cls, qtClass: type, members: dict[str, Any]) -> PythonQtClass:
        made = cls(qtClass.__name__, (PythonQtInstance,), members)
        type.__setattr__(made, "qtClass", qtClass)
        return made

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        if keywords:
            raise TypeError(f"{cls.__name__}() takes no keyword arguments in PythonQt, got {sorted(keywords)}")
        return wrapObject(cls.qtClass(*(unwrap(argument) for argument in arguments)))

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        replaced = replacedStatics.get(cls.__name__, {})
        if name in replaced:
            return replaced[name]
        value = getattr(cls.qtClass, pythonName(name), None)
        if value is None or hiddenBy(cls.qtClass, name):
            raise AttributeError(f"type object '{cls.__name__}' has no attribute '{name}'")
        return ofClass(name, value)


def ofClass(name: str, value: Any) -> Any:
    if isinstance(value, enum.EnumMeta):
        return EnumClass(value)
    if isinstance(value, enum.Enum):
        return EnumValue(value)
    if isinstance(value, type):
        return wrapperClass(value)
    return BoundMethod(name, value)


def pythonName(name: str) -> str:
    """PySide6's name of a method: PythonQt keeps ``exec_`` and ``print_``."""
    return {"exec_": "exec", "print_": "print"}.get(name, "no such name" if name in {"exec", "print"} else name)


def hiddenBy(qtClass: type, name: str) -> bool:
    """Whether a name is host code of a stand-in class, which the real class has not."""
    for klass in qtClass.__mro__:
        if name in vars(klass):
            ours = klass.__module__.startswith("medenhance_host")
            return (
                ours
                and isinstance(vars(klass)[name], types.FunctionType)
                and not hasattr(vars(klass)[name], "isExposed")
            )
    return name.startswith("_")


class PythonQtInstance(metaclass=PythonQtClass):
    """An object of Qt as modules see it."""

    __slots__ = ("__weakref__", "_qt")

    def _living(self, name: str) -> Any:
        if not shiboken6.isValid(self._qt):
            raise ValueError(f"Trying to access '{name}' of a destroyed {type(self).__name__} object")
        return self._qt

    def className(self) -> str:
        return type(self).__name__

    def inherits(self, name: str) -> bool:
        return any(klass.__name__ == name for klass in type(self._qt).__mro__)

    def delete(self) -> None:
        shiboken6.delete(self._living("delete"))

    def connect(self, signal: str, *target: Any) -> bool:
        """``connect("clicked()", handler)``, or with a receiver and the signature of its slot."""
        name, handler = self._named(signal, *target)
        method = self._qt.metaObject().method(indexOfSignal(self._qt, signal))
        types_ = [bytes(kind.data()).decode() for kind in method.parameterTypes()]
        instance = getattr(self._qt, name)
        overload = {"bool": bool, "QString": str, "int": int}.get(types_[0]) if types_ else None
        if not isSoleSignal(self._qt, name) and overload is not None:
            instance = instance[overload]
        return Signal(self, name, instance, len(types_)).connect(handler)

    def disconnect(self, signal: str, *target: Any) -> bool:
        name, handler = self._named(signal, *target)
        return disconnect(self._qt, name, handler)

    def _named(self, signal: str, *target: Any) -> tuple[str, Any]:
        obj = self._living(signal)
        if indexOfSignal(obj, signal) < 0:
            raise ValueError(f"{self.className()} has no signal {signal}")
        handler = target[0] if len(target) == 1 else getattr(target[0], target[1].split("(")[0])
        return signal.split("(")[0], handler

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        obj = self._living(name)
        if isinstance(obj, QObject):
            index = propertyIndex(obj, name)
            if index >= 0:
                return wrap(obj.metaObject().property(index).read(obj))
        found = getattr(obj, pythonName(name), None)
        if found is not None and not hiddenBy(type(obj), name):
            if isinstance(found, SignalInstance):
                return Signal(self, name, found, signals(obj, name)[0].parameterCount())
            return ofClass(name, found)
        if isinstance(obj, QObject):
            if obj.property(name) is not None:
                return wrap(obj.property(name))
            for child in obj.children():
                if child.objectName() == name:
                    return wrapObject(child)
        raise AttributeError(f"{self.className()} has no attribute named '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        obj = self._living(name)
        index = propertyIndex(obj, name) if isinstance(obj, QObject) else -1
        if index >= 0:
            self._setProperty(obj, obj.metaObject().property(index), value)
        elif isinstance(obj, QObject) and name.encode() in [bytes(n.data()) for n in obj.dynamicPropertyNames()]:
            obj.setProperty(name, unwrap(value))
        elif getattr(obj, name, None) is not None and not hiddenBy(type(obj), name):
            raise AttributeError(f"Slot or signal '{name}' can not be overwritten on {self.className()} object")
        else:
            raise AttributeError(
                f"Attribute '{name}' does not exist and creation of new attributes on C++ objects is not allowed"
            )

    def _setProperty(self, obj: QObject, meta: Any, value: Any) -> None:
        if not meta.isWritable():
            raise AttributeError(f"Property '{meta.name()}' of {self.className()} object is not writable")
        if not obj.setProperty(meta.name(), asType(meta.typeName(), unwrap(value), value, meta.name())):
            raise TypeError(
                f"Property '{meta.name()}' of type '{meta.typeName()}' does not accept an object of type "
                f"{type(value).__name__} ({value!r})"
            )

    def __bool__(self) -> bool:
        return shiboken6.isValid(self._qt)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PythonQtInstance):
            return self._qt is other._qt or (not isinstance(self._qt, QObject) and self._qt == other._qt)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(id(self._qt))

    def __repr__(self) -> str:
        return f"{self.className()} (at: {id(self._qt):#x})"


class PythonQtModule(types.ModuleType):
    """The modules ``qt`` and ``ctk``: wrapper classes by name."""

    def __init__(self, name: str, classes: Callable[[str], type | None]) -> None:
        super().__init__(name)
        self.__dict__["_classes"] = classes

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._classes(name)
        if found is None:
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        return found if not isinstance(found, type) else wrapperClass(found)
