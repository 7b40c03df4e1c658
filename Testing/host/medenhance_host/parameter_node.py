"""slicer.parameterNodeWrapper: typed parameters kept in a vtkMRMLScriptedModuleNode, and their binding to widgets.

The stored form, the checks and the exact widget types follow Slicer's package; parameter packs and containers are left
out and refused in words.
"""

from __future__ import annotations

import typing
import weakref
from collections.abc import Callable
from typing import Any

import slicer
import vtk

from medenhance_host.stored_types import Default, Stored, first, splitAnnotations, storedOf

SlicerParameterNamePropertyName = "SlicerParameterName"


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

        Slicer's returns None and not the tag that ``disconnectGui`` needs; ``connectParametersToGui`` returns it.
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
