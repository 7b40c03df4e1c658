"""Binds a panel's widgets to the parameters of the scene, and lets go of them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vtk
from slicer.util import VTKObservationMixin

PROPERTY = "SlicerParameterName"


class ParameterBinding(VTKObservationMixin):
    """Follows one parameter node at a time.

    Slicer's own `connectGui` returns no tag, so that what it connects could never be disconnected.

    Args:
        ui: Widgets by name; those with a property "SlicerParameterName" are bound.
        changed: Called when a parameter has changed, and when another node is followed.
    """

    def __init__(self, ui: Any, changed: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._widgets = {widget.property(PROPERTY): widget for widget in vars(ui).values() if widget.property(PROPERTY)}
        self._changed = changed
        self._tag: Any = None
        self.parameters: Any = None

    def follow(self, parameters: Any) -> None:
        """Show these parameters (a wrapped parameter node) and write to them; None follows none."""
        if self.parameters is not None:
            self.parameters.disconnectGui(self._tag)
            self.removeObservers()
        self.parameters = parameters
        if parameters is not None:
            self._tag = parameters.connectParametersToGui(self._widgets)
            self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._onModified)
        self._changed()

    def _onModified(self, _caller: Any, _event: Any) -> None:
        self._changed()
