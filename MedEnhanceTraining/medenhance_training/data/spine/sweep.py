"""The freehand sweep: frames laid over the rows of a projection, and what they leave empty.

A frame is one B-mode image, seen from above: a line across the strip, at some row, with a slope (yaw). It is pasted
into the row that it is nearest to, column by column, and the later frame wins; nothing is filled. Where the probe moves
faster than a row a frame, rows between two frames stay empty. As both frames climb by a row every 1/slope columns, the
gap shows as a dash of a few pixels once in 1/slope columns: the slanted chains of short dashes of the public image,
bands where the probe was fast, and the jagged border, are all this one mechanism (specification, section 7.1, step 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medenhance_training.data.spine.config import NATIVE_PIXEL_MM
from medenhance_training.data.spine.fields import smooth_line

# The public image's strip: 389 px wide, rows 104 to 2545 of 2574.
STRIP_MM = 77.8
_MARGIN_MM = (15.0, 27.0)
# Rows a frame, at rest: below 1, so that no row stays empty.
_CALM_ROWS = (0.55, 0.75)
# Beyond this speed the echo of a frame suffers.
_STEADY_ROWS = 0.8
# The public image's chains of dashes climb by 1 row in 14 to 25 columns, each frame nearly parallel to the next.
_YAW, _SLOPE_JITTER, _PLACE_JITTER_ROWS = (0.035, 0.08), 0.0003, 0.04
# A fast hand is an uneven one: chains of dashes break off instead of joining to lines.
_FAST_JITTER_ROWS = 0.5


@dataclass(frozen=True)
class Sweep:
    """Frames over a projection.

    Attributes:
        row: (N,) rising: where each frame crosses the middle of the image, in rows.
        slope: (N,) rows a column.
        centre: (N,) column of each frame's middle.
        half_width: Half a frame's width in columns.
        unsteadiness: (N,) 0 in a calm sweep: how much its echo suffers from the probe's speed.
    """

    row: np.ndarray
    slope: np.ndarray
    centre: np.ndarray
    half_width: float
    unsteadiness: np.ndarray

    @property
    def num_frames(self) -> int:
        """How many."""
        return int(self.row.size)


@dataclass(frozen=True)
class Coverage:
    """Which frame each pixel shows.

    Attributes:
        frame: (R, C) int32: the frame, or in a gap the one above; -1 outside the scan.
        scan: (R, C) bool: inside the scan, its gaps included.
        gap: (R, C) bool: inside the scan, but no frame was pasted there.
    """

    frame: np.ndarray
    scan: np.ndarray
    gap: np.ndarray


def draw_sweep(
    shape: tuple[int, int], pixel_mm: float, midline_px: np.ndarray, stripes: float, rng: np.random.Generator
) -> Sweep:
    """A sweep along a subject's midline.

    Args:
        shape: Rows and columns of the projection.
        pixel_mm: Side of its pixels.
        midline_px: (R,) column of the midline at every row.
        stripes: How much of the sweep is fast; 0 keeps it calm everywhere.
        rng: Source of randomness; the same number of draws whatever `stripes` is.
    """
    num_rows = shape[0]
    top, bottom = (round(num_rows * rng.uniform(*_MARGIN_MM) / 514.8) for _ in range(2))
    bottom = round(bottom * 0.5)
    speed = _speed(num_rows, stripes, rng)
    passed = np.concatenate([[0.0], np.cumsum(1 / speed[top : num_rows - bottom])])
    frames = np.arange(int(passed[-1]))
    row = top + np.interp(frames, passed, np.arange(passed.size, dtype=float))
    at = np.clip(row.astype(int), 0, num_rows - 1)
    unsteady = np.clip(speed[at] - _STEADY_ROWS, 0, 1.5)
    row += rng.normal(0, 1, row.size) * (_PLACE_JITTER_ROWS + _FAST_JITTER_ROWS * unsteady)
    yaw = rng.choice((-1.0, 1.0)) * rng.uniform(*_YAW)
    slope = yaw + 0.01 * np.clip(smooth_line(num_rows, 90, rng)[at], -2, 2) + rng.normal(0, _SLOPE_JITTER, row.size)
    follow = _strip_centre(shape, pixel_mm, midline_px, rng)[at] + rng.normal(0, 0.5, row.size)
    return Sweep(row, slope, follow, STRIP_MM / pixel_mm / 2, unsteady)


def cover(sweep: Sweep, shape: tuple[int, int]) -> Coverage:
    """Paste the frames of a sweep into a grid."""
    num_rows, num_columns = shape
    columns = np.arange(num_columns, dtype=np.float32)
    landed = np.rint(
        sweep.row[:, None].astype(np.float32)
        + sweep.slope[:, None].astype(np.float32) * (columns[None] - np.float32((num_columns - 1) / 2))
    ).astype(np.int32)
    np.clip(landed, 0, num_rows - 1, out=landed)
    within = np.abs(columns[None] - sweep.centre[:, None].astype(np.float32)) <= np.float32(sweep.half_width)
    frame = np.full((num_rows, num_columns), -1, np.int32)
    number = np.broadcast_to(np.arange(sweep.num_frames, dtype=np.int32)[:, None], landed.shape)
    flat = landed * np.int32(num_columns) + np.arange(num_columns, dtype=np.int32)
    # Numpy keeps the last of equal indices: the later frame wins.
    frame.ravel()[flat[within]] = number[within]
    return _close_gaps(frame, sweep)


def _close_gaps(frame: np.ndarray, sweep: Sweep) -> Coverage:
    """Tell gaps (frames above and below, within a few rows) from the outside and its jagged border."""
    empty = frame < 0
    above = np.maximum.accumulate(frame, axis=0)
    height = np.arange(len(frame), dtype=np.int32)[:, None]
    last = np.maximum.accumulate(np.where(empty, -1, height), axis=0)
    following = np.minimum.accumulate(np.where(empty, 2**30, height)[::-1], axis=0)[::-1]
    away = np.abs(np.arange(frame.shape[1]) - sweep.centre[np.maximum(above, 0)])
    between = (last >= 0) & (following - last <= _LONGEST_GAP_ROWS) & (away < sweep.half_width - _BORDER_COLUMNS)
    scan = ~empty | between
    return Coverage(np.where(scan, above, -1), scan, scan & empty)


# Where the border moves in and out again, the rows between are outside; a gap between frames is never so high.
_LONGEST_GAP_ROWS = 6
# Frames end up to this far from their neighbours (jitter of 0.5 columns and the wobble of the strip).
_BORDER_COLUMNS = 3.0


def _speed(num_rows: int, stripes: float, rng: np.random.Generator) -> np.ndarray:
    """(R,) rows a frame: calm, with one long fast stretch and a few short ones.

    Numbers fitted to the public image's dashes (`comparison`); lengths are in rows, for a frame's row is what matters.
    """
    speed = rng.uniform(*_CALM_ROWS) * np.exp(0.05 * smooth_line(num_rows, 60, rng))
    row = np.arange(num_rows)
    long_ones = [(rng.normal(0.0, 1.0), rng.uniform(0.06, 0.94), rng.uniform(18, 30))]
    short_ones = [(rng.normal(-0.7, 1.0), rng.uniform(0.04, 0.96), rng.uniform(3, 7)) for _ in range(2)]
    for strength, place, length in (*long_ones, *short_ones):
        boost = 0.64 * np.exp(0.35 * strength) * stripes
        centre = place * num_rows
        speed = speed + boost * np.exp(-0.5 * ((row - centre) / (length * num_rows / 2574)) ** 2)
    return np.asarray(np.clip(speed, 0.4, 1.6))


def _strip_centre(
    shape: tuple[int, int], pixel_mm: float, midline_px: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(R,) columns: the probe follows most of the spine's bends, with a wobble of its own."""
    num_rows = shape[0]
    scale = NATIVE_PIXEL_MM / pixel_mm
    follow = rng.uniform(0.75, 0.95)
    middle = (midline_px.min() + midline_px.max()) / 2
    wobble = 7 * smooth_line(num_rows, 220 * scale, rng) + 4 * smooth_line(num_rows, 30 * scale, rng)
    return np.asarray(middle + follow * (midline_px - middle) + scale * wobble + rng.normal(0, 6) * scale)
