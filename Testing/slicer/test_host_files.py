"""Files, views and services of the host: slicer.util's own functions on real MRML."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from medenhance_host.leftovers import workers

IJK_TO_RAS = np.array(
    [[0.71, -0.05, 0.2, -12.5], [0.06, 0.72, -0.1, 7.25], [-0.21, 0.11, 2.9, -301.125], [0, 0, 0, 1.0]]
)


def volume(name: str = "ct"):
    import slicer

    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    return slicer.util.addVolumeFromArray(array, ijkToRAS=IJK_TO_RAS, name=name)


def test_volumes_are_saved_and_loaded_with_their_geometry(host, tmp_path: Path):
    import slicer

    path = tmp_path / "Étude 检查" / "ct 1.nrrd"
    path.parent.mkdir()
    node = volume()
    assert slicer.util.saveNode(node, str(path), {})
    loaded = slicer.util.loadVolume(str(path), {"name": "again"})
    assert loaded.GetName() == "again"
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(node))
    np.testing.assert_allclose(ijkToRas(loaded), IJK_TO_RAS, atol=1e-6)


def ijkToRas(node) -> np.ndarray:
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def test_a_file_that_is_not_there_is_an_error(host, tmp_path: Path):
    import slicer

    with pytest.raises(RuntimeError, match="does not exist"):
        slicer.util.loadVolume(str(tmp_path / "missing.nrrd"))


def test_a_dicom_series_loads_as_one_volume(host, shared_data: Path):
    import slicer

    folder = next(
        path for path in sorted(shared_data.rglob("*")) if path.is_dir() and len(list(path.glob("*.dcm"))) > 2
    )
    node = slicer.util.loadVolume(str(sorted(folder.glob("*.dcm"))[0]))
    assert node.GetImageData().GetDimensions()[2] > 1


def test_a_loaded_volume_is_shown_in_the_slice_views(host, tmp_path: Path):
    import slicer

    slicer.util.saveNode(volume(), str(tmp_path / "ct.nrrd"), {})
    loaded = slicer.util.loadVolume(str(tmp_path / "ct.nrrd"))
    views = slicer.app.layoutManager().sliceViewNames()
    assert views == ("Red", "Green", "Yellow")
    composites = [slicer.app.layoutManager().sliceWidget(name).mrmlSliceCompositeNode() for name in views]
    assert {node.GetBackgroundVolumeID() for node in composites} == {loaded.GetID()}
    slicer.util.setSliceViewerLayers(foreground=loaded, foregroundOpacity=0.5)
    assert composites[0].GetForegroundOpacity() == 0.5


def test_layouts_bring_their_views(host):
    import slicer

    manager, node = slicer.app.layoutManager(), slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    views = "".join(
        f'<item><view class="vtkMRMLSliceNode" singletontag="{name}"><property name="orientation" action="default">'
        "Axial</property></view></item>"
        for name in ("Left", "Right")
    )
    node.AddLayoutDescription(901, f'<layout type="horizontal">{views}</layout>')
    manager.setLayout(901)
    assert (manager.layout, manager.sliceViewNames()) == (901, ("Left", "Right"))
    assert manager.sliceWidget("Left").mrmlSliceNode().GetOrientation() == "Axial"
    assert manager.sliceWidget("Nowhere") is None


def test_markups_tables_transforms_and_sequences_are_loaded_again(host, tmp_path: Path):
    import slicer

    made = {
        "vtkMRMLMarkupsROINode": ("roi.mrk.json", slicer.util.loadMarkups),
        "vtkMRMLTableNode": ("table.tsv", slicer.util.loadTable),
        "vtkMRMLLinearTransformNode": ("turn.tfm", slicer.util.loadTransform),
    }
    for nodeClass, (name, load) in made.items():
        node = slicer.mrmlScene.AddNewNodeByClass(nodeClass)
        if nodeClass == "vtkMRMLTableNode":
            slicer.util.updateTableFromArray(node, np.array([[1.0, 2.0]]), ["a", "b"])
        assert slicer.util.saveNode(node, str(tmp_path / name), {}), name
        assert load(str(tmp_path / name)).IsA(nodeClass)
    frames = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "frames")
    for second in range(3):
        frames.SetDataNodeAtValue(volume(), str(second))
    assert slicer.util.saveNode(frames, str(tmp_path / "frames.seq.nrrd"), {})
    assert slicer.util.loadSequence(str(tmp_path / "frames.seq.nrrd")).GetNumberOfDataNodes() == 3


def test_a_scene_has_what_slicer_starts_with(host):
    import slicer

    scene = slicer.mrmlScene
    assert slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene).GetItemByDataNode(volume()) > 0
    for tag, nodeClass in (
        ("Red", "vtkMRMLSliceNode"),
        ("Red", "vtkMRMLSliceCompositeNode"),
        ("vtkMRMLLayoutNode",) * 2,
    ):
        assert scene.GetSingletonNode(tag, nodeClass) is not None, nodeClass
    assert slicer.modules.volumes.logic().IsA("vtkSlicerVolumesLogic")
    assert slicer.util.getModuleLogic("Markups").IsA("vtkSlicerMarkupsLogic")
    assert volume().GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeGrey"


def test_the_application_answers_what_modules_ask(host):
    import slicer

    assert Path(slicer.app.temporaryPath).is_dir()
    assert (slicer.app.applicationName, slicer.app.majorVersion, slicer.app.testingEnabled()) == ("Slicer", 5, False)
    assert slicer.util.startupEnvironment()["PATH"]
    slicer.app.userSettings().setValue("MedEnhance/Device", "cpu")
    assert slicer.util.settingsValue("MedEnhance/Device", "auto") == "cpu"
    assert slicer.app.extensionsManagerModel().isExtensionInstalled("PyTorch") is False
    with slicer.util.WaitCursor():
        slicer.app.processEvents()


def test_installing_packages_is_only_written_down(host):
    import slicer

    slicer.packaging.pip_install("pydicom")
    slicer.util.pip_install(["highdicom"])
    assert [call[:2] for call in host.packages.calls] == [
        ("pip_install", ("pydicom",)),
        ("slicer.util.pip_install", (["highdicom"],)),
    ]


def test_the_window_of_the_host_waits_for_a_condition(host):
    with pytest.raises(AssertionError, match="in vain"):
        host.waitFor(lambda: False, timeoutS=0.02)


def test_a_process_left_running_is_noticed(host):
    import qt

    before = workers(patienceS=0.0)
    process = qt.QProcess()
    process.start(sys.executable, ["-c", "import time; time.sleep(60)"])
    process.waitForStarted(5000)
    assert len(workers(before, patienceS=0.05)) == 1
    process.kill()
    process.waitForFinished(5000)
    assert workers(before) == []


def test_nodes_come_into_the_subject_hierarchy_and_leave_it(host):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    before, node = hierarchy.GetNumberOfItems(), volume()
    hidden = slicer.mrmlScene.CreateNodeByClass("vtkMRMLTableNode")
    hidden.UnRegister(None)
    hidden.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(hidden)
    assert hierarchy.GetNumberOfItems() == before + 1
    slicer.mrmlScene.RemoveNode(node)
    assert hierarchy.GetNumberOfItems() == before
