"""Measures a detector on head CT scans whose truth is known: scan, slices, voxels, volumes.

A network runs as users run it, through `predict_head`; what is measured is what they get on the scan's own grid.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from scipy import ndimage

from medenhance.head_ct.calibration import UNCALIBRATED, Calibration
from medenhance.head_ct.mask_rule import MaskRule
from medenhance.head_ct.pieces import TOUCHING
from medenhance.head_ct.prediction import HeadPrediction, predict_head
from medenhance.predict import Predictor
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.volume import Volume
from medenhance_training.data.head_held_out import HeldOutScan
from medenhance_training.head_lesions import LesionVolume, lesion_volumes, voxel_ul

# The paper rounds probabilities of slices and pixels to 0 or 1 (eq. 2).
_ROUND = 0.5
# The mask is measured by these rules besides, so that one can be chosen; a weighted cross-entropy makes networks sure
# of themselves, so thresholds lie close together near 1.
_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
_PIECE_THRESHOLDS = (0.0, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
MASK_RULES = tuple(
    MaskRule(threshold, piece)
    for threshold in _THRESHOLDS
    for piece in _PIECE_THRESHOLDS
    if piece == 0.0 or piece > threshold
)


class HeadDetector(Protocol):
    """Anything that says where there is blood in a head CT.

    Attributes:
        calibration: From its logit to a probability and a verdict.
    """

    @property
    def calibration(self) -> Calibration: ...

    def predict(self, volume: Volume) -> HeadPrediction:
        """On the grid of the volume."""


@dataclass(frozen=True)
class NetworkDetector:
    """A network as users run it."""

    predictor: Predictor

    @property
    def calibration(self) -> Calibration:
        return self.predictor.entry.calibration or UNCALIBRATED

    def predict(self, volume: Volume) -> HeadPrediction:
        return predict_head(self.predictor, volume)


@dataclass(frozen=True)
class MaskFigures:
    """The mask by one rule.

    Attributes:
        rule: Which voxels belong to it.
        dice: With the true mask; None in a scan without blood, where it says nothing.
        predicted_ul: Volume of the mask, microlitres, on the grid of the scan: in a normal scan all of it is false.
    """

    rule: MaskRule
    dice: float | None
    predicted_ul: float


@dataclass(frozen=True)
class SliceFigures:
    """One slice.

    Attributes:
        has_blood: Truth: any voxel of the mask.
        probability: Of the slice head.
        mask_probability: The largest of the slice.
        dice: Of the mask at 0.5; None without blood.
        predicted_ul: Volume of the mask at 0.5.
    """

    has_blood: bool
    probability: float
    mask_probability: float
    dice: float | None
    predicted_ul: float

    @property
    def concurs(self) -> bool:
        """Slice head and mask agree (papers/004 B, eq. 2)."""
        return (self.probability >= _ROUND) == (self.mask_probability >= _ROUND)


@dataclass(frozen=True)
class ScanFigures:
    """Everything measured on one scan.

    Attributes:
        seed: Of the scan.
        has_blood: Truth.
        volume_ml: True volume, before slices were averaged.
        labelled_ml: Volume of the true mask on the grid of the scan.
        present: Subtypes.
        look_alikes: What resembles blood in it.
        voxel_ul: Mean volume of a voxel of its grid.
        logit: Of the scan, not calibrated.
        masks: The mask by each of `MASK_RULES`.
        mask: By the rule of the detector's calibration.
        slices: One a slice, in the order of the volume.
        lesions: Connected bleeds, with what the mask by the calibration's rule has of them.
        seconds: Time of the prediction.
    """

    seed: int
    has_blood: bool
    volume_ml: float
    labelled_ml: float
    present: tuple[str, ...]
    look_alikes: tuple[str, ...]
    voxel_ul: float
    logit: float
    masks: tuple[MaskFigures, ...]
    mask: MaskFigures
    slices: tuple[SliceFigures, ...]
    lesions: tuple[LesionVolume, ...]
    seconds: float


def evaluate_heads(
    detectors: Sequence[HeadDetector],
    scans: Iterable[HeldOutScan],
    count: int,
    progress: Progress | None = None,
    stage: str = "evaluate",
) -> list[list[ScanFigures]]:
    """Run all detectors over scans.

    Args:
        detectors: What to measure.
        scans: Simulated as they are asked for, and run by every detector before the next one.
        count: How many scans there are.
        progress: Is told about every run, and may cancel.
        stage: What it is told.

    Returns:
        A list of figures for each detector.
    """
    progress = progress or Silent()
    figures: list[list[ScanFigures]] = [[] for _ in detectors]
    for number, scan in enumerate(scans):
        for n, detector in enumerate(detectors):
            checkpoint(progress, stage, (number + n / len(detectors)) / count)
            figures[n].append(measure_scan(detector, scan))
    progress.update(stage, 1.0)
    return figures


def measure_scan(detector: HeadDetector, scan: HeldOutScan) -> ScanFigures:
    """Run one detector on one scan and measure what it says."""
    begun = time.perf_counter()
    found = detector.predict(scan.volume)
    seconds = time.perf_counter() - begun
    truth, grid = scan.mask, scan.volume.grid
    rule = detector.calibration.mask
    sizes = voxel_ul(grid, len(truth))
    return ScanFigures(
        seed=scan.seed,
        has_blood=bool(truth.any()),
        volume_ml=scan.volume_ml,
        labelled_ml=_volume_ul(truth, sizes) / 1000.0,
        present=scan.present,
        look_alikes=scan.look_alikes,
        voxel_ul=float(sizes.mean()),
        logit=found.scan_logit,
        masks=tuple(masks_figures(found.mask_probability, truth, sizes, MASK_RULES)),
        mask=next(masks_figures(found.mask_probability, truth, sizes, (rule,))),
        slices=tuple(_slices(found, truth, sizes)),
        lesions=tuple(lesion_volumes(rule.mask(found.mask_probability), scan.subtypes, sizes)),
        seconds=seconds,
    )


def masks_figures(
    probability: np.ndarray, truth: np.ndarray, sizes: np.ndarray, rules: Sequence[MaskRule]
) -> Iterator[MaskFigures]:
    """Dice and volume of the mask by each rule, with no more labelling than there are thresholds.

    Args:
        probability, truth: (D, H, W).
        sizes: (D,) microlitres of a voxel of each slice.
        rules: In any order.
    """
    num_true, pieces = int(np.count_nonzero(truth)), dict[float, _Pieces]()
    for rule in rules:
        if rule.threshold not in pieces:
            pieces[rule.threshold] = _pieces(probability, truth, sizes, rule.threshold)
        found = pieces[rule.threshold]
        kept = found.peak >= rule.piece_threshold
        voxels, hits = int(found.voxels[kept].sum()), int(found.hits[kept].sum())
        overlap = 2 * hits / (voxels + num_true) if num_true else None
        yield MaskFigures(rule, overlap, float(found.volume_ul[kept].sum()))


class _Pieces(NamedTuple):
    """The pieces of a mask: largest probability, voxels, those that are right, and volume of each."""

    peak: np.ndarray
    voxels: np.ndarray
    hits: np.ndarray
    volume_ul: np.ndarray


def _pieces(probability: np.ndarray, truth: np.ndarray, sizes: np.ndarray, threshold: float) -> _Pieces:
    mask = probability >= threshold
    labels, count = ndimage.label(mask, TOUCHING)
    places = np.nonzero(mask)
    piece = labels[places] - 1
    peak = np.zeros(count, probability.dtype)
    np.maximum.at(peak, piece, probability[places])
    voxels = np.bincount(piece, minlength=count)
    hits = np.bincount(piece, truth[places], minlength=count)
    return _Pieces(peak, voxels, hits, np.bincount(piece, sizes[places[0]], minlength=count))


def dice(predicted: np.ndarray, truth: np.ndarray) -> float | None:
    """2 TP / (2 TP + FP + FN) of bool masks; None where there is nothing to find, as in the paper."""
    if not truth.any():
        return None
    hit = int(np.count_nonzero(predicted & truth))
    return 2 * hit / (int(np.count_nonzero(predicted)) + int(np.count_nonzero(truth)))


def _slices(found: HeadPrediction, truth: np.ndarray, sizes: np.ndarray) -> Iterable[SliceFigures]:
    predicted = found.mask_probability >= _ROUND
    for k, mask in enumerate(truth):
        yield SliceFigures(
            has_blood=bool(mask.any()),
            probability=float(found.slice_probabilities[k]),
            mask_probability=float(found.mask_probability[k].max()),
            dice=dice(predicted[k], mask),
            predicted_ul=float(np.count_nonzero(predicted[k]) * sizes[k]),
        )


def _volume_ul(mask: np.ndarray, sizes: np.ndarray) -> float:
    return float(np.count_nonzero(mask, axis=(1, 2)) @ sizes)
