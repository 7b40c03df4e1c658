"""Measures a method on projections of held-out simulated subjects, whose labels and clean twins are known.

A network runs as users run it, through the `Predictor`. Segmentation and restoration are measured inside the scan.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from medenhance.enhance_projection import enhance_projection
from medenhance.measure.image_quality import ms_ssim, psnr
from medenhance.measure.overlap import Overlap, overlap
from medenhance.measure.stripes import CORRUPTED_FROM, patch_edge_measures
from medenhance.predict import Predictor
from medenhance.progress import Progress, Silent, checkpoint
from medenhance_training.data.spine_bank import Projection

GREY = (0.0, 255.0)
CLASSES = {"lumbar": 3, "thoracic": 2, "rib": 1}
"""The columns of the paper's Table 1 and their labels."""
CHANGED_GREY = 8.0  # a pixel that moved by more has changed visibly (specification, section 0)


@dataclass(frozen=True)
class Result:
    """What a method makes of a projection.

    Attributes:
        image: (R, C) uint8.
        labels: (R, C) uint8, or None from a method that does not segment.
        confidence: (R, C) probability of each pixel's label; None where it is not known.
    """

    image: np.ndarray
    labels: np.ndarray | None
    confidence: np.ndarray | None = None


class SpineRestorer(Protocol):
    """Anything that enhances or segments a projection."""

    def restore(self, image: np.ndarray) -> Result:
        """(R, C) uint8, 0 outside the scan."""


@dataclass(frozen=True)
class NetworkRestorer:
    """A network as users run it."""

    predictor: Predictor

    def restore(self, image: np.ndarray) -> Result:
        found = enhance_projection(self.predictor, image)
        return Result(found.image, found.labels, found.probabilities.max(axis=0))


@dataclass(frozen=True)
class Restoration:
    """How near to the clean twin, and what it cost.

    Attributes:
        psnr_db: In the scan's bounding box, grey 0 to 255.
        ms_ssim: Likewise.
        dash_error: Mean absolute error inside the structured noise, grey levels.
        leakage: Mean absolute change outside of it, grey levels: detail that was taken away or invented.
        changed_share: Share of the scan's pixels that changed by more than 8 grey levels.
        corrupted_before, corrupted_after: Patches with an edge measure of 4 or more.
        identity_error: Mean absolute change of the clean twin, grey levels: the alarm for invented structures.
    """

    psnr_db: float
    ms_ssim: float
    dash_error: float
    leakage: float
    changed_share: float
    corrupted_before: int
    corrupted_after: int
    identity_error: float


@dataclass(frozen=True)
class ProjectionFigures:
    """Everything measured on one projection.

    Attributes:
        subject: Seed of the subject.
        overlaps: Class -> agreement, without classes that neither image shows; empty without segmentation.
        clean_dice: Mean Dice on the clean twin, percent: what taking all structured noise away could give at best. 0
            without segmentation.
        restoration: What became of the image.
        seconds: Time of it.
    """

    subject: int
    overlaps: dict[str, Overlap]
    clean_dice: float
    restoration: Restoration
    seconds: float

    @property
    def dice(self) -> float:
        """Mean over the classes, percent; NaN without segmentation."""
        return _mean_dice(self.overlaps) if self.overlaps else float("nan")


def evaluate_spine(
    restorer: SpineRestorer,
    projections: Sequence[Projection],
    progress: Progress | None = None,
    stage: str = "evaluate",
) -> list[ProjectionFigures]:
    """Run a method over all projections and measure each."""
    progress, figures = progress or Silent(), []
    for n, one in enumerate(projections):
        checkpoint(progress, stage, n / len(projections))
        begun = time.perf_counter()
        result = restorer.restore(one.noisy)
        seconds = time.perf_counter() - begun
        on_twin = restorer.restore(one.clean)
        found = overlaps(result.labels, one)
        restored = restoration(result.image, on_twin.image, one)
        figures.append(
            ProjectionFigures(one.subject, found, _mean_dice(overlaps(on_twin.labels, one)), restored, seconds)
        )
    progress.update(stage, 1.0)
    return figures


def overlaps(labels: np.ndarray | None, one: Projection) -> dict[str, Overlap]:
    """Agreement with the reference, class by class."""
    if labels is None:
        return {}
    found = {name: overlap(labels == value, one.labels == value) for name, value in CLASSES.items()}
    return {name: value for name, value in found.items() if value is not None}


def restoration(image: np.ndarray, unchanged: np.ndarray, one: Projection) -> Restoration:
    """Compare an enhanced projection with its twin; `unchanged` is what the method made of the twin itself."""
    box = _bounding_box(one.scan)
    grey, twin, noisy = (x.astype(np.float32) for x in (image, one.clean, one.noisy))
    dashes, outside = one.dashes & one.scan, one.scan & ~one.dashes
    change = np.abs(grey - noisy)
    return Restoration(
        psnr_db=psnr(grey[box], twin[box], GREY),
        ms_ssim=ms_ssim(grey[box], twin[box], GREY),
        dash_error=_mean(np.abs(grey - twin), dashes),
        leakage=_mean(change, outside),
        changed_share=_mean(change > CHANGED_GREY, one.scan),
        corrupted_before=int((patch_edge_measures(one.noisy) >= CORRUPTED_FROM).sum()),
        corrupted_after=int((patch_edge_measures(image) >= CORRUPTED_FROM).sum()),
        identity_error=_mean(np.abs(unchanged.astype(np.float32) - twin), one.scan),
    )


def _mean_dice(found: dict[str, Overlap]) -> float:
    return 100.0 * float(np.mean([one.dice for one in found.values()])) if found else 0.0


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean(dtype=np.float64)) if where.any() else 0.0


def _bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    rows, columns = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return rows, columns
