"""The manifest of a public head CT set: which files, of whom, with which truth, in which part, under which terms."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medenhance.errors import MedEnhanceError
from medenhance.files import replacing, write_json
from medenhance.head_ct.labels import ANY, SUBTYPES
from medenhance.strict_json import SchemaError, from_json, to_json
from medenhance_training.data.split import Part, split_patients

SCHEMA = 1
LABELS = (ANY, *SUBTYPES)


@dataclass(frozen=True)
class HeadSetCase:
    """One scan.

    Attributes:
        id: Unique in the set.
        patient_id: All scans of a patient share it; the split goes by it.
        images: Files below the root: one volume, or the slices of a DICOM series from the feet to the head.
        labels: Truth of the scan: "any" and subtypes; those that the set does not tell are left out.
        slice_labels: For each slice of `images` (of the file's own slice order for volumes), where the set tells it.
        masks: Files below the root; several where several readers drew one.
        mask_kind: "binary" (above 0 is blood), "subtypes" (1 to 5 as in `medenhance.head_ct.labels`) or "" for none.
        spacing_mm: Of columns, rows and slices; None where the files do not say.
        notes: What should be known of the scan, such as a trap of the set.
        part: Of the split.
        licence: Tag of the set's terms.
    """

    id: str
    patient_id: str
    images: tuple[str, ...]
    labels: dict[str, bool] = field(default_factory=dict)
    slice_labels: dict[str, tuple[bool, ...]] = field(default_factory=dict)
    masks: tuple[str, ...] = ()
    mask_kind: str = ""
    spacing_mm: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()
    part: Part = "train"
    licence: str = ""


@dataclass(frozen=True)
class LeftOut:
    """What was found and is in no case, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class FoundSet:
    """What a reader found, before it is split.

    Attributes:
        variant: Which of the layouts.
        cases: The scans.
        left_out: The rest.
        fixed: Part of patients that the set itself decides.
    """

    variant: str
    cases: tuple[HeadSetCase, ...]
    left_out: tuple[LeftOut, ...] = ()
    fixed: Mapping[str, Part] = field(default_factory=dict)


@dataclass(frozen=True)
class HeadSetManifest:
    """All scans below one folder.

    Attributes:
        schema: Version of this format.
        name: Of the set.
        variant: Which of its layouts.
        licence: Tag of its terms.
        terms: What they ask for, in a sentence.
        cases: The scans.
        left_out: What was found besides.
    """

    schema: int
    name: str
    variant: str
    licence: str
    terms: str
    cases: tuple[HeadSetCase, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def summary(self) -> str:
        """What it holds, in one line."""
        patients = len({case.patient_id for case in self.cases})
        blood = sum(case.labels.get(ANY, False) for case in self.cases)
        masks = sum(bool(case.masks) for case in self.cases)
        parts = ", ".join(f"{sum(c.part == p for c in self.cases)} {p}" for p in ("train", "validation", "test"))
        return (
            f"{self.name} ({self.variant}): {len(self.cases)} scans of {patients} patients, {blood} with blood, "
            f"{masks} with masks; {parts}; {len(self.left_out)} left out; {self.licence}: {self.terms}"
        )


def parted(found: Iterable[HeadSetCase | LeftOut]) -> tuple[list[HeadSetCase], list[LeftOut]]:
    """Cases, and what is none."""
    cases: list[HeadSetCase] = []
    left_out: list[LeftOut] = []
    for one in found:
        if isinstance(one, LeftOut):
            left_out.append(one)
        else:
            cases.append(one)
    return cases, left_out


def make_manifest(
    name: str, licence: str, terms: str, found: FoundSet, validation: float, test: float, seed: int
) -> HeadSetManifest:
    """Split the scans by patient and write the licence on each.

    Raises:
        MedEnhanceError: Nothing was found, an id occurs twice, or the shares leave too few patients.
    """
    if not found.cases:
        reasons = "; ".join(f"{one.path}: {one.reason}" for one in found.left_out[:3])
        raise MedEnhanceError("input-missing", f"No scan of {name} can be used. {reasons}")
    ids = [case.id for case in found.cases]
    twice = sorted({one for one in ids if ids.count(one) > 1}) if len(set(ids)) < len(ids) else []
    if twice:
        raise MedEnhanceError("input-unsuitable", f"{name} holds {twice[0]} twice.", "Name one copy of the set alone.")
    parts = split_patients([case.patient_id for case in found.cases], validation, test, seed, found.fixed)
    cases = tuple(replace(case, part=parts[case.patient_id], licence=licence) for case in found.cases)
    return HeadSetManifest(SCHEMA, name, found.variant, licence, terms, cases, found.left_out)


def save_manifest(manifest: HeadSetManifest, path: Path) -> None:
    """Write it whole or not at all: JSON, or for a name in .csv one line a scan with what fits into a line.

    Raises:
        MedEnhanceError: The name ends in neither.
    """
    if path.suffix.lower() == ".json":
        write_json(path, to_json(manifest))
    elif path.suffix.lower() == ".csv":
        with replacing(path) as temporary:
            temporary.write_text(_csv(manifest.cases), encoding="utf-8", newline="")
    else:
        raise MedEnhanceError("bad-option", f"{path.name} ends in neither .json nor .csv.")


def load_manifest(path: Path) -> HeadSetManifest:
    """Read a manifest in JSON.

    Raises:
        MedEnhanceError: input-missing, or input-unreadable with the key that is wrong.
    """
    if not path.is_file():
        raise MedEnhanceError(
            "input-missing", f"There is no manifest {path}.", "medenhance-train index head-ct makes it."
        )
    try:
        manifest = from_json(HeadSetManifest, json.loads(path.read_text(encoding="utf-8")), "manifest")
    except (json.JSONDecodeError, UnicodeDecodeError, SchemaError) as error:
        raise MedEnhanceError("input-unreadable", f"{path} is no manifest: {error}.", "Make it anew.") from error
    if manifest.schema != SCHEMA:
        raise MedEnhanceError("input-unreadable", f"{path} has schema {manifest.schema}.", f"{SCHEMA} is read here.")
    return manifest


def _csv(cases: Sequence[HeadSetCase]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["case_id", "patient_id", "split", "images", *LABELS, "masks", "mask_kind", "spacing_mm", "licence", "notes"]
    )
    for case in cases:
        labels = [_cell(case.labels.get(name)) for name in LABELS]
        spacing = "" if case.spacing_mm is None else ";".join(f"{value:g}" for value in case.spacing_mm)
        files = ";".join(case.images), ";".join(case.masks)
        writer.writerow(
            [case.id, case.patient_id, case.part, files[0], *labels, files[1], case.mask_kind, spacing, case.licence,
             "; ".join(case.notes)]
        )  # fmt: skip
    return text.getvalue()


def _cell(label: bool | None) -> str:
    return "" if label is None else str(int(label))
