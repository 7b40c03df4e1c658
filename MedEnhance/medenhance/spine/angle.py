"""The ultrasound curve angle (UCA) of a segmented coronal projection.

A UCA is the angle between the lines of the two most tilted levels of a curve: through the shadows of paired transverse
processes in the thorax, along the shadow of the lump in the lumbar part (Lee 2021; arXiv 2409.16661, Fig. 1). Lines
come from a smooth curve through the evidence of all levels, with an interval, since one level's own line may be off by
20 degrees (spec section 6.3). A UCA is not a Cobb angle and is never converted to one.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.spine.blobs import find_blobs
from medenhance.spine.curves import LEAST_CURVE_DEG, alternating_extremes, apex_between
from medenhance.spine.evidence import half_widths, line_of, observations
from medenhance.spine.labels import LUMP, PROCESS, LabelOrder, check_order, converted
from medenhance.spine.level_names import NOTICE, ThoracicEnd, level_names
from medenhance.spine.levels import Level, Levels, find_levels
from medenhance.spine.measurement import Curve, Evidence, LevelTilt, Line, Measurement, mirrored
from medenhance.spine.tilt_curve import drawn_slopes, fit, grid_for

_NUM_DRAWS, _SEED = 2000, 20210413
_PERCENT = (2.5, 97.5)
# Neighbours that differ by more are unlikely in a spine (spec section 6.3, step 6).
_STEEPEST_DEG = 12.0
_FEWEST_LEVELS = 4
# What the fit's own uncertainty leaves out: the tilt may turn abruptly, and smoothing takes off the tip. Found on
# postures whose tilt changes by 5 degrees from one level to the next.
_TIP_SD_DEG = 0.9
# Of the way to the mean tip of the likely curves. On 200 synthetic spines angles came out 0.2 degrees too small without
# and 0.4 too large with all of it.
_TIP_SHARE = 0.5
_FIT_ROUNDS = 2


def measure(
    labels: np.ndarray,
    spacing_mm: tuple[float, float] | None,
    order: LabelOrder = "da-gan",
    thoracic_end: ThoracicEnd = "T12",
) -> Measurement:
    """Measure the curves of a segmented projection.

    Mirroring the image mirrors the result exactly, and the angles do not depend on the size of the pixels.

    Args:
        labels: (R, C), 3 classes; row 0 is the head end, column 0 the patient's left.
        spacing_mm: Of rows and columns; None is refused, because angles would be wrong.
        order: Of the classes.
        thoracic_end: What the lowest level with transverse processes is taken to be.

    Raises:
        MedEnhanceError: input-unsuitable: no spacing, no such segmentation, the wrong label order, too few levels.
    """
    spacing = _checked_spacing(spacing_mm)
    check_order(labels, order)
    classes = converted(labels, order)
    # Sums run in the order of pixels and round accordingly: of an image and its mirror image the same one is measured.
    turn = classes.tobytes() > classes[:, ::-1].tobytes()
    found = _measured(classes[:, ::-1] if turn else classes, spacing, thoracic_end)
    return mirrored(found, classes.shape[1]) if turn else found


def angle_between(upper: Line, lower: Line, spacing_mm: tuple[float, float]) -> float:
    """The angle of a curve from its two lines, after a person moved them; at least 0, in degrees."""
    return abs(upper.tilt_deg(spacing_mm) - lower.tilt_deg(spacing_mm))


def _checked_spacing(spacing_mm: tuple[float, float] | None) -> tuple[float, float]:
    if spacing_mm is None:
        raise MedEnhanceError(
            "input-unsuitable",
            "The size of this image's pixels is not known, and an angle without it would be wrong.",
            "Give the row and column spacing in mm.",
        )
    if not all(np.isfinite(s) and s > 0 for s in spacing_mm):
        raise MedEnhanceError("bad-option", f"A pixel spacing of {spacing_mm} mm is none.", "Give two numbers above 0.")
    return float(spacing_mm[0]), float(spacing_mm[1])


def _measured(classes: np.ndarray, spacing: tuple[float, float], end: ThoracicEnd) -> Measurement:
    # Lengths count in columns: what the size of a pixel multiplies all of them with leaves no trace in the rounding.
    relative = (spacing[0] / spacing[1], 1.0)
    processes, lumps = (find_blobs(classes == kind, relative) for kind in (PROCESS, LUMP))
    _refuse_too_few(len(processes), len(lumps))
    levels = find_levels(processes, lumps)
    if len(levels.levels) < _FEWEST_LEVELS:
        _refuse_too_few(len(levels.levels), 0)
    fitted, x, drawn = _tilt_curve(levels)
    slopes, draws, ends = _with_tips(fitted, drawn)
    tilts = _level_tilts(levels, slopes, x, draws, relative, end)
    all_curves = [_curve(levels, tilts, draws, x, pair, relative) for pair in pairwise(ends)]
    return Measurement(
        curves=tuple(curve for curve in all_curves if curve.angle_deg >= LEAST_CURVE_DEG),
        largest=max(all_curves, key=lambda curve: curve.angle_deg),
        levels=tuple(tilts),
        level_spacing_mm=levels.unit_mm * spacing[1],
        dropped=levels.num_dropped,
        notes=_notes(levels, tilts, end),
    )


def _refuse_too_few(num_processes: int, num_lumps: int) -> None:
    if num_processes < 2 or num_processes + num_lumps < _FEWEST_LEVELS:
        raise MedEnhanceError(
            "input-unsuitable",
            f"The segmentation holds {num_processes} transverse processes and {num_lumps} lumbar lumps; that is too "
            "little of a spine to measure.",
            "Check the segmentation, its label order and that the image shows the whole back.",
        )


def _tilt_curve(levels: Levels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slope and x of the midline at every level, and slopes of other likely curves, (draws, L); lengths in levels."""
    y = np.array([level.y for level in levels.levels])
    half, slopes, grid = half_widths(levels), np.zeros(len(y)), grid_for(y)
    for _ in range(_FIT_ROUNDS):
        seen = observations(levels, half, slopes)
        offset = float(np.median(seen.value[~seen.is_slope]))
        seen = replace(seen, value=np.where(seen.is_slope, seen.value, seen.value - offset))
        curve = fit(seen, grid)
        slopes = curve.slope_at(y)
    return slopes, curve.x_at(y) + offset, drawn_slopes(curve, y, _NUM_DRAWS, _SEED)


