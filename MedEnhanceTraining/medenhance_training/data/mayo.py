"""The 2016 NIH-AAPM-Mayo Clinic low-dose CT grand challenge, in the layouts in which people keep it.

`L067/quarter_3mm/*.IMA` beside `L067/full_3mm/*.IMA`; `quarter_3mm/L067/quarter_3mm/*.IMA`; `Lxxx/full_1mm`;
`Full_Dose/1mm/Sharp Kernel/L506/...`; `train|test/ldct|ndct/L506_0081.IMA`. Only the dose comes from names, the file's
own first and then its folders' from the inside out; everything else is read from the headers.
"""

from __future__ import annotations

import re
from pathlib import Path

from medenhance.progress import Progress
from medenhance_training.data.ct_headers import CtHeader, Skipped, find_ct_slices
from medenhance_training.data.pairing import Pairing, Side, pair_all

QUARTER = 0.25
_DOSES = {
    1.0: {"full", "fulldose", "fd", "ndct", "normal"},
    QUARTER: {"quarter", "quarterdose", "qd", "ldct", "low", "lowdose"},
}
_PATIENT = re.compile(r"(?<![A-Za-z0-9])L\d{3}(?!\d)")


def read_mayo(root: Path, progress: Progress | None = None) -> Pairing:
    """Find and pair the slices of the challenge's data.

    Raises:
        MedEnhanceError: input-missing when the folder holds no CT slices.
    """
    headers, skipped = find_ct_slices(root, progress=progress)
    sides = []
    for header in headers:
        names = _names(header.path, root)
        dose = next((dose for dose in map(_dose, names) if dose is not None), None)
        if dose is None:
            skipped.append(Skipped(header.path, "neither its name nor its folders' says full or quarter dose"))
        else:
            sides.append(Side(_patient(header, names), dose, header))
    return pair_all(sides, skipped)


def _names(path: Path, root: Path) -> list[str]:
    """The file's name and its folders' below the root, from the inside out."""
    return list(reversed(path.relative_to(root).parts))


def _dose(name: str) -> float | None:
    """The dose that one name states, or None when it states none or both."""
    tokens = set(re.split(r"[^a-z0-9]+", name.lower()))
    stated = [dose for dose, words in _DOSES.items() if words & tokens]
    return stated[0] if len(stated) == 1 else None


def _patient(header: CtHeader, names: list[str]) -> str:
    """L and three digits, in the header or a name; some releases write the dose into the header's patient id."""
    for text in (header.patient_id, *names):
        match = _PATIENT.search(text)
        if match:
            return match.group()
    return header.patient_id
