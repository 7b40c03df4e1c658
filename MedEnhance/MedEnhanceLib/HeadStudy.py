"""Opens a study of a worklist: the scan as Slicer reads it, with the mask and the report that lie in its folder."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from medenhance.errors import MedEnhanceError
from MedEnhanceLib.HeadReport import isProcessed
from MedEnhanceLib.HeadRun import MASK, publish
from MedEnhanceLib.VolumeBridge import ijkToRas, volumeArray

if TYPE_CHECKING:
    import numpy as np

REPORT = "report.json"
BRAIN_WINDOW = (80.0, 40.0)  # width and level in HU: the window in which blood is looked for
# Programs round positions to a hundredth of a millimetre; half a pixel of a head is 0.2 mm.
_SAME_PLACE_MM = 0.1


def openStudy(row: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Load a study of a worklist.

    Args:
        row: Of the worklist.

    Returns:
        Scan, mask (None of a study that was not processed) and report.

    Raises:
        MedEnhanceError: The scan or its result cannot be read, or they do not fit each other.
    """
    report = _report(Path(row["output"])) if row["status"] == "processed" else _refusal(row)
    scan = loadScan(Path(row["path"]), row["series"])
    scan.SetName(slicer.mrmlScene.GenerateUniqueName(row["study"]))
    showBrain(scan)
    if not isProcessed(report):
        return scan, None, report
    try:
        mask = _mask(Path(row["output"]) / MASK, scan)
    except Exception:
        slicer.mrmlScene.RemoveNode(scan)
        raise
    return scan, publish(scan, mask, report)["mask"], report


def loadScan(path: Path, seriesUid: str | None) -> Any:
    """Load an image file, or a DICOM series: of its slices only, in their order.

    Raises:
        MedEnhanceError: input-unreadable.
    """
    files = [path] if path.is_file() else _seriesFiles(path, seriesUid)
    names = [str(file) for file in files]
    properties: dict[str, Any] = {"name": path.name, "singleFile": len(names) == 1}
    if len(names) > 1:
        properties["fileNames"] = names
    try:
        return slicer.util.loadVolume(names[0], properties)
    except RuntimeError as error:
        message = _("{path} cannot be read.").format(path=path)
        raise MedEnhanceError("input-unreadable", message, _("Load it by hand, or read the folder again.")) from error


def showBrain(scan: Any) -> None:
    """Show a scan in the window of the brain."""
    scan.CreateDefaultDisplayNodes()
    display = scan.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(*BRAIN_WINDOW)


def onGridOf(volumeNode: Any, array: np.ndarray, matrix: list[list[float]]) -> np.ndarray:
    """An array in the voxel order of a volume; some of its axes may be reversed, nothing else may differ.

    Only the first slice of the volume is compared: where gaps are unequal, programs store the others at different
    places, but in the same order.

    Args:
        volumeNode: The scan.
        array: (K, J, I).
        matrix: 4 x 4 of the array, from voxel indices to RAS.

    Raises:
        MedEnhanceError: input-unsuitable: it lies elsewhere.
    """
    import numpy as np

    shape = volumeArray(volumeNode).shape
    if array.shape == shape:
        targets = _corners(np.asarray(ijkToRas(volumeNode)), shape, (1, 1, 1))
        for steps in product((1, -1), repeat=3):
            if np.abs(_corners(np.asarray(matrix), shape, steps) - targets).max() < _SAME_PLACE_MM:
                return np.ascontiguousarray(array[:: steps[0], :: steps[1], :: steps[2]])
    message = _("The mask does not lie on {name}: it was made of another scan.").format(name=volumeNode.GetName())
    raise MedEnhanceError("input-unsuitable", message, _("Read the folder of studies again."))


def _corners(matrix: np.ndarray, shape: tuple[int, ...], steps: tuple[int, ...]) -> np.ndarray:
    """(4, 3) RAS of the corners of the first slice, of an array whose axes run by ``steps``."""
    import numpy as np

    ends = [(0, size - 1)[::step] for size, step in zip(shape, steps, strict=True)]
    indices = [(i, j, ends[0][0], 1.0) for j in ends[1] for i in ends[2]]
    return (np.array(indices) @ matrix.T)[:, :3]


def _seriesFiles(folder: Path, seriesUid: str | None) -> list[Path]:
    """Files of a series in a folder, in the order of their slices; only headers are read."""
    from medenhance.dicom.stack import read_stack
    from medenhance.progress import Silent

    return list(dict.fromkeys(one.path for one in read_stack(folder, seriesUid, Silent()).series.slices))


def _refusal(row: dict[str, Any]) -> dict[str, Any]:
    """What the panel shows of a study that has no findings; one that could not even be read has no report either."""
    return {
        "status": "not processed", "reason": row["reason"] or row["status"], "findings": None,
        "notice": row["notice"], "triage_notice": _("Notification only: every scan is read in full, flagged or not."),
    }  # fmt: skip


def _report(folder: Path) -> dict[str, Any]:
    path = folder / REPORT
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        message = _("The report {path} cannot be read.").format(path=path)
        raise MedEnhanceError("input-unreadable", message, _("Read the folder of studies again.")) from error


def _mask(path: Path, scan: Any) -> np.ndarray:
    """The mask of a file, in the order of the scan."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "MedEnhance mask")
    try:
        storage = slicer.vtkMRMLNRRDStorageNode()
        storage.SetFileName(str(path))
        if not storage.ReadData(node):
            message = _("The mask {path} cannot be read.").format(path=path)
            raise MedEnhanceError("input-unreadable", message, _("Read the folder of studies again."))
        return onGridOf(scan, volumeArray(node), ijkToRas(node))
    finally:
        slicer.mrmlScene.RemoveNode(node)
