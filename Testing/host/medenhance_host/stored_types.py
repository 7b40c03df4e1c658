"""Types of parameters: what values they take, and their form in a vtkMRMLScriptedModuleNode, which is Slicer's own."""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer

PATH_TYPES = (
    pathlib.Path,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    pathlib.PurePath,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
)


class Validator:
    """Something that a value must be."""

    def validate(self, value: Any) -> None:
        raise NotImplementedError


class NotNone(Validator):
    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("Value must not be None")


class IsInstance(Validator):
    def __init__(self, classtype: Any) -> None:
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value must be of type {self.classtype}, is {value!r}")


class WithinRange(Validator):
    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within [{self.minimum}, {self.maximum}], is {value}")


class Minimum(Validator):
    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, is {value}")


class Maximum(Validator):
    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, is {value}")


class Choice(Validator):
    def __init__(self, choices: Any) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"Value is {value}, but must be one of {self.choices}")


class Exclude(Validator):
    def __init__(self, excludedValues: Any) -> None:
        self.excludedValues = excludedValues

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Value must not be {value}")


class Default:
    """The value of a parameter that nobody has set."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None) -> None:
        self._value, self._generator = value, generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator else self._value


@dataclass
class Decimals:
    value: int


@dataclass
class SingleStep:
    value: float


def splitAnnotations(annotated: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type, and what ``Annotated`` says of it."""
    if typing.get_origin(annotated) is typing.Annotated:
        kind, *annotations = typing.get_args(annotated)
        return kind, tuple(annotations)
    return annotated, ()


def unannotatedType(annotated: Any) -> Any:
    return splitAnnotations(annotated)[0]


def first(annotations: tuple[Any, ...], kind: type) -> Any:
    return next((one for one in annotations if isinstance(one, kind)), None)


def isNodeClass(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


class Stored:
    """One type's form in the node."""

    cached = True

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.validators: list[Validator] = [NotNone(), IsInstance((int, float) if kind is float else kind)]

    def default(self) -> Any:
        return {int: 0, float: 0, str: "", bool: False}[self.kind] if self.kind not in PATH_TYPES else self.kind()

    def validate(self, value: Any) -> None:
        for validator in self.validators:
            validator.validate(value)

    def mightTake(self, kind: type) -> bool:
        """Whether a value of this class is tried; Slicer tries by family, then validates."""
        family = next((one for one in ((int, float), PATH_TYPES) if self.kind in one), (self.kind,))
        return kind in family

    def isIn(self, node: Any, name: str) -> bool:
        return node.HasParameter(name)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, str(value))

    def read(self, node: Any, name: str) -> Any:
        text = node.GetParameter(name)
        return text == "True" if self.kind is bool else self.kind(text)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class StoredEnum(Stored):
    def __init__(self, kind: Any) -> None:
        self.kind, self.validators = kind, [IsInstance(kind)]

    def mightTake(self, kind: type) -> bool:
        return issubclass(kind, enum.Enum)

    def default(self) -> Any:
        return next(iter(self.kind))

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, value.name)

    def read(self, node: Any, name: str) -> Any:
        return self.kind[node.GetParameter(name)]


class StoredNode(Stored):
    """A node reference; the parameter of the same name says that there is one, even of no node."""

    def __init__(self, kind: Any) -> None:
        self.kind, self.validators = kind, [IsInstance(kind)]

    def mightTake(self, kind: type) -> bool:
        return isNodeClass(kind)

    def default(self) -> Any:
        return None

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class StoredNone(Stored):
    def __init__(self) -> None:
        self.kind, self.validators = type(None), []

    def default(self) -> Any:
        return None

    def validate(self, value: Any) -> None:
        if value is not None:
            raise ValueError("Value must be None")

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, "True")

    def read(self, node: Any, name: str) -> Any:
        return None


class StoredUnion(Stored):
    """One of several types, or None; stored below the name of the one that it is."""

    def __init__(self, kinds: tuple[Any, ...]) -> None:
        self.kind, self.validators = kinds, []
        self._parts = [storedOf(*splitAnnotations(kind)) for kind in kinds]

    def default(self) -> Any:
        optional = len(self._parts) == 2 and isinstance(self._parts[1], StoredNone)
        return None if optional else self._parts[0].default()

    def isIn(self, node: Any, name: str) -> bool:
        return any(part.isIn(node, f"{name}_{index}") for index, part in enumerate(self._parts))

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        with slicer.util.NodeModify(node):
            index = self._partOf(value)
            self.remove(node, name)
            self._parts[index].write(node, f"{name}_{index}", value)

    def _partOf(self, value: Any) -> int:
        raised: Exception = TypeError(f"Unable to write {value!r}")
        for index, part in enumerate(self._parts):
            if not part.mightTake(type(value)):
                continue
            try:
                part.validate(value)
                return index
            except Exception as error:
                raised = error
        raise raised

    def read(self, node: Any, name: str) -> Any:
        for index, part in enumerate(self._parts):
            if part.isIn(node, f"{name}_{index}"):
                return part.read(node, f"{name}_{index}")
        raise KeyError(f"Unable to find value for name: {name}")

    def remove(self, node: Any, name: str) -> None:
        with slicer.util.NodeModify(node):
            for index, part in enumerate(self._parts):
                part.remove(node, f"{name}_{index}")


def storedOf(kind: Any, annotations: tuple[Any, ...]) -> Stored:
    """How a type is stored, with the checks that its annotations ask for.

    Raises:
        TypeError: Slicer, or this host, has no form for the type.
    """
    stored = _storedOf(kind)
    stored.validators = [*stored.validators, *(one for one in annotations if isinstance(one, Validator))]
    return stored


def _storedOf(kind: Any) -> Stored:
    if kind in (int, float, str, bool) or kind in PATH_TYPES:
        return Stored(kind)
    if kind is type(None):
        return StoredNone()
    if typing.get_origin(kind) is typing.Union:
        return StoredUnion(typing.get_args(kind))
    if isNodeClass(kind):
        return StoredNode(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return StoredEnum(kind)
    if isinstance(kind, types.UnionType):
        raise TypeError(f"Slicer's parameter nodes do not know {kind}: write Optional[...] or Union[...]")
    raise TypeError(f"Unable to create serializer for type {kind} (the host has no packs, lists and dicts)")
