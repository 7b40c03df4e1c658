"""RSNA 2019 Intracranial Hemorrhage Detection (Kaggle): one slice a file, all in one folder, in no order.

`stage_2_train/ID_<hex>.dcm` with `stage_2_train.csv` (`ID,Label`, six rows a slice), `stage_2_test/` without labels;
the same with `stage_1_`. Series are put together by their UID and sorted by position. The table holds a few rows twice;
one file (ID_6431af929) is cut off; some scanners stored unsigned pixels of 12 bits that wrapped around.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.labels import ANY, SUBTYPES
from medenhance.progress import Progress, checkpoint
from medenhance_training.data.head_sets.dicom_slices import HeadSlice, ordered, read_slice, spacing_of
from medenhance_training.data.head_sets.folders import below, file_named, folder_named, no_layout
from medenhance_training.data.head_sets.manifest import FoundSet, HeadSetCase, LeftOut

NAME, LICENCE = "rsna-2019", "RSNA-2019-non-commercial"
TERMS = "non-commercial, cite the RSNA 2019 challenge (Flanders et al. 2020)"
_KINDS = (ANY, *SUBTYPES)
Labels = dict[str, dict[str, bool]]  # slice -> kind -> whether


def read_rsna(root: Path, progress: Progress) -> FoundSet:
    """Find the scans of the challenge's train folder and, without labels, of its test folder."""
    stage = next((n for n in ("2", "1") if folder_named(root, f"stage_{n}_train") is not None), None)
    if stage is None:
        raise no_layout(root, "RSNA 2019", "stage_2_train/*.dcm and stage_2_train.csv")
    train, test = folder_named(root, f"stage_{stage}_train"), folder_named(root, f"stage_{stage}_test")
    assert train is not None
    path = file_named(root, f"stage_{stage}_train.csv")
    if path is None:
        raise MedEnhanceError("input-missing", f"{root} has no stage_{stage}_train.csv.", "Put it beside the folder.")
    labels, left_out = _labels(path)
    cases: list[HeadSetCase] = []
    for folder, known in ((train, labels), *([(test, {})] if test is not None else [])):
        found, skipped = _scans(root, folder, known, progress)
        cases += found
        left_out += skipped
    return FoundSet(f"stage {stage}{' with test' * (test is not None)}", tuple(cases), tuple(left_out))


def _labels(path: Path) -> tuple[Labels, list[LeftOut]]:
    """Labels of each slice; those of slices that the table contradicts itself about are left out."""
    found: Labels = {}
    contradicted: set[str] = set()
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        if [cell.strip() for cell in next(reader, [])] != ["ID", "Label"]:
            raise MedEnhanceError("input-unreadable", f"{path} does not have the columns ID and Label.")
        for row in reader:
            name, kind, value = _row(path, row)
            known = found.setdefault(name, {}).setdefault(kind, value)
            if known != value:
                contradicted.add(name)
    for name in contradicted:
        del found[name]
    return found, [LeftOut(name, "the table holds it twice with different labels") for name in sorted(contradicted)]


def _row(path: Path, row: list[str]) -> tuple[str, str, bool]:
    """ID_<hex>_<kind>,<0 or 1>"""
    name, _, kind = row[0].strip().rpartition("_") if len(row) == 2 else ("", "", "")
    if kind not in _KINDS or row[1].strip() not in ("0", "1"):
        raise MedEnhanceError("input-unreadable", f"{path}: {','.join(row)!r} is no ID_<hex>_<kind>,<0 or 1>.")
    return name, kind, row[1].strip() == "1"


def _scans(
    root: Path, folder: Path, labels: Mapping[str, Mapping[str, bool]], progress: Progress
) -> tuple[list[HeadSetCase], list[LeftOut]]:
    series: dict[str, list[HeadSlice]] = {}
    left_out = []
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".dcm")
    for n, path in enumerate(files):
        checkpoint(progress, f"scan {folder.name}", n / len(files))
        found = read_slice(path)
        problem = found if isinstance(found, str) else _unlabelled(path, labels)
        if problem:
            left_out.append(LeftOut(below(path, root), str(problem)))
        else:
            assert isinstance(found, HeadSlice)
            series.setdefault(found.series_uid, []).append(found)
    return [_case(root, slices, labels) for _, slices in sorted(series.items())], left_out


def _unlabelled(path: Path, labels: Mapping[str, Mapping[str, bool]]) -> str:
    """Why a slice of a labelled folder has no labels."""
    if not labels:
        return ""
    missing = set(_KINDS) - set(labels.get(path.stem, ()))
    return f"the table has no label {', '.join(sorted(missing))} of it" if missing else ""


def _case(root: Path, slices: list[HeadSlice], labels: Mapping[str, Mapping[str, bool]]) -> HeadSetCase:
    stack, notes = ordered(slices)
    sizes = Counter(one.shape for one in stack)
    if len(sizes) > 1:
        notes.append(f"slices of {len(sizes)} sizes")
    of_slices = {kind: tuple(labels[one.path.stem][kind] for one in stack) for kind in _KINDS} if labels else {}
    return HeadSetCase(
        id=stack[0].series_uid,
        patient_id=stack[0].patient_id or stack[0].series_uid,
        images=tuple(below(one.path, root) for one in stack),
        labels={kind: any(values) for kind, values in of_slices.items()},
        slice_labels=of_slices,
        spacing_mm=spacing_of(stack),
        notes=tuple(notes),
    )
