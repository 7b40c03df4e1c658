"""A small model of our own, and an installation and cache that hold nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from medenhance import manifest
from medenhance.manifest import AcceptedInput, ModelEntry, Tiling, TrustedRange, WeightsFile, manifest_text

sys.path.insert(0, str(Path(__file__).parent))  # samples that several tests share

WriteModel = Callable[..., ModelEntry]


@pytest.fixture
def entry() -> ModelEntry:
    """A valid entry whose every number differs from every other."""
    return ModelEntry(
        id="tiny-redcnn",
        version="1.2",
        title="Tiny RED-CNN for tests",
        task="denoise-ct",
        network="redcnn",
        config={"channels": 4, "kernel": 3, "depth": 3, "final_relu": False},
        intensity={"kind": "scale", "center_hu": 40, "scale_hu": 1000, "clip_hu": [-1024, 3071]},
        precisions=("fp32", "bf16"),
        accepted=AcceptedInput("CT", 1, (0.2, 2.5), (0.3, 10.5), (-2048.0, 8191.0)),
        trusted=TrustedRange((5.5, 80.0), (0.45, 1.1), 0.35, 0.12),
        tiling=Tiling(96, 16),
        size_multiple=2,
        sampler=None,
        files=(WeightsFile("tiny-redcnn.safetensors", ("https://example.org/a/b.safetensors",), "0a" * 32, 4321),),
        bundled=False,
        default=True,
        licence="Apache-2.0",
        intended_use="Tests.",
        limits=("Knows nothing.",),
        training_data=("None.",),
        metrics={"psnr_db": 31.5},
        recipe="red-cnn-tiny",
        commit="0123abc",
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and an installation that brings no model."""
    monkeypatch.setenv("MEDENHANCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MEDENHANCE_MIRROR", raising=False)
    install(monkeypatch, tmp_path / "resources")
    return tmp_path / "cache"


@pytest.fixture
def write_model(entry: ModelEntry) -> WriteModel:
    """A function that writes a weights file with random weights and returns its entry."""

    def write(path: Path, *, seed: int = 0, **changes: object) -> ModelEntry:
        import torch

        from medenhance import networks
        from medenhance.weights import save

        changed = replace(entry, **{"id": path.stem, **changes})  # type: ignore[arg-type]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = networks.build(changed.network, changed.config).eval()
            spec, size = networks.spec(changed.network), (16, 24)
            if spec.for_scans:
                size = (2 * spec.size_multiple(network.config), spec.size_multiple(network.config))
            x = torch.rand(1, 1, *size)
        with torch.inference_mode():
            y = spec.on_stack(network, x)
        path.parent.mkdir(parents=True, exist_ok=True)
        return save(path, changed, network.state_dict(), x, y)

    return write


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Callable[..., Path]:
    """A function that lets the installation bring these models; returns its folder of resources."""
    return lambda *entries: install(monkeypatch, cache.parent / "resources", *entries)


def install(monkeypatch: pytest.MonkeyPatch, resources: Path, *entries: ModelEntry) -> Path:
    resources.mkdir(exist_ok=True)
    (resources / "models.json").write_text(manifest_text(list(entries)), encoding="utf-8")
    monkeypatch.setattr(manifest, "RESOURCES", resources)
    return resources


@pytest.fixture
def tiny_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_model: WriteModel) -> Iterator[str]:
    """The id of a small model that is added to an otherwise empty cache, which subprocesses use too."""
    import torch

    from medenhance.added_models import add_model

    cache = tmp_path / "model cache"
    # In so small a network threads only wait for each other.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("MEDENHANCE_CACHE", str(cache))
    write_model(tmp_path / "tiny-redcnn.safetensors", seed=3)
    yield add_model(tmp_path / "tiny-redcnn.safetensors", cache).id
    torch.set_num_threads(threads)


@pytest.fixture
def ct_array() -> np.ndarray:
    """(5, 44, 60) int16 HU: fat and soft tissue with noise in air, different in every slice."""
    generator = np.random.default_rng(7)
    rows, columns = np.ogrid[-1:1:44j, -1:1:60j]
    body = np.select([np.hypot(rows, columns) < 0.55, np.hypot(rows, columns) < 0.85], [45.0, -95.0], -1000.0)
    return np.rint(body + generator.normal(0, 20, (5, 44, 60))).astype(np.int16)


@pytest.fixture
def ct_nrrd(tmp_path: Path, ct_array: np.ndarray) -> Path:
    """A CT study with odd spacing and oblique axes, in a path with a space, an accent and CJK characters."""
    path = tmp_path / "Étude 检查" / "ct.nrrd"
    path.parent.mkdir()
    image = sitk.GetImageFromArray(ct_array)
    image.SetSpacing((0.73, 0.61, 2.9))
    image.SetOrigin((-12.5, 7.25, -301.125))
    turned = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.3, -0.2, 0.1)
    image.SetDirection(turned.GetMatrix())
    sitk.WriteImage(image, path)
    return path


WriteDicom = Callable[..., Path]


@pytest.fixture
def write_dicom() -> WriteDicom:
    """A function that writes an array as a DICOM series: ``write_dicom(folder, array, modality="CT", series="1")``."""
    return _write_dicom


def _write_dicom(folder: Path, array: np.ndarray, *, modality: str = "CT", series: str = "1") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, plane in enumerate(array, start=1):
        _slice_dataset(plane, number, modality, series).save_as(
            folder / f"{series}-{number:03}.dcm", enforce_file_format=True
        )
    return folder


def _slice_dataset(plane: np.ndarray, number: int, modality: str, series: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    uid = f"1.2.826.0.1.3680043.8.498.7.{series}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = f"{uid}.{number}"
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = uid, "1.2.826.0.1.3680043.8.498.7"
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.7.99"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Test^One", "7", "", ""
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20200102", "030405", "1", ""
    dataset.ReferringPhysicianName, dataset.Manufacturer, dataset.PositionReferenceIndicator = "", "Test", ""
    dataset.Modality, dataset.SeriesDescription, dataset.KVP, dataset.AcquisitionNumber = modality, "abdomen", "120", 1
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.ImageType = 2, number, ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient = [-10.5, 20.25, 2.5 * number - 100]
    dataset.ImageOrientationPatient, dataset.PixelSpacing, dataset.SliceThickness = [1, 0, 0, 0, 1, 0], [0.7, 0.8], 2.5
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = plane.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    dataset.PixelData = (plane.astype(np.int32) + 1024).clip(0, 4095).astype("<u2").tobytes()
    return dataset
