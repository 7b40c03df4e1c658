"""The DICOM files behind a volume are found, all or none; real series come through to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from mrml_samples import filled, finish, ijkToRas, newScene, ramp, strangeFolder

from medenhance.image_files import read_image
from MedEnhanceLib.DicomSource import dicomFilesOf
from MedEnhanceLib.VolumeBridge import exportSteps, volumeArray

DICOM_GROUPS = [
    "head_ct/ge_hispeed_tilt_variable_spacing",
    "body_ct/siemens_abdomen_j2k_20slices",
    "body_ct/dcmqi_ct_3slice",
]


class Database:
    """As slicer.dicomDatabase."""

    def __init__(self, files):
        self.files = files

    def fileForInstance(self, uid):
        return self.files.get(uid, "")


@pytest.fixture
def scene():
    return newScene()


@pytest.fixture
def files(tmp_path):
    """Three files that start as DICOM does."""
    folder = strangeFolder(tmp_path)
    paths = [folder / f"{n}.dcm" for n in range(3)]
    for path in paths:
        path.write_bytes(bytes(128) + b"DICM" + bytes(20))
    return [str(path) for path in paths]


def stored(scene, files):
    node = filled(ramp(), scene)
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(files[0])
    for file in files:
        storage.AddFileName(file)
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


def test_instances_are_looked_up_in_the_database_in_their_order(scene, files):
    node = filled(ramp(), scene)
    node.SetAttribute("DICOM.instanceUIDs", "1.3 1.1 1.2 1.1")
    database = Database({"1.1": files[0], "1.2": files[1], "1.3": files[2]})
    assert dicomFilesOf(node, database) == [files[2], files[0], files[1]]
    assert dicomFilesOf(node) == []


def test_half_a_series_is_no_source(scene, files):
    node = filled(ramp(), scene)
    node.SetAttribute("DICOM.instanceUIDs", "1.1 1.2")
    assert dicomFilesOf(node, Database({"1.1": files[0]})) == []
    assert dicomFilesOf(node, Database({"1.1": files[0], "1.2": files[1] + ".gone"})) == []


def test_a_volume_that_was_dragged_in_has_the_files_of_its_storage_node(scene, files):
    assert dicomFilesOf(stored(scene, files)) == files
    assert dicomFilesOf(stored(scene, files[:1])) == files[:1]


def test_files_that_are_not_dicom_or_gone_are_no_source(scene, files, tmp_path):
    image = tmp_path / "volume.nrrd"
    image.write_bytes(b"NRRD0005\n" + bytes(200))
    assert dicomFilesOf(stored(scene, [str(image)])) == []
    assert dicomFilesOf(stored(scene, [*files, str(tmp_path / "gone.dcm")])) == []
    assert dicomFilesOf(filled(ramp(), scene)) == []


def test_the_files_of_old_scanners_without_a_preamble_count(scene, tmp_path):
    old = tmp_path / "IM0001"
    old.write_bytes(b"\x08\x00\x00\x00\x04\x00\x00\x00" + bytes(200))
    assert dicomFilesOf(stored(scene, [str(old)])) == [str(old)]


@pytest.mark.parametrize("group", DICOM_GROUPS)
def test_a_real_series_is_handed_over_exactly(scene, shared_data, tmp_path, group):
    series = sorted(str(path) for path in (shared_data / group).glob("*.dcm") if "_seg" not in path.name)
    node, storage = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"), slicer.vtkMRMLVolumeArchetypeStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(series[0])
    assert storage.ReadData(node) == 1
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert sorted(dicomFilesOf(node)) == series
    path = strangeFolder(tmp_path) / "in put.nrrd"
    finish(exportSteps(node, path))
    volume = read_image(path)
    np.testing.assert_array_equal(volume.array, volumeArray(node))
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.grid.affine
    np.testing.assert_allclose(affine, ijkToRas(node), rtol=0, atol=1e-12)
