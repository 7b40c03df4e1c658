"""slicer.app.coreIOManager(): slicer.util.loadVolume, saveNode and their like, on the real logics and storage nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QObject, Signal

from medenhance_host.pythonqt import exposed

TYPES_BY_SUFFIX = {
    ".mrk.json": "MarkupsFile",
    ".fcsv": "MarkupsFile",
    ".seg.nrrd": "SegmentationFile",
    ".seq.nrrd": "SequenceFile",
    ".seq.nhdr": "SequenceFile",
    ".nrrd": "VolumeFile",
    ".nhdr": "VolumeFile",
    ".nii": "VolumeFile",
    ".nii.gz": "VolumeFile",
    ".mha": "VolumeFile",
    ".mhd": "VolumeFile",
    ".dcm": "VolumeFile",
    ".h5": "TransformFile",
    ".tfm": "TransformFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
    ".txt": "TextFile",
    ".json": "TextFile",
    ".mrml": "SceneFile",
    ".mrb": "SceneFile",
}
STORED_CLASSES = {
    "MarkupsFile": "vtkMRMLMarkupsNode",
    "TransformFile": "vtkMRMLTransformNode",
    "TableFile": "vtkMRMLTableNode",
    "TextFile": "vtkMRMLTextNode",
    "SequenceFile": "vtkMRMLSequenceNode",
    "SegmentationFile": "vtkMRMLSegmentationNode",
    "VolumeFile": "vtkMRMLVolumeNode",
    "ModelFile": "vtkMRMLModelNode",
}


class CoreIOManager(QObject):
    """Reads and writes nodes and scenes."""

    newFileLoaded = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.logics: dict[str, Any] = {}

    @exposed
    def fileType(self, path: str) -> str:
        name = Path(path).name.lower()
        return next((kind for suffix, kind in TYPES_BY_SUFFIX.items() if name.endswith(suffix)), "NoFile")

    @exposed
    def fileWriterFileType(self, node: Any) -> str:
        return next((kind for kind, name in STORED_CLASSES.items() if node.IsA(name)), "NoFile")

    @exposed
    def loadNodes(self, fileType: str, properties: dict[str, Any], loaded: Any, messages: Any) -> bool:
        path = properties["fileName"]
        if isinstance(path, list | tuple):
            return all(self.loadNodes(fileType, {**properties, "fileName": one}, loaded, messages) for one in path)
        if not Path(path).exists():
            messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"File does not exist: {path}")
            return False
        if fileType == "SceneFile":
            return self.loadScene(path, properties.get("clear", False))
        node = self._loaded(fileType, path, properties, messages)
        if node is None:
            return False
        if "name" in properties and fileType not in ("VolumeFile", "MarkupsFile"):
            node.SetName(slicer.mrmlScene.GenerateUniqueName(properties["name"]))
        loaded.AddItem(node)
        return True

    def _loaded(self, fileType: str, path: str, properties: dict[str, Any], messages: Any) -> Any:
        name = properties.get("name") or Path(path).name.split(".")[0]
        if fileType == "VolumeFile":
            return self._volume(path, name, properties)
        if fileType == "MarkupsFile":
            identifier = self.logics["markups"].LoadMarkups(path, name, messages)
            return slicer.mrmlScene.GetNodeByID(identifier) if identifier else None
        logic, method = {
            "TransformFile": ("transforms", "AddTransform"),
            "TableFile": ("tables", "AddTable"),
            "SequenceFile": ("sequences", "AddSequence"),
            "SegmentationFile": ("segmentations", "LoadSegmentationFromFile"),
            "ModelFile": ("models", "AddModel"),
        }.get(fileType, ("", ""))
        if not logic:
            messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"The test host has no reader for {fileType}")
            return None
        extra = {"AddTransform": (slicer.mrmlScene,), "AddModel": (slicer.vtkMRMLStorageNode.CoordinateSystemLPS,)}
        return getattr(self.logics[logic], method)(path, *extra.get(method, ()))

    def _volume(self, path: str, name: str, properties: dict[str, Any]) -> Any:
        """As Slicer's volume reader: options are bits, a file list keeps the other slices out."""
        options = 0
        for bit, option in enumerate(("labelmap", "center", "singleFile", "autoWindowLevel", "discardOrientation")):
            options |= int(bool(properties.get(option, option == "autoWindowLevel"))) << bit
        files = None
        if properties.get("fileNames"):
            files = vtk.vtkStringArray()
            for one in properties["fileNames"]:
                files.InsertNextValue(str(one))
        node = self.logics["volumes"].AddArchetypeVolume(path, name, options, files)
        if node is not None and properties.get("show", True):
            selection = slicer.app.applicationLogic().GetSelectionNode()
            labelmap = node.IsA("vtkMRMLLabelMapVolumeNode")
            (selection.SetActiveLabelVolumeID if labelmap else selection.SetActiveVolumeID)(node.GetID())
            slicer.app.applicationLogic().PropagateVolumeSelection()
        return node

    @exposed
    def loadScene(self, path: str, clear: bool = True) -> bool:
        scene = slicer.mrmlScene
        scene.SetURL(str(path))
        if str(path).endswith(".mrb"):
            return bool(scene.ReadFromMRB(str(path), clear))
        return bool(scene.Connect() if clear else scene.Import())

    @exposed
    def saveNodes(self, fileType: str, properties: dict[str, Any], messages: Any = None) -> bool:
        if fileType == "SceneFile":
            return self.saveScene(properties["fileName"])
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        path = str(properties["fileName"])
        if not isinstance(properties["fileName"], str) or node is None:
            return False
        storage = node.GetStorageNode() or (node.AddDefaultStorageNode(path) and None) or node.GetStorageNode()
        if storage is None or not storage.SupportedFileType(path):
            return False
        storage.SetFileName(path)
        storage.SetUseCompression(int(properties.get("useCompression", storage.GetUseCompression())))
        return bool(storage.WriteData(node))

    @exposed
    def saveScene(self, path: str, screenshot: Any = None) -> bool:
        scene = slicer.mrmlScene
        if str(path).endswith(".mrb"):
            return bool(scene.WriteToMRB(str(path), screenshot))
        scene.SetURL(str(path))
        scene.SetRootDirectory(str(Path(path).parent))
        return bool(scene.Commit(str(path)))
