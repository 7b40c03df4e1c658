"""Volume nodes out into files and results back into nodes, exact and in short steps."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import slicer
import vtk
from mrml_samples import (
    SCALAR_TYPES,
    STRANGE_NAME,
    filled,
    finish,
    ijkToRas,
    linearTransform,
    longestStepMs,
    memoryMb,
    newScene,
    ramp,
    strangeFolder,
    timeMs,
    warpTransform,
)

from medenhance.errors import MedEnhanceError
from MedEnhanceLib import VolumeBridge
from MedEnhanceLib.OutputNodes import copyDisplay, newOutputNode
from MedEnhanceLib.VolumeBridge import (
    exportSteps,
    fillNode,
    importSteps,
    modalityOf,
    releaseSteps,
    volumeArray,
    voxelSample,
)
from MedEnhanceLib.VolumeFile import newVoxels, readSteps

LONGEST_CALL_MS = 50.0


def hounsfieldUnits():
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    return units


@pytest.fixture
def scene():
    return newScene()


@pytest.mark.parametrize("dtype", SCALAR_TYPES)
def test_a_volume_goes_out_and_comes_back_to_the_last_bit(tmp_path, scene, dtype):
    source, target = filled(ramp(dtype=dtype), scene), newOutputNode(scene, filled(ramp(), scene), "b")
    path = strangeFolder(tmp_path) / "in put.nrrd"
    finish(exportSteps(source, path))
    finish(importSteps(path, source, target))
    assert volumeArray(target).dtype == dtype
    np.testing.assert_array_equal(volumeArray(target), ramp(dtype=dtype))
    np.testing.assert_array_equal(ijkToRas(target), ijkToRas(source))


def test_slicer_itself_reads_what_was_written(tmp_path, scene):
    source, target = filled(ramp(), scene), scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    finish(exportSteps(source, tmp_path / "volume.nrrd"))
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(tmp_path / "volume.nrrd"))
    assert storage.ReadData(target) == 1
    np.testing.assert_array_equal(volumeArray(target), ramp())
    np.testing.assert_allclose(ijkToRas(target), ijkToRas(source), rtol=0, atol=1e-12)


def test_the_matrix_is_equal_for_any_geometry(scene):
    random = np.random.default_rng(3)
    source, target = filled(ramp(), scene), filled(ramp(), scene)
    for _ in range(200):
        columns = random.normal(size=(3, 3))
        source.SetIJKToRASDirections(*(columns / np.linalg.norm(columns, axis=0)).ravel())
        source.SetSpacing(*random.uniform(0.1, 7.0, 3))
        source.SetOrigin(*random.normal(scale=300.0, size=3))
        fillNode(ramp(), source, target)
        np.testing.assert_array_equal(ijkToRas(target), ijkToRas(source))


@pytest.mark.parametrize("kind", ["linear", "nested", "warped"])
def test_parent_transforms_stay_where_they_are(tmp_path, scene, kind):
    source, target = filled(ramp(), scene), newOutputNode(scene, filled(ramp(), scene), "b")
    before = ijkToRas(source)
    parent = warpTransform(scene) if kind == "warped" else linearTransform(scene)
    parent = linearTransform(scene, parent) if kind == "nested" else parent
    source.SetAndObserveTransformNodeID(parent.GetID())
    finish(exportSteps(source, tmp_path / "volume.nrrd"))
    finish(importSteps(tmp_path / "volume.nrrd", source, target))
    assert target.GetParentTransformNode() is parent
    np.testing.assert_array_equal(ijkToRas(target), before)
    np.testing.assert_array_equal(ijkToRas(source), before)
    source.SetAndObserveTransformNodeID(None)
    fillNode(ramp(), source, target)
    assert target.GetParentTransformNode() is None


def test_the_file_says_ct_when_the_voxels_are_in_hounsfield_units(tmp_path, scene):
    node = filled(ramp(), scene)
    assert modalityOf(node) is None
    node.SetVoxelValueUnits(hounsfieldUnits())
    assert modalityOf(node) == "CT"
    finish(exportSteps(node, tmp_path / "volume.nrrd"))
    assert b"\nMedEnhance_modality:=CT\n" in (tmp_path / "volume.nrrd").read_bytes()


def test_the_modality_of_the_study_tree_is_found(scene):
    node = filled(ramp(), scene)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", "MR")
    assert modalityOf(node) == "MR"
    assert modalityOf(filled(ramp())) is None  # in no scene


def test_units_and_quantity_come_along(scene):
    source, target = filled(ramp(), scene), filled(ramp(), scene)
    source.SetVoxelValueUnits(hounsfieldUnits())
    fillNode(ramp(), source, target)
    assert target.GetVoxelValueUnits().GetCodeValue() == "[hnsf'U]"
    assert target.GetVoxelValueUnits() is not source.GetVoxelValueUnits()
    assert target.GetVoxelValueQuantity() is None


def test_a_result_of_another_shape_is_refused_and_changes_nothing(scene):
    source, target = filled(ramp(), scene), filled(ramp() + 1, scene)
    with pytest.raises(ValueError, match=r"\(3, 5, 6\).*\(3, 5, 7\)"):
        fillNode(ramp((3, 5, 6)), source, target)
    np.testing.assert_array_equal(volumeArray(target), ramp() + 1)


def test_empty_and_colour_volumes_are_refused_by_name(scene):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", STRANGE_NAME)
    with pytest.raises(MedEnhanceError, match=f"{STRANGE_NAME} holds no image"):
        volumeArray(empty)
    image = vtk.vtkImageData()
    image.SetDimensions(2, 2, 2)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    empty.SetAndObserveImageData(image)
    with pytest.raises(MedEnhanceError, match="holds 3 numbers a voxel"):
        volumeArray(empty)


def test_voxels_that_were_read_are_taken_over_and_others_are_copied(scene):
    source, target = filled(ramp(), scene), filled(ramp(), scene)
    array = newVoxels(ramp().shape, "int16")
    array[:] = 5
    address = array.ctypes.data
    fillNode(array, source, target)
    assert volumeArray(target).ctypes.data == address
    fillNode(volumeArray(target), source, source)
    assert volumeArray(source).ctypes.data != address
    flipped = newVoxels(ramp().shape, "int16")
    flipped[:] = ramp()
    fillNode(flipped[::-1, ::-1, ::-1], source, target)
    np.testing.assert_array_equal(volumeArray(target), ramp()[::-1, ::-1, ::-1])
    cube = newVoxels((4, 4, 4), "int16")
    cube[:] = np.arange(64).reshape(4, 4, 4)
    fillNode(cube.T, filled(cube, scene), target)
    np.testing.assert_array_equal(volumeArray(target), np.arange(64).reshape(4, 4, 4).T)


def test_the_voxels_outlive_everything_that_brought_them(scene):
    source, target = filled(ramp(), scene), filled(ramp(), scene)
    array = newVoxels(ramp().shape, "int16")
    array[:] = ramp()[::-1]
    fillNode(array, source, target)
    del array
    gc.collect()
    other = [newVoxels(ramp().shape, "int16") for _ in range(50)]
    for one in other:
        one[:] = -1
    np.testing.assert_array_equal(volumeArray(target), ramp()[::-1])


def test_a_sample_is_small_and_spread_evenly():
    array = np.arange(40 * 60 * 50).reshape(40, 60, 50)
    sample = voxelSample(array, 1000)
    assert 300 < sample.size <= 1000
    assert sample.ndim == 3
    assert abs(sample.mean() - array.mean()) < 0.1 * array.mean()
    np.testing.assert_array_equal(voxelSample(array, array.size), array)


def test_filling_computes_no_window(scene):
    source, target = filled(ramp(), scene), filled(ramp(), scene)
    target.CreateDefaultDisplayNodes()
    before = target.GetDisplayNode().GetWindow()
    assert target.GetDisplayNode().GetAutoWindowLevel()
    fillNode(ramp() // 7, source, target)
    assert target.GetDisplayNode().GetWindow() == before
    assert not target.GetDisplayNode().GetAutoWindowLevel()


def test_the_image_that_was_there_is_given_back_unless_it_is_used_elsewhere(scene, monkeypatch):
    monkeypatch.setattr(VolumeBridge, "CHUNK_BYTES", 48)
    source, target, other = filled(ramp(), scene), filled(ramp() + 1, scene), filled(ramp(), scene)
    used = fillNode(ramp(), source, target)
    other.SetAndObserveImageData(used)
    finish(releaseSteps(used))
    np.testing.assert_array_equal(volumeArray(other), ramp() + 1)
    unused = fillNode(ramp(), source, target)
    finish(releaseSteps(unused))
    assert unused.GetPointData().GetScalars().GetNumberOfTuples() < 48
    assert list(releaseSteps(None)) == []


def largeVolume(scene):
    """512 x 512 x 300 voxels of int16, as a node with a display node that follows its values."""
    array = newVoxels((300, 512, 512), "int16")
    array[:] = np.arange(512, dtype=np.int16) - 1000
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "large")
    small = filled(ramp(), scene)
    image = vtk.vtkImageData()
    image.SetDimensions(512, 512, 300)
    small.SetAndObserveImageData(image)
    fillNode(array, small, node)
    return node


def test_no_call_takes_long_for_a_large_volume(tmp_path, scene):
    source, target = largeVolume(scene), None
    path = tmp_path / "large.nrrd"
    assert longestStepMs(exportSteps(source, path)) < LONGEST_CALL_MS
    copyDisplay(source, source)
    target = newOutputNode(scene, source, "b")
    for _ in range(2):  # into an empty node, and in place of an earlier result
        steps, arrays = readSteps(path), []

        def reading(steps=steps, arrays=arrays):
            arrays.append((yield from steps))

        assert longestStepMs(reading()) < LONGEST_CALL_MS
        old = []
        assert (
            timeMs(lambda arrays=arrays, old=old: old.append(fillNode(arrays.pop(), source, target))) < LONGEST_CALL_MS
        )
        assert timeMs(lambda: copyDisplay(source, target)) < LONGEST_CALL_MS
        assert timeMs(lambda: copyDisplay(source, target, symmetricAroundZero=True)) < LONGEST_CALL_MS

        def releasing(old=old):
            yield from releaseSteps(old.pop())

        assert longestStepMs(releasing()) < LONGEST_CALL_MS
    np.testing.assert_array_equal(volumeArray(target), volumeArray(source))


def test_ten_results_in_turn_need_the_memory_of_one(tmp_path, scene):
    shape = (64, 256, 256)  # 8 MB
    source = filled(np.zeros(shape, np.int16), scene)
    path = tmp_path / "volume.nrrd"
    finish(exportSteps(source, path))

    def cycle():
        target = newOutputNode(scene, source, "b")
        finish(importSteps(path, source, target))
        copyDisplay(source, target)
        finish(importSteps(path, source, target))
        scene.RemoveNode(target.GetDisplayNode())
        scene.RemoveNode(target)

    cycle()
    before = memoryMb()
    nodes = scene.GetNumberOfNodes()
    for _ in range(10):
        cycle()
    assert memoryMb() - before < 4.0
    assert scene.GetNumberOfNodes() == nodes
