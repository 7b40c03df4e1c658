"""BHSD, brain haemorrhage in five subtypes, and the MBH-Seg challenges that were made from it.

- `label_192/images/ID_<p>_ID_<s>.nii.gz` beside `label_192/ground truths/...` (also "ground_truths", "labels");
- nnU-Net: `imagesTr`, `labelsTr`, `imagesTs`, `labelsTs` with `dataset.json`, which keeps its own test part;
- MBH-Seg25: a folder a case with `image.nii.gz` and `label_annot_*.nii.gz` of several readers;
- `unlabel_1980/*.nii.gz`: scans without masks.

A patient can have several studies and stand on both sides of the set's own split: all of them then go to test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from medenhance.head_ct.labels import ANY, SUBTYPE_IDS
from medenhance.progress import Progress
from medenhance_training.data.head_sets.folders import (
    below,
    facts_of,
    folder_named,
    folders_named,
    no_layout,
    read_labels,
    told,
    volumes,
)
from medenhance_training.data.head_sets.manifest import FoundSet, HeadSetCase, LeftOut, parted
from medenhance_training.data.split import Part

NAME, LICENCE = "bhsd", "BHSD-NC-ND"
TERMS = "research only, no derivatives: its pages disagree (MIT, NC-ND), and the images are RSNA's"
_LABELS = ("ground truths", "ground_truths", "ground truth", "labels", "label")
_NAME = re.compile(r"(ID_[0-9a-zA-Z]+)_ID_[0-9a-zA-Z]+")
Pair = tuple[str, Path, tuple[Path, ...], Part | None]  # name, image, masks, part of the set's own split


def read_bhsd(root: Path, progress: Progress) -> FoundSet:
    """Find the scans of the set, labelled ones and others."""
    variants = {"nnU-Net": _nnunet, "label_192": _pairs, "MBH-Seg25": _cases}
    variant, pairs = next(((name, found) for name, find in variants.items() if (found := list(find(root)))), ("", []))
    free = list(_unlabelled(root))
    if not pairs and not free:
        raise no_layout(root, "BHSD", "label_192/ with images and ground truths, imagesTr/, or a folder a case")
    known = {name for name, *_ in pairs}
    free = [pair for pair in free if pair[0] not in known]
    pairs += free
    cases, left_out = parted(
        _case(root, name, image, masks) for name, image, masks, _ in told(pairs, len(pairs), progress)
    )
    own = _own_parts(pairs)
    both = {patient for patient, parts in own.items() if len(parts) > 1}
    fixed: dict[str, Part] = {patient: "test" for patient, parts in own.items() if "test" in parts}
    noted = tuple(_noted(case) if case.patient_id in both else case for case in cases)
    return FoundSet(" and ".join(filter(None, (variant, "unlabelled" * bool(free)))), noted, tuple(left_out), fixed)


def _own_parts(pairs: list[Pair]) -> dict[str, set[Part]]:
    """Patient -> parts of the set's own split in which it stands."""
    found: dict[str, set[Part]] = {}
    for name, _, _, part in pairs:
        if part is not None:
            found.setdefault(_patient(name), set()).add(part)
    return found


def _patient(name: str) -> str:
    match = _NAME.fullmatch(name)
    return match.group(1) if match else name


def _nnunet(root: Path) -> Iterator[Pair]:
    parts: tuple[tuple[str, str, Part | None], ...] = (("imagesTr", "labelsTr", None), ("imagesTs", "labelsTs", "test"))
    for images, labels, part in parts:
        folder, masks = folder_named(root, images), folder_named(root, labels)
        drawn = {} if masks is None else volumes(masks)
        for name, path in ({} if folder is None else volumes(folder)).items():
            yield name, path, (drawn[name],) if name in drawn else (), part or "train"


def _pairs(root: Path) -> Iterator[Pair]:
    for folder in folders_named(root, ("images", "image")):
        masks = next((found for name in _LABELS if (found := folder_named(folder.parent, name))), None)
        drawn = {} if masks is None else volumes(masks)
        for name, path in volumes(folder).items():
            yield name, path, (drawn[name],) if name in drawn else (), None


def _cases(root: Path) -> Iterator[Pair]:
    for image in sorted(root.glob("**/image.nii.gz")):
        yield image.parent.name, image, tuple(sorted(image.parent.glob("label_annot_*.nii.gz"))), None


def _unlabelled(root: Path) -> Iterator[Pair]:
    folder = folder_named(root, "unlabel_1980", "unlabelled", "unlabeled")
    for name, path in ({} if folder is None else volumes(folder)).items():
        yield name, path, (), None


def _case(root: Path, name: str, image: Path, masks: tuple[Path, ...]) -> HeadSetCase | LeftOut:
    where, facts = below(image, root), facts_of(image)
    readings = []
    for path in masks:
        mask = read_labels(path)
        if mask.shape != facts.shape:
            return LeftOut(where, f"{path.name} has shape {mask.shape}, not {facts.shape}")
        values = set(np.unique(mask).tolist())
        if not values <= {0, *SUBTYPE_IDS.values()}:
            return LeftOut(where, f"{path.name} has labels {sorted(values)}, not 0 to 5")
        readings.append(values)
    return HeadSetCase(
        id=name,
        patient_id=_patient(name),
        images=(where,),
        labels=_labels(readings),
        masks=tuple(below(path, root) for path in masks),
        mask_kind="subtypes" if masks else "",
        spacing_mm=facts.spacing_mm,
        notes=(f"{len(masks)} readers",) if len(masks) > 1 else (),
    )


def _labels(readings: list[set[int]]) -> dict[str, bool]:
    """What more than half of the readers drew; nothing where nobody drew."""
    if not readings:
        return {}
    votes = {name: sum(number in one for one in readings) for name, number in SUBTYPE_IDS.items()}
    blood = sum(bool(one - {0}) for one in readings)
    return {ANY: 2 * blood > len(readings), **{name: 2 * count > len(readings) for name, count in votes.items()}}


def _noted(case: HeadSetCase) -> HeadSetCase:
    return replace(case, notes=(*case.notes, "patient stands in both parts of the set's own split"))
