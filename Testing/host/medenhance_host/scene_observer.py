"""Observers of scenes and nodes that end with whom they serve."""

from __future__ import annotations

import weakref
from typing import Any

import shiboken6
import vtk
from PySide6.QtCore import QObject


class SceneObserver:
    """Calls methods of an owner on events of a scene or node, as long as both live."""

    def __init__(self, owner: QObject, subject: Any, calls: dict[int, str]) -> None:
        self._tags = [subject.AddObserver(event, weakCall(owner, name)) for event, name in calls.items()]
        # VTK would go on to call functions that Python has already taken apart.
        self._finalizer = weakref.finalize(owner, removeObservers, subject, self._tags)

    def stop(self) -> None:
        self._finalizer()


def removeObservers(subject: Any, tags: list[int]) -> None:
    for tag in tags:
        subject.RemoveObserver(tag)


def weakCall(owner: QObject, name: str) -> Any:
    """An observer that passes the node on, the event's or the caller, and does nothing once its owner is gone."""
    reference = weakref.ref(owner)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def observed(caller: Any, _event: Any, node: Any = None) -> None:
        living = reference()
        if living is not None and shiboken6.isValid(living):
            getattr(living, name)(node if node is not None else caller)

    return observed
