"""The one public coronal projection with an expert's mask (SA2Net, MIT): reported as measured, never tuned to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.measure.overlap import overlap
from medenhance.measure.stripes import CORRUPTED_FROM, patch_edge_measures, scan_area
from medenhance_training.benchmark.spine_methods import SpineMethod
from medenhance_training.spine_evaluate import CHANGED_GREY, CLASSES
from medenhance_training.table import Table, number

IMAGE, MASK = "demo.png", "demo_bone_3.png"


def read_real_projection(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The image and its mask, both (R, C) uint8; labels are in the order "da-gan".

    Raises:
        MedEnhanceError: They are not in the folder.
    """
    missing = [name for name in (IMAGE, MASK) if not (folder / name).is_file()]
    if missing:
        message = f"{folder} holds no {' and no '.join(missing)}."
        raise MedEnhanceError("input-missing", message, "They are part of github.com/taetiseo09/SA2Net, MIT licence.")
    image, mask = (sitk.GetArrayFromImage(sitk.ReadImage(str(folder / name))) for name in (IMAGE, MASK))
    return (image if image.ndim == 2 else image[..., 0]).astype(np.uint8), mask.astype(np.uint8)


def real_table(methods: Sequence[SpineMethod], image: np.ndarray, mask: np.ndarray) -> Table:
    """One row a method and training seed."""
    table = Table(
        "The public projection of one person, with an expert's mask",
        ("method", *(f"{kind} D" for kind in CLASSES), "average D", "corrupted patches", "largest g", "changed %"),
    )
    scan = scan_area(image)
    before = patch_edge_measures(image)
    for method in methods:
        for restorer in method.open():
            result = restorer.restore(image)
            after = patch_edge_measures(result.image)
            changed = np.abs(result.image.astype(np.int16) - image) > CHANGED_GREY
            dice = _dice(result.labels, mask)
            table.add(
                method.title,
                *(number(value, 2) for value in dice),
                number(float(np.mean([v for v in dice if v is not None])) if result.labels is not None else None, 2),
                f"{int((before >= CORRUPTED_FROM).sum())} -> {int((after >= CORRUPTED_FROM).sum())}",
                f"{before.max():.2f} -> {after.max():.2f}",
                number(100 * float(changed[scan].mean()), 2),
            )
    table.notes.append("nothing was trained on or tuned to this image; one image allows no conclusion")
    return table


def _dice(labels: np.ndarray | None, mask: np.ndarray) -> list[float | None]:
    if labels is None:
        return [None] * len(CLASSES)
    found = [overlap(labels == value, mask == value) for value in CLASSES.values()]
    return [None if one is None else 100 * one.dice for one in found]
