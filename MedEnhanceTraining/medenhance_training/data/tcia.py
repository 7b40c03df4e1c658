"""LDCT-and-Projection-data of The Cancer Imaging Archive (doi 10.7937/9NPB-2637).

`C002/12-23-2021-NA-NA-62464/1.000000-Full Dose Images-56325/1-001.dcm` and `...-Low Dose Images-...`; the projections
beside them (most of a terabyte) are not even opened. The dose comes from the series description, else from the series
folder's name. Low dose is a tenth for the chest (patients C...), a quarter for head (N) and abdomen (L). Scans of GE
have no low-dose images: their normal-dose slices are kept for simulation.
"""

from __future__ import annotations

import re
from pathlib import Path

from medenhance.progress import Progress
from medenhance_training.data.ct_headers import CtHeader, Skipped, find_ct_slices
from medenhance_training.data.pairing import Pairing, Side, pair_all

_LOW_DOSE = {"C": 0.10, "L": 0.25, "N": 0.25}
_PATIENT = re.compile(r"(?<![A-Za-z0-9])([CLN])\d{3}(?!\d)")
_SERIES = re.compile(r"(full|low)[\s_-]*dose[\s_-]*images", re.IGNORECASE)


def read_tcia(root: Path, progress: Progress | None = None) -> Pairing:
    """Find and pair the slices of the collection.

    Raises:
        MedEnhanceError: input-missing when the folder holds no CT slices.
    """
    headers, skipped = find_ct_slices(root, enter=_holds_images, progress=progress)
    sides = []
    for header in headers:
        side = _side(header, header.path.relative_to(root))
        if isinstance(side, Skipped):
            skipped.append(side)
        else:
            sides.append(side)
    return pair_all(sides, skipped)


def _holds_images(folder: Path) -> bool:
    return "projections" not in folder.name.lower().replace("ldct-and-projection-data", "")


def _side(header: CtHeader, below_root: Path) -> Side | Skipped:
    patient = next((m for m in map(_PATIENT.search, (header.patient_id, *below_root.parts)) if m), None)
    if patient is None:
        return Skipped(header.path, f"patient {header.patient_id or 'unknown'} is not named C, L or N and three digits")
    series = _SERIES.search(header.description) or _SERIES.search(below_root.parent.name)
    if series is None:
        return Skipped(header.path, f"the series '{header.description}' is neither full nor low dose images")
    full = series.group(1).lower() == "full"
    return Side(patient.group(), 1.0 if full else _LOW_DOSE[patient.group(1)], header)
