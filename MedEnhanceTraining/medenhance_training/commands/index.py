"""`medenhance-train index`: find, pair and hash the images of a data set once, before training on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from medenhance.errors import MedEnhanceError
from medenhance.progress import Progress, Silent, checkpoint

if TYPE_CHECKING:
    from medenhance_training.data.index import Case
    from medenhance_training.data.pairing import Pairing

_SHOWN = 10


@dataclass(frozen=True)
class MakeIndex:
    """Write the index of a data set: its scans, patients, pairs and the hashes of its files.

    Low-dose slices are paired with normal-dose slices by their position. The index holds the patient ids of the files:
    treat it like them.
    """

    root: Annotated[Positional[Path], arg(metavar="ROOT")]
    """Folder of the data set; the index's paths start from here."""
    output: Annotated[Positional[Path], arg(metavar="INDEX.json")]
    """The index to write."""
    licence: Annotated[str, arg(metavar="NAME")]
    """Licence of the images, such as CC-BY-3.0; recipes may ask for some licences only."""
    layout: Literal["mayo", "tcia", "studies"] = "studies"
    """mayo: 2016 grand challenge; tcia: LDCT-and-Projection-data; studies: CT studies of normal dose."""
    studies: Annotated[tuple[Path, ...], arg(metavar="PATH")] = ()
    """Studies to index, from ROOT; by default every file and folder directly in ROOT that is one."""
    source: Annotated[str | None, arg(metavar="NAME")] = None
    """Name of the data set; by default mayo-2016, tcia-ldct or the name of ROOT."""


def make_index_file(args: MakeIndex, progress: Progress | None = None) -> str:
    """Write the index, and return what it holds in one line.

    Raises:
        MedEnhanceError: Nothing to index, or the index cannot be written.
    """
    from medenhance_training.data.index import make_index, save_index

    progress = progress or Silent()
    cases, summary = _LAYOUTS[args.layout](args, progress)
    if not cases:
        raise MedEnhanceError("input-missing", f"{args.root} gave no case: {summary}.", "Give the data set's folder.")
    save_index(make_index(cases), args.output)
    return summary


def _mayo(args: MakeIndex, progress: Progress) -> tuple[list[Case], str]:
    from medenhance_training.data.mayo import read_mayo

    return _paired(read_mayo(args.root, progress), args, args.source or "mayo-2016", progress)


def _tcia(args: MakeIndex, progress: Progress) -> tuple[list[Case], str]:
    from medenhance_training.data.tcia import read_tcia

    return _paired(read_tcia(args.root, progress), args, args.source or "tcia-ldct", progress)


def _paired(pairing: Pairing, args: MakeIndex, source: str, progress: Progress) -> tuple[list[Case], str]:
    from medenhance_training.data.index import scan_cases

    for skip in (*pairing.unpaired, *pairing.skipped)[:_SHOWN]:
        progress.warn(f"{skip.path}: {skip.reason}.")
    cases = []
    for i, scan in enumerate(pairing.scans):
        checkpoint(progress, "hash", i / len(pairing.scans))
        cases += scan_cases(scan, args.root, source, args.licence)
    return cases, pairing.summary


def _studies(args: MakeIndex, progress: Progress) -> tuple[list[Case], str]:
    """Named studies must be readable; of those that were merely found, the others are left out with a warning."""
    from medenhance_training.data.cases import study_case

    if not args.root.is_dir():
        raise MedEnhanceError("input-missing", f"{args.root} is not a folder.", "Give the folder of the studies.")
    paths = [args.root / study for study in args.studies] or _visible(args.root, args.output)
    cases, source = [], args.source or args.root.resolve().name
    for i, path in enumerate(paths):
        checkpoint(progress, "hash", i / len(paths))
        try:
            cases.append(study_case(path, args.root, source, args.licence))
        except MedEnhanceError as error:
            if args.studies:
                raise
            progress.warn(f"{path} was left out: {error.message}")
    return cases, f"{len(cases)} studies of {len(paths)} files and folders"


def _visible(root: Path, output: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if not path.name.startswith(".") and path != output)


_LAYOUTS: dict[str, Callable[[MakeIndex, Progress], tuple[list[Case], str]]] = {
    "mayo": _mayo,
    "tcia": _tcia,
    "studies": _studies,
}
