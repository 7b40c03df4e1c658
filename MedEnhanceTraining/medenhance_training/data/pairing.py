"""Which low-dose slice belongs to which normal-dose slice: the one at its place, never the one with its rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from medenhance_training.data.ct_headers import CtHeader, Skipped

# Two reconstructions of one scan state the same positions, up to the digits that are written.
POSITION_TOLERANCE_MM = 0.05


@dataclass(frozen=True)
class SlicePair:
    """Two reconstructions of one place."""

    normal: CtHeader
    low: CtHeader


@dataclass(frozen=True)
class PairedScan:
    """All pairs of one patient, kernel and thickness.

    Attributes:
        patient_id: The patient.
        dose: Of the low-dose slices, as a fraction of the normal ones'.
        pairs: From the lowest position along the slice normal to the highest.
        normal_only: Normal-dose slices that have no twin, in the same order.
    """

    patient_id: str
    dose: float
    pairs: tuple[SlicePair, ...]
    normal_only: tuple[CtHeader, ...] = ()

    @property
    def example(self) -> CtHeader:
        """Any of its normal-dose slices, for what all have in common."""
        return self.pairs[0].normal if self.pairs else self.normal_only[0]


@dataclass(frozen=True)
class Pairing:
    """What a data set's folder gave.

    Attributes:
        scans: Those with at least one pair, or with normal-dose slices alone.
        unpaired: Slices that have no twin, each with the reason.
        skipped: DICOM files that are no CT slices of a known dose, each with the reason.
    """

    scans: tuple[PairedScan, ...]
    unpaired: tuple[Skipped, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def summary(self) -> str:
        """One line for a person."""
        pairs = sum(len(scan.pairs) for scan in self.scans)
        patients = len({scan.patient_id for scan in self.scans})
        return (
            f"{pairs} pairs in {len(self.scans)} scans of {patients} patients; {len(self.unpaired)} slices without a "
            f"twin, {len(self.skipped)} files skipped"
        )


@dataclass(frozen=True)
class Side:
    """Which scan a slice is part of, and at which dose."""

    patient_id: str
    dose: float
    header: CtHeader


@dataclass
class _Scan:
    normal: list[CtHeader] = field(default_factory=list)
    low: list[CtHeader] = field(default_factory=list)
    dose: float = 1.0


def pair_all(sides: Iterable[Side], skipped: Sequence[Skipped] = ()) -> Pairing:
    """Group slices by patient, kernel, thickness and pixel grid, then pair each group's doses by position."""
    groups: dict[tuple[object, ...], _Scan] = {}
    for side in sides:
        header = side.header
        spacing = tuple(round(value, 4) for value in header.spacing_mm)
        key: tuple[object, ...] = (side.patient_id, header.kernel, round(header.thickness_mm, 2), spacing, header.shape)
        scan = groups.setdefault(key, _Scan())
        (scan.normal if side.dose == 1.0 else scan.low).append(header)
        scan.dose = min(scan.dose, side.dose)
    scans, unpaired = [], []
    for (patient_id, *_), group in groups.items():
        pairs, alone = pair_slices(group.normal, group.low)
        unpaired += alone
        left = {skip.path for skip in alone}
        normal_only = tuple(sorted((h for h in group.normal if h.path in left), key=lambda h: h.height_mm))
        if group.normal:
            scans.append(PairedScan(str(patient_id), group.dose, tuple(pairs), normal_only))
    return Pairing(tuple(scans), tuple(unpaired), tuple(skipped))


def pair_slices(normal: Sequence[CtHeader], low: Sequence[CtHeader]) -> tuple[list[SlicePair], list[Skipped]]:
    """Pair slices that lie at one place; where several do, the instance number decides.

    Args:
        normal: Normal-dose slices of one scan, in any order.
        low: Low-dose slices of the same scan, in any order.

    Returns:
        The pairs along the slice normal, and every slice without a twin.
    """
    waiting = _by_height(low)
    pairs, alone = [], []
    for header in sorted(normal, key=lambda h: (h.height_mm, h.instance_number or 0)):
        here = [other for other in _near(waiting, header) if _at_one_place(header, other)]
        same_number = [other for other in here if other.instance_number == header.instance_number]
        chosen = here if len(here) == 1 else same_number
        if len(chosen) == 1:
            pairs.append(SlicePair(header, chosen[0]))
            waiting[_level(chosen[0])].remove(chosen[0])
        else:
            alone.append(Skipped(header.path, _why_alone(header, here, "low-dose")))
    alone += [Skipped(h.path, _why_alone(h, [], "normal-dose")) for level in waiting.values() for h in level]
    return pairs, alone


def _by_height(headers: Sequence[CtHeader]) -> dict[int, list[CtHeader]]:
    """Slices by millimetre, so that a scan of hundreds is not compared slice by slice."""
    levels: dict[int, list[CtHeader]] = {}
    for header in headers:
        levels.setdefault(_level(header), []).append(header)
    return levels


def _level(header: CtHeader) -> int:
    return round(header.height_mm)


def _near(levels: dict[int, list[CtHeader]], header: CtHeader) -> list[CtHeader]:
    level = _level(header)
    return [other for near in (level - 1, level, level + 1) for other in levels.get(near, [])]


def _at_one_place(a: CtHeader, b: CtHeader) -> bool:
    offset = np.abs(np.subtract(a.position_mm, b.position_mm)).max()
    turned = np.abs(np.subtract(a.orientation, b.orientation)).max()
    return bool(offset <= POSITION_TOLERANCE_MM and turned <= 1e-3)


def _why_alone(header: CtHeader, here: list[CtHeader], wanted: str) -> str:
    place = ", ".join(f"{value:g}" for value in header.position_mm)
    if not here:
        return f"no {wanted} slice at ({place}) mm with kernel {header.kernel or 'unknown'}"
    names = ", ".join(other.path.name for other in here)
    return f"{len(here)} {wanted} slices at ({place}) mm and none or several with its instance number: {names}"
