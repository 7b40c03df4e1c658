"""`medenhance-train index head-ct`: find the scans of a public head CT set once, before working with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from medenhance.progress import Progress, Silent

SetName = Literal["rsna-2019", "cq500", "physionet-ct-ich", "bhsd", "instance-2022"]
_SHOWN = 10


@dataclass(frozen=True)
class IndexHeadCt:
    """Write the manifest of a public head CT set: scans, patients, truth, masks, spacing, licence and split.

    Nothing is downloaded. The split is by patient. The manifest holds the patient ids of the files: treat it like them.
    """

    set: Annotated[SetName, arg(metavar="NAME")]
    """rsna-2019, cq500, physionet-ct-ich (1.3.1), bhsd (also MBH-Seg) or instance-2022."""
    root: Annotated[Path, arg(metavar="FOLDER")]
    """Folder of the set; the manifest's paths start from here."""
    output: Annotated[Path, arg(metavar="PATH.json|.csv")]
    """The manifest to write; JSON holds everything, CSV one line a scan."""
    validation: float = 0.1
    """Share of the patients for validation."""
    test: float = 0.1
    """Share of the patients for test; a set's own test part is kept."""
    seed: int = 0
    """Of the split."""


def index_head_ct(args: IndexHeadCt, progress: Progress | None = None) -> str:
    """Write the manifest, warn about what was left out, and return what it holds in one line.

    Raises:
        MedEnhanceError: Nothing to index, or the manifest cannot be written.
    """
    from medenhance_training.data.head_sets.known import read_head_set
    from medenhance_training.data.head_sets.manifest import save_manifest

    progress = progress or Silent()
    manifest = read_head_set(args.set, args.root, args.validation, args.test, args.seed, progress)
    for one in manifest.left_out[:_SHOWN]:
        progress.warn(f"{one.path}: {one.reason}.")
    if len(manifest.left_out) > _SHOWN:
        progress.warn(f"... and {len(manifest.left_out) - _SHOWN} more; the manifest in JSON lists all of them.")
    save_manifest(manifest, args.output)
    return manifest.summary
