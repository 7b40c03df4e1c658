"""What the benchmark of head CT found, as the paper's Tables 5 to 7, with the paper's own numbers below ours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medenhance_training.benchmark.head_comparison import Comparison, compare
from medenhance_training.benchmark.head_ct import HeadBenchmark, SetFigures, false_ul
from medenhance_training.benchmark.paper_head_ct import MASK_AVERAGES, TABLE_5, printed_mask, printed_scan
from medenhance_training.head_evaluation import SliceFigures
from medenhance_training.operating import Counts, counts_at
from medenhance_training.resampling import Interval
from medenhance_training.roc import auc_of
from medenhance_training.table import Table, number

_HALF = 0.5  # the paper's threshold for slices
_LIKE = "like training"


def scan_table(found: HeadBenchmark, one: SetFigures) -> Table:
    """Tables 6 and 7: whole scans."""
    table = Table(
        _title(one, "whole scans"),
        ("method", "AUC", "95 %", "F1", "SEN", "SPE", "DSC", "95 %", "FPV uL", "95 %", "FPV sum uL", "s"),
    )
    for method in one.methods:
        area, dice, false = method.area(), method.mean(lambda f: f.mask.dice), method.mean(false_ul)
        table.add(
            method.title,
            number(area.value, 3),
            shown(area, 3),
            *(number(method.counted(ratio), 3) for ratio in _RATIOS),
            number(dice.value, 3),
            shown(dice, 3),
            number(false.value, 1),
            shown(false, 1),
            number(float(np.nansum(method.values(false_ul), axis=1).mean()), 0),
            number(float(method.values(lambda f: f.seconds).mean()), 1),
        )
        _add_printed(table, method.title, one.name == _LIKE)
    table.notes += _scan_notes(found, one)
    return table


def comparison_table(one: SetFigures) -> Table:
    """Paired tests of our method against every other."""
    ours = one.ours
    table = Table(
        f"{ours.title} minus the others, {one.name}",
        ("method", "AUC", "95 %", "p DeLong", "DSC", "95 %", "p t-test", "FPV uL", "95 %", "p t-test"),
    )
    for method in one.methods:
        if method is not ours:
            table.add(*_compared(compare(ours, method)))
    table.notes += [
        "[ ] 95 % bootstrap over scans and training seeds; DeLong's test is of the first seeds; t-tests are paired",
        f"{len(ours.runs)} training seeds of {ours.title}",
    ]
    return table


def slice_table(found: HeadBenchmark, one: SetFigures) -> Table:
    """Table 5: slices, and whether slice head and mask say the same of them."""
    table = Table(
        _title(one, "slices"),
        ("method", "concurrence +", "concurrence -", "AUC", "F1", "SEN", "SPE", "DSC", "FPV uL"),
    )
    for method in one.methods:
        rows = [_slice_row([s for scan in run.scans for s in scan.slices]) for run in method.runs]
        means = np.mean(rows, axis=0)
        table.add(method.title, *(number(value, 3) for value in means[:-1]), number(means[-1], 2))
        printed = TABLE_5.get(method.title)
        if printed is not None and one.name == _LIKE:
            values = (*printed.concurrence, *printed.classification, printed.segmentation[0])
            words = "  the paper, Internal, upstream"
            table.add(words, *(number(v, 3) for v in values), number(printed.segmentation[1], 2))
    table.notes += [
        "concurrence: slice head and mask, both rounded at 0.5, say the same (eq. 2), + slices with blood, - without",
        "the paper measures its upstream network, here slice head and mask are those of the network for whole scans",
        found.notice,
    ]
    return table


def average_table(found: HeadBenchmark) -> Table:
    """Tables 6 and 7, last columns: masks on the average of the sets."""
    table = Table(f"Average of {len(found.sets)} sets", ("method", "DSC", "FPV uL"))
    for n, method in enumerate(found.sets[0].methods):
        of_sets = [one.methods[n] for one in found.sets]
        dice = _mean([one.mean(lambda f: f.mask.dice).value for one in of_sets])
        false = _mean([one.mean(false_ul).value for one in of_sets])
        table.add(method.title, number(dice, 3), number(false, 1))
        if method.title in MASK_AVERAGES:
            printed = MASK_AVERAGES[method.title]
            table.add("  the paper, four hospitals", number(printed[0], 3), number(printed[1], 1))
    table.notes.append("each set counts alike, whatever its number of scans")
    return table


def quality_table(found: HeadBenchmark) -> Table:
    """Whether our method reaches what issue 5 asks for."""
    table = Table("Quality bar", ("set", "AUC >= .95", "SEN >= .90 at SPE >= .90", "DSC >= .60", "FPV < 20 uL"))
    for one in found.sets:
        ours = one.ours
        best = float(np.mean([_best_sensitivity(run.logits, ours.labels) for run in ours.runs]))
        table.add(
            one.name,
            _judged(ours.area().value, lambda v: v >= 0.95, 3),
            _judged(best, lambda v: v >= 0.90, 3),
            _judged(ours.mean(lambda f: f.mask.dice).value, lambda v: v >= 0.60, 3),
            _judged(ours.mean(false_ul).value, lambda v: v < 20.0, 1),
        )
    table.notes += [
        f"{found.sets[0].ours.title}; SEN is read off the curve at the lowest threshold that keeps SPE >= .90",
        "only the set like the training has to reach it; shifted sets are reported as measured",
    ]
    return table


def shown(found: Interval, digits: int) -> str:
    """An interval in brackets, or nothing."""
    return "" if found.interval is None else f"[{found.interval[0]:.{digits}f}, {found.interval[1]:.{digits}f}]"


def _title(one: SetFigures, what: str) -> str:
    labels = one.ours.labels
    return f"{one.name}, {what}: {int(labels.sum())} simulated scans with blood, {int((~labels).sum())} without"


def _scan_notes(found: HeadBenchmark, one: SetFigures) -> list[str]:
    voxel = one.ours.values(lambda f: f.voxel_ul)
    low, high = float(voxel.min()), float(voxel.max())
    bare = [method.title for method in one.methods if not all(r.calibration.operating_points for r in method.runs)]
    at_half = f" (at 0.5 for {', '.join(bare)}, whose logit could not be calibrated)" if bare else ""
    return [
        f"F1, SEN, SPE at the operating point that was chosen on other scans{at_half}; DSC mean of scans with blood",
        "FPV: predicted volume in scans without blood, mean a scan and sum (eq. 1), on the scans' own grids: a voxel "
        f"is {low:.2f} to {high:.2f} uL",
        f"AUC: DeLong's interval of one training seed, bootstrap over scans and seeds of several ({_seeds(one)})",
        f"calibrated on {found.num_calibration} other simulated scans; {found.processor}",
        found.notice,
    ]


def _seeds(one: SetFigures) -> str:
    counts = {len(method.runs) for method in one.methods}
    if len(counts) == 1:
        return f"{counts.pop()} each"
    return ", ".join(f"{method.title} {len(method.runs)}" for method in one.methods)


def _add_printed(table: Table, title: str, like_training: bool) -> None:
    scan, mask = printed_scan(title, like_training), printed_mask(title, like_training)
    if scan is None and mask is None:
        return
    words = "  the paper, Internal" if like_training else "  the paper, External mean"
    first = [number(None if scan is None else scan[k], 3) for k in range(4)]
    dice, false = (None, None) if mask is None else mask
    table.add(words, first[0], "", *first[1:], number(dice, 3), "", number(false, 1), "", "", "")


_RATIOS: tuple[Callable[[Counts], float], ...] = (
    lambda counts: counts.f1,
    lambda counts: counts.sensitivity,
    lambda counts: counts.specificity,
)


def _compared(found: Comparison) -> tuple[str, ...]:
    return (
        found.title,
        number(found.area.value, 3, sign=True),
        shown(found.area, 3),
        number(found.delong.p_value, 3),
        number(found.dice.value, 3, sign=True),
        shown(found.dice, 3),
        number(found.dice_p, 3),
        number(found.false_ul.value, 1, sign=True),
        shown(found.false_ul, 1),
        number(found.false_p, 3),
    )


def _slice_row(slices: list[SliceFigures]) -> list[float]:
    labels = np.array([one.has_blood for one in slices])
    scores = np.array([one.probability for one in slices])
    agree = np.array([one.concurs for one in slices], float)
    counts = counts_at(scores, labels, _HALF)
    dices = [one.dice for one in slices if one.dice is not None]
    false = [one.predicted_ul for one in slices if not one.has_blood]
    return [
        _mean(agree[labels]),
        _mean(agree[~labels]),
        auc_of(scores, labels),
        counts.f1,
        counts.sensitivity,
        counts.specificity,
        _mean(dices),
        _mean(false),
    ]


def _best_sensitivity(logits: np.ndarray, labels: np.ndarray) -> float:
    """The highest sensitivity of those thresholds that leave 0.90 of the scans without blood alone."""
    thresholds = np.append(np.unique(logits), np.inf)
    kept = [t for t in thresholds if (logits[~labels] < t).mean() >= 0.90]
    return float((logits[labels] >= min(kept)).mean())


def _judged(value: float, reached: Callable[[float], bool], digits: int) -> str:
    return f"{number(value, digits)} {'yes' if reached(value) else 'no'}"


def _mean(values: np.ndarray | list[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
