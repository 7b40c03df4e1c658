"""The warnings of a trust report: which of its figures lie outside what the model card promises, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from medenhance.measure.tissue import SOFT

if TYPE_CHECKING:
    from medenhance.manifest import TrustedRange
    from medenhance.measure.residual import ResidualStructure
    from medenhance.measure.trust import TissueRow

MIN_REGIONS = 5
_SIGNIFICANT = 2.0  # standard errors
_LEAST_VISIBLE_HU = 1.0  # CT numbers are stored in whole HU


def judge(
    rows: Sequence[TissueRow],
    structure: ResidualStructure | None,
    spacing_mm: tuple[float, float, float] | None,
    trusted: TrustedRange,
) -> tuple[str, ...]:
    """Compare a study's figures with a model card.

    Args:
        rows: One a tissue.
        structure: Of what was removed; None when it could not be measured.
        spacing_mm: Of columns, rows and slices; None when unknown.
        trusted: What the model card promises.

    Returns:
        One sentence for each figure outside, and for each that could not be measured.
    """
    soft = next(r for r in rows if r.tissue == SOFT.name)
    return (
        *_input_warnings(soft, spacing_mm, trusted),
        *_bias_warnings(rows, trusted.max_abs_bias_hu),
        *_structure_warnings(structure, trusted.max_residual_structure),
    )


def _input_warnings(
    soft: TissueRow, spacing_mm: tuple[float, float, float] | None, trusted: TrustedRange
) -> Iterator[str]:
    noise, (lo, hi) = soft.noise_sd_before_hu, trusted.noise_sd_hu
    if noise is None or soft.num_regions < MIN_REGIONS:
        found = f"only {soft.num_regions}" if soft.num_regions else "no"
        yield f"Too little to judge by: {found} homogeneous regions of soft tissue were found."
    if noise is not None and not lo <= noise <= hi:
        yield (
            f"The noise of the input in soft tissue is {noise:.0f} HU; "
            f"the model was tested on {lo:g} to {hi:g} HU, so it may do too little or too much here."
        )
    lo, hi = trusted.spacing_mm
    if spacing_mm is None:
        yield f"The pixel size is unknown; the model was tested on pixels of {lo:g} to {hi:g} mm."
    elif not all(lo <= s <= hi for s in spacing_mm[:2]):
        size = " x ".join(f"{s:.2f}" for s in spacing_mm[:2])
        yield f"The pixels are {size} mm; the model was tested on pixels of {lo:g} to {hi:g} mm."


def _bias_warnings(rows: Sequence[TissueRow], limit_hu: float) -> Iterator[str]:
    for row in rows:
        # The mean of an input whose noise is cut off on one side is itself biased: a right output differs from it.
        if row.bias_hu is None or row.bias_standard_error_hu is None or row.cut_off:
            continue
        if abs(row.bias_hu) - _SIGNIFICANT * row.bias_standard_error_hu > limit_hu:
            yield (
                f"CT numbers of {_plain(row.tissue)} are shifted by {row.bias_hu:+.1f} HU "
                f"(standard error {row.bias_standard_error_hu:.1f}); the model card allows {limit_hu:g} HU."
            )


def _structure_warnings(structure: ResidualStructure | None, limit: float) -> Iterator[str]:
    if structure is None:
        yield "Whether anatomy was removed cannot be judged: the study shows too few structures."
    elif structure.index > limit and structure.amplitude_hu >= _LEAST_VISIBLE_HU:
        yield (
            f"Anatomy may have been removed: the residual structure index is {structure.index:.3f} "
            f"(about {structure.amplitude_hu:.1f} HU); the model card allows {limit:g}."
        )


def _plain(tissue: str) -> str:
    return "soft tissue" if tissue == SOFT.name else tissue
