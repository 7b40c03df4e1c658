"""Statistics in a box: exact where they can be counted by hand, and in the box that Slicer draws elsewhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import vtk
from mrml_samples import filled, ijkToRas, linearTransform, newScene, ramp, timeMs, warpTransform

from MedEnhanceLib.RegionReadout import MOST_VOXELS, regionStatistics


@pytest.fixture
def scene():
    return newScene()


def upright(scene, array, spacing=(1.0, 2.0, 3.0)):
    node = filled(array, scene, oblique=False)
    node.SetSpacing(*spacing)
    return node


def roi(scene, centre, size):
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    node.SetCenter(*centre)
    node.SetSize(*size)
    return node


def turned(node, degrees=25.0):
    """Turn a ROI about its own centre."""
    transform = vtk.vtkTransform()
    transform.Concatenate(node.GetObjectToNodeMatrix())
    transform.RotateWXYZ(degrees, 0.2, 0.9, -0.4)
    node.SetAndObserveObjectToNodeMatrix(transform.GetMatrix())
    return node


def asDrawn(region, volume, array):
    """Values of the voxels whose centres lie in the box that Slicer draws."""
    box = region.CreateROIBoxPolyDataWorld()
    corner, z, y, x = (np.array(box.GetPoint(n)) for n in (0, 1, 2, 4))
    edges = np.stack([x - corner, y - corner, z - corner], axis=1)
    matrix, values = ijkToRas(volume), []
    for k, j, i in itertools.product(*(range(size) for size in array.shape)):
        world = [0.0, 0.0, 0.0]
        volume.TransformPointToWorld((matrix @ [i, j, k, 1.0])[:3], world)
        share = np.linalg.solve(edges, world - corner)
        if (share >= 0.0).all() and (share <= 1.0).all():
            values.append(array[k, j, i])
    return np.array(values, dtype=np.float64)


def test_a_box_that_was_counted_by_hand(scene):
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    volume = upright(scene, array)
    # i in 1..3, j in 2..3, k = 1: the faces lie half a voxel outside of their centres.
    region = roi(scene, (2.0, 5.0, 3.0), (3.0, 4.0, 3.0))
    found = regionStatistics(region, [volume])[0]
    values = array[1, 2:4, 1:4].astype(float)
    assert found.numVoxels == 6
    assert found.mean == values.mean()
    assert found.sd == pytest.approx(values.std(ddof=1))
    assert found.noiseSd is None
    assert not found.isSampled


def test_a_voxel_on_the_face_is_inside(scene):
    volume = upright(scene, ramp((3, 3, 3)), (1.0, 1.0, 1.0))
    assert regionStatistics(roi(scene, (1.0, 1.0, 1.0), (2.0, 2.0, 2.0)), [volume])[0].numVoxels == 27
    assert regionStatistics(roi(scene, (1.0, 1.0, 1.0), (1.99, 2.0, 2.0)), [volume])[0].numVoxels == 9


def test_one_voxel_has_no_spread(scene):
    found = regionStatistics(roi(scene, (1, 2, 3), (0.5, 0.5, 0.5)), [upright(scene, ramp((3, 3, 3)))])[0]
    assert (found.numVoxels, found.mean, found.sd, found.noiseSd) == (1, ramp((3, 3, 3))[1, 1, 1], 0.0, None)


@pytest.mark.parametrize("volumeParent", ["none", "linear", "warped"])
@pytest.mark.parametrize("roiParent", ["none", "linear", "nested"])
def test_oblique_boxes_and_transforms_agree_with_slicer(scene, volumeParent, roiParent):
    array = np.random.default_rng(1).integers(-1000, 1000, (7, 11, 9)).astype(np.int16)
    volume = filled(array, scene)
    volume.SetSpacing(2.1, 1.7, 3.3)
    parents = {"none": None, "linear": linearTransform(scene), "warped": warpTransform(scene)}
    if parents[volumeParent] is not None:
        volume.SetAndObserveTransformNodeID(parents[volumeParent].GetID())
    centre = [0.0, 0.0, 0.0]
    volume.TransformPointToWorld((ijkToRas(volume) @ [4.0, 5.0, 3.0, 1.0])[:3], centre)
    region = turned(roi(scene, (0.0, 0.0, 0.0), (9.0, 13.0, 11.0)))
    if roiParent != "none":
        outer = linearTransform(scene)
        parent = linearTransform(scene, outer) if roiParent == "nested" else outer
        region.SetAndObserveTransformNodeID(parent.GetID())
    region.SetCenterWorld(centre)
    wanted = asDrawn(region, volume, array)
    found = regionStatistics(region, [volume])[0]
    assert 20 < wanted.size < array.size / 2
    assert found.numVoxels == wanted.size
    assert found.mean == pytest.approx(wanted.mean(), rel=1e-12)
    assert found.sd == pytest.approx(wanted.std(ddof=1), rel=1e-12)


def test_neither_a_gradient_nor_a_step_between_slices_is_noise(scene):
    k, j, i = np.mgrid[:4, :12, :15].astype(np.float32)
    shading = 7.0 * i - 3.0 * j + 100.0 * k
    noise = np.random.default_rng(2).normal(0.0, 15.0, shading.shape).astype(np.float32)
    smooth, noisy = upright(scene, shading), upright(scene, shading + noise)
    region = roi(scene, (7.0, 11.0, 4.5), (100.0, 100.0, 100.0))
    first, second = regionStatistics(region, [smooth, noisy])
    assert first.noiseSd == pytest.approx(0.0, abs=1e-3)
    assert first.sd > 100.0
    assert second.noiseSd == pytest.approx(15.0, rel=0.06)


def test_the_noise_is_that_of_a_fit_to_each_slice(scene):
    array = np.random.default_rng(4).normal(size=(3, 9, 8))
    found = regionStatistics(roi(scene, (3.5, 8.0, 3.0), (100.0, 100.0, 100.0)), [upright(scene, array)])[0]
    rows, columns = np.mgrid[:9, :8]
    terms = np.stack([np.ones(72), rows.ravel(), columns.ravel()], axis=1)
    residues = [np.linalg.lstsq(terms, plane.ravel(), rcond=None)[1][0] for plane in array]
    assert found.noiseSd == pytest.approx(np.sqrt(sum(residues) / (3 * (72 - 3))), rel=1e-9)


def test_one_row_of_voxels_has_a_noise_too(scene):
    array = np.random.default_rng(5).normal(0.0, 5.0, (1, 1, 400))
    found = regionStatistics(roi(scene, (200, 0, 0), (1000.0, 1.0, 1.0)), [upright(scene, array)])[0]
    assert found.noiseSd == pytest.approx(5.0, rel=0.15)


def test_a_box_elsewhere_and_a_box_that_is_not_placed_find_nothing(scene):
    volume = upright(scene, ramp((3, 3, 3)))
    assert regionStatistics(roi(scene, (100.0, 0.0, 0.0), (5.0, 5.0, 5.0)), [volume]) == [None]
    assert regionStatistics(scene.AddNewNodeByClass("vtkMRMLMarkupsROINode"), [volume, volume]) == [None, None]
    assert regionStatistics(roi(scene, (0.5, 1.0, 1.5), (0.1, 0.1, 0.1)), [volume]) == [None]
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert regionStatistics(roi(scene, (1.0, 2.0, 3.0), (5.0, 5.0, 5.0)), [empty, volume])[0] is None


def test_volumes_on_different_grids_are_each_measured_on_their_own(scene):
    near, far = upright(scene, ramp((3, 3, 3))), upright(scene, ramp((3, 3, 3)))
    far.SetOrigin(50.0, 0.0, 0.0)
    found = regionStatistics(roi(scene, (1.0, 2.0, 3.0), (10.0, 10.0, 10.0)), [near, far, near])
    assert found[0] == found[2] is not None
    assert found[1] is None
    moved = upright(scene, ramp((3, 3, 3)))
    moved.SetAndObserveTransformNodeID(linearTransform(scene).GetID())
    found = regionStatistics(roi(scene, (1.0, 2.0, 3.0), (1.0, 1.0, 1.0)), [near, moved])
    assert found[0] is not None
    assert found[1] is None


def test_a_large_region_is_thinned_out_and_quick(scene):
    array = np.zeros((100, 256, 256), np.int16)
    array[:] = np.random.default_rng(3).normal(0.0, 30.0, (256, 256))
    volume = upright(scene, array, (0.7, 0.7, 1.0))
    region = turned(roi(scene, (90.0, 90.0, 50.0), (300.0, 300.0, 300.0)))
    found = []
    assert timeMs(lambda: found.extend(regionStatistics(region, [volume] * 3))) < 50.0
    assert found[0].isSampled
    assert found[0].numVoxels <= MOST_VOXELS
    assert found[0].sd == pytest.approx(30.0, rel=0.03)
    volume.SetAndObserveTransformNodeID(warpTransform(scene).GetID())
    assert timeMs(lambda: found.extend(regionStatistics(region, [volume] * 3))) < 50.0
    assert found[3].sd == pytest.approx(30.0, rel=0.05)
