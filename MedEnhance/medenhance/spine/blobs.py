"""The structures in a label image: where each lies, how large it is and which way it points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects, label

# Spec section 6.3, step 2.
_SMALLEST, _SPLIT_FROM = 0.3, 1.6
_DEPTHS = 8


@dataclass(frozen=True)
class Blob:
    """One connected structure.

    Attributes:
        x_mm: Of its centroid, from the centre of column 0, growing with the column.
        y_mm: Of its centroid, from the centre of row 0, growing towards the feet.
        area_mm2: Its size.
        axis_deg: Of its long axis; positive when the end at larger x is nearer to the head. In (-90, 90].
        elongation: Long axis by short axis, at least 1.
        cut: It touches the border of the image, so that its centroid is not that of the whole.
    """

    x_mm: float
    y_mm: float
    area_mm2: float
    axis_deg: float
    elongation: float
    cut: bool


def find_blobs(mask: np.ndarray, spacing_mm: tuple[float, float]) -> list[Blob]:
    """Describe the structures of a mask, from head to feet.

    Specks below 0.3 of the median area are dropped. A structure of more than 1.6 medians is divided where it is
    narrow: neighbours that touch.

    Args:
        mask: (R, C) bool.
        spacing_mm: Of rows and columns.
    """
    numbered, num_parts = label(mask, np.ones((3, 3)))
    if num_parts == 0:
        return []
    typical = _typical_size(np.bincount(numbered.ravel())[1:])
    blobs = []
    for index, window in enumerate(find_objects(numbered), start=1):
        part = numbered[window] == index
        corner = np.array([window[0].start, window[1].start])
        pieces = _divided(part, typical, spacing_mm) if part.sum() > _SPLIT_FROM * typical else [part]
        pixels = [np.argwhere(piece) + corner for piece in pieces if piece.sum() >= _SMALLEST * typical]
        blobs += [_described(piece, spacing_mm, mask.shape) for piece in pixels]
    return sorted(blobs, key=lambda blob: (blob.y_mm, blob.x_mm))


def _typical_size(sizes: np.ndarray) -> float:
    """The median size of those structures that hold most of the marked pixels, so that specks do not lower it."""
    ordered = np.sort(sizes)[::-1]
    enough = int(np.searchsorted(np.cumsum(ordered), 0.9 * ordered.sum())) + 1
    return float(np.median(ordered[:enough]))


def _divided(part: np.ndarray, typical: float, spacing_mm: tuple[float, float]) -> list[np.ndarray]:
    """Cut a part where it is narrowest: its cores, farther and farther from the border, and what is nearest to each."""
    inside = distance_transform_edt(np.pad(part, 1), sampling=spacing_mm)[1:-1, 1:-1]
    for depth in np.linspace(0, float(inside.max()), _DEPTHS + 2)[1:-1]:
        cores, count = label(inside > depth, np.ones((3, 3)))
        if count < 2:
            continue
        nearest = distance_transform_edt(cores == 0, sampling=spacing_mm, return_distances=False, return_indices=True)
        owner = np.where(part, cores[tuple(nearest)], 0)
        pieces = [owner == index for index in range(1, count + 1)]
        if sum(piece.sum() >= _SMALLEST * typical for piece in pieces) >= 2:
            return pieces
    return [part]


def _described(pixels: np.ndarray, spacing_mm: tuple[float, float], shape: tuple[int, ...]) -> Blob:
    """Describe (N, 2) pixels, row first."""
    points = pixels * np.asarray(spacing_mm)
    centre = points.mean(axis=0)
    dy, dx = (points - centre).T
    # The pixels' own extent adds a twelfth of their size squared.
    xx = float(dx @ dx) / len(points) + spacing_mm[1] ** 2 / 12
    yy = float(dy @ dy) / len(points) + spacing_mm[0] ** 2 / 12
    xy = float(dx @ dy) / len(points)
    middle, half = (xx + yy) / 2, float(np.hypot((xx - yy) / 2, xy))
    return Blob(
        x_mm=float(centre[1]),
        y_mm=float(centre[0]),
        area_mm2=len(pixels) * spacing_mm[0] * spacing_mm[1],
        axis_deg=float(np.degrees(0.5 * np.arctan2(-2 * xy, xx - yy))),
        elongation=float(np.sqrt((middle + half) / max(middle - half, 1e-12))),
        cut=bool(np.any((pixels == 0) | (pixels == np.asarray(shape) - 1))),
    )
