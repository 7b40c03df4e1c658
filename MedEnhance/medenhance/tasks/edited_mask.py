"""A mask of suspected haemorrhage that a person may have edited: measured anew, and written as DICOM objects.

The probabilities of a report stay those of the network; areas, volumes, pieces and everything else that is measured
are those of the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from medenhance.atomic_output import publish_folder, staged
from medenhance.errors import MedEnhanceError
from medenhance.head_ct.orientation import turned
from medenhance.head_ct.report import Findings, HemorrhageReport
from medenhance.head_ct.slice_geometry import slice_geometry
from medenhance.head_ct.thin_slices import slabs_of
from medenhance.image_files import read_image
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.tasks.detect_hemorrhage import DetectHemorrhageOptions
from medenhance.tasks.hemorrhage_findings import Judged, Rules, findings
from medenhance.tasks.placed_scan import PlacedScan, placed_scan
from medenhance.tasks.project_vpi import check_new_folder
from medenhance.tasks.slice_order import reindexed
from medenhance.volume import Volume


@dataclass(frozen=True)
class MaskRequest:
    """A mask, and what it was made of.

    Attributes:
        input: Image file with the scan.
        mask: Image file with the mask, on its grid; any value but 0 counts.
        report: Of "detect-hemorrhage" on the scan; slice indices are those of the image.
        source: DICOM files of the scan, which know where its slices lie; none for a scan that is no DICOM.
    """

    input: Path
    mask: Path
    report: HemorrhageReport
    source: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Read:
    """What was read: scan and mask in one order, and how that order belongs to the image."""

    volume: Volume
    mask: np.ndarray
    placed: PlacedScan | None


def measure_mask(request: MaskRequest, progress: Progress | None = None) -> Findings:
    """The findings of a report, measured on another mask; slice indices are those of the image.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable: the files do not fit each other.
    """
    progress = progress or Silent()
    found = _read(request, progress)
    checkpoint(progress, "measure", 0.0)
    measured, _numbers = remeasured(found.volume, found.mask, request.report)
    if found.placed is None:
        return measured
    axis = _scan_axis(request.report)
    return reindexed(measured, lambda index: _placed(found).image_index(index, axis))


def export_mask(
    request: MaskRequest, output: Path, objects: Sequence[str], edited: bool, progress: Progress | None = None
) -> tuple[str, ...]:
    """Write a mask and what was measured of it as DICOM objects; all of them or nothing.

    Args:
        request: With a source.
        output: New or empty folder.
        objects: "seg", "sr", "ko".
        edited: Whether a person changed the mask; then it is measured anew, and the objects say so.
        progress: Is told where the work is, and may cancel it.

    Returns:
        What a user should know about them, one sentence each.

    Raises:
        MedEnhanceError: As above; bad-option, output-refused, disk-full.
    """
    progress = progress or Silent()
    if not objects:
        raise MedEnhanceError("bad-option", "No DICOM object was chosen.", "Choose SEG, SR or KO.")
    check_new_folder(output)
    found = _read(request, progress)
    placed = _placed(found)
    checkpoint(progress, "measure", 0.0)
    measured, numbers = remeasured(found.volume, found.mask, request.report)
    if not edited:  # keeps what only the network's own mask has: the mean probability of each piece
        assert request.report.findings is not None
        axis = _scan_axis(request.report)
        order = {placed.image_index(k, axis): k for k in range(found.volume.array.shape[axis])}
        measured = reindexed(request.report.findings, lambda index: order[index])
    checkpoint(progress, "write", 0.0)
    from medenhance.tasks.hemorrhage_objects import write_objects

    with staged(output) as stage:
        folder = stage / output.name
        folder.mkdir()
        report = replace(request.report, findings=measured)
        warnings = write_objects(folder, objects, placed.stack.series, numbers, report)
        publish_folder(folder, output)
    for warning in warnings:
        progress.warn(warning)
    progress.update("write", 1.0)
    return warnings


def remeasured(volume: Volume, mask: np.ndarray, report: HemorrhageReport) -> tuple[Findings, np.ndarray]:
    """The findings of a report on another mask of its scan.

    Args:
        volume: The scan.
        mask: (D, H, W) bool on its grid.
        report: On it; its slices run from foot to head.

    Returns:
        The findings, and (D, H, W) uint16: the number of the component that each voxel of the mask belongs to.
    """
    before, scan = report.findings, report.scan
    if before is None or scan is None:
        message = "The report is on a scan that was not processed."
        raise MedEnhanceError("input-unsuitable", message, "Run detect-hemorrhage first.")
    found = turned(_in_hu(volume, scan.hu_offset))
    geometry = slice_geometry(found.volume.grid, len(found.volume.array))
    slabs = slabs_of(geometry)
    if len(before.slices) != (len(found.volume.array) if slabs is None else slabs.count):
        message = f"The report has {len(before.slices)} slices, and the scan has others."
        raise MedEnhanceError("input-unsuitable", message, "Give the report of this very scan.")
    judged = Judged(
        found=found,
        geometry=geometry,
        slabs=slabs,
        probability=before.probability,
        slice_probabilities=np.array([one.probability for one in before.slices]),
        mask=turned(volume.with_array(mask)).volume.array,
        mask_probability=None,
    )
    prior_ml = None if before.growth is None else before.growth.prior_ml
    rules = Rules(before.operating_point, before.operating_points, before.mask_rule, prior_ml)
    options = DetectHemorrhageOptions(top_slices=max(len(before.top_slices), 1))
    measured, numbers = findings(judged, rules, options, before.run)
    return measured, found.back(numbers)


def _read(request: MaskRequest, progress: Progress) -> _Read:
    checkpoint(progress, "read", 0.0)
    image, drawn = read_image(request.input), read_image(request.mask)
    if drawn.array.shape != image.array.shape:
        message = f"The mask has the shape {drawn.array.shape}, its scan {image.array.shape}."
        raise MedEnhanceError("input-unsuitable", message, "Give the mask of this very scan.")
    mask = drawn.array != 0
    if not request.source:
        return _Read(image, mask, None)
    placed = placed_scan(image, request.source, progress)
    return _Read(placed.volume, placed.forth(mask), placed)


def _in_hu(volume: Volume, offset_hu: float) -> Volume:
    """The scan without the offset that the acceptance checks found."""
    if offset_hu == 0:
        return volume
    return volume.with_array(volume.array.astype(np.float32) - np.float32(offset_hu))


def _placed(found: _Read) -> PlacedScan:
    if found.placed is None:
        message = "DICOM objects belong to a DICOM study, and no DICOM files of the scan were named."
        raise MedEnhanceError("output-refused", message, "Load the scan from DICOM.")
    return found.placed


def _scan_axis(report: HemorrhageReport) -> int:
    return 0 if report.scan is None else report.scan.slice_axis
