"""nnU-Net (Isensee et al., Nature Methods 2021) through its own package, as a detector beside ours.

Nothing of nnU-Net is part of this project and nothing here imports it before it is asked for: its 920 MB, and with it
torchvision, are an extra. It plans, trains and predicts by its own commands on a dataset that `write_dataset` makes.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.calibration import UNCALIBRATED, Calibration
from medenhance.head_ct.prediction import HeadPrediction
from medenhance.volume import Volume
from medenhance_training.data.head_ct.case import HeadCase

PACKAGE = "nnunetv2"
_INSTALL = "Install it: pip install 'medenhance-training[nnunet]' (about 920 MB)."
_LEAST = 1e-6  # a probability of exactly 0 or 1 has no logit


@dataclass(frozen=True)
class NnUnetMethod:
    """A trained nnU-Net model.

    Attributes:
        model: Its folder: "nnUNetTrainer__nnUNetPlans__2d" or "...__3d_fullres", with plans.json and folds.
        title: As in a table: "Isensee 2D" or "Isensee 3D".
        folds: Which of its folds vote.
        device: Where it runs.
    """

    model: Path
    title: str = "Isensee 3D"
    folds: tuple[int, ...] = (0,)
    device: str = "cpu"

    def open(self) -> list[NnUnetDetector]:
        """Load it.

        Raises:
            MedEnhanceError: nnU-Net is not installed, or the folder holds no model of it.
        """
        require_nnunet()
        if not (self.model / "plans.json").is_file():
            message = f"{self.model} is no trained nnU-Net model: it has no plans.json."
            raise MedEnhanceError("input-missing", message, "Name the folder that nnUNetv2_train wrote.")
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        predictor = nnUNetPredictor(device=torch.device(self.device), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(str(self.model), self.folds, "checkpoint_final.pth")
        return [NnUnetDetector(predictor)]


@dataclass(frozen=True)
class NnUnetDetector:
    """nnU-Net segments; the highest voxel of a slice and of the scan is taken for their probability.

    Attributes:
        predictor: Its `nnUNetPredictor`, or what has the same method.
        calibration: None of its own.
    """

    predictor: Any
    calibration: Calibration = UNCALIBRATED

    def predict(self, volume: Volume) -> HeadPrediction:
        """On the grid of the volume, whose axes nnU-Net takes as they are."""
        spacing = [float(mm) for mm in reversed(volume.grid.spacing_mm)]
        image = volume.array[None].astype(np.float32)
        _, classes = self.predictor.predict_single_npy_array(image, {"spacing": spacing}, None, None, True)
        mask = np.asarray(classes[1], dtype=np.float32)
        largest = float(np.clip(mask.max(), _LEAST, 1 - _LEAST))
        return HeadPrediction(float(np.log(largest / (1 - largest))), largest, mask.max(axis=(1, 2)), mask)


def require_nnunet() -> None:
    """Say what is missing before anything is loaded.

    Raises:
        MedEnhanceError: nnU-Net is not installed.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise MedEnhanceError("bad-option", "nnU-Net is not installed; it is no part of MedEnhance.", _INSTALL)


def write_dataset(cases: Iterable[HeadCase], folder: Path) -> int:
    """Write simulated scans as a raw dataset of nnU-Net: imagesTr, labelsTr, dataset.json.

    Args:
        cases: One after the other.
        folder: Such as nnUNet_raw/Dataset501_Hemorrhage; made, and refused where it holds a dataset.

    Returns:
        How many there were.

    Raises:
        MedEnhanceError: A dataset is in the way.
    """
    if (folder / "dataset.json").exists():
        raise MedEnhanceError("output-refused", f"{folder} holds a dataset already.", "Choose another folder.")
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    number = 0
    for case in cases:
        number += 1
        name = f"head_{case.seed:07d}"
        _write(case.hu, case, folder / "imagesTr" / f"{name}_0000.nii.gz")
        _write(case.mask.astype(np.uint8), case, folder / "labelsTr" / f"{name}.nii.gz")
    described = {
        "channel_names": {"0": "CT"},  # clips to the foreground's percentiles and standardises
        "labels": {"background": 0, "hemorrhage": 1},
        "numTraining": number,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return number


def _write(array: np.ndarray, case: HeadCase, path: Path) -> None:
    """With spacing alone: nnU-Net reads nothing else of the grid, and a tilted one cannot stand in NIfTI's qform."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(mm) for mm in case.grid.spacing_mm])
    sitk.WriteImage(image, str(path), useCompression=True)
