"""INSTANCE 2022: `train_2/data/001.nii.gz` beside `train_2/label/001.nii.gz`; `evaluation/` and `test/` without labels.

The challenge's scans have blood, of whatever kind; masks are 0 and 1. The spacing is taken as the file states it, and
noted where a head cannot be so flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medenhance.head_ct.labels import ANY
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

NAME, LICENCE = "instance-2022", "INSTANCE-2022-agreement"
TERMS = "by agreement with the challenge; may not be passed on"
_TRAINING = ("train_2", "train_1", "train")
_UNLABELLED = ("evaluation", "validation", "val", "test")
# A head of so few slices, each of this thickness or less, would be flat.
_FEWEST_MM = 80.0
Pair = tuple[str, Path, Path | None]


def read_instance(root: Path, progress: Progress) -> FoundSet:
    """Find the scans of the set, training scans and those of the other parts."""
    variant, pairs = _layout(root)
    if not pairs:
        raise no_layout(root, "INSTANCE 2022", "train_2/data/*.nii.gz and train_2/label/*.nii.gz")
    cases, left_out = parted(_case(root, *pair) for pair in told(pairs, len(pairs), progress))
    return FoundSet(variant, tuple(cases), tuple(left_out))


def _layout(root: Path) -> tuple[str, list[Pair]]:
    folder = folder_named(root, *_TRAINING)
    others = [pair for other in folders_named(root, _UNLABELLED) for pair in _labelled(other, f"{other.name}-")]
    if folder is None and (others or folder_named(root, "data") is None):
        return "unlabelled", others
    variant = folder.name if folder is not None else "data and label"
    training = list(_labelled(folder or root, ""))
    return f"{variant}{' and others' * bool(others)}", [*training, *others]


def _labelled(folder: Path, prefix: str) -> Iterator[Pair]:
    """Scans of a part; its files may lie in `data` or in the part's folder itself."""
    images, masks = folder_named(folder, "data", "images"), folder_named(folder, "label", "labels")
    drawn = {} if masks is None else volumes(masks)
    for name, path in volumes(images or folder).items():
        yield prefix + name, path, drawn.get(name)


def _case(root: Path, name: str, image: Path, mask: Path | None) -> HeadSetCase | LeftOut:
    where, facts = below(image, root), facts_of(image)
    labels = {}
    if mask is not None:
        drawn = read_labels(mask)
        if drawn.shape != facts.shape:
            return LeftOut(where, f"its mask has shape {drawn.shape}, not {facts.shape}")
        values = np.unique(drawn).tolist()
        if not set(values) <= {0, 1}:
            return LeftOut(where, f"its mask has labels {values}, not 0 and 1")
        labels = {ANY: bool(drawn.any())}
    height = facts.shape[0] * facts.spacing_mm[2]
    notes = (f"the file says that {facts.shape[0]} slices are {height:.0f} mm",) if height < _FEWEST_MM else ()
    return HeadSetCase(
        id=name,
        patient_id=name,
        images=(where,),
        labels=labels,
        masks=() if mask is None else (below(mask, root),),
        mask_kind="" if mask is None else "binary",
        spacing_mm=facts.spacing_mm,
        notes=notes,
    )
