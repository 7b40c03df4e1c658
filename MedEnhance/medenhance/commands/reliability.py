"""`medenhance reliability`: a table of ratings in, their agreement out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

if TYPE_CHECKING:
    from medenhance.measure.reliability import Reliability


@dataclass(frozen=True)
class MeasureReliability:
    """Measure how well raters, sessions or methods agree: ICC, MAD, SEM and Bland-Altman, each with its formula.

    The table has a heading, a row a subject and a column a rater. Research use only.
    """

    table: Annotated[Positional[Path], arg(metavar="CSV")]
    """Ratings, such as angles in degrees."""
    raters: Annotated[tuple[str, ...] | None, arg(metavar="COLUMN ...")] = None
    """Columns that hold ratings; by default all columns of numbers but one named id, subject, case or patient."""
    output: Annotated[Path | None, arg(metavar="PATH.json")] = None
    """Also write everything as JSON."""


def run(args: MeasureReliability) -> int:
    """Measure and print."""
    from medenhance.tasks.measure_reliability import measure_reliability

    raters, found = measure_reliability(args.table, args.raters, args.output)
    print("\n".join(summary(raters, found)))
    if args.output is not None:
        print(f"report: {args.output}")
    return 0


def summary(raters: tuple[str, ...], found: Reliability) -> list[str]:
    """The agreement as lines for a terminal."""
    lines = [f"{found.num_subjects} subjects, {found.num_raters} raters: {', '.join(raters)}"]
    for form in found.icc:
        value = "not defined" if form.value is None else f"{form.value:.3f}"
        between = "" if form.interval is None else f"  95 % interval {form.interval[0]:.3f} to {form.interval[1]:.3f}"
        lines.append(f"{form.name:<9} = {form.shrout_fleiss:<9} {value}{between}  {form.meaning}")
    lines.append(f"MAD {found.mad:.3f}")
    sem = found.sem
    for name, error in (
        ("SD sqrt(1 - ICC(A,1))", sem.sd_icc),
        ("sqrt(MSE)", sem.root_mse),
        ("MAD / sqrt(2)", sem.mad_root2),
    ):
        if error is not None:
            lines.append(f"SEM by {name}: {error:.3f}")
    if found.bland_altman is not None:
        bias, (low, high) = found.bland_altman.bias, found.bland_altman.limits
        lines.append(
            f"Bland-Altman ({raters[1]} minus {raters[0]}): bias {bias:.3f}, 95 % limits {low:.3f} to {high:.3f}"
        )
    return lines
