"""A drawn head with a bleed, grids of every orientation, and stand-ins for a trained model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydicom
import pytest

from medenhance.head_ct.calibration import Calibration, OperatingPoint
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.prediction import HeadPrediction
from medenhance.head_ct.volume_spread import VolumeSpread
from medenhance.manifest import AcceptedInput
from medenhance.tasks import hemorrhage_findings
from medenhance.volume import Grid, Volume

PIXEL_MM, STEP_MM = 2.0, 5.0
SHAPE = (24, 104, 96)
MIDDLE = ((SHAPE[1] - 1) / 2, (SHAPE[2] - 1) / 2)
BRAIN_HU, BLOOD_HU, CSF_HU = 32.0, 62.0, 6.0
ACCEPTED = AcceptedInput("CT", 1, (0.3, 2.5), (0.05, 12.0), (-32768.0, 65535.0))
CALIBRATION = Calibration(
    temperature=1.0,
    bias=0.0,
    operating_points=(
        OperatingPoint("balanced", 0.4, 0.92, 0.9, "a drawing"),
        OperatingPoint("sensitive", 0.05, 0.99, 0.6, "a drawing"),
    ),
    mask=MaskRule(0.5),
    volume=VolumeSpread(0.9, 1.5, 0.8, 1.0, "a drawing"),
)
TINY_NET: dict[str, Any] = {
    "input": {
        "frame": {"size_px": 64, "pixel_mm": 4.0}, "clahe": False, "windows_hu": [[0.0, 80.0]], "neighbours": 1,
        "unshuffle": 2,
    },
    "encoder": {
        "width": 4, "expansion": 2, "blocks": [1, 1, 1, 1], "stem_kernel": 3, "stem_stride": 1, "stem_pool": True,
    },
    "decoder": {"widths": [8, 8, 8, 8, 8], "attention": "last"},
    "pool": ["mean", "max"], "lstm_hidden": 8, "lstm_layers": 1, "hidden": 8, "slice_head": True, "evidence": True,
}  # fmt: skip


def head_model(**changes: Any) -> dict[str, Any]:
    """What makes an entry of the fixture `write_model` one for head CT."""
    return {
        "task": "detect-hemorrhage",
        "network": "smart-net-scan",
        "config": TINY_NET,
        "intensity": {"kind": "scale", "center_hu": 0.0, "scale_hu": 1.0, "clip_hu": [-1024.0, 3071.0]},
        "precisions": ("fp32",),
        "accepted": ACCEPTED,
        "trusted": None,
        "calibration": CALIBRATION,
        **changes,
    }


def coordinates(depth: int = SHAPE[0]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slice, row and column of the drawing in mm from the middle of the head: up, back, left."""
    up = (np.arange(depth)[:, None, None] - (depth - 1) / 2) * STEP_MM * SHAPE[0] / depth
    back = (np.arange(SHAPE[1])[None, :, None] - MIDDLE[0]) * PIXEL_MM
    left = (np.arange(SHAPE[2])[None, None, :] - MIDDLE[1]) * PIXEL_MM
    return up, back, left


def head_array(depth: int = SHAPE[0], *, shift_mm: float = 0.0, seed: int = 5) -> np.ndarray:
    """(D, 104, 96) float32 HU: scalp, skull, brain with ventricles; below them the skull's base and air of the nose."""
    up, back, left = coordinates(depth)
    radius = np.sqrt((up / 74) ** 2 + (back / 90) ** 2 + (left / 72) ** 2)
    hu = np.select([radius < 0.88, radius < 0.96, radius < 1.0], [BRAIN_HU, 900.0, 40.0], -1000.0)
    for side in (-1, 1):  # lateral ventricles
        ventricle = ((left - shift_mm - 10 * side) / 6) ** 2 + (back / 30) ** 2 + ((up - 12) / 14) ** 2 < 1
        hu = np.where(ventricle, CSF_HU, hu)
    base = (up < -40) & (np.hypot(back, left) < 24)
    hu = np.where(base, 600.0, hu)
    nose = (left / 14) ** 2 + ((back + 42) / 16) ** 2 + ((up + 44) / 14) ** 2 < 1
    hu = np.where(nose, -1000.0, hu)
    return (hu + np.random.default_rng(seed).normal(0, 3, hu.shape)).astype(np.float32)


