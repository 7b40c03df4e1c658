"""The files that `enhance-spine` writes: the original is always among them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medenhance.files import write_json
from medenhance.image_files import write_image
from medenhance.spine.coronal_input import Coronal
from medenhance.spine.projection_files import write_projections
from medenhance.tasks.spine_report import CURVE_COLUMNS, SpineReport, curve_rows
from medenhance.volume import Volume

REPORT_FILE, TABLE_FILE = "report.json", "curves.csv"
# What is generated is painted in this colour over the enhanced image (red, green, blue).
_OVERLAY = (255, 140, 0)


def write_results(
    folder: Path, coronal: Coronal, images: dict[str, np.ndarray], report: SpineReport, source: str
) -> None:
    """Write everything into an existing folder.

    Args:
        folder: Where.
        coronal: The original.
        images: (R, C) uint8 by name: "enhanced", "generated", "labels_original", "labels_enhanced".
        report: On them.
        source: Name of the input.
    """
    if coronal.projections is not None:
        (folder / "projections").mkdir()
        write_projections(coronal.projections, folder / "projections", source)
    notes = _notes(report)
    for name, image in {"original": coronal.image, **images}.items():
        sitk.WriteImage(sitk.GetImageFromArray(image), str(folder / f"{name}.png"))
        if coronal.grid.spacing_known:  # a NRRD file would make a spacing up
            kept = notes if name != "original" else {}
            write_image(Volume(image[None], coronal.grid, "US"), folder / f"{name}.nrrd", kept)
    if "generated" in images:
        _write_overlay(folder / "overlay.png", images["enhanced"], images["generated"] > 0)
    with (folder / TABLE_FILE).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([CURVE_COLUMNS, *curve_rows(report)])
    write_json(folder / REPORT_FILE, report.to_json())


def _notes(report: SpineReport) -> dict[str, str]:
    notes = {"MedEnhance_notice": "AI-processed; research use only"}
    if report.run is not None:
        notes["MedEnhance_model"] = f"{report.run.model_id} {report.run.model_version}"
        notes["MedEnhance_weights_sha256"] = report.run.weights_sha256
    return notes


def _write_overlay(path: Path, enhanced: np.ndarray, generated: np.ndarray) -> None:
    colour = np.repeat(enhanced[..., None], 3, axis=2)
    colour[generated] = _OVERLAY
    sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), str(path))
