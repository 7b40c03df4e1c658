"""Which public sets can be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medenhance.progress import Progress, Silent
from medenhance_training.data.head_sets import bhsd, cq500, instance, physionet, rsna
from medenhance_training.data.head_sets.folders import existing
from medenhance_training.data.head_sets.manifest import FoundSet, HeadSetManifest, make_manifest


@dataclass(frozen=True)
class HeadSet:
    """A public set.

    Attributes:
        licence: Tag of its terms.
        terms: What they ask for.
        read: (root, progress) -> what was found.
    """

    licence: str
    terms: str
    read: Callable[[Path, Progress], FoundSet]


HEAD_SETS: dict[str, HeadSet] = {
    rsna.NAME: HeadSet(rsna.LICENCE, rsna.TERMS, rsna.read_rsna),
    cq500.NAME: HeadSet(cq500.LICENCE, cq500.TERMS, cq500.read_cq500),
    physionet.NAME: HeadSet(physionet.LICENCE, physionet.TERMS, physionet.read_physionet),
    bhsd.NAME: HeadSet(bhsd.LICENCE, bhsd.TERMS, bhsd.read_bhsd),
    instance.NAME: HeadSet(instance.LICENCE, instance.TERMS, instance.read_instance),
}


def read_head_set(
    name: str,
    root: Path,
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
) -> HeadSetManifest:
    """Find the scans of a set and split them by patient.

    Args:
        name: A key of `HEAD_SETS`.
        root: Its folder, or one that holds it.
        validation, test: Shares of the patients whose part the set itself does not decide.
        seed: Of the split.
        progress: Is told how far it is, and may cancel.

    Raises:
        MedEnhanceError: Not there, no layout that is known, or too few patients for the split.
    """
    known = HEAD_SETS[name]
    found = known.read(existing(root), progress or Silent())
    return make_manifest(name, known.licence, known.terms, found, validation, test, seed)
