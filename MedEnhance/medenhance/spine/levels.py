"""Vertebral levels from the structures of a segmentation: which processes belong together, and what was missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medenhance.spine.blobs import Blob
from medenhance.spine.midline_search import first_midline
from medenhance.spine.tilt_curve import Observations, Smoothness, TiltCurve, fit, grid_for

# While sides are still being found: a fixed smoothness, in levels and slope, and a process's usual scatter.
_SEARCH = Smoothness(0.3, 8.0, 1.0)
_SEARCH_SD = 0.08
_ROUNDS = 4
_BESIDE = (0.45, 1.7)  # accepted distance from the midline, in half widths
# In levels: farther apart along the midline two processes are no pair; nearer, two of a side are no two levels.
_FARTHEST_PAIR, _GAP_COST, _NEAREST = 0.55, 0.3, 0.45
_FINE = 0.02
# A level's height in square roots of a process's area: 1.8 both in the phantom of spec 7.1 and in the one real image.
# Lumbar levels are 29 mm apart where thoracic ones are 26 (spec section 7.1).
_LUMBAR_GAP = 29 / 26
_USUAL_GAP, _GAP_RANGE, _SKIP_COST, _UNUSUAL_COST = 1.8, (1.3, 2.5), 0.15, 0.15


@dataclass(frozen=True)
class Level:
    """One vertebral level.

    Attributes:
        y: Where it crosses the midline, in levels (see `Levels.unit_mm`).
        left: The process at smaller x, if it was found.
        right: The process at larger x, if it was found.
        lump: The lumbar lump, if it was found.
        lumbar: Whether it belongs to the lumbar part.
    """

    y: float
    left: Blob | None = None
    right: Blob | None = None
    lump: Blob | None = None
    lumbar: bool = False

    @property
    def found(self) -> bool:
        """Whether anything of it was found; otherwise it was put in where a gap is two levels wide."""
        return self.left is not None or self.right is not None or self.lump is not None


@dataclass(frozen=True)
class Levels:
    """All levels from head to feet, and the scale of the spine.

    Attributes:
        levels: From head to feet.
        unit_mm: The typical distance of thoracic neighbours: one level. All fits are made in this unit.
        half_width_mm: Half the distance of a pair of processes.
        num_dropped: Structures that fit nowhere.
    """

    levels: tuple[Level, ...]
    unit_mm: float
    half_width_mm: float
    num_dropped: int


def find_levels(processes: list[Blob], lumps: list[Blob]) -> Levels:
    """Sort the structures of a segmentation into levels.

    Args:
        processes: Thoracic transverse processes of both sides.
        lumps: Lumbar lumps.
    """
    y, x, half_mm = first_midline(processes, lumps)
    sides = _sides(processes, np.interp([b.y_mm for b in processes], y, x), half_mm)
    size_mm = float(np.sqrt(np.median([b.area_mm2 for b in processes])))
    chains = [[b for b, side in zip(processes, sides, strict=True) if side == s] for s in (-1, 1)]
    unit = _typical_gap(chains, lumps, size_mm)
    curve = None
    for _ in range(_ROUNDS):
        curve = _midline(processes, sides, lumps, half_mm / unit, unit, curve)
        middles = curve.x_at(np.array([b.y_mm for b in processes]) / unit) * unit
        slopes = curve.slope_at(np.array([b.y_mm for b in processes]) / unit)
        aside = np.abs([b.x_mm for b in processes] - middles) / np.sqrt(1 + slopes**2)
        half_mm = float(np.median(aside[sides != 0])) if (sides != 0).any() else half_mm
        sides = _sides(processes, middles, half_mm)
    assert curve is not None
    places = _places_along(curve, [*processes, *lumps], unit)
    return _assembled(processes, sides, lumps, places, unit, half_mm)


def _sides(processes: list[Blob], middles_mm: np.ndarray, half_mm: float) -> np.ndarray:
    """(N,): -1 left of the midline, 1 right of it, 0 at no distance where a process can be."""
    offset = (np.array([b.x_mm for b in processes]) - middles_mm) / half_mm
    beside = (np.abs(offset) > _BESIDE[0]) & (np.abs(offset) < _BESIDE[1])
    return np.asarray(np.where(beside, np.sign(offset), 0).astype(np.int64))


def _typical_gap(chains: list[list[Blob]], lumps: list[Blob], size_mm: float) -> float:
    """The distance in mm of neighbours on a side of which the found distances are multiples, as nearly as may be."""
    sides = [_gaps(chain) for chain in chains]
    gaps = np.concatenate([*sides, _gaps(lumps) / _LUMBAR_GAP])
    candidates = size_mm * np.geomspace(*_GAP_RANGE, 60)
    if len(gaps) == 0:
        return size_mm * _USUAL_GAP
    times = gaps / candidates[:, None]
    whole = np.clip(np.round(times), 1, 4)
    # A half unit would explain everything: each level left out costs.
    misfit = np.minimum(np.abs(times / whole - 1), 0.3).mean(axis=1) + _SKIP_COST * (whole - 1).mean(axis=1)
    misfit += _UNUSUAL_COST * np.abs(np.log(candidates / (size_mm * _USUAL_GAP)))
    best = int(np.argmin(misfit))
    near = gaps[(whole[best] == 1) & (np.abs(times[best] - 1) < 0.3)]
    return float(np.median(near)) if len(near) else float(candidates[best])


def _gaps(chain: list[Blob]) -> np.ndarray:
    """Distances in mm of neighbours."""
    places = np.array([[b.y_mm, b.x_mm] for b in chain]).reshape(-1, 2)
    return np.asarray(np.linalg.norm(np.diff(places, axis=0), axis=1))


def _midline(
    processes: list[Blob], sides: np.ndarray, lumps: list[Blob], half: float, unit: float, before: TiltCurve | None
) -> TiltCurve:
    """Fit the midline to every process, moved to the middle along its level's line, and to the lumps."""
    used = [(b, int(side)) for b, side in zip(processes, sides, strict=True) if side]
    y = np.array([b.y_mm for b, _ in used] + [b.y_mm for b in lumps]) / unit
    x = np.array([b.x_mm for b, _ in used] + [b.x_mm for b in lumps]) / unit
    side = np.array([s for _, s in used] + [0] * len(lumps))
    tilt = np.arctan(before.slope_at(y)) if before is not None else np.zeros(len(y))
    # The level's line is (cos, -sin): its right end is higher where the midline runs to the right going down.
    y, x = y + side * half * np.sin(tilt), x - side * half * np.cos(tilt)
    observations = Observations(y, x, np.full(len(y), _SEARCH_SD), np.zeros(len(y), bool))
    return fit(observations, grid_for(y), _SEARCH)


