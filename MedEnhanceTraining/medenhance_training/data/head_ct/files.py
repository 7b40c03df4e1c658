"""A simulated head CT on disk.

`ct.nrrd` holds HU, `subtypes.nrrd` the bleeds (0 none, 1 to 5 in the order of `SUBTYPES`), `ventricles.nrrd` the
ventricles, `case.json` every true number; `dicom/` holds the same scan as a series.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from medenhance.files import write_json
from medenhance.image_files import write_image
from medenhance.volume import Volume
from medenhance_training.data.head_ct.case import SUBTYPE_IDS, HeadCase
from medenhance_training.data.head_ct.dicom_series import NOTE, write_series


def write_case(case: HeadCase, folder: Path, with_dicom: bool = False) -> tuple[Path, ...]:
    """Write a case into a folder, which is made if it is missing.

    Returns:
        The files written; `case.json` comes last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "ct.nrrd": case.hu.astype(np.int16),
        "subtypes.nrrd": case.subtypes,
        "ventricles.nrrd": case.ventricles.astype(np.uint8),
    }
    for name, array in arrays.items():
        modality = "CT" if name == "ct.nrrd" else None
        write_image(Volume(array, case.grid, modality=modality), folder / name, {"note": NOTE})
    written = [folder / name for name in arrays]
    if with_dicom:
        written += write_series(case, folder / "dicom")
    write_json(folder / "case.json", truth(case))
    return (*written, folder / "case.json")


def truth(case: HeadCase) -> dict[str, Any]:
    """Everything about a case that is no image, ready for JSON; what is unknown is null."""
    return {
        "note": NOTE,
        "seed": case.seed,
        "preset": case.preset,
        "age_years": _number(case.age_years),
        "subtype_ids": SUBTYPE_IDS,
        "has_hemorrhage": case.is_positive,
        "slice_labels": [int(v) for v in case.slice_labels],
        "volumes_ml": case.volumes_ml,
        "midline_shift_mm": case.midline_shift_mm,
        "hard_negatives": list(case.hard_negatives),
        "lesions": [{**asdict(lesion), "mean_hu": _number(lesion.mean_hu)} for lesion in case.lesions],
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
