"""The mask of a DICOM segmentation lies in the scene where it was drawn on the volume.

Slicer's own reader of such files (DCMQI) is not part of slicer-core: highdicom reads them here, and the nodes get the
geometry that the file states.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
import slicer
import vtk
from mrml_samples import ijkToRas
from real_studies import RAS_OF_LPS, copied, loaded, writeSeries

from medenhance.dicom.objects.codes import HEMORRHAGE
from medenhance.dicom.objects.content import Algorithm, Segment
from medenhance.dicom.objects.segmentation import write_segmentation
from medenhance.dicom.placement import placed
from medenhance.study import read_study
from medenhance.volume import Grid, Volume

SEGMENTS = (Segment("Lesion 1", HEMORRHAGE), Segment("Lesion 2", HEMORRHAGE))
SAME_PLACE_MM = 1e-3


def scattered(shape: tuple[int, ...]) -> np.ndarray:
    """(D, H, W) uint8: two blocks of voxels, asymmetric along every axis, in the first and in later slices."""
    depth, rows, columns = shape
    labels = np.zeros(shape, np.uint8)
    labels[0, rows // 4 : rows // 3, columns // 5 : columns // 2] = 1
    labels[depth - 1, rows // 2 :, columns // 3] = 2
    labels[depth // 2, 0, :3] = 2
    return labels


def segmented(folder: Path, path: Path) -> tuple[Volume, np.ndarray]:
    """Write a segmentation of a series; returns the study and the labels on it."""
    volume = read_study(folder)
    assert volume.series is not None
    labels = scattered(volume.array.shape)
    write_segmentation(volume.series, labels, SEGMENTS, path, Algorithm("tiny-net", "1"), description="Test")
    return volume, labels


def inOrderOf(node: Any, volume: Volume, labels: np.ndarray) -> np.ndarray:
    """Labels on the study's grid in the order of a node's voxels."""
    grid = Grid.from_affine(RAS_OF_LPS @ ijkToRas(node))
    assert volume.grid.slice_origins_mm is None
    return placed(labels, volume.grid, slicer.util.arrayFromVolume(node).shape, grid)


def framesOf(path: Path) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Segment, mask and (4, 4) matrix from (i, j, 0, 1) to RAS of every frame, as the file states them."""
    read, found = highdicom.seg.segread(path), []
    shared = read.SharedFunctionalGroupsSequence[0]
    for mask, frame in zip(read.pixel_array, read.PerFrameFunctionalGroupsSequence, strict=True):
        measures = (shared if "PixelMeasuresSequence" in shared else frame).PixelMeasuresSequence[0]
        row, column = np.reshape(shared.PlaneOrientationSequence[0].ImageOrientationPatient, (2, 3)).astype(float)
        between_rows, between_columns = map(float, measures.PixelSpacing)
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1] = row * between_columns, column * between_rows
        affine[:3, 3] = frame.PlanePositionSequence[0].ImagePositionPatient
        number = int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        found.append((number, mask, RAS_OF_LPS @ affine))
    return found


@pytest.mark.parametrize(
    ("name", "slices"),
    [
        ("head_ct/ge_hispeed_tilt_variable_spacing", slice(4, 8)),  # a tilted gantry, at equal steps
        ("head_ct/slicer_cthead_64px", slice(40, 46)),
        ("body_ct/dcmqi_ct_3slice", slice(None)),
    ],
)
def test_every_frame_lies_on_its_slice_of_the_volume_in_the_scene(
    name: str, slices: slice, shared_data: Path, tmp_path: Path
) -> None:
    files = copied(shared_data / name, tmp_path, slices)
    volume, labels = segmented(files[0].parent, tmp_path / "seg.dcm")
    node = loaded(files)
    found = np.zeros_like(labels)
    for number, mask, matrix in framesOf(tmp_path / "seg.dcm"):
        j, i = np.nonzero(mask)
        ras = matrix @ np.stack([i, j, 0 * i, 1 + 0 * i])
        ijk = np.linalg.inv(ijkToRas(node)) @ ras
        nearest = np.rint(ijk)
        assert np.abs(ijkToRas(node) @ nearest - ras).max() < SAME_PLACE_MM
        found[tuple(nearest[2::-1].astype(int))] = number
    assert np.array_equal(found, inOrderOf(node, volume, labels))


def test_a_segmentation_node_of_the_file_covers_the_voxels_of_the_volume(tmp_path: Path) -> None:
    files = writeSeries(tmp_path / "series", np.zeros((6, 11, 13), np.int16))
    volume, labels = segmented(files[0].parent, tmp_path / "seg.dcm")
    node = loaded(files)
    segmentation = _segmentationNode(tmp_path / "seg.dcm", node)
    wanted = inOrderOf(node, volume, labels)
    for number, segmentId in enumerate(segmentation.GetSegmentation().GetSegmentIDs(), 1):
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segmentId, node)
        assert mask.any()
        assert np.array_equal(mask > 0, wanted == number)


def _segmentationNode(path: Path, volumeNode: Any) -> Any:
    """A segmentation node with the voxels and the geometry that the file holds, in the file's own grid."""
    read = highdicom.seg.segread(path).get_volume(combine_segments=True)
    labelNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "from the file")
    slicer.util.updateVolumeFromArray(labelNode, read.array)
    matrix = vtk.vtkMatrix4x4()
    kji = RAS_OF_LPS @ read.affine
    for row in range(4):
        for column, axis in enumerate((2, 1, 0, 3)):  # highdicom's order is slice, row, column
            matrix.SetElement(row, column, kji[row, axis])
    labelNode.SetIJKToRASMatrix(matrix)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segmentation")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelNode, node)
    return node
