"""nnU-Net through its own package: nothing of it is needed until it is asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.volume import Grid, Volume
from medenhance_training.benchmark import head_nnunet
from medenhance_training.benchmark.head_nnunet import NnUnetDetector, NnUnetMethod, write_dataset
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.simulate import simulate_head


class StandIn:
    """Has the method of nnU-Net's predictor that is called."""

    def __init__(self) -> None:
        self.given: tuple[Any, ...] = ()

    def predict_single_npy_array(self, *given: Any) -> tuple[np.ndarray, np.ndarray]:
        self.given = given
        blood = np.zeros(given[0].shape[1:], np.float32)
        blood[1, 2, 3] = 0.75
        return (blood > 0.5).astype(np.uint8), np.stack([1 - blood, blood])


def test_it_is_not_imported_before_it_is_asked_for() -> None:
    assert head_nnunet.PACKAGE not in sys.modules


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_nnunet, "PACKAGE", "no_such_package")
    with pytest.raises(MedEnhanceError, match="not installed") as caught:
        NnUnetMethod(tmp_path).open()
    assert "medenhance-training[nnunet]" in str(caught.value.hint)


def test_a_folder_without_a_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_nnunet, "PACKAGE", "json")  # something that is installed
    with pytest.raises(MedEnhanceError, match="no plans"):
        NnUnetMethod(tmp_path).open()


def test_its_mask_decides_on_slice_and_scan() -> None:
    predictor = StandIn()
    volume = Volume(np.zeros((4, 5, 6), np.float32), Grid(spacing_mm=(0.5, 0.6, 5.0)))
    found = NnUnetDetector(predictor).predict(volume)
    assert predictor.given[1] == {"spacing": [5.0, 0.6, 0.5]}  # slices, rows, columns
    assert found.slice_probabilities.tolist() == [0.0, 0.75, 0.0, 0.0]
    assert found.scan_probability == 0.75
    assert found.scan_logit == pytest.approx(np.log(3))
    assert found.mask_probability.shape == (4, 5, 6)


def test_a_dataset_has_the_layout_of_nnunet(tmp_path: Path) -> None:
    cases = [simulate_head(seed, HeadConfig(size_px=64, slice_mm=(9.0, 10.0), prevalence=1.0)) for seed in (0, 1)]
    assert write_dataset(cases, tmp_path / "Dataset501") == 2
    described = json.loads((tmp_path / "Dataset501" / "dataset.json").read_text())
    assert described["numTraining"] == 2
    assert described["channel_names"] == {"0": "CT"}
    for case in cases:
        image, label = (
            sitk.ReadImage(str(tmp_path / "Dataset501" / folder / f"head_{case.seed:07d}{suffix}.nii.gz"))
            for folder, suffix in (("imagesTr", "_0000"), ("labelsTr", ""))
        )
        assert np.allclose(sitk.GetArrayFromImage(image), case.hu)
        assert np.array_equal(sitk.GetArrayFromImage(label), case.mask)
        assert image.GetSpacing() == pytest.approx(case.grid.spacing_mm, rel=1e-5)
    with pytest.raises(MedEnhanceError, match="already"):
        write_dataset(cases, tmp_path / "Dataset501")
