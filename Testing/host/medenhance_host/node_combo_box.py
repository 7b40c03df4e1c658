"""The node selector after qMRMLNodeComboBox, on Qt's own combo box: its choice falls on a removed row's neighbour."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from medenhance_host.ctk_widgets import ctkComboBox
from medenhance_host.pythonqt import exposed
from medenhance_host.scene_observer import SceneObserver

ID_ROLE = int(Qt.ItemDataRole.UserRole) + 1


ACTION_ROLE = ID_ROLE + 1


class qMRMLNodeComboBox(QWidget):
    """Chooses a node of the scene."""

    currentNodeChanged = Signal((object,), (bool,))
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAddedByUserAction = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    currentNodeRenamed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._observer: SceneObserver | None = None
        self._nodeTypes: list[str] = []
        self._hiddenTypes: list[str] = []
        self._attributes: dict[str, dict[str, str | None]] = {}
        self._baseNames: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._flags = {
            "none": False, "add": True, "remove": True, "edit": False, "rename": False,
            "hidden": False, "childTypes": True, "selectNew": True,
        }  # fmt: skip
        self._noneDisplay, self._requested = "None", ""
        self._switching = False
        self._observed: dict[str, SceneObserver] = {}
        self._combo = ctkComboBox(self)
        self._model = QStandardItemModel(self._combo)
        self._combo.setModel(self._model)
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self.setFocusProxy(self._combo)
        self._combo.currentIndexChanged.connect(self._emitCurrent)
        self._combo.activated.connect(self._activated)
        self._fill()
        self.setEnabled(False)

    # Scene

    @exposed
    def mrmlScene(self) -> Any:
        return self._scene

    @exposed
    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        wanted = self._currentNodeID() or self._requested
        if self._observer is not None:
            self._observer.stop()
        self._scene, self._requested = scene, ""
        if scene is not None:
            events = slicer.vtkMRMLScene
            calls = {
                events.NodeAddedEvent: "_nodeAdded",
                events.NodeAboutToBeRemovedEvent: "_nodeLeaves",
                events.EndCloseEvent: "_sceneChanged",
                events.EndImportEvent: "_sceneChanged",
                events.EndRestoreEvent: "_sceneChanged",
            }
            self._observer = SceneObserver(self, scene, calls)
        self._switching = True
        self._fill()
        self._switching = False
        self.setCurrentNodeID(wanted or self._currentNodeID())
        self.setEnabled(scene is not None)

    def _sceneChanged(self, _node: Any) -> None:
        """After closing or importing, the list is made anew; a chosen node that is still there stays chosen."""
        chosen = self._currentNodeID()
        blocked = self._combo.blockSignals(True)
        self._fill()
        self._combo.setCurrentIndex(self._rowOf(chosen))
        self._combo.blockSignals(blocked)
        if not self._flags["none"] and self._combo.currentIndex() < 0 and self._nodeRows():
            self._combo.setCurrentIndex(self._nodeRows()[0])
        elif self._currentNodeID() != chosen:
            self._emitCurrent()

    def _nodeAdded(self, node: Any) -> None:
        if self._scene.IsImporting():
            return
        self._watch(node)
        if not self._accepts(node):
            return
        row = (self._nodeRows() or [self._firstRow() - 1])[-1] + 1
        self._model.insertRow(row, self._nodeItem(node))
        self.nodeAdded.emit(node)
        # A selector that cannot show None takes the first node that appears.
        if not self._flags["none"] and self._combo.currentIndex() < 0:
            self._combo.setCurrentIndex(row)

    def _nodeLeaves(self, node: Any) -> None:
        if node.GetID() in self._observed:
            self._observed.pop(node.GetID()).stop()
        row = self._rowOf(node.GetID()) if not self._scene.IsClosing() else -1
        if row < 0 or self._model.item(row).data(ID_ROLE) != node.GetID():
            return
        self.nodeAboutToBeRemoved.emit(node)
        # Qt falls on the neighbour by itself; on an entry such as "Create new" the last node is taken, or none.
        self._model.removeRow(row)
        if self._currentNode() is None:
            self.setCurrentNode(None)

    def _nodeModified(self, node: Any) -> None:
        if self._scene is None or not node.GetID():
            return
        row = self._rowOf(node.GetID())
        here = row >= 0 and self._model.item(row).data(ID_ROLE) == node.GetID()
        if here and not self._accepts(node):
            self._model.removeRow(row)
            if self._currentNode() is None:
                self.setCurrentNode(None)
        elif here and self._model.item(row).text() != node.GetName():
            self._model.item(row).setText(node.GetName())
            if row == self._combo.currentIndex():
                self._emitCurrent()
        elif not here and self._accepts(node) and self._scene.IsNodePresent(node):
            self._nodeAdded(node)

    # Rows

    def _firstRow(self) -> int:
        return 1 if self._flags["none"] and self._scene is not None else 0

    def _nodeRows(self) -> list[int]:
        return [row for row in range(self._model.rowCount()) if self._model.item(row).data(ID_ROLE)]

    def _rowOf(self, identifier: str) -> int:
        """Row of a node; without it that of None, or -1."""
        for row in self._nodeRows():
            if identifier and self._model.item(row).data(ID_ROLE) == identifier:
                return row
        return 0 if self._flags["none"] and self._scene is not None else -1

    def _fill(self) -> None:
        chosen = self._currentNodeID()
        blocked = self._combo.blockSignals(True)
        self._model.clear()
        self._forgetNodes()
        if self._scene is not None:
            if self._flags["none"]:
                self._model.appendRow(QStandardItem(self._noneDisplay))
            for index in range(self._scene.GetNumberOfNodes()):
                node = self._scene.GetNthNode(index)
                self._watch(node)
                if self._accepts(node):
                    self._model.appendRow(self._nodeItem(node))
            for action, text in self._actions():
                item = QStandardItem(text)
                item.setData(action, ACTION_ROLE)
                self._model.appendRow(item)
        row = self._rowOf(chosen)
        if row < 0 and self._nodeRows():
            row = self._nodeRows()[0]
        self._combo.setCurrentIndex(row)
        self._combo.blockSignals(blocked)
        self._combo.setDefaultText(f"Select a {self.nodeTypeLabel((self._nodeTypes or [''])[0])}")

    def _refill(self) -> None:
        """A property has changed what is shown."""
        chosen = self._currentNodeID()
        self._fill()
        if self._currentNodeID() != chosen:
            self._emitCurrent()

    def _nodeItem(self, node: Any) -> QStandardItem:
        item = QStandardItem(node.GetName())
        item.setData(node.GetID(), ID_ROLE)
        return item

    def _watch(self, node: Any) -> None:
        """Nodes are renamed, hidden and shown, or get an attribute while they are in the scene."""
        if node.GetID() not in self._observed and any(node.IsA(one) for one in self._nodeTypes):
            self._observed[node.GetID()] = SceneObserver(self, node, {vtk.vtkCommand.ModifiedEvent: "_nodeModified"})

    def _forgetNodes(self) -> None:
        for observer in self._observed.values():
            observer.stop()
        self._observed = {}

    def _accepts(self, node: Any) -> bool:
        if node is None or (node.GetHideFromEditors() and not self._flags["hidden"]):
            return False
        types = [one for one in self._nodeTypes if node.IsA(one)]
        if not self._flags["childTypes"]:
            types = [one for one in types if node.GetClassName() == one]
        if not types or any(node.IsA(one) for one in self._hiddenTypes):
            return False
        return all(self._hasAttributes(node, one) for one in types)

    def _hasAttributes(self, node: Any, nodeType: str) -> bool:
        for name, wanted in self._attributes.get(nodeType, {}).items():
            value = node.GetAttribute(name)
            if value is None or (wanted is not None and value != wanted):
                return False
        return True

    def _actions(self) -> list[tuple[str, str]]:
        label = self.nodeTypeLabel(self._nodeTypes[0]) if len(self._nodeTypes) == 1 else "node"
        entries = [("rename", "RENAME", f"Rename current {label}"), ("edit", "EDIT", f"Edit current {label}")]
        found = [(action, text) for flag, action, text in entries if self._flags[flag]]
        if self._flags["add"]:
            found += [(f"CREATE/{one}", f"Create new {self.nodeTypeLabel(one)}") for one in self._nodeTypes]
        if self._flags["remove"]:
            found.append(("DELETE", f"Delete current {label}"))
        return found

    # Current node

    def _currentNode(self) -> Any:
        identifier = self._currentNodeID()
        return self._scene.GetNodeByID(identifier) if identifier and self._scene is not None else None

    @exposed
    def currentNode(self) -> Any:
        return self._currentNode()

    def _currentNodeID(self) -> str:
        item = self._model.item(self._combo.currentIndex()) if self._combo.currentIndex() >= 0 else None
        return (item.data(ID_ROLE) or "") if item is not None else ""

    @exposed
    def setCurrentNode(self, node: Any) -> None:
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise ValueError(f"setCurrentNode takes a MRML node or None, got {node!r}")
        self.setCurrentNodeID(node.GetID() or "" if node is not None else "")

    @exposed
    def setCurrentNodeID(self, identifier: str) -> None:
        if self._scene is None:
            self._requested = identifier
        self._combo.setCurrentIndex(self._rowOf(identifier))

    @exposed
    def setCurrentNodeIndex(self, index: int) -> None:
        rows = self._nodeRows()
        self._combo.setCurrentIndex(rows[index] if 0 <= index < len(rows) else self._rowOf(""))

    @exposed
    def nodeCount(self) -> int:
        return len(self._nodeRows())

    @exposed
    def nodeFromIndex(self, index: int) -> Any:
        rows = self._nodeRows()
        inside = 0 <= index < len(rows)
        return self._scene.GetNodeByID(self._model.item(rows[index]).data(ID_ROLE)) if inside else None

    def _emitCurrent(self, _row: int = -1) -> None:
        if self._switching:
            return
        row, node = self._combo.currentIndex(), self._currentNode()
        none = 0 if self._flags["none"] and self._scene is not None else -1
        if node is None and row != none:
            # "Create new ..." and its like are no nodes: the last node is taken instead.
            rows = self._nodeRows()
            if rows:
                self._combo.setCurrentIndex(rows[-1])
            return
        self.currentNodeChanged[object].emit(node)
        self.currentNodeChanged[bool].emit(node is not None)
        self.currentNodeIDChanged.emit(node.GetID() if node is not None else "")

    def _activated(self, row: int) -> None:
        item = self._model.item(row)
        if item is not None and (item.data(ID_ROLE) or (row == 0 and self._flags["none"])):
            self.nodeActivated.emit(self._currentNode())

    # What users do in the list

    @exposed
    def addNode(self, nodeType: str | None = None) -> Any:
        nodeType = nodeType or (self._nodeTypes or [None])[0]
        if nodeType is None or nodeType not in self._nodeTypes:
            return None
        node = self._scene.CreateNodeByClass(nodeType)
        node.UnRegister(None)
        for name, value in self._attributes.get(nodeType, {}).items():
            node.SetAttribute(name, value or "")
        node.SetName(self._scene.GenerateUniqueName(self._baseNames.get(nodeType) or self.nodeTypeLabel(nodeType)))
        self._scene.AddNode(node)
        if self._flags["selectNew"]:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    @exposed
    def removeCurrentNode(self) -> None:
        self._scene.RemoveNode(self._currentNode())

    # Properties

    @exposed
    def addAttribute(self, nodeType: str, name: str, value: Any = None) -> None:
        self._attributes.setdefault(nodeType, {})[name] = None if value is None else str(value)
        self._refill()

    @exposed
    def removeAttribute(self, nodeType: str, name: str) -> None:
        self._attributes.get(nodeType, {}).pop(name, None)
        self._refill()

    @exposed
    def setNodeTypeLabel(self, label: str, nodeType: str) -> None:
        self._labels[nodeType] = label
        self._refill()

    @exposed
    def nodeTypeLabel(self, nodeType: str) -> str:
        tag = self._scene.GetTypeDisplayNameByClassName(nodeType) if self._scene is not None and nodeType else ""
        return self._labels.get(nodeType) or tag or "node"

    def _nodeTypesValue(self) -> list[str]:
        return self._nodeTypes

    def setNodeTypes(self, types: list[str]) -> None:
        self._nodeTypes = [one for one in types if one]
        self._refill()

    def _hiddenTypesValue(self) -> list[str]:
        return self._hiddenTypes

    def setHideChildNodeTypes(self, types: list[str]) -> None:
        self._hiddenTypes = list(types)
        self._refill()

    def _baseName(self) -> str:
        return self._baseNames.get((self._nodeTypes or [""])[0], "")

    def setBaseName(self, name: str) -> None:
        self._baseNames.update(dict.fromkeys(self._nodeTypes, name))

    def _noneDisplayValue(self) -> str:
        return self._noneDisplay

    def setNoneDisplay(self, text: str) -> None:
        self._noneDisplay = text
        self._refill()

    def _flag(name: str) -> Property:  # type: ignore[misc] # noqa: N805 - no method, gone below
        def read(self: qMRMLNodeComboBox) -> bool:
            return self._flags[name]

        def write(self: qMRMLNodeComboBox, value: bool) -> None:
            if self._flags[name] != value:
                self._flags[name] = value
                self._refill()

        return Property(bool, read, write)

    currentNodeID = Property(str, _currentNodeID, setCurrentNodeID, notify=currentNodeIDChanged)
    nodeTypes = Property("QStringList", _nodeTypesValue, setNodeTypes)
    hideChildNodeTypes = Property("QStringList", _hiddenTypesValue, setHideChildNodeTypes)
    baseName = Property(str, _baseName, setBaseName)
    noneDisplay = Property(str, _noneDisplayValue, setNoneDisplay)
    noneEnabled = _flag("none")
    addEnabled = _flag("add")
    removeEnabled = _flag("remove")
    editEnabled = _flag("edit")
    renameEnabled = _flag("rename")
    showHidden = _flag("hidden")
    showChildNodeTypes = _flag("childTypes")
    selectNodeUponCreation = _flag("selectNew")
    del _flag