def _places_along(curve: TiltCurve, blobs: list[Blob], unit: float) -> np.ndarray:
    """(N, 2): arc length and y, both in levels, of the foot of each blob's perpendicular on the midline."""
    y = np.arange(curve.y[0] - 1, curve.y[-1] + 1, _FINE)
    slope = curve.slope_at(y)
    x = curve.x_at(y) + slope * (y - np.clip(y, curve.y[0], curve.y[-1]))  # straight on beyond the ends
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    points = np.array([[b.x_mm, b.y_mm] for b in blobs]) / unit
    nearest = np.argmin((points[:, :1] - x) ** 2 + (points[:, 1:] - y) ** 2, axis=1)
    return np.stack([arc[nearest], y[nearest]], axis=-1)


def _assembled(
    processes: list[Blob],
    sides: np.ndarray,
    lumps: list[Blob],
    places: np.ndarray,
    unit: float,
    half_mm: float,
) -> Levels:
    chains = [
        _thinned([i for i in np.argsort(places[: len(sides), 0]) if sides[i] == side], places, processes)
        for side in (-1, 1)
    ]
    entries: list[tuple[float, Level]] = []
    for left, right in _paired(chains[0], chains[1], places[:, 0]):
        here = [i for i in (left, right) if i is not None]
        arc, y = places[here].mean(axis=0)
        level = Level(
            float(y),
            left=None if left is None else processes[left],
            right=None if right is None else processes[right],
        )
        entries.append((float(arc), level))
    first_lump = len(processes)
    order = sorted(range(first_lump, len(places)), key=lambda i: places[i, 0])
    kept = _thinned(order, places, [*processes, *lumps])
    entries += [
        (float(places[i, 0]), Level(float(places[i, 1]), lump=lumps[i - first_lump], lumbar=True)) for i in kept
    ]
    entries = _thorax_above(sorted(entries, key=lambda entry: entry[0]))
    num_used = sum(
        (level.left is not None) + (level.right is not None) + (level.lump is not None) for _, level in entries
    )
    num_dropped = len(processes) + len(lumps) - num_used
    return Levels(tuple(_with_missing(entries)), unit, half_mm, num_dropped)


