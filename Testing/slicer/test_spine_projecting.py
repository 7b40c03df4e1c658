"""Volumes and recordings of a back become projections in the panel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import tiny_spine_model
import vtk
from mrml_samples import linearTransform
from panel_driver import LIMIT_S, nodeIds
from spine_driver import SpinePanel
from spine_nodes import addBack, addProjection

from medenhance.errors import MedEnhanceError
from medenhance_host import Host


@pytest.fixture(scope="session")
def modelCache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("spine") / "cache é"
    tiny_spine_model.addTo(cache)
    return cache


@pytest.fixture
def panel(host: Host, modelCache: Path, monkeypatch: pytest.MonkeyPatch) -> SpinePanel:
    monkeypatch.setenv("MEDENHANCE_CACHE", str(modelCache))
    return SpinePanel(host)


def matrixOf(node: Any) -> Any:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


def test_project_makes_five_images_that_can_be_enhanced(panel: SpinePanel) -> None:
    volume = addBack(slicer.mrmlScene)
    panel.ui.volumeSelector.setCurrentNode(volume)
    panel.ui.axesComboBox.setCurrentText("RIA")
    assert panel.ui.projectButton.enabled
    panel.ui.projectButton.click()
    panel.host.waitFor(lambda: not panel.isRunning, LIMIT_S)
    assert "Projected at" in panel.ui.statusLabel.text, panel.ui.statusLabel.text
    image = panel.parameters.projection
    assert "depth 3" in image.GetName()
    assert image.GetImageData().GetDimensions() == (60, 70, 1)
    assert image.GetSpacing()[:2] == pytest.approx((1.1, 0.9))
    corner = [matrixOf(node).MultiplyPoint((7.0, 9.0, 0.0, 1.0))[:3] for node in (image, volume)]
    assert np.delete(np.subtract(*corner), 1) == pytest.approx((0.0, 0.0), abs=1e-3)  # depth alone differs
    panel.apply()
    report = json.loads(panel.parameters.outputVolume.GetAttribute("MedEnhance.Report"))
    assert report["shape"] == [70, 60]
    assert any("resampled" in warning for warning in report["warnings"])


def test_enhanced_structures_are_looked_for_in_all_depths(panel: SpinePanel) -> None:
    from MedEnhanceLib.SpineRun import spineRequest

    nodes = panel.logic.project(addBack(slicer.mrmlScene), "RIA")
    assert len(nodes) == 5
    request = spineRequest(nodes[2], ["enhance"], {}, 0.0)
    assert request.files.beside["other_depths"] == [nodes[0], nodes[1], nodes[3], nodes[4]]


def test_a_projection_that_is_cancelled_leaves_the_scene_as_it_was(panel: SpinePanel) -> None:
    panel.ui.volumeSelector.setCurrentNode(addBack(slicer.mrmlScene))
    before = nodeIds()
    panel.ui.projectButton.click()
    panel.press()
    panel.host.waitFor(lambda: not panel.isRunning, 10.0)
    assert nodeIds() == before


def test_a_volume_that_cannot_be_projected_is_refused_in_words(panel: SpinePanel) -> None:
    node = addProjection(slicer.mrmlScene)
    slicer.util.updateVolumeFromArray(node, np.zeros((6, 30, 20), np.uint8))
    before = nodeIds()
    with pytest.raises(MedEnhanceError) as error:
        panel.logic.project(node, "RIA")
    assert error.value.kind == "input-unsuitable"
    assert nodeIds() == before


def addRegion(volume: Any) -> Any:
    """A ROI around the volume whose axes are the patient's: by the volume's own, head and back would be elsewhere."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "region")
    bounds = np.zeros(6)
    volume.GetRASBounds(bounds)
    matrix = vtk.vtkMatrix4x4()
    for axis, sign in enumerate((1.0, -1.0, -1.0)):
        matrix.SetElement(axis, axis, sign)
        matrix.SetElement(axis, 3, bounds[2 * axis : 2 * axis + 2].mean())
    node.SetAndObserveObjectToNodeMatrix(matrix)
    node.SetSize(*(bounds[1::2] - bounds[::2]))
    return node


def test_a_region_says_how_the_patient_lies(panel: SpinePanel) -> None:
    volume = addBack(slicer.mrmlScene)
    panel.ui.volumeSelector.setCurrentNode(volume)
    panel.ui.axesComboBox.setCurrentText("RSA")
    panel.ui.regionSelector.setCurrentNode(addRegion(volume))
    assert not panel.ui.axesComboBox.enabled
    panel.ui.projectButton.click()
    panel.host.waitFor(lambda: not panel.isRunning, LIMIT_S)
    assert "Projected at" in panel.ui.statusLabel.text, panel.ui.statusLabel.text
    image, byAxes = panel.parameters.projection, panel.logic.project(volume, "RIA")[2]
    directions, extents, profiles = [], [], []
    for node in (image, byAxes):
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASDirectionMatrix(matrix)
        directions.append([matrix.GetElement(row, column) for row in range(3) for column in range(3)])
        extents.append(np.multiply(node.GetSpacing()[:2], node.GetImageData().GetDimensions()[:2]))
        profile = slicer.util.arrayFromVolume(node)[0].astype(float).mean(axis=0)
        profiles.append(np.interp(np.linspace(0, 1, 50), np.linspace(0, 1, profile.size), profile))
    assert directions[0] == pytest.approx(directions[1], abs=1e-6)
    assert extents[0] == pytest.approx(extents[1], abs=1.0)
    assert np.corrcoef(profiles)[0, 1] > 0.8  # the bone lies beside the middle in both


