"""A volume that a model cannot take is refused in plain words; one that it may take badly gives a warning."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from mrml_samples import STRANGE_NAME, filled, newScene, timeMs

from medenhance.manifest import load_manifest
from MedEnhanceLib.InputCheck import inputProblem, inputWarnings
from MedEnhanceLib.Provenance import setProvenance

ENTRY = next(iter(load_manifest().values()))
ACCEPTED = {
    "modality": "CT",
    "spacing_mm": (0.1, 5.0),
    "slice_spacing_mm": (0.05, 50.0),
    "value_range": (-32768.0, 65535.0),
}
TRUSTED = {"spacing_mm": (0.45, 0.97)}


@pytest.fixture
def scene():
    return newScene()


def body(shape=(6, 40, 50)):
    """CT numbers of soft tissue in air."""
    array = np.full(shape, -1000, np.int16)
    array[:, 8:-8, 8:-8] = np.random.default_rng(0).normal(40.0, 12.0, (shape[0], shape[1] - 16, shape[2] - 16))
    return array


def asCt(node, unit="[hnsf'U]"):
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning(unit, "UCUM", "Hounsfield unit")
    node.SetVoxelValueUnits(units)
    return node


def test_a_ct_is_fine_whether_it_says_so_or_not(scene):
    for node in (filled(body(), scene), asCt(filled(body(), scene)), filled(body((1, 40, 50)), scene)):
        assert inputProblem(node, ACCEPTED) == ""
        assert inputWarnings(node, TRUSTED) == []


def test_the_entries_of_the_manifest_are_taken_as_they_are(scene):
    node = filled(body(), scene)
    assert inputProblem(node, ENTRY.accepted) == ""
    assert inputWarnings(node, ENTRY.trusted) == []
    node.SetSpacing(9.0, 9.0, 1.0)
    assert "pixels are 9 mm" in inputProblem(node, ENTRY.accepted)


def test_nothing_and_an_empty_volume_are_refused(scene):
    assert "Select a volume" in inputProblem(None, ACCEPTED)
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", STRANGE_NAME)
    assert inputProblem(empty, ACCEPTED).startswith(f"{STRANGE_NAME} holds no image.")


def test_a_label_map_is_refused(scene):
    assert "label map" in inputProblem(scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels"), ACCEPTED)


def test_a_node_that_is_no_volume_is_refused(scene):
    assert "no volume of grey values" in inputProblem(scene.AddNewNodeByClass("vtkMRMLModelNode", "m"), ACCEPTED)


def test_colours_are_refused(scene):
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 1)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(image)
    assert "colour" in inputProblem(node, ACCEPTED)


def test_another_modality_is_refused_by_name(scene):
    node = filled(body(), scene)
    node.SetAttribute("DICOM.Modality", "MR")
    assert inputProblem(node, ACCEPTED) == f"{STRANGE_NAME} is MR, but this model is made for CT. Choose a CT series."


@pytest.mark.parametrize(
    ("spacing", "said"),
    [
        ((0.05, 0.5, 1.0), "pixels are 0.05 mm"),
        ((0.5, 6.0, 1.0), "pixels are 6 mm"),
        ((0.5, 0.5, 60.0), "slices are 60 mm apart"),
    ],
)
def test_voxels_of_a_size_that_the_model_cannot_take_are_refused(scene, spacing, said):
    node = filled(body(), scene)
    node.SetSpacing(*spacing)
    assert said in inputProblem(node, ACCEPTED)


def test_the_distance_of_slices_means_nothing_for_one_slice(scene):
    node = filled(body((1, 40, 50)), scene)
    node.SetSpacing(0.7, 0.7, 60.0)
    assert inputProblem(node, ACCEPTED) == ""


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.where(body() > 0, np.nan, 0.0).astype(np.float32), "no numbers"),
        (np.where(body() > 0, np.inf, -1000.0), "no numbers"),
        (body().astype(np.int32) * 100, "from -100000 to"),
        (np.clip(body(), 0, 255).astype(np.uint8), "grey values or labels"),
    ],
)
def test_values_that_are_no_ct_numbers_are_refused(scene, array, said):
    assert said in inputProblem(filled(array, scene), ACCEPTED)


def test_a_ct_of_bone_alone_is_not_taken_for_grey_values_when_its_unit_is_known(scene):
    assert inputProblem(asCt(filled(np.full((2, 9, 9), 200, np.int16), scene)), ACCEPTED) == ""


def test_values_that_are_shifted_by_1000_are_noticed(scene):
    warnings = inputWarnings(filled(body() + 1000, scene), TRUSTED)
    assert len(warnings) == 1
    assert "offset by about 1000 HU" in warnings[0]


def test_pixels_that_the_model_was_not_tested_on_are_noticed(scene):
    node = filled(body(), scene)
    node.SetSpacing(1.5, 1.5, 3.0)
    assert inputWarnings(node, TRUSTED) == ["The pixels are 1.50 x 1.50 mm; the model was tested on 0.45 to 0.97 mm."]


def test_coronal_slices_are_noticed_and_tilted_ones_are_not(scene):
    node = filled(body(), scene, oblique=False)
    node.SetSpacing(0.7, 0.7, 1.0)
    node.SetIJKToRASDirections(-1, 0, 0, 0, 0, 1, 0, -1, 0)
    assert ["not axial" in warning for warning in inputWarnings(node, TRUSTED)] == [True]
    node.SetIJKToRASDirections(-1, 0, 0, 0, -0.87, 0, 0, -0.5, 1)
    assert inputWarnings(node, TRUSTED) == []


def test_a_result_of_ours_is_noticed_and_its_values_are_not_judged(scene):
    node = filled(body() + 1000, scene, "residual")
    run = dict.fromkeys(("model_id", "model_version", "weights_sha256", "strength", "precision", "device"), "m")
    setProvenance(node, {"run": run}, None)
    assert inputWarnings(node, TRUSTED) == ["residual is a result of m, not an original series."]


def test_a_large_volume_takes_no_longer(scene):
    node = filled(np.zeros((150, 512, 512), np.int16), scene, oblique=False)
    node.SetSpacing(0.7, 0.7, 1.0)
    node.GetImageData().GetPointData().GetScalars().Fill(-1000)
    assert timeMs(lambda: inputProblem(node, ACCEPTED)) < 50.0
    assert timeMs(lambda: inputWarnings(node, TRUSTED)) < 50.0
