"""A simulated subject on disk: pictures, a volume and what is true about it.

`case.json` holds the numbers; `vpi_d1.png` (superficial) to `vpi_d5.png` (deep) the projections, `clean_d*.png` their
clean twins, `noise_d*.png` where the two differ (255), `mask.png` the classes 0 to 3, `skin.nrrd` the skin's depth and
`volume.nrrd` the volume, if there is one. Voxels lie in the patient: columns run to the patient's right, rows to the
feet, planes to the front, and the origin of the image's upper left corner at the first plane is LPS (0, 0, 0).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from medenhance.files import replacing, write_json
from medenhance_training.data.spine.case import SpineCase

# Columns: the directions of I (columns), J (rows) and K (planes) in LPS.
DIRECTION = (-1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, -1.0, 0.0)
NOTE = "Simulated. Not a patient; for research on methods only."


def write_case(case: SpineCase, folder: Path) -> tuple[Path, ...]:
    """Write a subject into a folder, which is made if it is missing.

    Returns:
        The files written; `case.json` comes last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [_png(case.labels, folder / "mask.png")]
    for k in range(len(case.projections)):
        written.append(_png(case.projections[k], folder / f"vpi_d{k + 1}.png"))
        written.append(_png(case.clean[k], folder / f"clean_d{k + 1}.png"))
        written.append(_png(case.noise_mask[k].astype(np.uint8) * np.uint8(255), folder / f"noise_d{k + 1}.png"))
    written.append(_nrrd(case.skin_mm[None], (1.0, case.pixel_mm, case.pixel_mm), folder / "skin.nrrd"))
    if case.volume is not None:
        written.append(_nrrd(case.volume, case.spacing_mm, folder / "volume.nrrd"))
    write_json(folder / "case.json", truth(case))
    return (*written, folder / "case.json")


def truth(case: SpineCase) -> dict[str, Any]:
    """Everything about a subject that is no image, ready for JSON."""
    return {
        "note": NOTE,
        "seed": case.seed,
        "label_order": "da-gan",
        "pixel_mm": case.pixel_mm,
        "habitus": case.habitus,
        "depths_mm": list(case.depths_mm),
        "landmarks": [asdict(landmark) for landmark in case.landmarks],
        "tilts_deg": case.tilts_deg,
        "curves": [asdict(curve) for curve in case.curves],
    }


def _png(image: np.ndarray, path: Path) -> Path:
    with replacing(path) as temporary:
        sitk.WriteImage(sitk.GetImageFromArray(image), str(temporary))
    return path


def _nrrd(array: np.ndarray, spacing_mm: tuple[float, float, float], path: Path) -> Path:
    """(D, R, C), spacing in the same order."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_mm[::-1])
    image.SetDirection(DIRECTION)
    image.SetOrigin((-spacing_mm[2] / 2, -spacing_mm[0] / 2, -spacing_mm[1] / 2))
    with replacing(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)
    return path
