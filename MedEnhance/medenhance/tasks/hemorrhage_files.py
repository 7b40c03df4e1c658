"""The files that `detect-hemorrhage` writes into its folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medenhance.files import write_json
from medenhance.head_ct.report import HemorrhageReport
from medenhance.image_files import write_image
from medenhance.tasks.hemorrhage_prior import REPORT_FILE
from medenhance.volume import Volume

if TYPE_CHECKING:
    from medenhance.tasks.detect_hemorrhage import DetectHemorrhageRequest, HemorrhageResult

FIGURE_FILE = "report.png"
MASK_FILES = {"nrrd": "mask.nrrd", "nifti": "mask.nii.gz"}


def write_results(
    folder: Path, request: DetectHemorrhageRequest, volume: Volume, result: HemorrhageResult
) -> tuple[str, ...]:
    """Write everything into an existing folder.

    Args:
        folder: Where.
        request: What is asked for.
        volume: The study.
        result: On it; of a scan that was not processed the report alone is written, and its figure.

    Returns:
        What a user should know about the files, one sentence each.
    """
    warnings: tuple[str, ...] = ()
    if result.mask is not None and result.numbers is not None:
        mask = replace(volume, array=result.mask, modality=None, padding_below=None, series=None, file_dtype=None)
        warnings += write_image(mask, folder / MASK_FILES[request.format], notes(result.report))
        if request.dicom:
            from medenhance.tasks.hemorrhage_objects import write_objects

            warnings += write_objects(folder, request.dicom, volume.series, result.numbers, result.report)
    if request.figure:
        # Imported here: drawing needs matplotlib, which takes longer to load than all the rest.
        from medenhance.head_ct.figure import write_figure

        write_figure(folder / FIGURE_FILE, volume, result.mask, result.report)
    write_json(folder / REPORT_FILE, result.report.to_json())
    return warnings


def notes(report: HemorrhageReport) -> dict[str, str]:
    """What a mask file says of itself."""
    said = {"MedEnhance_notice": "Suspected haemorrhage, AI-made; research use only"}
    if report.findings is not None:
        run = report.findings.run
        said["MedEnhance_model"] = f"{run.model_id} {run.model_version}"
        said["MedEnhance_weights_sha256"] = run.weights_sha256
    return said
