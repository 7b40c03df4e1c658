"""Whether the values of a head CT are CT numbers, or lie about 1000 too high or too low."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medenhance.volume import Volume

# Where the tallest peak of soft tissue may lie: white matter is 28, grey 37 (spec 7.1); below -150 there is no tissue
# but lung, and above 100 none but enhanced vessels and bone.
TISSUE_HU = (-150.0, 100.0)
# Where the brain's peak must lie after a correction; scanners are calibrated to a few HU.
BRAIN_HU = (15.0, 60.0)
_BRAIN_TYPICAL_HU = 33.0
# Stored values whose intercept was lost: 12-bit formats add 1000 or 1024.
OFFSETS_HU = (1000.0, 1024.0, -1000.0, -1024.0)
_AIR_GAP_HU = 300.0  # air and what is next to it are not looked at
_BIN_HU = 5.0
_SMOOTH_BINS = 2.0
_MAX_SLICES = 24  # sampled evenly
# Air in a body's CT lies below this; a head has it around and in the sinuses, unless it is cropped.
_AIR_BELOW_HU = -700.0
_LEAST_AIR = 1e-3


@dataclass(frozen=True)
class CtNumbers:
    """What the values look like.

    Attributes:
        tissue_peak: Tallest peak that is not air, in the values' own unit.
        air_share: Share of voxels that are air once `offset_hu` is taken off.
        offset_hu: To be taken off every value; 0 when they are CT numbers. None when they are none whatever is taken.
    """

    tissue_peak: float
    air_share: float
    offset_hu: float | None


def ct_numbers(volume: Volume) -> CtNumbers:
    """Look at the values of a head CT."""
    step = max(1, len(volume.array) // _MAX_SLICES)
    values = volume.array[::step].astype(np.float32)
    inside = values if volume.padding_below is None else values[values > volume.padding_below]
    peak = _tissue_peak(inside.ravel())
    offset = _offset(peak)
    share = 0.0 if offset is None else float(np.mean(inside - offset < _AIR_BELOW_HU))
    if share < _LEAST_AIR and (offset is None or offset != 0 or float(inside.min()) >= 0):
        offset = None  # nothing is air, and grey values or labels have none
    return CtNumbers(peak, share, offset)


def _tissue_peak(values: np.ndarray) -> float:
    """The most frequent value that is not air, smoothed."""
    if values.size == 0:
        return float("nan")
    low = float(values.min())
    tissue = values[values > low + _AIR_GAP_HU] if float(np.ptp(values)) > _AIR_GAP_HU else values
    if tissue.size == 0:
        return low
    begin, end = float(tissue.min()), float(tissue.max()) + _BIN_HU
    counts, edges = np.histogram(tissue, bins=np.arange(begin, end + _BIN_HU, _BIN_HU))
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), _SMOOTH_BINS, mode="constant")
    peak = int(np.argmax(smooth))
    return float((edges[peak] + edges[peak + 1]) / 2)


def _offset(peak: float) -> float | None:
    """What has to be taken off for the peak to be soft tissue; the correction that fits the brain best."""
    if TISSUE_HU[0] <= peak <= TISSUE_HU[1]:
        return 0.0
    fitting = [offset for offset in OFFSETS_HU if BRAIN_HU[0] <= peak - offset <= BRAIN_HU[1]]
    return min(fitting, key=lambda offset: abs(peak - offset - _BRAIN_TYPICAL_HU), default=None)
