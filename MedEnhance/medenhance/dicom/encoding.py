"""How true values are stored as integers in a derived series, so that unchanged values come back exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medenhance.dicom.series import SliceHeader


@dataclass(frozen=True)
class Encoding:
    """Stored = round((value - intercept) / slope), in ``bits_stored`` bits of ``bits_allocated``."""

    slope: float
    intercept: float
    signed: bool
    bits_allocated: int
    bits_stored: int

    @property
    def stored_range(self) -> tuple[int, int]:
        """Smallest and largest stored value."""
        half = 1 << (self.bits_stored - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    def stored(self, values: np.ndarray) -> np.ndarray:
        """The nearest stored values, as float64, whether they fit or not."""
        return np.rint((np.asarray(values, np.float64) - self.intercept) / self.slope)

    def fits(self, low: float, high: float) -> bool:
        """Whether all values between ``low`` and ``high`` can be stored."""
        ends = self.stored(np.array([low, high]))
        first, last = self.stored_range
        return bool(first <= ends.min() and ends.max() <= last)

    def encode(self, values: np.ndarray) -> tuple[np.ndarray, int]:
        """(H, W) integers to store, little endian, and how many had to be clipped."""
        stored = self.stored(values)
        first, last = self.stored_range
        num_clipped = int(np.count_nonzero((stored < first) | (stored > last)))
        kind = "i" if self.signed else "u"
        return np.clip(stored, first, last).astype(f"<{kind}{self.bits_allocated // 8}"), num_clipped


def source_encoding(one: SliceHeader) -> Encoding:
    """That of the slice itself."""
    slope, intercept = one.rescale
    return Encoding(slope, intercept, one.pixels.signed, one.pixels.bits_allocated, one.pixels.bits_stored)


def choose_encodings(slices: tuple[SliceHeader, ...], ranges: list[tuple[float, float]]) -> list[Encoding]:
    """One encoding a slice: the source's own where all results fit, else signed 16 bit.

    Slope and intercept stay, so that every value of the source has its exact place in both. All slices change together,
    so that the series keeps one type.

    Args:
        slices: Headers of the source slices.
        ranges: (lowest, highest) value of each slice of the result.
    """
    own = [source_encoding(one) for one in slices]
    wide = [replace(encoding, signed=True, bits_allocated=16, bits_stored=16) for encoding in own]
    for encodings in (own, wide):
        if all(e.fits(low, high) for e, (low, high) in zip(encodings, ranges, strict=True)):
            return encodings
    return own if own[0].bits_stored >= 16 else wide
