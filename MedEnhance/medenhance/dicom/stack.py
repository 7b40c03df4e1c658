"""Finds the slices of one DICOM series, puts them in order and finds their grid; reads headers, not voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medenhance.dicom.geometry import grid_of, repeated_positions, sections, sort_by_position
from medenhance.dicom.scan import choose_series, find_series
from medenhance.dicom.series import DicomSeries, SliceHeader
from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress
from medenhance.volume import Grid

FLOAT32_STEP = 2.0**-23


@dataclass(frozen=True)
class Stack:
    """The slices of a series that form a volume.

    Attributes:
        series: With its slices in the order of the axis D, one at each position.
        grid: Theirs.
        warnings: What a user should know about the series, one sentence each.
    """

    series: DicomSeries
    grid: Grid
    warnings: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """D, H, W."""
        pixels = self.series.slices[0].pixels
        return len(self.series.slices), pixels.rows, pixels.columns


def read_stack(path: Path | Sequence[Path], series_uid: str | None, progress: Progress) -> Stack:
    """The stack of one series of a DICOM file or folder, or of several files.

    Voxels are read only where two slices lie at one position, to find out whether they are copies.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable, series-ambiguous, cancelled.
    """
    found, skipped = find_series(path, progress)
    series, left_out = choose_series(found, series_uid)
    slices, excluded = sections(series.slices)
    for one in slices:
        one.pixels.require_grey(one.path)
        _check_rescale(one)
    slices, dropped = _one_at_each_position(sort_by_position(slices))
    grid, odd = grid_of(slices)
    return Stack(replace(series, slices=tuple(slices)), grid, skipped + left_out + excluded + dropped + odd)


def _check_rescale(one: SliceHeader) -> None:
    """Refuse scales that float32 cannot hold so that every stored value comes back, and lookup tables."""
    slope, intercept = one.rescale
    largest = abs(intercept) + abs(slope) * max(abs(v) for v in one.pixels.stored_range)
    if one.pixels.bits_stored <= 16 and largest * FLOAT32_STEP > abs(slope) / 4:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{one.label} has rescale slope {slope} and intercept {intercept}: single precision cannot hold both.",
            "Such values are not HU.",
        )
    if one.has_lookup_table and one.slope is None:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{one.label} scales its values by a lookup table, which CT images do not.",
            "Export it with rescale slope and intercept.",
        )


def _one_at_each_position(slices: list[SliceHeader]) -> tuple[list[SliceHeader], tuple[str, ...]]:
    """Drop copies of a slice.

    Raises:
        MedEnhanceError: input-unsuitable when slices at one position differ.
    """
    if len(slices) == 1:
        return slices, ()
    groups = repeated_positions(slices)
    copies = []
    for group in groups:
        for other in group[1:]:
            if not _same_values(group[0], other):
                raise _different_at_one_position(groups, group[0], other)
            copies.append(other)
    if not copies:
        return slices, ()
    names = ", ".join(one.label for one in copies[:5]) + (" ..." if len(copies) > 5 else "")
    return [group[0] for group in groups], (f"{len(copies)} copies of slices were left out: {names}.",)


def _same_values(a: SliceHeader, b: SliceHeader) -> bool:
    try:
        # Slicer 5.10 reads headers through this module with its own pydicom 2, which cannot load what reads voxels.
        from medenhance.dicom.values import read_slice
    except ImportError as error:
        raise MedEnhanceError(
            "input-unsuitable",
            f"{a.label} and {b.label} lie at the same position, and this Python's pydicom cannot compare them.",
            "Load the series by hand, or from Slicer's DICOM database.",
        ) from error
    return np.array_equal(read_slice(a), read_slice(b))


def _different_at_one_position(groups: list[list[SliceHeader]], a: SliceHeader, b: SliceHeader) -> MedEnhanceError:
    repeated = [len(group) for group in groups if len(group) > 1]
    if len(repeated) > len(groups) // 2:
        message = (
            f"The series holds up to {max(repeated)} different images at each of {len(repeated)} positions: "
            "several phases, times or energies, not one volume."
        )
    else:
        message = f"{a.label} and {b.label} lie at the same position {a.position_mm} and differ."
    return MedEnhanceError("input-unsuitable", message, "Put the slices of one volume into a folder of their own.")
