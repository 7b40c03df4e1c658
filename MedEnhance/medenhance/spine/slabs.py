"""Volume projection imaging: slabs that follow the skin, each averaged into one coronal image (spec section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d

from medenhance.errors import MedEnhanceError
from medenhance.spine.back_volume import BackVolume, check_direction
from medenhance.spine.projection import Projection, ProjectionSet
from medenhance.spine.skin import find_skin

Blend = Literal["mean", "max"]
# Spec section 5.2, step 5: centres for an average body, and about the laminae's depth for the body at hand.
DEFAULT_DEPTHS_MM = (20.0, 25.0, 30.0, 35.0, 40.0)
AROUND_LAMINA_MM = (-8.0, -4.0, 0.0, 4.0, 8.0)
DEFAULT_THICKNESS_MM = 10.0
_BAND_MM = (15.0, 30.0)  # of the laminae, from the midline
_LAMINA_RANGE_MM = (13.0, 60.0)
_PEAK_SMOOTHING_MM = 1.0
_LEAST_PROMINENCE = 1.3  # of a peak, against what is 4 mm around it on both sides
_PROMINENCE_MM = 4.0
_FEWEST_PEAKS = 200
_LEAST_FILLED = 0.25
_PERCENTILES = (1.0, 99.5)
_LEAST_AXIS = 8


def project(
    back: BackVolume,
    depths_mm: Sequence[float] | None = None,
    thickness_mm: float = DEFAULT_THICKNESS_MM,
    blend: Blend = "mean",
    *,
    trust_axes: bool = False,
) -> ProjectionSet:
    """Project a volume of the back at several depths below the skin.

    Args:
        back: The volume, turned to face its back.
        depths_mm: Middles of the slabs below the skin; by default five about the depth of the laminae, which depends
            on the body, or 20 to 40 mm where that is not found.
        thickness_mm: Of a slab.
        blend: Mean of the voxels with data, or their maximum.
        trust_axes: Take the orientation as it is, whatever the echoes say.

    Raises:
        MedEnhanceError: input-unsuitable (empty, flat, oriented wrongly, too shallow), bad-option.
    """
    _check_options(depths_mm, thickness_mm)
    _refuse_flat(back)
    if not trust_axes:
        check_direction(back)
    skin = find_skin(back)
    lamina = None if depths_mm is not None else lamina_depth_mm(back, skin)
    depths, notes = _depths(depths_mm, lamina)
    slabs = [_slab(back, skin, depth, thickness_mm, blend) for depth in depths]
    _refuse_too_shallow(back, skin, depths, slabs)
    scan = np.any([known for _, known in slabs], axis=0)
    row, column, _ = back.frame.spacing_mm
    images = [
        Projection(_as_grey(value, known), (row, column), depth, f"slab {number}, {depth:.1f} mm below the skin")
        for number, (depth, (value, known)) in enumerate(zip(depths, slabs, strict=True), start=1)
    ]
    return ProjectionSet(tuple(images), scan, skin, back.frame, thickness_mm, lamina, notes)


def lamina_depth_mm(back: BackVolume, skin_mm: np.ndarray) -> float | None:
    """The depth below the skin at which bone beside the midline reflects most.

    Args:
        back: The volume.
        skin_mm: (R, C), from `find_skin`.

    Returns:
        The median depth, weighted by height, of the strongest peak 15 to 30 mm from the middle of the scan; None where
        peaks are few.
    """
    step = back.frame.spacing_mm[2]
    known = back.filled.any(axis=2)
    columns = np.arange(known.shape[1]) * back.frame.spacing_mm[1]
    middle = (known @ columns) / np.maximum(known.sum(axis=1), 1)
    aside = np.abs(columns - middle[:, None])
    rows, cols = np.nonzero(known & (aside >= _BAND_MM[0]) & (aside <= _BAND_MM[1]))
    depths = np.arange(_LAMINA_RANGE_MM[0], _LAMINA_RANGE_MM[1], step)
    if len(rows) == 0:
        return None
    echo, filled = _sampled(back, rows, cols, skin_mm[rows, cols, None] + depths)
    echo = gaussian_filter1d(np.where(filled > 0.5, echo, 0), _PEAK_SMOOTHING_MM / step, axis=1)
    apart = max(round(_PROMINENCE_MM / step), 1)
    if echo.shape[1] <= 2 * apart:
        return None
    inner = echo[:, apart:-apart]
    around = np.maximum(echo[:, : -2 * apart], echo[:, 2 * apart :])
    prominence = np.where(inner > _LEAST_PROMINENCE * around, inner - around, 0)
    best = np.argmax(prominence, axis=1)
    height = prominence[np.arange(len(best)), best]
    if np.count_nonzero(height) < _FEWEST_PEAKS:
        return None
    # Speckle far below bone has peaks as well: each counts by its height.
    order = np.argsort(best)
    middle = np.searchsorted(np.cumsum(height[order]), height.sum() / 2)
    return float(depths[apart + best[order[middle]]])


def _depths(given: Sequence[float] | None, lamina: float | None) -> tuple[tuple[float, ...], tuple[str, ...]]:
    if given is not None:
        return tuple(float(depth) for depth in given), ()
    if lamina is None:
        shown = ", ".join(f"{depth:g}" for depth in DEFAULT_DEPTHS_MM)
        return DEFAULT_DEPTHS_MM, (f"Bone beside the midline was not found; slabs lie {shown} mm below the skin.",)
    return tuple(lamina + offset for offset in AROUND_LAMINA_MM), ()


def _slab(
    back: BackVolume, skin: np.ndarray, depth_mm: float, thickness_mm: float, blend: Blend
) -> tuple[np.ndarray, np.ndarray]:
    """(R, C) value and (R, C) bool of one slab, row by row."""
    step = back.frame.spacing_mm[2]
    count = max(round(thickness_mm / step), 1)
    offsets = (np.arange(count) + 0.5) / count * thickness_mm - thickness_mm / 2
    value, known = np.zeros(skin.shape, np.float32), np.zeros(skin.shape, bool)
    columns = np.arange(skin.shape[1])
    for row in range(skin.shape[0]):
        echo, filled = _sampled(back, np.full(len(columns), row), columns, skin[row][:, None] + depth_mm + offsets)
        share = filled.mean(axis=1)
        known[row] = share > _LEAST_FILLED
        total = (echo * filled).sum(axis=1) / np.maximum(filled.sum(axis=1), 1e-6)
        value[row] = np.where(filled > 0.5, echo, 0).max(axis=1) if blend == "max" else total
    return np.where(known, value, 0), known


def _sampled(
    back: BackVolume, rows: np.ndarray, columns: np.ndarray, depth_mm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate linearly along depth, leaving out voxels without data.

    Args:
        back: The volume.
        rows: (N,).
        columns: (N,).
        depth_mm: (N, S) below the first plane.

    Returns:
        (N, S) value, and (N, S) the share of it that has data.
    """
    last = back.array.shape[2] - 1
    place = depth_mm / back.frame.spacing_mm[2]
    below = np.floor(place).astype(np.int64)
    upper = place - below
    at = (rows[:, None], columns[:, None])
    shares = [
        weight * (back.filled[at[0], at[1], np.clip(index, 0, last)] & (index >= 0) & (index <= last))
        for index, weight in ((below, 1 - upper), (below + 1, upper))
    ]
    values = [back.array[at[0], at[1], np.clip(index, 0, last)] for index in (below, below + 1)]
    filled = shares[0] + shares[1]
    return (values[0] * shares[0] + values[1] * shares[1]) / np.maximum(filled, 1e-6), filled


