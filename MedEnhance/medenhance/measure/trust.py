"""The trust report: what a denoiser did to one study, and whether that is within what its model card promises.

Only up to 16 evenly spread slices are measured, one at a time, so that neither memory nor time grows with the study.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medenhance.measure.judge import MIN_REGIONS, judge
from medenhance.measure.noise_power import NoisePower
from medenhance.measure.study import SpectrumPair, TissueFigures, measure_study
from medenhance.measure.tissue import SOFT, TISSUES, Tissue

if TYPE_CHECKING:
    from medenhance.manifest import TrustedRange
    from medenhance.volume import Grid

NOTICE = "Research use only. Not for diagnosis."
GOOD_SPECTRUM_REGIONS = 20  # AAPM TG-233
_STRUCTURE_FACTOR = 3.0  # no tissue is so much noisier than another in the same slice


@dataclass(frozen=True)
class RunFacts:
    """How the output was made.

    Attributes:
        model_id: Id in the manifest.
        model_version: Version in the manifest.
        weights_sha256: Of the weights file.
        device: "cpu", "cuda:0" ...
        precision: "fp32", "bf16" or "fp16".
        strength: Share of the output in the blend with the input, in [0, 1].
        seconds: Time of the prediction.
        peak_memory_mb: Highest resident memory of the process; None when unknown.
    """

    model_id: str
    model_version: str
    weights_sha256: str
    device: str
    precision: str
    strength: float
    seconds: float
    peak_memory_mb: float | None


@dataclass(frozen=True)
class TissueRow:
    """Noise and bias of one tissue.

    Attributes:
        tissue: "air", "lung", "fat", "soft" or "bone".
        num_regions: Homogeneous squares that the noise was measured in.
        noise_sd_before_hu: Median over the squares; None when there are none.
        noise_sd_after_hu: Same squares, output.
        bias_hu: Mean of output minus input well inside the tissue; None when there is too little of it.
        bias_standard_error_hu: Of that mean.
        bias_pixels: How many pixels it is the mean of.
        cut_off: Whether the lowest CT number that the file can hold cuts the noise of this tissue off, so that its
            noise is understated and the mean of the input is too high.
        note: Why a figure is missing or to be read with care; None when there is nothing to say.
    """

    tissue: str
    num_regions: int
    noise_sd_before_hu: float | None
    noise_sd_after_hu: float | None
    bias_hu: float | None
    bias_standard_error_hu: float | None
    bias_pixels: int
    cut_off: bool
    note: str | None


@dataclass(frozen=True)
class TrustReport:
    """What was measured on one denoised study.

    Attributes:
        run: How the output was made.
        promised: What the model card promises; None when there is nothing to judge by.
        shape: D, H, W of the study.
        spacing_mm: Of columns, rows and slices; None when the study holds none.
        measured_slices: Indices along D of the slices that were measured.
        tissues: One row a tissue, air to bone.
        noise_power_tissue: Where the noise power was measured; None when nowhere.
        noise_power_before: Of the input.
        noise_power_after: Of the output, in the same regions.
        noise_power_note: Why it is missing or to be read with care.
        residual_structure: Share of the removed energy near structures that follows the anatomy, in [0, 1].
        residual_structure_hu: How strong the removed anatomy is, typically, near structures.
        residual_structure_note: Why it is missing.
        warnings: One sentence each, for the person who will read the images.
        notice: What the report may be used for.
    """

    run: RunFacts
    promised: TrustedRange | None
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None
    measured_slices: tuple[int, ...]
    tissues: tuple[TissueRow, ...]
    noise_power_tissue: str | None
    noise_power_before: NoisePower | None
    noise_power_after: NoisePower | None
    noise_power_note: str | None
    residual_structure: float | None
    residual_structure_hu: float | None
    residual_structure_note: str | None
    warnings: tuple[str, ...]
    notice: str = NOTICE

    def row(self, tissue: Tissue) -> TissueRow:
        """The row of one tissue."""
        return next(r for r in self.tissues if r.tissue == tissue.name)

    def to_json(self) -> dict[str, Any]:
        """Numbers, strings, lists and dictionaries only; figures that are missing are null."""
        return {"schema": 1, **asdict(self)}


def trust_report(
    before: np.ndarray,
    after: np.ndarray,
    grid: Grid,
    *,
    padding_below: float | None,
    trusted: TrustedRange | None,
    run: RunFacts,
) -> TrustReport:
    """Measure what was done to a study.

    Args:
        before: (D, H, W), HU.
        after: (D, H, W), HU.
        grid: Of both.
        padding_below: As `Volume.padding_below`.
        trusted: What the model card promises; None to measure without judging.
        run: How the output was made.

    Raises:
        ValueError: The two arrays differ in shape.
    """
    if before.shape != after.shape or before.ndim != 3:
        raise ValueError(f"two volumes of one shape (D, H, W) are compared, not {before.shape} and {after.shape}")
    spacing = grid.spacing_mm if grid.spacing_known else None
    found = measure_study(before, after, padding_below, spacing[:2] if spacing else None)
    structure = found.residual_structure
    soft_sd = found.tissues[SOFT.name].noise_sd_before_hu
    rows = tuple(_row(tissue.name, found.tissues[tissue.name], soft_sd) for tissue in TISSUES)
    return TrustReport(
        run=run,
        promised=trusted,
        shape=(before.shape[0], before.shape[1], before.shape[2]),
        spacing_mm=spacing,
        measured_slices=found.slices,
        tissues=rows,
        noise_power_tissue=found.spectra.tissue if found.spectra else None,
        noise_power_before=found.spectra.before if found.spectra else None,
        noise_power_after=found.spectra.after if found.spectra else None,
        noise_power_note=_spectra_note(found.spectra),
        residual_structure=structure.index if structure else None,
        residual_structure_hu=structure.amplitude_hu if structure else None,
        residual_structure_note=None if structure else "too few structures to judge by",
        warnings=judge(rows, structure, spacing, trusted) if trusted else (),
    )


def _row(name: str, found: TissueFigures, soft_sd_hu: float | None) -> TissueRow:
    bias = found.bias
    return TissueRow(
        tissue=name,
        num_regions=found.num_regions,
        noise_sd_before_hu=found.noise_sd_before_hu,
        noise_sd_after_hu=found.noise_sd_after_hu,
        bias_hu=bias.mean_hu if bias else None,
        bias_standard_error_hu=bias.standard_error_hu if bias else None,
        bias_pixels=bias.pixels if bias else 0,
        cut_off=found.cut_off,
        note=_row_note(found, soft_sd_hu),
    )


def _row_note(found: TissueFigures, soft_sd_hu: float | None) -> str | None:
    if found.num_regions == 0 and found.bias is None:
        return "none found"
    if found.num_regions == 0:
        return "no homogeneous region"
    if soft_sd_hu and found.noise_sd_before_hu and found.noise_sd_before_hu > _STRUCTURE_FACTOR * soft_sd_hu:
        return "not only noise: the texture of the tissue is in it"
    if found.cut_off:
        return "noise is cut off at the lowest CT number"
    return None if found.num_regions >= MIN_REGIONS else f"only {found.num_regions} homogeneous regions"


def _spectra_note(spectra: SpectrumPair | None) -> str | None:
    if spectra is None:
        return "no homogeneous region of 32 x 32 pixels in soft tissue or fat"
    if spectra.before.num_regions < GOOD_SPECTRUM_REGIONS:
        return f"only {spectra.before.num_regions} regions; {GOOD_SPECTRUM_REGIONS} are asked for (AAPM TG-233)"
    return None
