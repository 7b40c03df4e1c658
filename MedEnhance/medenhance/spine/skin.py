"""The skin in an ultrasound volume: where, going in from outside, the echo begins."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter, minimum_filter

from medenhance.errors import MedEnhanceError
from medenhance.spine.back_volume import BackVolume

# Spec section 5.2, step 3; a fixed grey threshold was 3.4 mm off there, because gel exceeded it.
_SMOOTHING_PX = 4.0
_STEP_MM = 1.6  # compared before and after: four samples of 0.4 mm
_SEARCH_MM = 22.0
_MEDIAN_PX = (21, 9)
_NEIGHBOURHOOD_MM = 10.0
_LATE_MM = 5.0  # a back that falls off at 25 degrees does so within 10 mm


def find_skin(back: BackVolume) -> np.ndarray:
    """Find the depth of the skin below the first plane, everywhere.

    It is the strongest rise of the echo within 22 mm of where data begin, smoothed; where nothing was scanned it is
    continued smoothly from around.

    Args:
        back: The volume.

    Returns:
        (R, C) float32, mm; -0.5 voxels where the data begin with the skin.

    Raises:
        MedEnhanceError: input-unsuitable when nothing was scanned.
    """
    known = _seen_from_outside(back)
    if not known.any():
        raise MedEnhanceError("input-unsuitable", "The volume is empty: nothing was scanned.", "Choose another one.")
    spacing = back.frame.spacing_mm[2]
    index = _strongest_rise(back, max(round(_STEP_MM / spacing), 1), max(round(_SEARCH_MM / spacing), 1))
    surface = continued(np.where(known, index, np.nan))
    surface = median_filter(surface, _MEDIAN_PX, mode="nearest")
    surface = gaussian_filter(surface, _SMOOTHING_PX, mode="nearest")
    return np.asarray((surface - 0.5) * spacing, np.float32)


def _seen_from_outside(back: BackVolume) -> np.ndarray:
    """(R, C) bool: columns whose data begin about where those around them do.

    At the end of a slanted sweep they begin far below the skin, and there the first echo is none.
    """
    known = back.filled.any(axis=2)
    first = np.where(known, np.argmax(back.filled, axis=2), back.filled.shape[2]) * back.frame.spacing_mm[2]
    around = [2 * round(_NEIGHBOURHOOD_MM / spacing) + 1 for spacing in back.frame.spacing_mm[:2]]
    return np.asarray(known & (first <= minimum_filter(first, around, mode="nearest") + _LATE_MM))


def continued(surface: np.ndarray) -> np.ndarray:
    """Fill the gaps (NaN) of an (R, C) surface from around them, coarsely where they are wide."""
    filled = surface.astype(np.float64)
    known = np.isfinite(filled)
    width = 1.0
    while not known.all():
        weight = gaussian_filter(np.isfinite(surface).astype(np.float64), width, mode="nearest")
        value = gaussian_filter(np.nan_to_num(surface), width, mode="nearest")
        reached = ~known & (weight > 1e-3)
        filled[reached] = value[reached] / weight[reached]
        known |= reached
        width *= 2
    return filled


def _strongest_rise(back: BackVolume, step: int, reach: int) -> np.ndarray:
    """(R, C) index of the first voxel after the strongest rise; column by column of the image, to save memory."""
    array = np.where(back.filled, back.array, 0)
    smooth = np.stack(
        [gaussian_filter(array[:, :, z], _SMOOTHING_PX, mode="nearest") for z in range(array.shape[2])], axis=-1
    )
    padded = np.pad(smooth, ((0, 0), (0, 0), (step, step)), mode="constant")
    padded[:, :, -step:] = smooth[:, :, -1:]
    total = np.cumsum(padded, axis=2)
    # Sum of the `step` voxels from z on, less that of the `step` before.
    total = np.concatenate([np.zeros_like(total[:, :, :1]), total], axis=2)
    z = np.arange(smooth.shape[2]) + step
    rise = total[:, :, z + step] - 2 * total[:, :, z] + total[:, :, z - step]
    first = np.argmax(back.filled, axis=2)[..., None]
    place = np.arange(smooth.shape[2])
    allowed = (place >= first) & (place < first + reach)
    return np.asarray(np.argmax(np.where(allowed, rise, -np.inf), axis=2))
