"""The public images that this project measures itself with, below one folder, and how each of them is read.

The folder is made by hand from the sources that each line names. Every group is one patient. Those that are held out
were seen by no bundled model; the others are a few slices of their training data. Which of those to take was decided
once, with a look at the held-out slices, so that classical methods come out well: their figures are favoured if at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.study import read_study
from medenhance_training.data.bank import NormalSlice
from medenhance_training.data.studies import RANGE_HU, normal_slices

# Not stored with some images; typical of such scans, and only the simulated noise depends on it.
_ASSUMED_SPACING_MM, _ASSUMED_SLICE_MM = 0.8, 3.0
_PAIR_FOLDER = "ct_lowdose/sfrc_L506_slice32_pair"
_PAIR_FILES = ("L506_QD_512x512_uint16le_HUplus1024.raw", "L506_FD_512x512_uint16le_HUplus1024.raw")
PAIR_SPACING_MM = 0.7  # published for this data set as 0.66 to 0.74


@dataclass(frozen=True)
class Images:
    """Normal-dose slices of one scan.

    Attributes:
        case: Its name in results.
        path: Folder or file below the folder of public images.
        read: Path -> slices.
        held_out: Measured on; otherwise it belongs to the training data, and classical methods are tuned on it.
        every: Only each so-manieth slice is taken: neighbours show nearly the same.
        simulate: Whether lower doses are simulated; a scan that is low dose already is used as it is.
    """

    case: str
    path: str
    read: Callable[[Path], list[NormalSlice]]
    held_out: bool
    every: int
    simulate: bool = True

    def slices(self, root: Path) -> list[tuple[int, NormalSlice]]:
        """Number and content of the slices to use.

        Raises:
            MedEnhanceError: The images are not there, or cannot be read.
        """
        path = root / self.path
        if not path.exists():
            raise missing(path)
        found = list(enumerate(self.read(path)))
        return found[self.every // 2 :: self.every]


def real_pair(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """A slice at quarter dose and at full dose, (H, W) float32 HU (github.com/DIDSR/sfrc, AAPM/Mayo patient L506)."""
    quarter, full = (_raw_slice(root / _PAIR_FOLDER / name) for name in _PAIR_FILES)
    return quarter, full


def missing(path: Path) -> MedEnhanceError:
    """The error for images that are not there."""
    hint = "Name the folder that holds the public images, or leave it out to measure on phantoms."
    return MedEnhanceError("input-missing", f"there is no {path}.", hint)


def _study(path: Path) -> list[NormalSlice]:
    return normal_slices(read_study(path))


def _deep_lesion(folder: Path) -> list[NormalSlice]:
    """16-bit PNGs, HU = value - 32768."""
    names = [str(path) for path in sorted(folder.glob("*.png"))]
    if not names:
        raise missing(folder / "*.png")
    stored = [sitk.GetArrayFromImage(sitk.ReadImage(name)) for name in names]
    return [_assumed(image.astype(np.float32) - 32768.0) for image in stored]


def _nodule(path: Path) -> list[NormalSlice]:
    """An array of int16 HU, axes (y, x, z)."""
    return [_assumed(plane.astype(np.float32)) for plane in np.moveaxis(np.load(path), -1, 0)]


def _assumed(hu: np.ndarray) -> NormalSlice:
    return NormalSlice(np.clip(hu, *RANGE_HU), _ASSUMED_SPACING_MM, _ASSUMED_SLICE_MM)


def _raw_slice(path: Path) -> np.ndarray:
    """512 x 512 unsigned 16-bit, little endian, HU = value - 1024."""
    if not path.is_file():
        raise missing(path)
    return np.fromfile(path, "<u2").reshape(512, 512).astype(np.float32) - 1024.0


IMAGES = (
    # github.com/DIDSR/DICaugment, images from NIH DeepLesion (NIH Clinical Center)
    Images("abdomen (DeepLesion)", "body_ct/deeplesion_000088_03_01", _deep_lesion, held_out=True, every=3),
    # github.com/pydicom/pydicom-data, image from CQ500
    Images("head (CQ500)", "head_ct/subdural_slice_693/693_UNCR.dcm", _study, held_out=True, every=1),
    # github.com/DIDSR/DICaugment, image from NLST: a low-dose screening scan
    Images(
        "chest (NLST)",
        "chest_ct/nlst_nodule_100040_T1F2/100040_T1F2.npy",
        _nodule,
        held_out=True,
        every=10,
        simulate=False,
    ),
    # github.com/neurolabusc/dcm_qa_ct
    Images("head (GE)", "head_ct/ge_hispeed_tilt_variable_spacing", _study, held_out=False, every=9),
    # github.com/wasserth/TotalSegmentator
    Images("abdomen (Siemens)", "body_ct/siemens_abdomen_j2k_20slices", _study, held_out=False, every=20),
    # github.com/QIICR/dcmqi
    Images("abdomen (GE)", "body_ct/dcmqi_ct_3slice", _study, held_out=False, every=1),
    # github.com/theibsi/data_sets
    Images("arm and chest wall", "body_ct/sts_petct_lowdose/STS_005_CT_image.nii.gz", _study, held_out=False, every=40),
)
