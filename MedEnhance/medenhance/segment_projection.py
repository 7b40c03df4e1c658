"""Segmentation of a projection as it is, by the segmenter of a joint network without its enhancer.

The angle of the original image must not depend on what the enhancer did, so the original is segmented on its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medenhance.enhance_projection import checked_projection
from medenhance.errors import MedEnhanceError
from medenhance.measure.stripes import scan_area
from medenhance.progress import Progress

if TYPE_CHECKING:
    from medenhance.predict import Predictor


def segmenter_of(predictor: Predictor) -> Predictor:
    """The segmenting half of a model, with the same weights in memory.

    Raises:
        MedEnhanceError: model-unknown: the model has none.
    """
    from medenhance.networks.spine import SpineConfig, SpineNetwork
    from medenhance.predict import Predictor as NewPredictor

    network = predictor.network
    if not isinstance(network, SpineNetwork) or network.segmenter is None:
        hint = "Choose a model that segments, or leave out the steps segment and measure."
        raise MedEnhanceError("model-unknown", f"Model {predictor.entry.id} does not segment.", hint)
    half = SpineNetwork(SpineConfig(None, None))
    half.config = SpineConfig(None, network.config.segmenter)
    half.segmenter = network.segmenter
    entry = replace(predictor.entry, config={**predictor.entry.config, "enhancer": None})
    return NewPredictor(entry, half, device=predictor.device, precision=predictor.precision)


def segment_projection(segmenter: Predictor, image: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """Segment a projection.

    Args:
        segmenter: Of `segmenter_of`.
        image: (R, C) uint8 grey, 0 outside the scan, row 0 at the head.
        progress: May cancel.

    Returns:
        (R, C) uint8: 0 background, 1 rib, 2 thoracic process, 3 lumbar lump (order "da-gan").
    """
    checked_projection(image)
    _, probabilities = segmenter.restore_and_classify(image, progress=progress)
    return np.where(scan_area(image), probabilities.argmax(axis=0), 0).astype(np.uint8)