def body_array() -> np.ndarray:
    """(24, 104, 96) float32 HU: soft tissue and fat with a spine, and ribs that leave gaps."""
    up, back, left = coordinates()
    radius = np.sqrt((back / 95) ** 2 + (left / 90) ** 2) + 0 * up
    body = np.select([radius < 0.75, radius < 0.98], [45.0, -100.0], -1000.0)
    spine = (left**2 + (back - 55) ** 2 < 20**2) & (up < 1000)
    rib = (np.abs(radius - 0.8) < 0.04) & (np.sin(12 * np.arctan2(left, back)) > 0.3)
    return np.where(spine | rib, 500.0, body).astype(np.float32)


def ball(center_mm: tuple[float, float, float], radius_mm: float, depth: int = SHAPE[0]) -> np.ndarray:
    """(D, 104, 96) bool of a ball; centre up, back, left of the middle of the head."""
    up, back, left = coordinates(depth)
    away = (up - center_mm[0]) ** 2 + (back - center_mm[1]) ** 2 + (left - center_mm[2]) ** 2
    return np.asarray(away < radius_mm**2)


def head_grid(**changes: Any) -> Grid:
    return replace(Grid(spacing_mm=(PIXEL_MM, PIXEL_MM, STEP_MM), origin_mm=(-95.0, -103.0, -57.5)), **changes)


def bleeding_head(
    center_mm: tuple[float, float, float] = (10.0, 10.0, 34.0), radius_mm: float = 16.0
) -> tuple[Volume, np.ndarray]:
    """A head with a ball of blood on its left, and the ball."""
    blood = ball(center_mm, radius_mm)
    array = head_array()
    array[blood] += BLOOD_HU - BRAIN_HU
    return Volume(array, head_grid(), "CT"), blood


def laid(volume: Volume, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Volume:
    """The same scan in an array whose axes come in another order and run other ways."""
    steps = volume.grid.affine[:3, [2, 1, 0]]  # columns: what a step along D, H, W is
    turn = tuple(slice(None, None, -1 if flip else None) for flip in flips)
    array = np.ascontiguousarray(volume.array.transpose(axes)[turn])
    moved = np.array([volume.array.shape[a] - 1 if flip else 0 for a, flip in zip(axes, flips, strict=True)])
    new = steps[:, list(axes)] * np.where(flips, -1.0, 1.0)
    affine = np.eye(4)
    affine[:3, :3] = new[:, ::-1]
    affine[:3, 3] = np.asarray(volume.grid.origin_mm) + (steps[:, list(axes)] * moved).sum(axis=1)
    return replace(volume, array=array, grid=Grid.from_affine(affine))


def laid_back(array: np.ndarray, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> np.ndarray:
    """(D, H, W) as it was before `laid`."""
    turn = tuple(slice(None, None, -1 if flip else None) for flip in flips)
    return array[turn].transpose(np.argsort(axes))


def predictor(**changes: Any) -> Any:
    """A loaded model that nothing but its entry is asked of."""
    said = {"id": "drawn", "version": "0.1", "files": (), "task": "detect-hemorrhage"}
    entry = SimpleNamespace(**{**said, "accepted": ACCEPTED, "calibration": CALIBRATION, **changes})
    return SimpleNamespace(entry=entry, device="cpu", precision="fp32")


def blood_by_hu(_predictor: Any, volume: Volume, progress: Any = None) -> HeadPrediction:
    """A stand-in for the network: blood is what lies between 50 and 75 HU deep within the head, after smoothing."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(volume.array.astype(np.float32), (0, 1, 1))
    away_from_bone = ndimage.distance_transform_edt((volume.array < 200) & (volume.array > -200))
    mask = ((smooth > 48) & (smooth < 80) & (away_from_bone > 5)).astype(np.float32)
    areas = mask.sum(axis=(1, 2))
    logit = 4.0 if areas.max() > 5 else -4.0
    return HeadPrediction(logit, CALIBRATION.probability(logit), (0.02 + 0.9 * (areas > 5)).astype(np.float32), mask)


@pytest.fixture
def by_hu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is `blood_by_hu`."""
    monkeypatch.setattr(hemorrhage_findings, "predict_head", blood_by_hu)


def write_head_dicom(folder: Path, array: np.ndarray, write_dicom: Any, **values: Any) -> Path:
    """A head as a DICOM series whose slices run from foot to head; `values` are attributes of every file."""
    write_dicom(folder, np.rint(array).astype(np.int16))
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        number = int(dataset.InstanceNumber)
        dataset.ImagePositionPatient = [-95.0, -103.0, -57.5 + STEP_MM * (number - 1)]
        dataset.PixelSpacing, dataset.SliceThickness = [PIXEL_MM, PIXEL_MM], STEP_MM
        dataset.BodyPartExamined = "HEAD"
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
    return folder
