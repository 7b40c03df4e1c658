"""Task transfer function: which spatial frequencies of an insert of given contrast reach the image (AAPM TG-233).

The edge of a circular insert is sampled at every distance from its centre, so that averaging over the circle gives a
profile finer than the pixels. Denoisers are not linear: the function holds for the contrast and noise that it was
measured at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RELIABLE_CONTRAST_TO_NOISE = 15.0
_BIN_PX = 0.2
_CENTRE_STEPS = 5


@dataclass(frozen=True)
class Insert:
    """A circular insert in a uniform phantom.

    Attributes:
        name: What it is called in the report.
        row: Of its centre, pixels; need not be whole.
        column: Of its centre, pixels.
        radius_mm: Of the insert.
        contrast_hu: What it should have, insert minus background; None when only the images tell.
    """

    name: str
    row: float
    column: float
    radius_mm: float
    contrast_hu: float | None = None


@dataclass(frozen=True)
class TaskTransfer:
    """The task transfer function of one insert.

    Attributes:
        frequency: (F,) mm^-1, from 0.
        transfer: (F,) 1 at frequency 0.
        f50: Where it falls to 0.5, mm^-1; None when it does not below the Nyquist frequency.
        f10: Where it falls to 0.1, mm^-1; None when it does not.
        contrast_hu: Insert minus background.
        contrast_to_noise: Contrast over the pixel noise of the averaged images; below 15 the curve is not reliable.
    """

    frequency: tuple[float, ...]
    transfer: tuple[float, ...]
    f50: float | None
    f10: float | None
    contrast_hu: float
    contrast_to_noise: float


def measure_task_transfer(images: np.ndarray, insert: Insert, spacing_mm: tuple[float, float]) -> TaskTransfer:
    """The task transfer function at the edge of an insert, from the mean of repeated images.

    Args:
        images: (N, H, W), HU, the same slice of the phantom.
        insert: Roughly where it is; its centre is found to a fraction of a pixel.
        spacing_mm: Pixel size along columns and rows.

    Raises:
        ValueError: The insert and as much background around it do not fit into the image, or it has no contrast.
    """
    image = images.mean(axis=0, dtype=np.float64)
    distance, values = _around(image, insert, spacing_mm)
    inside, background = (values[distance < 0.7 * insert.radius_mm], values[distance > 1.4 * insert.radius_mm])
    contrast = float(inside.mean() - background.mean())
    if contrast == 0.0:
        raise ValueError(
            f"insert {insert.name!r} has no contrast: it is not where it was said to be, or not in these scans"
        )
    bin_mm = _BIN_PX * min(spacing_mm)
    line_spread = _line_spread(distance, values, insert.radius_mm, bin_mm)
    frequency, transfer = _transfer(line_spread, bin_mm, 0.5 / max(spacing_mm))
    return TaskTransfer(
        frequency=tuple(frequency.tolist()),
        transfer=tuple(transfer.tolist()),
        f50=_falls_to(0.5, frequency, transfer),
        f10=_falls_to(0.1, frequency, transfer),
        contrast_hu=contrast,
        contrast_to_noise=abs(contrast) / max(float(background.std()), 1e-9),
    )


def find_centre(image: np.ndarray, insert: Insert, spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Row and column of an insert's centre: the centroid of what differs from the background, repeated until it rests.

    Where noise carries it away by more than half a radius, the position that was given stands.

    Args:
        image: (H, W), HU.
        insert: Roughly where it is.
        spacing_mm: Pixel size along columns and rows.
    """
    row, column = insert.row, insert.column
    rows, columns = np.indices(image.shape)
    for _ in range(_CENTRE_STEPS):
        distance = np.hypot((columns - column) * spacing_mm[0], (rows - row) * spacing_mm[1]) / insert.radius_mm
        ring = (distance > 1.5) & (distance < 2.0)
        weight = np.where(distance < 1.5, image - image[ring].mean(), 0.0)
        total = float(weight.sum())
        if total == 0.0:
            return insert.row, insert.column
        row, column = (float(np.sum(weight * x)) / total for x in (rows, columns))
        moved = np.hypot((column - insert.column) * spacing_mm[0], (row - insert.row) * spacing_mm[1])
        if not moved <= 0.5 * insert.radius_mm:
            return insert.row, insert.column
    return row, column


def _around(image: np.ndarray, insert: Insert, spacing_mm: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the insert's centre in mm and HU of every pixel within twice its radius."""
    reach = (2.0 * insert.radius_mm / spacing_mm[1], 2.0 * insert.radius_mm / spacing_mm[0])
    for centre, size, room in zip((insert.row, insert.column), image.shape, reach, strict=True):
        if centre - room < -0.5 or centre + room > size - 0.5:
            raise ValueError(
                f"insert {insert.name!r} at {centre:g} of {size} pixels lies too near the border: "
                f"{room:.0f} pixels around its centre are needed"
            )
    row, column = find_centre(image, insert, spacing_mm)
    rows, columns = np.indices(image.shape)
    distance = np.hypot((columns - column) * spacing_mm[0], (rows - row) * spacing_mm[1])
    near = distance < 2.0 * insert.radius_mm
    return distance[near], image[near]


def _line_spread(distance: np.ndarray, values: np.ndarray, radius_mm: float, bin_mm: float) -> np.ndarray:
    """Derivative of the edge profile over bins of distance, tapered towards its ends."""
    half = int(0.9 * radius_mm / bin_mm)
    edges = radius_mm + bin_mm * (np.arange(-half, half + 1) - 0.5)
    counts, _ = np.histogram(distance, edges)
    filled = counts > 0
    # Pixels do not fill a bin evenly, so that the mean of their distances stands for the bin, not its centre.
    where, profile = (np.histogram(distance, edges, weights=w)[0][filled] / counts[filled] for w in (distance, values))
    line_spread = np.diff(np.interp(0.5 * (edges[1:] + edges[:-1]), where, profile))
    # Flat over the inner half: only the noise far from the edge is tapered, not the foot of the edge.
    taper = np.linspace(-2.0, 2.0, line_spread.size)
    return np.asarray(line_spread * np.cos(0.5 * np.pi * np.clip(np.abs(taper) - 1.0, 0.0, 1.0)) ** 2)


def _transfer(line_spread: np.ndarray, bin_mm: float, nyquist: float) -> tuple[np.ndarray, np.ndarray]:
    size = 1 << int(np.ceil(np.log2(8 * line_spread.size)))
    frequency = np.fft.rfftfreq(size, bin_mm)
    spectrum = np.abs(np.fft.rfft(line_spread, size))
    # Averaging over a bin and taking differences of neighbours each multiply the spectrum by sinc(f bin).
    spectrum /= np.sinc(frequency * bin_mm) ** 2
    below = frequency <= nyquist
    return frequency[below], spectrum[below] / spectrum[0]


def _falls_to(level: float, frequency: np.ndarray, transfer: np.ndarray) -> float | None:
    lower = np.flatnonzero(transfer < level)
    if lower.size == 0:
        return None
    i = int(lower[0])
    share = (transfer[i - 1] - level) / (transfer[i - 1] - transfer[i])
    return float(frequency[i - 1] + share * (frequency[i] - frequency[i - 1]))
