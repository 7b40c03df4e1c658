"""The index of a training set: which files, of whom, with which hashes, under which licence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from medenhance.errors import MedEnhanceError
from medenhance.files import write_json
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.strict_json import SchemaError, from_json, to_json
from medenhance_training.data.pairing import PairedScan

SCHEMA = 1


@dataclass(frozen=True)
class IndexedFile:
    """A file below the index's root.

    Attributes:
        path: With forward slashes, relative to the root.
        sha256: Of its bytes.
        size_bytes: Of its bytes.
    """

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Case:
    """One scan.

    Attributes:
        id: Unique in the index.
        patient_id: All scans of a patient share it; the split goes by it.
        source: Data set that it comes from, such as "mayo-2016", "tcia-ldct", or a name of one's own.
        licence: Licence of the images, such as "CC-BY-3.0"; weights are only as free as what they were trained on.
        spacing_mm: Pixel spacing.
        slice_mm: Slice thickness.
        kernel: Reconstruction kernel as the header names it; "" when unknown.
        dose: Of the low-dose files, as a fraction of the normal ones'; 1 when there are none.
        normal: Normal-dose files. For a case with pairs, file i belongs to low-dose file i.
        low: Low-dose files, as many as normal ones, or none.
        study: For a case without pairs: what to give to `read_study`, relative to the root.
        series_uid: For a case without pairs: which series of the study.
    """

    id: str
    patient_id: str
    source: str
    licence: str
    spacing_mm: float
    slice_mm: float
    kernel: str
    dose: float
    normal: tuple[IndexedFile, ...]
    low: tuple[IndexedFile, ...] = ()
    study: str = ""
    series_uid: str = ""

    @property
    def is_paired(self) -> bool:
        return bool(self.low)


@dataclass(frozen=True)
class Index:
    """All cases below one folder.

    Attributes:
        schema: Version of this format.
        cases: The cases.
    """

    schema: int
    cases: tuple[Case, ...]

    def with_licences(self, accepted: Iterable[str]) -> Index:
        """The cases under one of these licences."""
        allowed = set(accepted)
        return replace(self, cases=tuple(case for case in self.cases if case.licence in allowed))


def make_index(cases: Iterable[Case]) -> Index:
    """An index of these cases.

    Raises:
        ValueError: Two cases have one id.
    """
    cases = tuple(cases)
    ids = [case.id for case in cases]
    if len(set(ids)) != len(ids):
        raise ValueError(f"case ids occur twice: {sorted({i for i in ids if ids.count(i) > 1})}")
    return Index(SCHEMA, cases)


def scan_cases(scan: PairedScan, root: Path, source: str, licence: str) -> list[Case]:
    """The index entries of a scan: one for its pairs, one for the normal-dose slices that have no twin."""
    pairs = [(pair.normal.path, pair.low.path) for pair in scan.pairs]
    alone = [header.path for header in scan.normal_only]
    cases = []
    if pairs:
        normal, low = zip(*pairs, strict=True)
        cases.append(_scan_case(scan, root, source, licence, normal, low))
    if alone:
        cases.append(_scan_case(scan, root, source, licence, tuple(alone), ()))
    return cases


def _scan_case(
    scan: PairedScan, root: Path, source: str, licence: str, normal: tuple[Path, ...], low: tuple[Path, ...]
) -> Case:
    first = scan.example
    files = tuple(indexed_file(path, root) for path in normal)
    digest = hashlib.sha256("\n".join(file.path for file in files).encode()).hexdigest()
    return Case(
        id=f"{source}/{scan.patient_id}/{digest[:8]}",
        patient_id=f"{source}/{scan.patient_id}",
        source=source,
        licence=licence,
        spacing_mm=first.spacing_mm[1],
        slice_mm=first.thickness_mm,
        kernel=first.kernel,
        dose=scan.dose if low else 1.0,
        normal=files,
        low=tuple(indexed_file(path, root) for path in low),
    )


def indexed_file(path: Path, root: Path) -> IndexedFile:
    """Hash a file."""
    return IndexedFile(_relative(path, root), _sha256(path), path.stat().st_size)


def save_index(index: Index, path: Path) -> None:
    """Write the index as JSON, whole or not at all."""
    write_json(path, to_json(index))


def load_index(path: Path) -> Index:
    """Read an index.

    Raises:
        MedEnhanceError: input-missing, or input-unreadable with the key that is wrong.
    """
    if not path.is_file():
        raise MedEnhanceError("input-missing", f"There is no index {path}.", "Make one with medenhance-train index.")
    try:
        index = from_json(Index, json.loads(path.read_text(encoding="utf-8")), "index")
    except (json.JSONDecodeError, UnicodeDecodeError, SchemaError) as error:
        raise MedEnhanceError("input-unreadable", f"{path} is no index: {error}.", "Make it anew.") from error
    if index.schema != SCHEMA:
        raise MedEnhanceError("input-unreadable", f"{path} has schema {index.schema}.", f"{SCHEMA} is read here.")
    return index


def verify_index(index: Index, root: Path, progress: Progress | None = None) -> None:
    """Check that every file is there and has not changed.

    Raises:
        MedEnhanceError: input-missing or input-unreadable, naming the first such file.
    """
    files = [file for case in index.cases for file in (*case.normal, *case.low)]
    progress = progress or Silent()
    for i, file in enumerate(files):
        checkpoint(progress, "verify", i / len(files))
        path = root / file.path
        if not path.is_file():
            raise MedEnhanceError("input-missing", f"{path} is in the index but not there.", "Make the index anew.")
        if path.stat().st_size != file.size_bytes or _sha256(path) != file.sha256:
            raise MedEnhanceError(
                "input-unreadable",
                f"{path} is not the file that was indexed (sha256 {file.sha256[:12]}... expected).",
                "Restore it, or make the index anew.",
            )


def _relative(path: Path, root: Path) -> str:
    return path.resolve().relative_to(root.resolve()).as_posix()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
