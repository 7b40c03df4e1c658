"""The report on an enhanced projection: what was changed, what was measured in both images, what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medenhance.measure.stripes import BORDER_PX, PATCH_PX, patch_edge_measures
from medenhance.measure.stripes import CORRUPTED_FROM as CORRUPTED
from medenhance.measure.trust import RunFacts
from medenhance.spine.measurement import Curve, Measurement
from medenhance.spine.support import Structure
from medenhance.strict_json import to_json
from medenhance.tasks.measure_uca import NOTICE, CurvePair

# More than this is shown as generated, grey levels: as the evaluation of the models counts changed pixels.
GENERATED_FROM_GREY = 8


@dataclass(frozen=True)
class Changes:
    """What enhancement did to the pixels of the scan.

    Attributes:
        changed_share: Share that changed at all, 0 to 1.
        generated_share: Share that changed by more than `threshold_grey`: the overlay.
        threshold_grey: Grey levels.
        patches: Patches whose structured noise was measured; 0 for a small image.
        corrupted_before, corrupted_after: Those of them with an edge measure of 4 or more.
    """

    changed_share: float
    generated_share: float
    threshold_grey: int
    patches: int
    corrupted_before: int
    corrupted_after: int


@dataclass(frozen=True)
class SpineReport:
    """What was done and found.

    Attributes:
        steps: What was done, in order.
        shape: Rows and columns.
        spacing_mm: Of rows and columns; None when it is not known, and then no angle was measured.
        depth: Number of the depth that was taken, from 1; None for a single image.
        depths_mm: Of all depths below the skin.
        run: How the network was run; None when it was not.
        changes: None without enhancement.
        original: Curves of the original image, where they were asked for and found.
        enhanced: Likewise.
        pairs: Curves of both, side by side, with the difference of their angles.
        lines_lps_mm: Of the curves of `original`, in the patient; None for a single image.
        structures: What the enhanced segmentation holds, and whether any original depth shows it.
        doubtful_levels: End levels of enhanced curves that rest on something that no original depth shows, or that the
            network is not sure of.
        levels_assumed: Level names were counted, not recognised.
        warnings: What a user should know, one sentence each.
        notice: What the figures are not.
    """

    steps: tuple[str, ...]
    shape: tuple[int, int]
    spacing_mm: tuple[float, float] | None
    depth: int | None
    depths_mm: tuple[float, ...]
    run: RunFacts | None
    changes: Changes | None
    original: Measurement | None
    enhanced: Measurement | None
    pairs: tuple[CurvePair, ...]
    lines_lps_mm: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...] | None
    structures: tuple[Structure, ...]
    doubtful_levels: tuple[str, ...]
    warnings: tuple[str, ...]
    levels_assumed: bool = True
    notice: str = NOTICE

    def to_json(self) -> Any:
        """As JSON values."""
        return to_json(self)


def changes(original: np.ndarray, enhanced: np.ndarray, scan: np.ndarray) -> Changes:
    """Measure what enhancement did; (R, C) uint8 both, and (R, C) bool."""
    difference = np.abs(enhanced.astype(np.int16) - original)
    inside = max(int(scan.sum()), 1)
    before, after = (_edges(image) for image in (original, enhanced))
    return Changes(
        changed_share=float((difference[scan] > 0).sum() / inside),
        generated_share=float((difference[scan] > GENERATED_FROM_GREY).sum() / inside),
        threshold_grey=GENERATED_FROM_GREY,
        patches=before.size,
        corrupted_before=int((before >= CORRUPTED).sum()),
        corrupted_after=int((after >= CORRUPTED).sum()),
    )


CURVE_COLUMNS = (
    "image", "upper", "lower", "apex", "kind", "convex_to", "uca_deg", "low_deg", "high_deg",
    "enhanced_minus_original_deg", "end_levels_seen", "levels",
)  # fmt: skip


def curve_rows(report: SpineReport) -> list[list[str]]:
    """The curves of both images as the rows of a table below `CURVE_COLUMNS`."""
    rows = []
    pairs = report.pairs or _alone(report)
    for pair in pairs:
        for image, curve in (("original", pair.original), ("enhanced", pair.enhanced)):
            if curve is not None:
                difference = pair.difference_deg if image == "enhanced" else None
                rows.append(_row(image, curve, difference))
    return rows


def _row(image: str, curve: Curve, difference: float | None) -> list[str]:
    low, high = curve.interval_deg
    figures = [f"{value:.2f}" for value in (curve.angle_deg, low, high)]
    shown = "" if difference is None else f"{difference:.2f}"
    seen = "yes" if curve.supported else "no"
    return [
        image, curve.upper, curve.lower, curve.apex, curve.kind, curve.side, *figures, shown, seen, "assumed",
    ]  # fmt: skip


def _edges(image: np.ndarray) -> np.ndarray:
    """Edge measures of all patches; none where the image is too small for one."""
    if min(image.shape) < 2 * BORDER_PX + PATCH_PX:
        return np.empty(0)
    return patch_edge_measures(image)


def _alone(report: SpineReport) -> tuple[CurvePair, ...]:
    """The curves of the one image that was measured."""
    if report.original is not None:
        return tuple(CurvePair(one, None, None) for one in report.original.curves)
    return () if report.enhanced is None else tuple(CurvePair(None, one, None) for one in report.enhanced.curves)
