"""Writes one data set as a DICOM file, whatever its source's header was like."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from medenhance.dicom.derivation import identifier

IMPLEMENTATION_UID = identifier("implementation")


def write_dataset(dataset: Dataset, path: Path) -> list[str]:
    """Write as explicit VR little endian.

    Returns:
        Names of elements that could not be written because the source's values are malformed.
    """
    dropped: list[str] = []
    try:
        content = _encoded(dataset)
    except Exception:  # whatever a malformed value of the source causes in pydicom
        dropped = _drop_unwritable(dataset)
        content = _encoded(dataset)
    path.write_bytes(content)
    return dropped


def _encoded(dataset: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = "MEDENHANCE"
    dataset.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return buffer.getvalue()


def _drop_unwritable(dataset: Dataset) -> list[str]:
    """Remove the elements that do not write by themselves; returns their names."""
    dropped = []
    for tag in list(dataset.keys()):
        one = Dataset()
        try:
            one[tag] = dataset[tag]
            dcmwrite(BytesIO(), one, implicit_vr=False, little_endian=True)
        except Exception:
            dropped.append(f"{tag}")
            del dataset[tag]
    return dropped
