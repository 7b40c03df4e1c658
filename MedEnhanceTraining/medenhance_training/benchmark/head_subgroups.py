"""Where a haemorrhage detector is good and where not: by subtype, by volume, by what resembles blood; its volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from medenhance_training.benchmark.head_ct import MethodFigures, RunFigures, SetFigures
from medenhance_training.head_evaluation import ScanFigures
from medenhance_training.operating import counts_at
from medenhance_training.roc import wilson
from medenhance_training.table import Table, number

# Strata of the thesis's figures, by true volume in mL (specification, section 1.1).
STRATA: dict[str, Callable[[float], bool]] = {
    "mild, up to 15 mL": lambda ml: ml <= 15.0,
    "moderate, 15 to 30 mL": lambda ml: 15.0 < ml < 30.0,
    "severe, 30 mL or more": lambda ml: ml >= 30.0,
}
# Lesions whose volume has to be right, and how right (issue 5, "must hold").
LEAST_ML, TOLERANCE, TOLERANCE_ML = 2.0, 0.10, 0.5
Chosen = Callable[[ScanFigures], bool]


def subgroup_table(one: SetFigures) -> Table:
    """Sensitivity, Dice and volume of our method by subtype and stratum, specificity by look-alike."""
    ours = one.ours
    table = Table(
        f"Subgroups of {ours.title}, {one.name}",
        ("scans", "n", "found or left alone", "95 %", "DSC", "volume error mL", "FPV uL"),
    )
    table.add("with blood, by subtype (a scan may have several)")
    for subtype in sorted({name for scan in ours.runs[0].scans for name in scan.present}):
        _add(table, ours, subtype, lambda scan, subtype=subtype: scan.has_blood and subtype in scan.present)  # type: ignore[misc]
    table.add("with blood, by true volume")
    for name, within in STRATA.items():
        _add(table, ours, name, lambda scan, within=within: scan.has_blood and within(scan.volume_ml))  # type: ignore[misc]
    table.add("without blood, by what is in them")
    _add(table, ours, "all", lambda scan: not scan.has_blood)
    for name in sorted({name for scan in ours.runs[0].scans for name in scan.look_alikes}):
        _add(table, ours, name, lambda scan, name=name: not scan.has_blood and name in scan.look_alikes)  # type: ignore[misc]
    table.notes += [
        "found: sensitivity at the operating point; left alone: specificity; [ ] Wilson, of the first training seed",
        "volume error: mean of predicted minus true volume of the scan",
    ]
    return table


def volume_table(sets: Iterable[SetFigures]) -> Table:
    """How right the volumes are: of scans and of single lesions over 2 mL."""
    table = Table(
        f"Volumes over {LEAST_ML:g} mL: within {100 * TOLERANCE:g} % or {TOLERANCE_ML:g} mL, whichever is larger",
        ("set", "of", "n", "within", "95 %", "bias mL", "limits mL", "median |error| %"),
    )
    for one in sets:
        run = one.ours.runs[0]
        scans = [(s.volume_ml, s.mask.predicted_ul / 1000.0) for s in run.scans if s.volume_ml > LEAST_ML]
        lesions = [(x.true_ml, x.predicted_ml) for s in run.scans for x in s.lesions if x.true_ml > LEAST_ML]
        labels = [(s.volume_ml, s.labelled_ml) for s in run.scans if s.volume_ml > LEAST_ML]
        for what, pairs in (("scans", scans), ("lesions", lesions), ("true mask", labels)):
            table.add(one.name, what, *_agreement(pairs))
        if run.calibration.volume is not None:
            table.add(one.name, "stated range", *_shares(within_stated(run)))
    table.notes += [
        "scans: whole mask against the volume before slices were averaged; lesions: connected bleeds of one subtype on "
        "the grid of the scan, each with what of the mask touches it",
        "true mask: what a perfect mask on the grid of the scan would have; limits: bias +- 1.96 SD (Bland and Altman)",
        "stated range: scans with blood whose true volume lies in the range that a report states for their masks",
    ]
    return table


def within_tolerance(true_ml: np.ndarray, predicted_ml: np.ndarray) -> np.ndarray:
    """(N,) bool: error within 10 % or 0.5 mL, whichever is larger."""
    # A rounding of binary numbers decides nothing.
    allowed = np.maximum(TOLERANCE * true_ml, TOLERANCE_ML) + 1e-9
    return np.asarray(np.abs(predicted_ml - true_ml) <= allowed)


def within_stated(run: RunFigures) -> np.ndarray:
    """(N,) bool, a scan with blood for which a report states a range: whether the true volume lies in it."""
    spread = run.calibration.volume
    assert spread is not None
    bleeding = [scan for scan in run.scans if scan.has_blood]
    stated = [(scan.volume_ml, spread.around(scan.mask.predicted_ul / 1000.0)) for scan in bleeding]
    return np.array([one.low_ml <= ml <= one.high_ml for ml, one in stated if one is not None], bool)


def _add(table: Table, ours: MethodFigures, name: str, chosen: Chosen) -> None:
    scans = [scan for scan in ours.runs[0].scans if chosen(scan)]
    if not scans:
        return
    right = [_right(run, chosen) for run in ours.runs]
    low, high = wilson(*right[0])
    positive = scans[0].has_blood
    picked = [scan for run in ours.runs for scan in run.scans if chosen(scan)]
    dices = [scan.mask.dice for scan in picked if scan.mask.dice is not None]
    errors = [scan.mask.predicted_ul / 1000.0 - scan.volume_ml for scan in picked]
    false = [scan.mask.predicted_ul for scan in picked]
    table.add(
        name,
        str(len(scans)),
        number(float(np.mean([hit / total for hit, total in right])), 3),
        f"[{low:.2f}, {high:.2f}]",
        number(float(np.mean(dices)) if dices else None, 3),
        number(float(np.mean(errors)), 2, sign=True) if positive else "",
        "" if positive else number(float(np.mean(false)), 1),
    )


def _right(run: RunFigures, chosen: Chosen) -> tuple[int, int]:
    """How many of the chosen scans are called what they are."""
    picked = [k for k, scan in enumerate(run.scans) if chosen(scan)]
    counts = counts_at(run.probabilities[picked], [run.scans[k].has_blood for k in picked], run.threshold)
    return counts.true_positive + counts.true_negative, counts.total


def _agreement(pairs: list[tuple[float, float]]) -> tuple[str, ...]:
    if not pairs:
        return "0", "-", "", "-", "", "-"
    true, predicted = np.array(pairs).T
    inside, error = within_tolerance(true, predicted), predicted - true
    spread = 1.96 * float(error.std(ddof=1)) if len(pairs) > 1 else 0.0
    return (
        *_shares(inside)[:3],
        number(float(error.mean()), 2, sign=True),
        f"{error.mean() - spread:.2f} to {error.mean() + spread:.2f}",
        number(100 * float(np.median(np.abs(error) / true)), 1),
    )


def _shares(inside: np.ndarray) -> tuple[str, ...]:
    """Number, share of those inside and its interval; the other columns say nothing of them."""
    if not len(inside):
        return "0", "-", "", "-", "", "-"
    low, high = wilson(int(inside.sum()), len(inside))
    return str(len(inside)), number(float(inside.mean()), 3), f"[{low:.2f}, {high:.2f}]", "", "", ""
