"""Angles of segmentations that were edited in Slicer, and the built-in projection through the bundled model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from panel_driver import nodeIds
from spine_driver import SpinePanel, published
from spine_nodes import addProjection, report

from medenhance.errors import MedEnhanceError
from medenhance.manifest import load_manifest
from medenhance_host import Host

SHAPE, PIXEL_MM = (1, 490, 200), 0.8
needs_model = pytest.mark.skipif(
    not any(entry.task == "enhance-spine" for entry in load_manifest().values()), reason="this checkout brings no model"
)


@pytest.fixture
def panel(host: Host) -> SpinePanel:
    return SpinePanel(host, withTinyModel=False)


def drawnLabels(turnDeg: float) -> np.ndarray:
    """Ten levels of processes and ribs and four lumps, 24 mm apart, on one curve; tilts turn by about `turnDeg`."""
    labels = np.zeros(SHAPE, np.uint8)
    rows, columns = np.mgrid[: SHAPE[1], : SHAPE[2]]
    bend = SHAPE[1] / np.pi * np.tan(np.radians(turnDeg / 2))
    for n in range(14):
        row = 45 + 30 * n
        tilt = -np.radians(turnDeg / 2) * np.cos(np.pi * row / SHAPE[1])
        middle = SHAPE[2] / 2 + bend * (np.sin(np.pi * row / SHAPE[1]) - 0.5)
        if n >= 10:
            along = (columns - middle) * np.cos(tilt) + (rows - row) * np.sin(tilt)
            across = (rows - row) * np.cos(tilt) - (columns - middle) * np.sin(tilt)
            labels[0][(along / 30) ** 2 + (across / 10) ** 2 < 1] = 3
            continue
        for side in (-1, 1):
            centre = row + side * 27 * np.sin(tilt), middle + side * 27 * np.cos(tilt)
            labels[0][np.hypot(rows - centre[0], columns - centre[1]) < 8] = 2
            labels[0][np.hypot((rows - centre[0]) / 4, (columns - centre[1] - side * 19) / 7) < 1] = 1
    return labels


def addBackImage() -> Any:
    """A projection that the labels belong to."""
    node = addProjection(slicer.mrmlScene)
    slicer.util.updateVolumeFromArray(node, np.random.default_rng(0).integers(60, 200, SHAPE, dtype=np.uint8))
    node.SetSpacing(PIXEL_MM, PIXEL_MM, 10.0)
    return node


def addSegmentation(image: Any, labels: np.ndarray, segmented: str, found: dict[str, Any]) -> Any:
    """As a run leaves it."""
    from MedEnhanceLib.Provenance import setProvenance
    from MedEnhanceLib.SpineSegmentation import segmentationOf

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(node, labels)
    node.CopyOrientation(image)
    made = segmentationOf(slicer.mrmlScene, node, image, f"{segmented} segments", segmented)
    setProvenance(made, found, image, "segmentation")
    slicer.mrmlScene.RemoveNode(node)
    return made


def withSegmentations(panel: SpinePanel, image: Any = None) -> tuple[Any, Any]:
    """The panel after a run that segmented both images; projection and segmentation of the original."""
    image = published(panel, image or addBackImage(), spacing_mm=[PIXEL_MM, PIXEL_MM])
    found = json.loads(panel.parameters.outputVolume.GetAttribute("MedEnhance.Report"))
    addSegmentation(image, drawnLabels(30.0), "enhanced", found)
    node = addSegmentation(image, drawnLabels(30.0), "original", found)
    panel.widget._onModified()
    return image, node


def edited(node: Any, image: Any, labels: np.ndarray) -> None:
    """Draw other labels into the segments, as Segment Editor would."""
    segmentation = node.GetSegmentation()
    values = {"rib": 1, "thoracic transverse process": 2, "lumbar lump": 3}
    for one in segmentation.GetSegmentIDs():
        mask = (labels == values[segmentation.GetSegment(one).GetName()]).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, one, image)


def angle(text: str) -> float:
    """The first figure of a cell; 0 where there is none."""
    return float(text.replace("⚠", "").split("°")[0]) if "°" in text else 0.0


def test_labels_come_back_from_segments_as_they_were(host: Host) -> None:
    from MedEnhanceLib.SpineSegmentation import labelsOf

    image, labels = addBackImage(), drawnLabels(30.0)
    node = addSegmentation(image, labels, "original", report())
    assert np.array_equal(labelsOf(node, image), labels)
    assert host.errors == []


def test_edited_segments_are_measured_and_lines_drawn_anew(panel: SpinePanel) -> None:
    from MedEnhanceLib.CurveLines import linesOf

    image, node = withSegmentations(panel)
    before = {line.GetID() for line in linesOf(slicer.mrmlScene, image)}
    edited(node, image, drawnLabels(50.0))
    panel.measureAgain()
    assert "measured as they are now" in panel.ui.statusLabel.text, panel.ui.statusLabel.text
    [row] = panel.rows()
    assert angle(row[1]) == pytest.approx(47.9, abs=1.5)
    assert angle(row[2]) == pytest.approx(28.7, abs=1.5)
    assert angle(row[3]) == pytest.approx(angle(row[1]), abs=0.2)
    assert "as they were edited" in panel.ui.reportLabel.text
    assert {line.GetID() for line in linesOf(slicer.mrmlScene, image)}.isdisjoint(before)
    noted = json.loads(node.GetAttribute("MedEnhance.Report"))
    assert noted["edited"] is True
    assert noted == json.loads(panel.parameters.outputVolume.GetAttribute("MedEnhance.Report"))


def test_the_console_measures_again_as_the_panel_does(panel: SpinePanel) -> None:
    image, node = withSegmentations(panel)
    edited(node, image, drawnLabels(50.0))
    found = panel.logic.measureAgain(image)
    panel.measureAgain()
    angles = [f"{one['angle_deg']:.1f}°" for one in found["original"]["curves"]]
    assert [row[1].split(" ")[0] for row in panel.rows() if row[1] != "-"] == angles
    assert found["warnings"] == json.loads(node.GetAttribute("MedEnhance.Report"))["warnings"]


def test_a_segment_of_no_known_class_is_named(panel: SpinePanel) -> None:
    _image, node = withSegmentations(panel)
    node.GetSegmentation().AddEmptySegment("mine", "What is this")
    before, shown = nodeIds(), panel.rows()
    panel.measureAgain()
    assert "What is this" in panel.ui.statusLabel.text
    assert "Rib" in panel.ui.statusLabel.text
    assert nodeIds() == before
    assert panel.rows() == shown


def test_without_a_segmentation_there_is_nothing_to_measure(panel: SpinePanel) -> None:
    image = published(panel)
    assert not panel.ui.measureAgainButton.enabled
    with pytest.raises(MedEnhanceError, match="Segment it first"):
        panel.logic.measureAgain(image)


def test_an_angle_that_rests_on_what_no_depth_shows_is_marked(panel: SpinePanel) -> None:
    published(panel, doubtful_levels=["T11"])
    assert panel.rows()[0][2].startswith("⚠ 38.5°")
    assert panel.rows()[0][1].startswith("40.0°")


def test_a_filled_panel_fits_into_slicers_own(panel: SpinePanel) -> None:
    withSegmentations(panel)
    panel.host.processEvents(0.05)
    assert panel.widget.parent._qt.minimumSizeHint().width() <= 420


@needs_model
def test_the_sample_gives_its_true_angles(panel: SpinePanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the button to the table, with the bundled model."""
    from MedEnhanceLib.SpineSample import spineTruth

    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path))
    panel.ui.sampleDataButton.click()
    assert panel.ui.inputSelector.currentNode().GetName() == "Simulated spine projection"
    panel.apply()
    main = max(spineTruth()["curves"], key=lambda one: one["angle_deg"])
    text = "{upper} to {lower} {angle_deg:.1f}° {side}".format(**main)
    assert text in panel.ui.reportLabel.text
    row = max(panel.rows(), key=lambda one: angle(one[2]))
    assert f"convex {main['side']}" in row[0]
    for image in (1, 2):
        assert angle(row[image]) == pytest.approx(main["angle_deg"], abs=5.0)
        low, high = row[image].split("(")[1].split(")")[0].split(" to ")
        assert float(low) <= main["angle_deg"] <= float(high)