def _thorax_above(entries: list[tuple[float, Level]]) -> list[tuple[float, Level]]:
    """Leave out the fewest levels so that no process lies below a lump."""
    lumbar = np.array([level.lumbar for _, level in entries])
    wrong = [int(lumbar[:k].sum() + (~lumbar[k:]).sum()) for k in range(len(entries) + 1)]
    border = int(np.argmin(wrong))
    return [entry for i, entry in enumerate(entries) if entry[1].lumbar == (i >= border)]


def _thinned(order: list[int], places: np.ndarray, blobs: list[Blob]) -> list[int]:
    """Leave out the smaller of two structures of one side that are too near for two levels."""
    kept: list[int] = []
    for i in order:
        if kept and places[i, 0] - places[kept[-1], 0] < _NEAREST:
            if blobs[i].area_mm2 > blobs[kept[-1]].area_mm2:
                kept[-1] = i
        else:
            kept.append(i)
    return kept


def _paired(left: list[int], right: list[int], arc: np.ndarray) -> list[tuple[int | None, int | None]]:
    """Pair two chains in order so that the sum of distances along the midline and of gaps is least."""
    cost = np.full((len(left) + 1, len(right) + 1), np.inf)
    move = np.zeros(cost.shape, np.int64)  # 1: left alone, 2: right alone, 3: a pair
    cost[0, 0] = 0.0
    for i in range(len(left) + 1):
        for j in range(len(right) + 1):
            options = []
            if i:
                options.append((cost[i - 1, j] + _GAP_COST, 1))
            if j:
                options.append((cost[i, j - 1] + _GAP_COST, 2))
            if i and j and abs(arc[left[i - 1]] - arc[right[j - 1]]) < _FARTHEST_PAIR:
                options.append((cost[i - 1, j - 1] + abs(arc[left[i - 1]] - arc[right[j - 1]]), 3))
            if options:
                cost[i, j], move[i, j] = min(options)
    pairs: list[tuple[int | None, int | None]] = []
    i, j = len(left), len(right)
    while i or j:
        took = move[i, j]
        i, j = i - (took != 2), j - (took != 1)
        pairs.append((left[i] if took != 2 else None, right[j] if took != 1 else None))
    return pairs[::-1]


def _with_missing(entries: list[tuple[float, Level]]) -> list[Level]:
    """Put a level in wherever a gap is nearer to two or more than to one, judged by the gaps around it."""
    arcs = np.array([arc for arc, _ in entries])
    gaps = np.diff(arcs)
    levels: list[Level] = []
    for i, (_, level) in enumerate(entries):
        levels.append(level)
        if i == len(gaps):
            break
        typical = _gap_around(arcs, gaps, i)
        following = entries[i + 1][1]
        missing = max(round(float(gaps[i]) / typical), 1) - 1
        for k in range(1, missing + 1):
            y = level.y + (following.y - level.y) * k / (missing + 1)
            levels.append(Level(float(y), lumbar=level.lumbar))
    return levels


def _gap_around(arcs: np.ndarray, gaps: np.ndarray, index: int) -> float:
    """The size in levels of a single gap near `index`: gaps shorten towards the head, by a third over the thorax."""
    single = (gaps > 0.5) & (gaps < 1.45)
    if single.sum() < 4:
        return 1.0
    middle = (arcs[1:] + arcs[:-1]) / 2
    slope, at_zero = np.polyfit(middle[single], gaps[single], 1)
    return float(np.clip(at_zero + slope * middle[index], 0.7, 1.4))
