"""A result on a head CT whose slices are counted in another order: that of an image file instead of its series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from medenhance.head_ct.report import Component, Findings
from medenhance.tasks.placed_scan import PlacedScan

if TYPE_CHECKING:
    from medenhance.tasks.detect_hemorrhage import HemorrhageResult

Index = Callable[[int], int]


def in_image_order(result: HemorrhageResult, placed: PlacedScan) -> HemorrhageResult:
    """A result on the volume of a placed scan, in the voxel order of its image."""
    report = result.report
    if report.findings is None or report.scan is None:
        return result
    axis = report.scan.slice_axis
    found = reindexed(report.findings, lambda index: placed.image_index(index, axis))
    arrays = (result.mask, result.numbers, result.probability)
    mask, numbers, probability = (None if one is None else placed.back(one) for one in arrays)
    return replace(result, report=replace(report, findings=found), mask=mask, numbers=numbers, probability=probability)


def reindexed(found: Findings, index: Index) -> Findings:
    """The same findings with every slice index put through ``index``; nothing else changes.

    Args:
        found: Of a report.
        index: From the index that the findings have to the one that they get.
    """
    shift = found.midline_shift
    return replace(
        found,
        slices=tuple(replace(one, index=index(one.index)) for one in found.slices),
        top_slices=tuple(map(index, found.top_slices)),
        disagreements=tuple(map(index, found.disagreements)),
        components=tuple(_component(one, index) for one in found.components),
        midline_shift=None if shift is None else replace(shift, slice_index=index(shift.slice_index)),
    )


def _component(one: Component, index: Index) -> Component:
    first, last = one.slices
    estimate = None if one.abc2 is None else replace(one.abc2, slice_index=index(one.abc2.slice_index))
    return replace(one, slices=(index(first), index(last)), abc2=estimate)
