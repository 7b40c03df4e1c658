"""Splits cases into parts that share no patient."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from medenhance.errors import MedEnhanceError
from medenhance_training.data.index import Case

Part = Literal["train", "validation", "test"]
# What most papers on the Mayo challenge's data hold back.
MAYO_PARTS: Mapping[str, Part] = {"mayo-2016/L506": "test", "mayo-2016/L333": "validation"}


@dataclass(frozen=True)
class Split:
    """Cases by their use."""

    train: tuple[Case, ...]
    validation: tuple[Case, ...]
    test: tuple[Case, ...]


def split_cases(
    cases: Sequence[Case],
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    fixed: Mapping[str, Part] | None = None,
) -> Split:
    """Split by patient: all cases of one are in one part; see `split_patients`.

    Raises:
        MedEnhanceError: bad-option for shares that make no sense, or when too few patients are there.
    """
    parts = split_patients([case.patient_id for case in cases], validation, test, seed, fixed)
    return Split(*(tuple(c for c in cases if parts[c.patient_id] == part) for part in ("train", "validation", "test")))


def split_patients(
    patient_ids: Iterable[str],
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    fixed: Mapping[str, Part] | None = None,
) -> dict[str, Part]:
    """The part of each patient.

    Patients are put in an order that depends on the seed and their own ids alone, so neither the order of the cases
    nor their number per patient matters. A part whose share is above 0 gets at least one patient.

    Args:
        patient_ids: Of whom; repetitions do not matter.
        validation: Share of the patients (those of `fixed` not counted) for validation.
        test: Share for test.
        seed: Seed of the order.
        fixed: The part of patients that is decided beforehand.

    Raises:
        MedEnhanceError: bad-option for shares that make no sense, or when too few patients are there.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise MedEnhanceError(
            "bad-option", f"Shares of {validation} and {test} leave nothing to train on.", "Their sum is below 1."
        )
    parts = dict(fixed or {})
    free = sorted(set(patient_ids) - parts.keys(), key=lambda patient: _order(seed, patient))
    num_test, num_validation = _count(test, len(free)), _count(validation, len(free))
    if free and num_test + num_validation >= len(free):
        raise MedEnhanceError(
            "bad-option",
            f"{len(free)} patients are too few for training, validation ({validation}) and test ({test}).",
            "Set a share to 0, or name the patients of each part.",
        )
    for rank, patient in enumerate(free):
        parts[patient] = "test" if rank < num_test else "validation" if rank < num_test + num_validation else "train"
    return parts


def _order(seed: int, patient_id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{patient_id}".encode()).digest()


def _count(share: float, num_patients: int) -> int:
    return 0 if share == 0 else max(1, round(share * num_patients))
