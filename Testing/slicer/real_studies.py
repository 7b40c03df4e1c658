"""Studies as Slicer's users load them, and the command line's answer to them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from mrml_samples import ijkToRas, strangeFolder
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from MedEnhanceLib.VolumeBridge import HOUNSFIELD

RAS_OF_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def copied(source: Path, folder: Path, slices: slice = slice(None)) -> list[Path]:
    """Some slices of a DICOM series, by position, in a path with spaces, accents and Chinese characters."""
    from medenhance.study import read_study

    series = read_study(source).series
    assert series is not None
    files = list(dict.fromkeys(one.path for one in series.slices))[slices]
    target = strangeFolder(folder) / "DICOM 检查"
    target.mkdir()
    return [Path(shutil.copy(file, target / file.name)) for file in files]


def loaded(files: Sequence[Path], database: dict[str, str] | None = None) -> Any:
    """A volume as Slicer's DICOM module loads it.

    Args:
        files: In the order of the slices.
        database: Gets the files; without it the volume is as one that was dragged into Slicer.
    """
    names = [str(file) for file in files]
    node = slicer.util.loadVolume(names[0], {"fileNames": names, "singleFile": len(names) == 1, "show": False})
    if database is not None:
        uids = [instanceUid(file) for file in files]
        database.update(zip(uids, names, strict=True))
        node.SetAttribute("DICOM.instanceUIDs", " ".join(uids))
        node.SetVoxelValueUnits(hounsfield())
        # The module reads through a storage node that it throws away.
        slicer.mrmlScene.RemoveNode(node.GetStorageNode())
    return node


def instanceUid(file: Path) -> str:
    from medenhance.dicom.headers import read_dataset, tolerant_reading

    with tolerant_reading():
        return str(read_dataset(file).SOPInstanceUID)


def hounsfield() -> Any:
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning(*HOUNSFIELD, "Hounsfield unit")
    return units


def newVolume(name: str = "output") -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def onGridOf(path: Path, node: Any) -> np.ndarray:
    """The voxels of a study in the order of a node's: both show the same place, but an axis may be reversed.

    The slices of a series with unequal gaps lie at the mean step in both.
    """
    from medenhance.dicom.placement import placed
    from medenhance.study import read_study
    from medenhance.volume import Grid

    study = read_study(path)
    shape = node.GetImageData().GetDimensions()[::-1]
    grid = replace(study.grid, slice_origins_mm=None)
    return placed(study.array, grid, shape, Grid.from_affine(RAS_OF_LPS @ ijkToRas(node)))


def command(*words: object) -> None:
    """What `medenhance ...` does, in this process."""
    from medenhance.__main__ import main

    assert main([str(word) for word in words]) == 0


def shearedTransform(node: Any) -> Any:
    """Put a volume under a grid of displacements, as Slicer's DICOM module does for a tilted gantry."""
    bounds, image = [0.0] * 6, vtk.vtkImageData()
    node.GetRASBounds(bounds)
    image.SetDimensions(2, 2, 2)
    image.SetOrigin(bounds[::2])
    image.SetSpacing([max(high - low, 1.0) for low, high in zip(bounds[::2], bounds[1::2], strict=True)])
    image.AllocateScalars(vtk.VTK_DOUBLE, 3)
    from vtk.util.numpy_support import vtk_to_numpy

    vtk_to_numpy(image.GetPointData().GetScalars())[:] = np.arange(24.0).reshape(8, 3) / 3.0
    grid = slicer.vtkOrientedGridTransform()
    grid.SetDisplacementGridData(image)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "acquisition geometry")
    transform.SetAndObserveTransformFromParent(grid)
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def writeSeries(folder: Path, array: np.ndarray) -> list[Path]:
    """A synthetic CT series with odd spacing and oblique axes; (K, J, I), HU."""
    folder.mkdir(parents=True, exist_ok=True)
    turn = vtk.vtkTransform()
    turn.RotateZ(12.0)
    turn.RotateX(-7.0)
    axes = np.array([turn.TransformVector(*axis) for axis in np.eye(3)])
    files = []
    for k, plane in enumerate(array):
        dataset = _header(k, plane)
        dataset.ImageOrientationPatient = [f"{value:.10f}" for value in axes[:2].ravel()]
        dataset.ImagePositionPatient = [
            f"{value:.10f}" for value in np.array([-30.5, 12.25, -70.0]) + 2.5 * k * axes[2]
        ]
        files.append(folder / f"IM{k + 1:03}.dcm")
        dataset.save_as(files[-1], enforce_file_format=True)
    return files


def _header(k: int, plane: np.ndarray) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    study = "1.2.826.0.1.3680043.8.498.11"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = f"{study}.1.{k + 1}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = f"{study}.99", ""
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Müller^Zoë", "é 7", "", "F"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20200102", "030405", "1", ""
    dataset.ReferringPhysicianName, dataset.Manufacturer, dataset.Modality = "", "Test", "CT"
    dataset.SeriesDescription, dataset.SeriesNumber, dataset.InstanceNumber = "Schädel 头部", 2, k + 1
    dataset.KVP, dataset.AcquisitionNumber, dataset.ImageType = "120", 1, ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.8], 2.5
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = plane.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    dataset.PixelData = (plane.astype(np.int32) + 1024).clip(0, 4095).astype("<u2").tobytes()
    return dataset
