"""What is measured of a mask: each piece of it, both hemispheres, the midline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from medenhance.head_ct.head_content import head_content
from medenhance.head_ct.midline import midline_shift
from medenhance.head_ct.midsagittal import left_of, midsagittal
from medenhance.head_ct.orientation import Turned
from medenhance.head_ct.pieces import Piece, pieces, whole
from medenhance.head_ct.report import Component, MidlineShift, Midsagittal, Side, VolumeFigure
from medenhance.head_ct.shape import abc2, irregularity, max_diameter_mm, surface_cm2
from medenhance.head_ct.slice_geometry import SliceGeometry
from medenhance.head_ct.volumes import volume_figure
from medenhance.volume import Vector

# Pieces below are counted, not listed: 0.1 mL is a ball of 6 mm, about one slice thick.
SMALL_BELOW_ML = 0.1
# A piece belongs to neither side when each holds at least this share of it.
_BOTH_SIDES = 0.25


@dataclass(frozen=True)
class Measured:
    """Of a mask in the patient's axes; the other fields are those of `medenhance.head_ct.report.Findings`.

    Attributes:
        numbers: (D, H, W) uint16: number of the listed component, one more than the last for what is too small.
    """

    numbers: np.ndarray
    total: VolumeFigure
    left_ml: float | None
    right_ml: float | None
    components: tuple[Component, ...]
    num_small: int
    small_ml: float
    abc2_ml: float | None
    midsagittal: Midsagittal | None
    midline_shift: MidlineShift | None


def measure(mask: np.ndarray, probability: np.ndarray | None, found: Turned, geometry: SliceGeometry) -> Measured:
    """Measure a mask.

    Args:
        mask: (D, H, W) bool, in the patient's axes.
        probability: (D, H, W) float32 of the mask; None for one that a person changed.
        found: The volume in the patient's axes, HU.
        geometry: Of it.
    """
    content = head_content(found.volume)
    brain = content.slices[content.is_brain]
    plane = midsagittal(found.volume, brain)
    everything = whole(mask, found.volume.grid, geometry)
    parts = pieces(mask, found.volume.grid, geometry, SMALL_BELOW_ML)
    components = tuple(_component(n, one, probability, found, plane) for n, one in enumerate(parts.listed, start=1))
    sides = None if plane is None else _sides(everything, plane)
    estimates = [one.abc2.ml for one in components if one.abc2 is not None]
    return Measured(
        numbers=parts.numbers,
        total=volume_figure(everything),
        left_ml=None if sides is None else sides[0],
        right_ml=None if sides is None else sides[1],
        components=components,
        num_small=parts.num_small,
        small_ml=parts.small_ml,
        abc2_ml=float(sum(estimates)) if estimates else None,
        midsagittal=plane,
        midline_shift=None if plane is None else _shift(found, plane, brain),
    )


def _component(
    number: int, piece: Piece, probability: np.ndarray | None, found: Turned, plane: Midsagittal | None
) -> Component:
    mean_hu, sd_hu = _mean_and_sd(piece, found.volume.array)
    depth, corner = len(piece.mask), piece.corner[0]
    surface = surface_cm2(piece)
    left, right = (None, None) if plane is None else _sides(piece, plane)
    return Component(
        number=number,
        volume=volume_figure(piece),
        side=None if left is None or right is None else _side(left, right),
        left_ml=left,
        right_ml=right,
        center_mm=_center(piece),
        slices=(found.own_index(corner), found.own_index(corner + depth - 1)),
        max_diameter_mm=max_diameter_mm(piece),
        mean_hu=mean_hu,
        sd_hu=sd_hu,
        surface_cm2=surface,
        irregularity=irregularity(piece.ml, surface),
        mean_probability=None if probability is None else _mean_and_sd(piece, probability)[0],
        abc2=abc2(piece, found.own_index(piece.largest_slice)),
    )


def _sides(piece: Piece, plane: Midsagittal) -> tuple[float, float]:
    """Millilitres on the patient's left and right of the plane, found slice by slice to save memory."""
    sides = np.zeros(2)
    for indices, voxel_ml in zip(piece.sections(), piece.voxel_ml, strict=True):
        left = int(np.count_nonzero(left_of(plane, piece.points(indices)) > 0))
        sides += voxel_ml * np.array([left, len(indices) - left])
    return float(sides[0]), float(sides[1])


def _side(left: float, right: float) -> Side:
    if min(left, right) >= _BOTH_SIDES * (left + right):
        return "midline"
    return "left" if left > right else "right"


def _center(piece: Piece) -> Vector:
    """Centre of mass, each voxel weighing what its slice stands for."""
    total, weight = np.zeros(3), 0.0
    for indices, thickness in zip(piece.sections(), piece.thickness_mm, strict=True):
        total += thickness * indices.sum(axis=0)
        weight += thickness * len(indices)
    x, y, z = piece.points(total[None] / weight)[0].tolist()
    return x, y, z


def _mean_and_sd(piece: Piece, array: np.ndarray) -> tuple[float, float]:
    """Of the volume's values in the piece."""
    count, total, squares = 0, 0.0, 0.0
    for section, plane in zip(piece.mask, piece.cut(array), strict=True):
        values = plane[section].astype(np.float64)
        count, total, squares = count + len(values), total + float(values.sum()), squares + float(values @ values)
    mean = total / count
    return mean, float(np.sqrt(max(0.0, squares / count - mean**2)))


def _shift(found: Turned, plane: Midsagittal, brain: np.ndarray) -> MidlineShift | None:
    shift = midline_shift(found.volume, plane, brain)
    if shift is None:
        return None
    (ax, ay, az), (bx, by, bz) = shift.ends.tolist()
    towards: Literal["left", "right"] = "left" if shift.mm > 0 else "right"
    return MidlineShift(abs(shift.mm), towards, found.own_index(shift.slice), ((ax, ay, az), (bx, by, bz)))
