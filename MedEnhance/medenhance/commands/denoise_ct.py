"""`medenhance denoise-ct`: one study in, one denoised study out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from medenhance.commands.choices import ModelChoices
from medenhance.terminal import TerminalProgress

if TYPE_CHECKING:
    from medenhance.measure.trust import TissueRow, TrustReport
    from medenhance.tasks.denoise_ct import DenoiseRequest


@dataclass(frozen=True)
class DenoiseCt(ModelChoices):
    """Denoise a low-dose CT study and report what was removed.

    CT numbers stay HU, and the geometry of the output equals the input's. An output that ends in .nrrd, .mha, .mhd,
    .nii or .nii.gz is an image file; any other name is a new folder for a derived DICOM series. Research use only.
    """

    input: Annotated[Positional[Path], arg(metavar="INPUT")]
    """Folder of DICOM slices, DICOM file, NRRD, NIfTI or MHA."""
    output: Annotated[Positional[Path], arg(metavar="OUTPUT")]
    """Image file to write, or a new or empty folder for a DICOM series."""
    strength: Annotated[float, arg(metavar="S")] = 1.0
    """From 0 (the input) to 1 (all that the model does)."""
    residual: Annotated[Path | None, arg(metavar="PATH")] = None
    """Also write what was removed: input minus output, HU."""
    report: Annotated[Path | None, arg(metavar="PATH.json")] = None
    """Also write the trust report as JSON."""
    figure: Annotated[Path | None, arg(metavar="PATH.png")] = None
    """Also write the trust report as a figure."""
    series: Annotated[str | None, arg(metavar="UID")] = None
    """SeriesInstanceUID, when INPUT holds several series."""


def run(args: DenoiseCt) -> int:
    """Denoise, and print where the outputs are and what the trust report says."""
    with TerminalProgress() as progress:
        progress.update("load", 0.0)
        from medenhance.tasks import denoise_ct  # torch, SimpleITK and pydicom take seconds to load

        report = denoise_ct.run(_request(args), progress)
    written = {"denoised": args.output, "residual": args.residual, "report": args.report, "figure": args.figure}
    for what, path in written.items():
        if path is not None:
            print(f"{what + ':':<10}{path}")
    print("\n".join(summary(report)))
    return 0


def summary(report: TrustReport) -> list[str]:
    """The main figures of a trust report, as lines for a terminal; its warnings were shown while the work went on."""
    facts = report.run
    lines = [
        f"model:    {facts.model_id} {facts.model_version}, strength {facts.strength:g}, "
        f"{facts.device} {facts.precision}, {facts.seconds:.1f} s for {report.shape[0]} slices",
        "",
        f"{'tissue':<8}{'noise SD before':>17}{'after':>10}{'bias':>20}",
    ]
    lines += [_row(row) for row in report.tissues]
    if report.residual_structure is not None:
        lines.append(f"structure in what was removed: {report.residual_structure:.3f} (0 none, 1 all)")
    return [*lines, report.notice]


def _row(row: TissueRow) -> str:
    before, after = ("-" if sd is None else f"{sd:.1f} HU" for sd in (row.noise_sd_before_hu, row.noise_sd_after_hu))
    bias = "-"
    if row.bias_hu is not None and row.bias_standard_error_hu is not None:
        bias = f"{row.bias_hu:+.2f} ± {row.bias_standard_error_hu:.2f} HU"
    note = f"   {row.note}" if row.note else ""
    return f"{row.tissue:<8}{before:>17}{after:>10}{bias:>20}{note}"


def _request(args: DenoiseCt) -> DenoiseRequest:
    from medenhance.tasks.denoise_ct import DenoiseOptions, DenoiseRequest

    options = DenoiseOptions(args.model, args.strength, args.device, args.precision)
    return DenoiseRequest(args.input, args.output, args.residual, args.report, args.figure, args.series, options)
