"""Enhancement and segmentation of one coronal projection by a joint network (DA-GAN, papers/001)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.measure.stripes import scan_area
from medenhance.progress import Progress

if TYPE_CHECKING:
    from medenhance.predict import Predictor


@dataclass(frozen=True)
class EnhancedProjection:
    """What a network made of a projection.

    Attributes:
        image: (R, C) uint8 grey; outside the scan as it was.
        labels: (R, C) uint8: 0 background, 1 rib, 2 thoracic process, 3 lumbar lump (order "da-gan").
        probabilities: (4, R, C) float32 in the same order; background has 1 outside the scan.
        scan: (R, C) bool: where the probe went.
    """

    image: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    scan: np.ndarray


def enhance_projection(predictor: Predictor, image: np.ndarray, progress: Progress | None = None) -> EnhancedProjection:
    """Enhance and segment a projection at its own scale, the whole image at once where memory allows.

    Args:
        predictor: Of a model for "enhance-spine".
        image: (R, C) uint8 grey, 0 outside the scan, row 0 at the head.
        progress: May cancel.

    Raises:
        MedEnhanceError: Not such an image, or too small for the network.
    """
    checked_projection(image)
    scan = scan_area(image)
    restored, probabilities = predictor.restore_and_classify(image, progress=progress)
    probabilities[:, ~scan] = 0.0
    probabilities[0, ~scan] = 1.0
    labels = probabilities.argmax(axis=0).astype(np.uint8)
    return EnhancedProjection(np.where(scan, restored, image), labels, probabilities, scan)


def checked_projection(image: np.ndarray) -> None:
    """Refuse what is no grey projection, or an empty one.

    Raises:
        MedEnhanceError: With what was given instead.
    """
    if image.ndim != 2 or image.dtype != np.uint8:
        what = "a colour image" if image.ndim == 3 and image.shape[-1] in (3, 4) else f"{image.dtype} {image.shape}"
        message = f"A projection is one image of 8-bit grey values, not {what}."
        raise MedEnhanceError("input-unsuitable", message, "Convert it to 8-bit grey first.")
    if not image.any():
        raise MedEnhanceError("input-unsuitable", "The projection is empty: all of its pixels are 0.")