def _with_tips(slopes: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Turn the end levels outward: a mean of likely curves is flatter at its tips than each of them.

    Args:
        slopes: (L,) of the midline.
        draws: (draws, L), of other likely curves.

    Returns:
        Both with the end levels turned, the draws with what the fit's own uncertainty leaves out, and the end levels.
    """
    tilts, drawn = np.arctan(slopes), np.arctan(draws)
    ends = alternating_extremes(_tilt_deg(slopes))
    sides = np.sign(np.diff(tilts[ends]))
    shift = np.zeros(len(tilts))
    for level, side in zip(ends, np.append(-sides[:1], sides), strict=True):
        near = slice(max(level - 1, 0), level + 2)
        tips = side * (side * drawn[:, near]).max(axis=1)
        shift[level] = _TIP_SHARE * (tips.mean() - tilts[level])
    half = np.random.default_rng(_SEED + 1).standard_normal((len(drawn) // 2, len(tilts)))
    drawn = drawn + shift + np.radians(_TIP_SD_DEG) * np.concatenate([half, -half])
    return np.tan(tilts + shift), np.tan(drawn), ends


def _tilt_deg(slope: np.ndarray) -> np.ndarray:
    """Where the midline runs to the patient's right on its way down, the right ends of the levels are raised."""
    return np.asarray(-np.degrees(np.arctan(slope)))


def _level_tilts(
    levels: Levels,
    slopes: np.ndarray,
    x: np.ndarray,
    draws: np.ndarray,
    spacing: tuple[float, float],
    end: ThoracicEnd,
) -> list[LevelTilt]:
    tilts, (low, high) = _tilt_deg(slopes), np.percentile(_tilt_deg(draws), _PERCENT, axis=0)
    names = level_names([level.lumbar for level in levels.levels], end)
    own = [line_of(level) for level in levels.levels]
    own_deg = [None if slope is None else float(_tilt_deg(np.array(slope))) for slope in own]
    return [
        LevelTilt(
            name=names[i],
            row=level.y * levels.unit_mm / spacing[0],
            column=float(x[i]) * levels.unit_mm / spacing[1],
            tilt_deg=float(tilts[i]),
            interval_deg=(min(float(low[i]), float(tilts[i])), max(float(high[i]), float(tilts[i]))),
            own_deg=own_deg[i],
            evidence=_evidence(level),
            unlikely=_is_unlikely(own_deg, i),
        )
        for i, level in enumerate(levels.levels)
    ]


def _evidence(level: Level) -> Evidence:
    if level.lump is not None:
        return "lump"
    if level.left is not None and level.right is not None:
        return "pair"
    if level.left is not None:
        return "left process"
    return "none" if level.right is None else "right process"


def _is_unlikely(own_deg: list[float | None], index: int) -> bool:
    here = own_deg[index]
    beside = [own_deg[i] for i in (index - 1, index + 1) if 0 <= i < len(own_deg)]
    return here is not None and any(other is not None and abs(here - other) > _STEEPEST_DEG for other in beside)


def _curve(
    levels: Levels,
    tilts: list[LevelTilt],
    draws: np.ndarray,
    x: np.ndarray,
    ends: tuple[int, int],
    spacing: tuple[float, float],
) -> Curve:
    upper, lower = ends
    difference = tilts[lower].tilt_deg - tilts[upper].tilt_deg
    sign = 1.0 if difference >= 0 else -1.0
    drawn = sign * (_tilt_deg(draws[:, lower]) - _tilt_deg(draws[:, upper]))
    low, high = (float(v) for v in np.percentile(drawn, _PERCENT))
    apex = apex_between(x, np.array([level.y for level in levels.levels]), upper, lower)
    return Curve(
        upper=tilts[upper].name,
        lower=tilts[lower].name,
        apex=tilts[apex].name,
        angle_deg=abs(difference),
        interval_deg=(max(min(low, abs(difference)), 0.0), max(high, abs(difference))),
        # Right ends raised above and lowered below: the spine runs to the right and comes back.
        side="right" if difference >= 0 else "left",
        kind="(thoraco)lumbar" if levels.levels[apex].lumbar else "thoracic",
        lines=(_line(levels, tilts[upper], spacing), _line(levels, tilts[lower], spacing)),
        supported=tilts[upper].evidence != "none" and tilts[lower].evidence != "none",
    )


def _line(levels: Levels, level: LevelTilt, spacing: tuple[float, float]) -> Line:
    """Through the level's place on the midline, a third longer than a pair is wide, so that it can be seen and held."""
    tilt = np.radians(level.tilt_deg)
    rows = np.sin(tilt) * levels.half_width_mm * 4 / 3 / spacing[0]
    columns = np.cos(tilt) * levels.half_width_mm * 4 / 3 / spacing[1]
    left = (level.row - float(rows), level.column - float(columns))
    return Line(level.name, left, (level.row + float(rows), level.column + float(columns)))


def _notes(levels: Levels, tilts: list[LevelTilt], end: ThoracicEnd) -> tuple[str, ...]:
    notes = [NOTICE.format(end=end), "These are ultrasound curve angles, not Cobb angles."]
    missing = [level.name for level in tilts if level.evidence == "none"]
    if missing:
        notes.append(f"Nothing was found of {', '.join(missing)}; the neighbours say where they are.")
    unlikely = [level.name for level in tilts if level.unlikely]
    if unlikely:
        notes.append(f"Lines of neighbours differ by more than {_STEEPEST_DEG:g} degrees at {', '.join(unlikely)}.")
    if levels.num_dropped:
        notes.append(f"Structures that fitted to no level and were left out: {levels.num_dropped}.")
    return tuple(notes)
