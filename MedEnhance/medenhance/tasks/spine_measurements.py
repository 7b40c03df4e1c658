"""What is measured of a segmented original and of its enhanced image, and what speaks against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.measure.stripes import scan_area
from medenhance.measure.trust import RunFacts
from medenhance.spine.angle import measure
from medenhance.spine.coronal_input import Coronal
from medenhance.spine.measurement import Measurement
from medenhance.spine.support import CONFIDENT, Structure, doubtful_ends, structures
from medenhance.tasks.measure_uca import in_patient, paired
from medenhance.tasks.spine_report import SpineReport, changes

if TYPE_CHECKING:
    from medenhance.tasks.enhance_spine import EnhanceSpineOptions


def measured_report(
    coronal: Coronal,
    options: EnhanceSpineOptions,
    images: dict[str, np.ndarray],
    run: RunFacts | None,
    warnings: list[str],
    confidence: np.ndarray | None = None,
) -> SpineReport:
    """Measure the images of a run.

    Args:
        coronal: The original.
        options: "measure" among the steps asks for angles.
        images: "enhanced", "labels_original", "labels_enhanced", as far as there are.
        run: How the network was run.
        warnings: What is known already.
        confidence: (R, C) probability of the label of each pixel of the enhanced image.
    """
    warnings = list(warnings)
    original = _measured(coronal, options, images.get("labels_original"), "original", warnings)
    enhanced = _measured(coronal, options, images.get("labels_enhanced"), "enhanced", warnings)
    known, lines = coronal.projections, None
    if known is not None and original is not None and coronal.depth is not None:
        lines = in_patient(original, known, coronal.depth, coronal.image.shape)
    found: tuple[Structure, ...] = ()
    if "enhanced" in images and "labels_enhanced" in images:
        found = structures(images["labels_enhanced"], images["enhanced"], coronal.originals, confidence)
    doubtful = doubtful_ends(found, enhanced) if enhanced is not None else ()
    warnings += _support_warnings(found, doubtful, len(coronal.originals))
    rows, columns = coronal.image.shape
    changed = None
    if "enhanced" in images:
        changed = changes(coronal.image, images["enhanced"], scan_area(coronal.image))
    return SpineReport(
        steps=tuple(options.steps),
        shape=(rows, columns),
        spacing_mm=coronal.spacing_mm,
        depth=coronal.depth,
        depths_mm=() if known is None else known.depths_mm,
        run=run,
        changes=changed,
        original=original,
        enhanced=enhanced,
        pairs=() if original is None or enhanced is None else paired(original, enhanced),
        lines_lps_mm=lines,
        structures=found,
        doubtful_levels=doubtful,
        warnings=(*(() if known is None else known.notes), *warnings),
    )


def _measured(
    coronal: Coronal, options: EnhanceSpineOptions, labels: np.ndarray | None, name: str, warnings: list[str]
) -> Measurement | None:
    """The curves in one segmentation; where none can be measured a warning says why, and the images remain."""
    if labels is None or "measure" not in options.steps:
        return None
    try:
        return measure(labels, coronal.spacing_mm, "da-gan", options.thoracic_end)
    except MedEnhanceError as error:
        if error.kind != "input-unsuitable":
            raise
        warnings.append(f"No angle of the {name} image: {error.message}")
        return None


def _support_warnings(structures: tuple[Structure, ...], levels: tuple[str, ...], num_depths: int) -> list[str]:
    unseen = sum(not one.supported for one in structures)
    unsure = sum(one.supported and one.doubtful for one in structures)
    where = "the original image does not" if num_depths == 1 else f"none of the {num_depths} original depths does"
    found = []
    if unseen:
        found.append(f"The enhanced image shows structures that {where}: {unseen}. Do not rely on them.")
    if unsure:
        found.append(
            f"The network is not sure of {unsure} of {len(structures)} structures (probability below {CONFIDENT:g}): "
            "they may be the ends of ribs."
        )
    if levels:
        found.append(f"End levels of enhanced curves that rest on such structures: {', '.join(levels)}.")
    return found
