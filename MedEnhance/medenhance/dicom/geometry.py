"""Puts slices in order and finds the grid they form, or says why they form none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medenhance.dicom.series import SliceHeader
from medenhance.errors import MedEnhanceError
from medenhance.volume import Grid, Vector

SAME_POSITION_MM = 1e-3
SAME_DIRECTION = 1e-3
SAME_SPACING_MM = 1e-4
EVEN_STEPS = 0.01  # of the mean step
TILT_DEG = 0.1
MISSING_FROM = 1.5  # a gap of that many usual gaps means that slices are missing


def sections(slices: tuple[SliceHeader, ...]) -> tuple[list[SliceHeader], tuple[str, ...]]:
    """The slices without localizers and screen captures, checked to have one size, orientation and pixel spacing.

    Raises:
        MedEnhanceError: input-unsuitable.
    """
    kept = [one for one in slices if not one.is_localizer]
    kept = [one for one in kept if not one.is_capture] or kept
    if not kept:
        raise MedEnhanceError(
            "input-unsuitable", "The series holds only localizers (scouts), no slices.", "Give the slices."
        )
    warnings: tuple[str, ...] = ()
    if len(kept) < len(slices):
        warnings = (f"{len(slices) - len(kept)} localizers or screen captures of the series were left out.",)
    _require_one("image sizes", kept, lambda s: (s.pixels.rows, s.pixels.columns), 0)
    _require_one("pixel spacings (mm)", kept, lambda s: s.pixel_spacing_mm, SAME_SPACING_MM)
    for one in kept:
        _refuse_skewed_pixels(one)
    _require_one("orientations", kept, lambda s: s.orientation, SAME_DIRECTION)
    return kept, warnings


def sort_by_position(slices: list[SliceHeader]) -> list[SliceHeader]:
    """Sort by the position's projection on the slice normal, whatever the order of files or instance numbers.

    Raises:
        MedEnhanceError: input-unsuitable when several slices state no position.
    """
    if len(slices) == 1:
        return slices
    lost = [one for one in slices if one.position_mm is None or one.orientation is None]
    if lost:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{len(lost)} of {len(slices)} slices state no position, the first is {lost[0].label}: "
            "their order and distance cannot be known.",
            "Export the series again with Image Position and Image Orientation.",
        )
    normal = _grid_of_first(slices[0]).slice_normal
    return sorted(slices, key=lambda s: (float(np.dot(s.position_mm or (), normal)), s.instance_number or 0, s.label))


def repeated_positions(slices: list[SliceHeader]) -> list[list[SliceHeader]]:
    """The slices, sorted by position, in groups that lie at the same place."""
    groups: list[list[SliceHeader]] = []
    normal = _grid_of_first(slices[0]).slice_normal
    for one in slices:
        if groups and _level_distance(groups[-1][0], one, normal) < SAME_POSITION_MM:
            _refuse_shift(groups[-1][0], one)
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def grid_of(slices: list[SliceHeader]) -> tuple[Grid, tuple[str, ...]]:
    """The grid of slices sorted by position, at most one at each, and what is odd about it."""
    first = _grid_of_first(slices[0])
    warnings: tuple[str, ...] = ()
    if not first.spacing_known:
        warnings = ("The files state no pixel spacing; 1 mm stands in for it.",)
    if len(slices) == 1:
        return first, warnings
    positions = np.array([one.position_mm for one in slices])
    step = (positions[-1] - positions[0]) / (len(slices) - 1)
    spacing = float(np.linalg.norm(step))
    matrix = np.reshape(first.direction, (3, 3)).copy()
    matrix[:, 2] = step / spacing
    deviation = np.linalg.norm(positions - (positions[0] + np.arange(len(slices))[:, None] * step), axis=1)
    uneven = bool(deviation.max() > max(EVEN_STEPS * spacing, SAME_POSITION_MM))
    origins: tuple[Vector, ...] = tuple((float(x), float(y), float(z)) for x, y, z in positions)
    grid = Grid(
        spacing_mm=(first.spacing_mm[0], first.spacing_mm[1], spacing),
        origin_mm=origins[0],
        direction=tuple(matrix.ravel().tolist()),
        slice_origins_mm=origins if uneven else None,
        spacing_known=first.spacing_known,
    )
    return grid, warnings + _shape_warnings(grid, positions)


def _grid_of_first(one: SliceHeader) -> Grid:
    row, column = np.reshape(one.orientation or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (2, 3))
    normal = np.cross(row, column)
    spacing = one.pixel_spacing_mm
    between_rows, between_columns = spacing or (1.0, 1.0)
    return Grid(
        spacing_mm=(between_columns, between_rows, one.thickness_mm or 1.0),
        origin_mm=one.position_mm or (0.0, 0.0, 0.0),
        direction=tuple(np.stack([row, column, normal / np.linalg.norm(normal)], axis=1).ravel().tolist()),
        spacing_known=spacing is not None,
    )


def _require_one(
    what: str, slices: list[SliceHeader], of: Callable[[SliceHeader], tuple[float, ...] | None], tolerance: float
) -> None:
    found: list[tuple[SliceHeader, int]] = []
    for one in slices:
        for index, (example, count) in enumerate(found):
            if _same(of(one), of(example), tolerance):
                found[index] = (example, count + 1)
                break
        else:
            found.append((one, 1))
    if len(found) == 1:
        return
    kinds = "; ".join(f"{of(example)}: {count} slices, such as {example.label}" for example, count in found[:4])
    raise MedEnhanceError(
        "input-unsuitable",
        f"The series mixes {len(found)} {what}, so it is not one volume: {kinds}.",
        "Split it into one folder for each.",
    )


def _same(a: tuple[float, ...] | None, b: tuple[float, ...] | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return bool(np.abs(np.subtract(a, b)).max() <= tolerance)


def _refuse_skewed_pixels(one: SliceHeader) -> None:
    if one.orientation is None:
        return
    row, column = np.reshape(one.orientation, (2, 3))
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > SAME_DIRECTION or abs(row @ column) > SAME_DIRECTION:
        raise MedEnhanceError(
            "input-unreadable",
            f"The orientation of {one.label}, {one.orientation}, is not two unit vectors at right angles.",
            "Export the series again.",
        )


def _level_distance(a: SliceHeader, b: SliceHeader, normal: np.ndarray) -> float:
    return abs(float((np.asarray(a.position_mm) - np.asarray(b.position_mm)) @ normal))


def _refuse_shift(a: SliceHeader, b: SliceHeader) -> None:
    if np.linalg.norm(np.asarray(a.position_mm) - np.asarray(b.position_mm)) > SAME_POSITION_MM:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{a.label} and {b.label} show the same level at different places ({a.position_mm} and {b.position_mm}).",
            "These are two reconstructions in one series: split them.",
        )


def _shape_warnings(grid: Grid, positions: np.ndarray) -> tuple[str, ...]:
    warnings: tuple[str, ...] = ()
    if grid.shear_deg > TILT_DEG:
        warnings += (
            f"The gantry was tilted: the slices are sheared by {grid.shear_deg:.1f} degrees. The geometry is kept.",
        )
    if grid.slice_origins_mm is not None:
        warnings += (_gap_warning(positions),)
    return warnings


def _gap_warning(positions: np.ndarray) -> str:
    gaps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    usual = float(np.median(gaps))
    wide = np.flatnonzero(gaps > MISSING_FROM * usual)
    whole = np.abs(gaps / usual - np.round(gaps / usual)) < 5 * EVEN_STEPS
    if len(wide) and whole.all():
        places = ", ".join(f"{round(gaps[k] / usual) - 1} between slices {k + 1} and {k + 2}" for k in wide[:8])
        more = " ..." if len(wide) > 8 else ""
        return f"Slices are missing: {places}{more} ({usual:.4g} mm apart elsewhere). Their gaps are kept."
    return f"The slices lie {gaps.min():.4g} to {gaps.max():.4g} mm apart. Their positions are kept as they are."