@pytest.mark.parametrize("isBelow", [False, True])
def test_a_region_is_written_in_the_frame_of_the_volume(isBelow: bool, host: Host, tmp_path: Path) -> None:
    """The volume under a transform; the region under it, too, or at the same place in the world."""
    from MedEnhanceLib.ProjectionJob import writeRegion

    volume = addBack(slicer.mrmlScene)
    region = addRegion(volume)
    writeRegion(region, volume, tmp_path / "plain.json")
    shift = vtk.vtkMatrix4x4()
    shift.DeepCopy((0.8, -0.6, 0, 5, 0.6, 0.8, 0, -7, 0, 0, 1, 11, 0, 0, 0, 1))
    transform = linearTransform(slicer.mrmlScene)
    transform.SetMatrixTransformToParent(shift)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    if isBelow:
        region.SetAndObserveTransformNodeID(transform.GetID())
    else:
        moved = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Multiply4x4(shift, region.GetObjectToNodeMatrix(), moved)
        region.SetAndObserveObjectToNodeMatrix(moved)
    writeRegion(region, volume, tmp_path / "moved.json")
    plain, moved = (json.loads((tmp_path / name).read_text())["markups"][0] for name in ("plain.json", "moved.json"))
    for key in ("center", "orientation", "size"):
        assert moved[key] == pytest.approx(plain[key], abs=1e-9)
    assert host.errors == []


def writeRecording(folder: Path) -> tuple[Path, Path]:
    """A tracked sweep over a back, 1 mm a frame to the feet, and the calibration of its probe."""
    depth, column = np.mgrid[0:110, 0:80]
    bone = 150 * np.exp(-0.5 * (depth * 0.5 - 24) ** 2) * (np.abs(np.abs(column - 39.5) - 31) < 8)
    frame = np.clip(20 + 100 * np.exp(-depth / 30) + bone, 1, 255).astype(np.uint8)
    lines = ["ObjectType = Image", "NDims = 3", "DimSize = 80 110 50", "ElementSpacing = 1 1 1"]
    lines += ["Kinds = domain domain list", "UltrasoundImageOrientation = MFA", "ElementType = MET_UCHAR"]
    for n in range(50):
        pose = f"-1 0 0 5 0 -1 0 40 0 0 1 {100 - n} 0 0 0 1"
        lines += [f"Seq_Frame{n:04}_ProbeToTrackerTransform = {pose}"]
        lines += [f"Seq_Frame{n:04}_ProbeToTrackerTransformStatus = OK"]
    path, calibration = folder / "recording é.igs.mha", folder / "plus é.xml"
    path.write_bytes(("\n".join([*lines, "ElementDataFile = LOCAL"]) + "\n").encode() + frame.tobytes() * 50)
    numbers = "0.6 0 0 -24 0 0.5 0 2 0 0 0.3 0 0 0 0 1"
    calibration.write_text(
        f'<PlusConfiguration><CoordinateDefinitions><Transform From="Image" To="Probe" Matrix="{numbers}"/>'
        "</CoordinateDefinitions></PlusConfiguration>",
        encoding="utf-8",
    )
    return path, calibration


def test_a_recording_is_projected_from_its_file(panel: SpinePanel, tmp_path: Path) -> None:
    panel.ui.axesComboBox.setCurrentText("RIA")
    panel.host.dialogs.answer(*map(str, writeRecording(tmp_path)))
    panel.ui.recordingButton.click()
    assert not panel.ui.recordingButton.enabled
    panel.host.waitFor(lambda: not panel.isRunning, LIMIT_S)
    assert "Projected at" in panel.ui.statusLabel.text, panel.ui.statusLabel.text
    image = panel.parameters.projection
    assert image.GetName().startswith("recording é depth 3")
    assert image.GetSpacing()[:2] == pytest.approx((0.5, 0.5))
    assert image.GetImageData().GetDimensions()[0] == pytest.approx(80 * 0.6 / 0.5, abs=2)


def test_a_recording_without_its_calibration_is_refused_in_words(panel: SpinePanel, tmp_path: Path) -> None:
    path, _calibration = writeRecording(tmp_path)
    before = nodeIds()
    panel.host.dialogs.answer(str(path), None)
    panel.ui.recordingButton.click()
    panel.host.waitFor(lambda: not panel.isRunning, LIMIT_S)
    assert "pixels is not known" in panel.ui.statusLabel.text
    assert nodeIds() == before
    assert path.exists()


def test_nobody_names_a_recording(panel: SpinePanel) -> None:
    panel.host.dialogs.answer(None)
    panel.ui.recordingButton.click()
    assert not panel.isRunning
