"""What a phantom scan says of a denoiser: resolution, noise power and low-contrast detectability of each insert.

Measured on repeated scans of one slice, with the inserts and without. To judge a denoiser, measure the scans before and
after it: detectability that falls while the noise falls too is what a reader would miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from medenhance.measure.detectability import (
    MIN_IMAGES_PER_CHANNEL,
    DiskTask,
    Observer,
    channelized_hotelling,
    laguerre_gauss_channels,
    npw_detectability,
)
from medenhance.measure.noise_power import NoisePower, measure_noise_power
from medenhance.measure.task_transfer import (
    RELIABLE_CONTRAST_TO_NOISE,
    Insert,
    TaskTransfer,
    measure_task_transfer,
)
from medenhance.measure.trust import NOTICE

NUM_CHANNELS = 5
_SPECTRUM_SIDES_PX = (64, 48, 32)


@dataclass(frozen=True)
class InsertReport:
    """What was measured at one insert.

    Attributes:
        insert: Where it is.
        transfer: Its task transfer function.
        noise_power: Of the background in its place, from the scans without inserts.
        npw_detectability: d' of the non-prewhitening observer.
        hotelling: The channelized Hotelling observer; None when there are too few scans.
        notes: What is missing or to be read with care, and why.
    """

    insert: Insert
    transfer: TaskTransfer
    noise_power: NoisePower
    npw_detectability: float
    hotelling: Observer | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PhantomReport:
    """One phantom scan: spacing of columns and rows, and one report an insert."""

    spacing_mm: tuple[float, float]
    inserts: tuple[InsertReport, ...]
    notice: str = NOTICE

    def to_json(self) -> dict[str, Any]:
        """Numbers, strings, lists and dictionaries only; figures that are missing are null."""
        return {"schema": 1, **asdict(self)}


def phantom_report(
    present: np.ndarray, absent: np.ndarray, inserts: Sequence[Insert], spacing_mm: tuple[float, float]
) -> PhantomReport:
    """Measure every insert of a phantom.

    Args:
        present: (N, H, W), HU, repeated scans of one slice with the inserts.
        absent: (M, H, W), HU, repeated scans of the same slice without; M >= 2.
        inserts: Where they are, at least one.
        spacing_mm: Pixel size along columns and rows.

    Raises:
        ValueError: Stacks that do not fit each other, a single scan without inserts, an insert too near the border.
    """
    _check(present, absent, inserts)
    transfers = [measure_task_transfer(present, insert, spacing_mm) for insert in inserts]
    best = max(transfers, key=lambda t: t.contrast_to_noise)
    reports = [
        _insert_report(present, absent, insert, transfer, best, spacing_mm)
        for insert, transfer in zip(inserts, transfers, strict=True)
    ]
    return PhantomReport(spacing_mm, tuple(reports))


def _check(present: np.ndarray, absent: np.ndarray, inserts: Sequence[Insert]) -> None:
    if present.ndim != 3 or absent.ndim != 3 or present.shape[1:] != absent.shape[1:]:
        raise ValueError(f"two stacks (N, H, W) of one slice size are needed, not {present.shape} and {absent.shape}")
    if len(present) < 1 or len(absent) < 2:
        raise ValueError(f"one scan with inserts and two without are needed, not {len(present)} and {len(absent)}")
    if not inserts:
        raise ValueError("no insert was named")


def _insert_report(
    present: np.ndarray,
    absent: np.ndarray,
    insert: Insert,
    transfer: TaskTransfer,
    best: TaskTransfer,
    spacing_mm: tuple[float, float],
) -> InsertReport:
    notes = []
    used = transfer
    if transfer.contrast_to_noise < RELIABLE_CONTRAST_TO_NOISE and best is not transfer:
        used = best
        notes.append(
            f"contrast-to-noise ratio {transfer.contrast_to_noise:.1f}: d' uses the clearest insert's transfer"
        )
    if used.contrast_to_noise < RELIABLE_CONTRAST_TO_NOISE:
        notes.append(f"transfer measured at a contrast-to-noise ratio below {RELIABLE_CONTRAST_TO_NOISE:g}")
    noise = measure_noise_power(_noise_patches(absent, insert), spacing_mm, noise_only=True)
    contrast = transfer.contrast_hu if insert.contrast_hu is None else insert.contrast_hu
    task = DiskTask(insert.radius_mm, contrast)
    hotelling, why = _hotelling(present, absent, insert, spacing_mm)
    return InsertReport(
        insert=insert,
        transfer=transfer,
        noise_power=noise,
        npw_detectability=npw_detectability(task, used, noise),
        hotelling=hotelling,
        notes=tuple(notes + why),
    )


def _noise_patches(absent: np.ndarray, insert: Insert) -> np.ndarray:
    """Noise alone in the insert's place: each scan minus the mean of all, scaled back to the variance of one scan."""
    side = next((s for s in _SPECTRUM_SIDES_PX if s <= min(absent.shape[1:])), _SPECTRUM_SIDES_PX[-1])
    squares = _squares(absent, insert, side)
    return np.asarray((squares - squares.mean(axis=0)) * np.sqrt(len(absent) / (len(absent) - 1)))


def _hotelling(
    present: np.ndarray, absent: np.ndarray, insert: Insert, spacing_mm: tuple[float, float]
) -> tuple[Observer | None, list[str]]:
    needed = 2 * MIN_IMAGES_PER_CHANNEL * NUM_CHANNELS
    if min(len(present), len(absent)) < needed:
        return None, [f"the Hotelling observer needs {needed} scans with and without inserts"]
    radius_px = insert.radius_mm / min(spacing_mm)
    side = 2 * int(np.ceil(2.0 * radius_px)) + 1
    # Width: two thirds of the diameter, as LCD_CT (FDA RST24MD08.01) sets it.
    channels = laguerre_gauss_channels(side, 2.0 / 3.0 * 2.0 * radius_px, NUM_CHANNELS)
    with_signal, without = (_squares(x, insert, side) for x in (present, absent))
    return channelized_hotelling(with_signal, without, channels), []


def _squares(images: np.ndarray, insert: Insert, side_px: int) -> np.ndarray:
    """(N, side, side) float64 around an insert, moved inwards where they would leave the image.

    Raises:
        ValueError: The images are smaller than the square.
    """
    if min(images.shape[1:]) < side_px:
        raise ValueError(f"images of at least {side_px} x {side_px} pixels are needed, not {images.shape[1:]}")
    row, column = (
        int(np.clip(round(centre - (side_px - 1) / 2), 0, size - side_px))
        for centre, size in zip((insert.row, insert.column), images.shape[1:], strict=True)
    )
    return images[:, row : row + side_px, column : column + side_px].astype(np.float64)
