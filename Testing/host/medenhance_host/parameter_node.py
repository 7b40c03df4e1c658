"""slicer.parameterNodeWrapper: typed parameters kept in a vtkMRMLScriptedModuleNode, and their binding to widgets.

The stored form, the checks and the exact widget types follow Slicer's package; parameter packs and containers are left out
and refused in words.
"""

from __future__ import annotations

import enum
import pathlib
import types
import typing
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

PATH_TYPES = (
    pathlib.Path, pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath,
)  # fmt: skip
SlicerParameterNamePropertyName = "SlicerParameterName"


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


class Parameter:
    """One parameter of one node; the value is read again when the node is modified."""

    def __init__(self, name: str, stored: Stored, default: Default, node: Any) -> None:
        self.name, self.stored, self.default, self.node = name, stored, default, node
        if not stored.isIn(node, name):
            stored.write(node, name, default.value)
        self._value, self._writing = self._stored(), False
        reference = weakref.ref(self)

        def modified(_caller: Any, _event: Any) -> None:
            living = reference()
            if living is not None and not living._writing:
                living._value = living._stored()

        weakref.finalize(self, node.RemoveObserver, node.AddObserver(vtk.vtkCommand.ModifiedEvent, modified))

    def _stored(self) -> Any:
        if not self.stored.isIn(self.node, self.name):
            self.stored.write(self.node, self.name, self.default.value)
        return self.stored.read(self.node, self.name)

    def read(self) -> Any:
        return self._value

    def write(self, value: Any) -> None:
        self._writing = True
        try:
            with slicer.util.NodeModify(self.node):
                self.stored.write(self.node, self.name, value)
                self._value = self._stored()
        finally:
            self._writing = False


def _propertyOf(name: str) -> property:
    return property(lambda self: self._parameters[name].read(), lambda self, value: self._parameters[name].write(value))


class ParameterNodeMethods:
    """What the decorator adds to a class of typed members."""

    allParameters: dict[str, tuple[Any, Stored, Default]]

    def __init__(self, parameterNode: Any, prefix: str | None = None) -> None:
        self.parameterNode = parameterNode
        self._guis: dict[int, dict[str, Any]] = {}
        self._nextTag, self._updating = 0, False
        self._parameters = {
            name: Parameter(f"{prefix or ''}{name}", stored, default, parameterNode)
            for name, (_, stored, default) in self.allParameters.items()
        }

    @classmethod
    def _checked(cls, name: str) -> str:
        if name not in cls.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}; there are {sorted(cls.allParameters)}")
        return name

    @classmethod
    def dataType(cls, name: str) -> Any:
        return cls.allParameters[cls._checked(name)][0]

    def default(self, name: str) -> Default:
        return self.allParameters[self._checked(name)][2]

    def isCached(self, name: str) -> bool:
        return self._parameters[self._checked(name)].stored.cached

    def getValue(self, name: str) -> Any:
        return self._parameters[self._checked(name)].read()

    def setValue(self, name: str, value: Any) -> None:
        self._parameters[self._checked(name)].write(value)

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> None:
        self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()

    def connectGui(self, gui: Any) -> None:
        """Bind every child widget with the property ``SlicerParameterName``.

        Slicer's method returns None and not the tag that ``disconnectGui`` needs; ``connectParametersToGui`` returns it.
        """
        import qt

        isWidget = getattr(gui, "isWidgetType", lambda: False)()
        widgets = gui.findChildren(qt.QWidget) if isWidget else vars(gui).values()
        named = {widget.property(SlicerParameterNamePropertyName): widget for widget in widgets}
        self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        from medenhance_host.connectors import connectorOf

        connectors = {name: connectorOf(widget, self.dataType(self._checked(name))) for name, widget in mapping.items()}
        tag, self._nextTag = self._nextTag, self._nextTag + 1
        self._guis[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(self._fromGui(name, connector))
        self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda _caller, _event: self._toGui())
        return tag

    def disconnectGui(self, tag: int) -> None:
        for connector in self._guis.pop(tag, {}).values():
            connector.onChanged(None)

    def _fromGui(self, name: str, connector: Any) -> Callable[[], None]:
        def changed() -> None:
            with slicer.util.NodeModify(self):
                if not self._updating:
                    self.setValue(name, connector.read())

        return changed

    def _toGui(self) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in list(self._guis.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._updating = False


def parameterNodeWrapper(classtype: type | None = None) -> Any:
    """The class decorator."""
    return _process if classtype is None else _process(classtype)


def _process(classtype: type) -> type:
    parameters = {}
    for name, annotated in typing.get_type_hints(classtype, include_extras=True).items():
        kind, annotations = splitAnnotations(annotated)
        stored = storedOf(kind, annotations)
        declared = first(annotations, Default)
        if name in vars(classtype):
            default = Default(vars(classtype)[name])
        else:
            default = declared if declared is not None else Default(stored.default())
        parameters[name] = (annotated, stored, default)
        setattr(classtype, name, _propertyOf(name))
    for name, member in vars(ParameterNodeMethods).items():
        if name.startswith("__") and name != "__init__":
            continue
        if name != "__init__" and hasattr(classtype, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(classtype, name, member)
    classtype.allParameters = parameters  # type: ignore[attr-defined]
    classtype._is_parameter_node_wrapper = True  # type: ignore[attr-defined]
    return classtype


def isParameterNodeWrapper(classOrObject: Any) -> bool:
    return getattr(classOrObject, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget: Any, parameter: str) -> Any:
    """The child that is bound to a parameter; None where there is none."""
    import qt

    named = (
        one for one in widget.findChildren(qt.QWidget) if one.property(SlicerParameterNamePropertyName) == parameter
    )
    return next(named, None)
