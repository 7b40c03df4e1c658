"""A fresh MRML scene with the singletons, logics and views of Slicer's start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk

LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Units": "vtkSlicerUnitsLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Models": "vtkSlicerModelsLogic",
    "Texts": "vtkSlicerTextsLogic",
}


class DicomDatabase(dict[str, str]):
    """slicer.dicomDatabase: file by SOP instance UID; only what modules of ours ask."""

    isOpen = True

    def fileForInstance(self, uid: str) -> str:
        return self.get(uid, "")


def release(app: Any) -> None:
    """Let the scene that was used until now go, with all that holds it."""
    app.hierarchy.follow(None)
    app.layouts.release()
    app.io.logics = {}
    app.drain()


def renew(app: Any, folder: Path) -> DicomDatabase:
    """Give the application a new scene; ``slicer.mrmlScene`` is it from then on."""
    release(app)
    scene = slicer.vtkMRMLScene()
    applicationLogic = slicer.vtkSlicerApplicationLogic()
    slicer.mrmlScene = scene
    # Colour tables come with the application, in this folder; the logics look for it.
    (folder / "home" / "share" / "ColorFiles").mkdir(parents=True)
    applicationLogic.SetHomeDirectory(str(folder / "home"))
    applicationLogic.SetShareDirectory("share")
    applicationLogic.SetMRMLScene(scene)
    applicationLogic.SetSliceLogics(vtk.vtkCollection())
    applicationLogic.SetViewLogics(vtk.vtkCollection())
    logics = {name: started(name, kind, applicationLogic) for name, kind in LOGICS.items()}
    applicationLogic.SetColorLogic(logics["Colors"])
    database = DicomDatabase()
    slicer.dicomDatabase = database
    for name, logic in logics.items():
        app.modules.addCore(name, logic)
    app.io.logics = {name.lower(): logic for name, logic in logics.items()}
    app.renew(folder, applicationLogic)
    applicationLogic.SetTemporaryPath(str(folder / "temporary"))
    app.layouts.renew(applicationLogic)
    app.hierarchy.follow(scene)
    return database


def started(name: str, kind: str, applicationLogic: Any) -> Any:
    """A module's logic in the scene, known to the others by the module's name."""
    logic = getattr(slicer, kind)()
    applicationLogic.SetModuleLogic(name, logic)
    logic.SetMRMLApplicationLogic(applicationLogic)
    logic.SetMRMLScene(applicationLogic.GetMRMLScene())
    return logic
