"""True values of a slice: HU, where the modality is CT."""

from __future__ import annotations

import numpy as np

from medenhance.dicom.pixels import open_frames
from medenhance.dicom.series import SliceHeader


def read_slice(one: SliceHeader) -> np.ndarray:
    """(H, W) float32 true values of one slice."""
    with open_frames(one.path, one.pixels, one.num_frames) as frames:
        return rescaled(frames.stored(one.frame), one)


def rescaled(stored: np.ndarray, one: SliceHeader, out: np.ndarray | None = None) -> np.ndarray:
    """Value = stored * slope + intercept, in float32 (PS3.3, C.11.1.1.2)."""
    slope, intercept = one.rescale
    true = np.empty(stored.shape, np.float32) if out is None else out
    np.multiply(stored, np.float32(slope), out=true, casting="unsafe")
    true += np.float32(intercept)
    return true
