"""How far the volume of a mask lies from the truth, as found on the scans of a calibration.

What half a voxel at the border is worth says nothing of blood that a network did not see; this does. Part of the
manifest, which Slicer's Python reads with its standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class TrueVolume:
    """Where the true volumes of most scans with such a mask lay.

    Attributes:
        low_ml, high_ml: From, to.
        share: Of the scans.
        measured_on: The scans.
    """

    low_ml: float
    high_ml: float
    share: float
    measured_on: str

    def __str__(self) -> str:
        return f"{self.low_ml:.1f} to {self.high_ml:.1f} mL in {self.share:.0%} of scans with blood and such masks"


@dataclass(frozen=True)
class VolumeSpread:
    """True volumes of scans with blood, as multiples of the volumes of their masks.

    Attributes:
        low, high: Between them lay most ...
        share: ... this share of them, in (0, 1).
        least_ml: Scans with smaller masks did not count: their multiples have no bounds.
        measured_on: The scans, such as "240 simulated scans, drawn with a prevalence of 30 %".
    """

    low: float
    high: float
    share: float
    least_ml: float
    measured_on: str

    def around(self, mask_ml: float) -> TrueVolume | None:
        """Of a mask; None for one that is too small."""
        if mask_ml < self.least_ml:
            return None
        return TrueVolume(self.low * mask_ml, self.high * mask_ml, self.share, self.measured_on)


def volume_spread_problems(spread: VolumeSpread) -> Iterator[tuple[str, str]]:
    """What is wrong with a spread, as (key, problem)."""
    if not 0 <= spread.low <= spread.high:
        yield "low", f"0 or more and at most {spread.high} was expected, not {spread.low}"
    if not 0 < spread.share < 1:
        yield "share", f"above 0 and below 1 was expected, not {spread.share}"
    if not spread.least_ml > 0:
        yield "least_ml", f"a positive number was expected, not {spread.least_ml}"
    if not spread.measured_on.strip():
        yield "measured_on", "a text was expected, not an empty string"
