"""PhysioNet "Computed Tomography Images for Intracranial Hemorrhage Detection and Segmentation" 1.3.1 (CT-ICH).

`ct_scans/049.nii` beside `masks/049.nii` and `hemorrhage_diagnosis_raw_ct.csv`, which has one row a slice. Patients 059
to 065 have no scan. Masks are 0 and 255. Faces are blurred, with noise that can look like blood.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.labels import ANY, SUBTYPES
from medenhance.progress import Progress
from medenhance_training.data.head_sets.folders import (
    VolumeFacts,
    below,
    facts_of,
    file_named,
    folder_named,
    no_layout,
    read_labels,
    table,
    told,
    volumes,
)
from medenhance_training.data.head_sets.manifest import FoundSet, HeadSetCase, LeftOut, parted

NAME, LICENCE = "physionet-ct-ich", "PhysioNet-restricted-1.3.1"
TERMS = "signed agreement needed; may not be passed on"
_COLUMNS = ("PatientNumber", "SliceNumber", *(name.capitalize() for name in SUBTYPES), "No_Hemorrhage")
_TABLES = ("hemorrhage_diagnosis_raw_ct.csv", "hemorrhage_diagnosis.csv")
Rows = dict[int, dict[str, str]]  # slice number from 1 -> row


def read_physionet(root: Path, progress: Progress) -> FoundSet:
    """Find the scans of the set."""
    images, diagnosis = folder_named(root, "ct_scans"), file_named(root, *_TABLES)
    if images is None or diagnosis is None:
        if folder_named(root, "Patients_CT") is not None:
            message = f"{root} holds windowed JPEG slices, without CT numbers."
            raise MedEnhanceError("input-unsuitable", message, "Use version 1.3.1 with ct_scans/*.nii.")
        raise no_layout(root, "PhysioNet CT-ICH", "ct_scans/, masks/ and hemorrhage_diagnosis_raw_ct.csv")
    masks_folder = folder_named(root, "masks")
    masks = {} if masks_folder is None else volumes(masks_folder)
    slices, files = _slices(diagnosis), volumes(images)
    found, left_out = parted(
        _case(root, name, path, masks.get(name), slices.get(_number(name), {}))
        for name, path in told(files.items(), len(files), progress)
    )
    known = {_number(name) for name in files}
    left_out += [LeftOut(f"patient {n:03d}", "is in the table but has no scan") for n in sorted(slices.keys() - known)]
    return FoundSet("nifti", tuple(found), tuple(left_out))


def _slices(path: Path) -> dict[int, Rows]:
    """Patient -> slice -> row."""
    found: dict[int, Rows] = {}
    for row in table(path, _COLUMNS):
        patient, number = _number(row["PatientNumber"]), _number(row["SliceNumber"])
        found.setdefault(patient, {})[number] = row
    return found


def _case(root: Path, name: str, image: Path, mask: Path | None, rows: Rows) -> HeadSetCase | LeftOut:
    where, facts = below(image, root), facts_of(image)
    if not rows:
        return LeftOut(where, "the table has no row of it")
    depth = facts.shape[0]
    if sorted(rows) != list(range(1, depth + 1)):
        return LeftOut(where, f"it has {depth} slices, the table {len(rows)} rows, {min(rows)} to {max(rows)}")
    slice_labels = _slice_labels(rows, depth)
    notes = ["face blurred with added noise", *_contradictions(rows)]
    if mask is not None:
        problem, noted = _check_mask(mask, facts, slice_labels[ANY])
        if problem:
            return LeftOut(where, problem)
        notes += noted
    if any(row.get("Fracture_Yes_No") == "1" for row in rows.values()):
        notes.append("fracture")
    return HeadSetCase(
        id=name,
        patient_id=name,
        images=(where,),
        labels={key: any(values) for key, values in slice_labels.items()},
        slice_labels=slice_labels,
        masks=() if mask is None else (below(mask, root),),
        mask_kind="" if mask is None else "binary",
        spacing_mm=facts.spacing_mm,
        notes=tuple(notes),
    )


def _slice_labels(rows: Rows, depth: int) -> dict[str, tuple[bool, ...]]:
    """ "any" and subtypes, slice by slice."""
    found = {name: tuple(rows[k][name.capitalize()] == "1" for k in range(1, depth + 1)) for name in SUBTYPES}
    return {ANY: tuple(any(values) for values in zip(*found.values(), strict=True)), **found}


def _contradictions(rows: Rows) -> list[str]:
    """Slices that have both a kind of blood and "No_Hemorrhage", or neither."""
    wrong = [
        number
        for number, row in rows.items()
        if (row["No_Hemorrhage"] == "1") == any(row[name.capitalize()] == "1" for name in SUBTYPES)
    ]
    return [f"table contradicts itself on slices {', '.join(map(str, wrong))}"] if wrong else []


def _check_mask(path: Path, facts: VolumeFacts, blood: tuple[bool, ...]) -> tuple[str, list[str]]:
    """Why a mask cannot be used, and what should be known of it."""
    mask = read_labels(path) > 0
    if mask.shape != facts.shape:
        return f"its mask has shape {mask.shape}, not {facts.shape}", []
    drawn = mask.any(axis=(1, 2))
    differing = np.flatnonzero(drawn != np.array(blood)) + 1
    return "", [f"mask and table differ on slices {', '.join(map(str, differing))}"] if len(differing) else []


def _number(text: str) -> int:
    try:
        return int(float(text))
    except ValueError as error:
        raise MedEnhanceError("input-unreadable", f"{text!r} is no number of a patient or slice.") from error
