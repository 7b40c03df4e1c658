"""Makes the built-in head CT: a simulated scan with a haemorrhage of known place and volume, in under 700 kB.

    python Resources/make_head_sample.py

The simulator is that of `medenhance-train simulate head-ct`, here without tilt and unequal gaps, which an NRRD file
cannot hold for every program. HU are rounded, and the air around the head, which would take most of the file, is made
even. Beside the scan lie the true mask, and the true numbers as JSON. Run it again when the simulator has changed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from medenhance_training.data.head_ct.case import HeadCase
from medenhance_training.data.head_ct.config import PRESETS
from medenhance_training.data.head_ct.simulate import simulate_head

SEED, SIZE_PX = 21, 176
RESOURCES = Path(__file__).resolve().parents[1] / "MedEnhance" / "medenhance" / "resources"
SCAN, TRUTH, FACTS = "demo_head_ct.nrrd", "demo_head_ct_truth.nrrd", "demo_head_ct.json"
LARGEST_BYTES = 700_000
_AIR_HU, _BODY_HU = -1000, -300.0


def main() -> None:
    plain = replace(PRESETS["balanced"], prevalence=1.0, tilt_deg=(0.0, 0.0), unequal_gaps=0.0, motion_share=0.0)
    case = simulate_head(SEED, replace(plain, subtypes=("intraparenchymal",), size_px=SIZE_PX))
    write(case, quiet_air(case.hu), RESOURCES / SCAN)
    write(case, case.mask.astype(np.uint8), RESOURCES / TRUTH)
    (RESOURCES / FACTS).write_text(json.dumps(facts(case), indent=2) + "\n", encoding="utf-8")
    size = sum((RESOURCES / name).stat().st_size for name in (SCAN, TRUTH, FACTS))
    print(f"{size} bytes: {json.dumps(facts(case))}")
    if size >= LARGEST_BYTES:
        raise SystemExit(f"{size} bytes are more than {LARGEST_BYTES}")


def quiet_air(hu: np.ndarray) -> np.ndarray:
    """(D, H, W) int16 HU: the scan, with even air outside of the head and what carries it."""
    body = ndimage.binary_dilation(ndimage.binary_opening(hu > _BODY_HU, iterations=1), iterations=3)
    return np.where(body, np.clip(np.rint(hu), -1024, 3071), _AIR_HU).astype(np.int16)


def facts(case: HeadCase) -> dict[str, object]:
    """What is true of the case."""
    return {
        "notice": "Simulated scan. Research use only.",
        "seed": case.seed,
        "volumes_ml": {name: round(float(ml), 3) for name, ml in case.volumes_ml.items()},
        "midline_shift_mm": round(float(case.midline_shift_mm), 2),
        "slices_with_haemorrhage": [int(k) for k in np.flatnonzero(case.slice_labels)],
    }


def write(case: HeadCase, array: np.ndarray, path: Path) -> None:
    """Write a gzip-compressed NRRD on the grid of the case."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(case.grid.spacing_mm)
    image.SetOrigin(case.grid.origin_mm)
    image.SetDirection(case.grid.direction)
    if array.dtype == np.int16:
        image.SetMetaData("MedEnhance_modality", "CT")
    sitk.WriteImage(image, path, useCompression=True, compressionLevel=9)


if __name__ == "__main__":
    main()
