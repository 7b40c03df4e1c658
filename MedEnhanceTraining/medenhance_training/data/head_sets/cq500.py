"""CQ500 (qure.ai): `CQ500CT0 CQ500CT0/Unknown Study/CT Plain/CT000000.dcm` and `reads.csv` of three readers.

Folders may lie in `qct01` ... as the archives unpack, and be named once or twice. A scan has several series: the thick
plain one is taken, a thin one is noted where there is no other, those with contrast or of bone are left out. The truth
is what two of three readers say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.labels import ANY, SUBTYPES
from medenhance.progress import Progress, checkpoint
from medenhance_training.data.head_sets.dicom_slices import HeadSlice, ordered, read_slice, spacing_of
from medenhance_training.data.head_sets.folders import below, file_named, no_layout, table
from medenhance_training.data.head_sets.manifest import FoundSet, HeadSetCase, LeftOut

NAME, LICENCE = "cq500", "CC-BY-NC-SA-4.0"
TERMS = "non-commercial, attribution, share alike"
READERS = ("R1", "R2", "R3")
_COLUMNS = dict(zip((ANY, *SUBTYPES), ("ICH", "EDH", "IPH", "IVH", "SAH", "SDH"), strict=True))
_NOTED = {
    "Fracture": "fracture",
    "MassEffect": "mass effect",
    "MidlineShift": "midline shift",
    "ChronicBleed": "chronic",
}
_SCAN = re.compile(r"CQ500[-_ ]?CT[-_ ]?(\d+)", re.IGNORECASE)
# Bone kernels, and injections such as "CT 4cc sec 150cc D3D on": contrast runs in at so many millilitres a second.
_OTHER = re.compile(r"bone|contrast|post|angio|venogram|\d\s*cc|perfusion", re.IGNORECASE)
# Thicker than that there is no such series in the set; thinner ones are those to be averaged.
_THICK_MM = 2.5


@dataclass(frozen=True)
class Series:
    """A folder of slices.

    Attributes:
        folder: Where.
        thickness_mm: Of its first readable slice.
    """

    folder: Path
    thickness_mm: float


def read_cq500(root: Path, progress: Progress) -> FoundSet:
    """Find one series of each scan."""
    path = file_named(root, "reads.csv")
    scans = dict(_scan_folders(root))
    if path is None or not scans:
        raise no_layout(root, "CQ500", "folders CQ500CT<n> ... and reads.csv")
    reads = _reads(path)
    cases, left_out = [], []
    for n, (number, folders) in enumerate(sorted(scans.items())):
        checkpoint(progress, "scan", n / len(scans))
        votes = reads.get(number)
        if votes is None:
            left_out.append(LeftOut(below(folders[0], root), "reads.csv has no row of it"))
            continue
        case, others = _case(root, number, folders, votes)
        cases += [case] if case is not None else []
        left_out += others
    left_out += [LeftOut(f"CQ500-CT-{n}", "is in reads.csv but has no folder") for n in sorted(reads.keys() - scans)]
    return FoundSet("DICOM", tuple(cases), tuple(left_out))


def _scan_folders(root: Path, depth: int = 2) -> Iterator[tuple[int, list[Path]]]:
    """Number -> its folders; "CQ500CT0" and "CQ500CT0 CQ500CT0" are the same scan."""
    found: dict[int, list[Path]] = {}
    layer = [root]
    for _ in range(depth):
        inner = sorted(path for folder in layer for path in folder.iterdir() if path.is_dir())
        layer = []
        for path in inner:
            match = _SCAN.match(path.name)
            if match:
                found.setdefault(int(match.group(1)), []).append(path)
            else:
                layer.append(path)
    yield from found.items()


def _reads(path: Path) -> dict[int, dict[str, str]]:
    """Number of the scan -> its row."""
    needed = [f"{reader}:{column}" for reader in READERS for column in _COLUMNS.values()]
    found = {}
    for row in table(path, ["name", *needed]):
        match = _SCAN.match(row["name"])
        if match is None:
            raise MedEnhanceError("input-unreadable", f"{path}: {row['name']!r} is no CQ500-CT-<n>.")
        found[int(match.group(1))] = row
    return found


def _case(
    root: Path, number: int, folders: list[Path], row: dict[str, str]
) -> tuple[HeadSetCase | None, list[LeftOut]]:
    series = [one for folder in folders for one in _series(folder)]
    suited = [one for one in series if not _OTHER.search(one.folder.name)]
    where = below(folders[0], root)
    if not suited:
        return None, [LeftOut(where, f"no plain series among {', '.join(one.folder.name for one in series) or 'none'}")]
    chosen = _best(suited)
    left_out = [LeftOut(below(one.folder, root), _why_not(one, chosen)) for one in series if one is not chosen]
    slices, damaged = _slices(chosen.folder)
    left_out += [LeftOut(below(path, root), reason) for path, reason in damaged]
    stack, notes = ordered(slices)
    if chosen.thickness_mm < _THICK_MM:
        notes.append(f"thin, {chosen.thickness_mm:g} mm: average to 5 mm")
    labels = {kind: _majority(row, column) for kind, column in _COLUMNS.items()}
    notes += [words for column, words in _NOTED.items() if f"R1:{column}" in row and _majority(row, column)]
    case = HeadSetCase(
        id=f"CQ500-CT-{number}",
        patient_id=f"CQ500-CT-{number}",
        images=tuple(below(one.path, root) for one in stack),
        labels=labels,
        spacing_mm=spacing_of(stack),
        notes=tuple(notes),
    )
    return case, left_out


def _series(folder: Path) -> Iterator[Series]:
    """Every folder below that holds a CT slice directly."""
    for path in sorted({file.parent for file in folder.rglob("*") if file.is_file()}):
        slices = (read_slice(file) for file in sorted(path.iterdir()) if file.is_file())
        first = next((one for one in slices if isinstance(one, HeadSlice)), None)
        if first is not None:
            yield Series(path, first.thickness_mm)


def _best(series: list[Series]) -> Series:
    """The thinnest of the thick ones, else the thickest of the thin ones; of equals the one called plain."""
    thick = [one for one in series if one.thickness_mm >= _THICK_MM]
    if thick:
        return min(thick, key=lambda one: (one.thickness_mm, "plain" not in one.folder.name.lower(), one.folder.name))
    return max(series, key=lambda one: (one.thickness_mm, "plain" in one.folder.name.lower(), one.folder.name))


def _why_not(one: Series, chosen: Series) -> str:
    if _OTHER.search(one.folder.name):
        return "a series with contrast or of bone"
    return f"{one.thickness_mm:g} mm; {chosen.folder.name} ({chosen.thickness_mm:g} mm) was taken"


def _slices(folder: Path) -> tuple[list[HeadSlice], list[tuple[Path, str]]]:
    """Of the largest series in a folder; those of another one that lie beside it are left out."""
    series: dict[str, list[HeadSlice]] = {}
    problems = []
    for path in sorted(file for file in folder.iterdir() if file.is_file()):
        found = read_slice(path)
        if isinstance(found, str):
            problems.append((path, found))
        else:
            series.setdefault(found.series_uid, []).append(found)
    largest = max(series.values(), key=len)
    problems += [
        (one.path, "of another series") for slices in series.values() if slices is not largest for one in slices
    ]
    return largest, problems


def _majority(row: dict[str, str], column: str) -> bool:
    """What two of three readers say."""
    return sum(row[f"{reader}:{column}"] in ("1", "1.0") for reader in READERS) >= 2
