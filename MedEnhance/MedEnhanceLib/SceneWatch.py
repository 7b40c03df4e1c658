"""Notices when a node that a run needs is deleted, or the scene is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _


class SceneWatch:
    """Watches nodes from `start` to `stop`.

    Args:
        scene: The scene.
        nodes: Those that are needed; None among them is ignored.
        warning: Is told why the run ends.
        lost: Called when one goes or the scene is closed.
    """

    def __init__(
        self, scene: Any, nodes: Iterable[Any], warning: Callable[[str], None], lost: Callable[[], None]
    ) -> None:
        self._scene, self._nodes = scene, [node for node in nodes if node is not None]
        self._warning, self._lost = warning, lost
        self._tags: list[int] = []

    def start(self) -> None:
        """Begin to watch."""

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def removed(_caller: Any, _event: Any, node: Any) -> None:
            if any(node is one for one in self._nodes):
                self._warning(_("{name} was deleted; the run was stopped.").format(name=node.GetName()))
                self._lost()

        events = slicer.vtkMRMLScene
        self._tags = [
            self._scene.AddObserver(events.NodeAboutToBeRemovedEvent, removed),
            self._scene.AddObserver(events.StartCloseEvent, lambda _caller, _event: self._lost()),
        ]

    def stop(self) -> None:
        """Watch no longer."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []
