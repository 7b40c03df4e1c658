"""Any CT study as normal dose: its axial slices, ready for simulation."""

from __future__ import annotations

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.volume import Volume
from medenhance_training.data.bank import NormalSlice

AIR_HU = -1000.0
# What CT scanners store at most; beyond lies padding below and clipped metal above.
RANGE_HU = (-1024.0, 3071.0)
_BODY_ABOVE_HU = -500.0
# Masks and label maps hold nothing as dark as fat or air, and at most a few hundred different values.
_FAT_HU, _MOST_LABELS = -50.0, 256


def normal_slices(volume: Volume, weight: float = 1.0, least_body: float = 0.02) -> list[NormalSlice]:
    """The axial slices of a CT study.

    Args:
        volume: CT, in HU; axes in any order.
        weight: `NormalSlice.weight` of all slices of the study together.
        least_body: Slices in which a smaller share of the pixels is body (above -500 HU) are left out.

    Raises:
        MedEnhanceError: input-unsuitable when it is not CT, has no square pixels or shows no body, or is a label map.
    """
    if volume.modality not in (None, "CT"):
        raise MedEnhanceError("input-unsuitable", f"The study's modality is {volume.modality}.", "Give a CT study.")
    array, spacing = _axial(volume)
    pixel_mm = square_pixel_mm(spacing[1:])
    kept = [hu for hu in (_clean(plane, volume.padding_below) for plane in array) if _shows_body(hu, least_body)]
    if not kept:
        raise MedEnhanceError("input-unsuitable", "No slice of the study shows a body.", "Are its values in HU?")
    if _is_label_map(kept):
        raise MedEnhanceError(
            "input-unsuitable", "This is a mask or a label map, not a CT study in HU.", "Leave it out."
        )
    thickness = slice_thickness_mm(volume, spacing[0])
    return [NormalSlice(hu, pixel_mm, thickness, weight / len(kept)) for hu in kept]


def square_pixel_mm(spacing_mm: tuple[float, float]) -> float:
    """The spacing of square pixels.

    Args:
        spacing_mm: Of rows and of columns.

    Raises:
        MedEnhanceError: input-unsuitable when they differ by more than 1 %.
    """
    rows, columns = spacing_mm
    if abs(rows / columns - 1) > 0.01:
        raise MedEnhanceError(
            "input-unsuitable",
            f"Pixels are {columns:g} x {rows:g} mm, and the simulator needs square ones.",
            "Resample the study first.",
        )
    return columns


def slice_thickness_mm(volume: Volume, step_mm: float) -> float:
    """The thickness that the headers state, else the distance of slices."""
    stated = volume.series.slices[0].thickness_mm if volume.series is not None else None
    return float(stated or step_mm)


def _axial(volume: Volume) -> tuple[np.ndarray, tuple[float, float, float]]:
    """The array with the axis nearest to the patient's length first, and the spacing of its axes in that order."""
    lengthwise = np.abs(np.reshape(volume.grid.direction, (3, 3))[2])
    axis = 2 - int(np.argmax(lengthwise))
    spacing = list(volume.grid.spacing_mm[::-1])
    spacing.insert(0, spacing.pop(axis))
    return np.moveaxis(volume.array, axis, 0), (spacing[0], spacing[1], spacing[2])


def _clean(plane: np.ndarray, padding_below: float | None) -> np.ndarray:
    hu = plane.astype(np.float32)
    if padding_below is not None:
        hu = np.where(hu <= padding_below, np.float32(AIR_HU), hu)
    return np.clip(hu, *RANGE_HU)


def _is_label_map(slices: list[np.ndarray]) -> bool:
    darkest = min(float(hu.min()) for hu in slices)
    return darkest > _FAT_HU and max(len(np.unique(hu)) for hu in slices) <= _MOST_LABELS


def _shows_body(hu: np.ndarray, least_body: float) -> bool:
    return float(np.mean(hu > _BODY_ABOVE_HU)) >= least_body