def _as_grey(value: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(R, C) float32, 0 to 255; pixels with data are at least 1, so that 0 means outside."""
    if not known.any():
        return np.zeros(value.shape, np.float32)
    low, high = np.percentile(value[known], _PERCENTILES)
    scaled = (value - low) / max(float(high - low), 1e-6) * 255
    return np.where(known, np.clip(scaled, 1, 255), 0).astype(np.float32)


def _check_options(depths_mm: Sequence[float] | None, thickness_mm: float) -> None:
    if not 0 < thickness_mm <= 50:
        raise MedEnhanceError("bad-option", f"A slab of {thickness_mm:g} mm is none.", "Give 1 to 50 mm; 10 is usual.")
    if depths_mm is None:
        return
    if len(depths_mm) != len(AROUND_LAMINA_MM) or min(np.diff(depths_mm)) <= 0:
        shown = ", ".join(f"{depth:g}" for depth in depths_mm)
        message = f"Depths of {shown or 'nothing'} mm were given; five are needed, from superficial to deep."
        raise MedEnhanceError("bad-option", message, "Give five, such as 20 25 30 35 40.")
    if depths_mm[0] <= 0 or depths_mm[-1] > 200:
        raise MedEnhanceError("bad-option", "A depth lies outside 0 to 200 mm below the skin.", "")


def _refuse_flat(back: BackVolume) -> None:
    rows, columns, depth = back.array.shape
    if min(rows, columns, depth) < _LEAST_AXIS:
        raise MedEnhanceError(
            "input-unsuitable",
            f"The volume has {rows} rows from head to feet, {columns} columns from left to right and {depth} planes "
            f"below the skin; projections need at least {_LEAST_AXIS} of each. One depth alone is no volume.",
            "Give the reconstructed volume, not one projection of it.",
        )


def _refuse_too_shallow(
    back: BackVolume, skin: np.ndarray, depths: tuple[float, ...], slabs: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    empty = [depth for depth, (_, known) in zip(depths, slabs, strict=True) if not known.any()]
    if empty:
        bottom = back.array.shape[2] * back.frame.spacing_mm[2] - float(skin.mean())
        raise MedEnhanceError(
            "input-unsuitable",
            f"The volume reaches {bottom:.0f} mm below the skin and has nothing at {empty[0]:.0f} mm.",
            "Give depths that lie inside.",
        )
