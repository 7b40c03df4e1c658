"""Tracked ultrasound sequences of PLUS and Slicer (.igs.mha, .seq.mha, .igs.nrrd, .seq.nrrd), and a volume from them.

The header's spacing of such a file counts in pixels, not in mm: the size of a pixel is in the calibration of the probe
(ImageToProbe, from the PLUS configuration), and without it nothing is measured (spec section 9).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from medenhance.errors import MedEnhanceError
from medenhance.volume import Grid, Volume

_FRAME_KEY = re.compile(r"Seq_Frame(\d+)_(\w+)$")
_CALIBRATION_HINT = (
    "Give the PLUS configuration (.xml) that holds the Transform from Image to Probe, or a text file of its 16 numbers "
    "in mm, with --image-to-probe."
)
_MAX_VOXELS = 400_000_000


@dataclass(frozen=True)
class Sweep:
    """The frames of a freehand sweep.

    Attributes:
        frames: (N, H, W) grey values.
        probe_to_world: (N, 4, 4) mm: pose of the probe in the frame of the reference sensor, or of the tracker.
        num_left_out: Frames without a valid pose.
    """

    frames: np.ndarray
    probe_to_world: np.ndarray
    num_left_out: int


def is_sequence(path: Path) -> bool:
    """Whether a file holds frames with poses, not a volume; its header says so."""
    if not path.name.lower().endswith((".mha", ".mhd", ".nrrd")):
        return False
    try:
        with path.open("rb") as file:
            return b"Seq_Frame0000_" in file.read(1 << 16)
    except OSError:
        return False


def read_sweep(path: Path) -> Sweep:
    """Read a tracked sequence; frames whose pose is not OK are left out.

    Raises:
        MedEnhanceError: input-missing, input-unreadable, input-unsuitable (colour, no poses, fewer than two frames).
    """
    if not path.exists():
        raise MedEnhanceError("input-missing", f"There is nothing at {path}.", "Give a tracked sequence.")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        image = reader.Execute()
    except RuntimeError as error:
        raise MedEnhanceError("input-unreadable", f"{path.name} cannot be read.", "The file is damaged.") from error
    if image.GetNumberOfComponentsPerPixel() != 1:
        message = f"{path.name} holds colour frames ({image.GetNumberOfComponentsPerPixel()} numbers a pixel)."
        raise MedEnhanceError("input-unsuitable", message, "Give grey B-mode frames.")
    frames = sitk.GetArrayFromImage(image)
    frames = frames[None] if frames.ndim == 2 else frames
    fields: dict[int, dict[str, str]] = {}
    for key in image.GetMetaDataKeys():
        if match := _FRAME_KEY.match(key):
            fields.setdefault(int(match[1]), {})[match[2]] = image.GetMetaData(key)
    poses = {index: pose for index in range(len(frames)) if (pose := _pose(fields.get(index, {}))) is not None}
    if len(poses) < 2:
        message = f"{path.name} has {len(poses)} frames with a valid ProbeToTracker pose; a volume needs at least two."
        raise MedEnhanceError("input-unsuitable", message, "Give the recording of a tracked sweep.")
    return Sweep(frames[list(poses)], np.stack(list(poses.values())), len(frames) - len(poses))


def read_calibration(path: Path) -> np.ndarray:
    """(4, 4): from pixels (column, row, 0, 1) to mm of the probe, from a PLUS configuration or 16 numbers.

    Raises:
        MedEnhanceError: input-missing, input-unreadable.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MedEnhanceError("input-missing", f"{path} cannot be read.", _CALIBRATION_HINT) from error
    try:
        if path.suffix.lower() == ".xml":
            root = ElementTree.fromstring(text)
            found = [t for t in root.iter("Transform") if (t.get("From"), t.get("To")) == ("Image", "Probe")]
            text = found[0].get("Matrix") or ""
        matrix = np.array([float(word) for word in text.replace(",", " ").split()]).reshape(4, 4)
    except (ElementTree.ParseError, IndexError, ValueError) as error:
        message = f"{path.name} holds no matrix from Image to Probe."
        raise MedEnhanceError("input-unreadable", message, _CALIBRATION_HINT) from error
    if not np.isfinite(matrix).all() or np.linalg.norm(np.cross(matrix[:3, 0], matrix[:3, 1])) < 1e-9:
        raise MedEnhanceError("input-unsuitable", f"The matrix of {path.name} gives pixels no size.", _CALIBRATION_HINT)
    return matrix


def reconstruct(sweep: Sweep, image_to_probe: np.ndarray | None, spacing_mm: float = 0.5) -> tuple[Volume, np.ndarray]:
    """Paste the frames into a volume: the mean of the pixels that fall into each voxel.

    The axes of the volume are those of the sweep: I along the rows of its middle frame, K away from the probe, J across
    both, so that the three are right-handed. Gaps between frames stay gaps, and are told by the second result.

    Args:
        sweep: Frames and poses.
        image_to_probe: (4, 4), from `read_calibration`; None is refused.
        spacing_mm: Of the voxels.

    Returns:
        The volume, float32, in the world of the sweep; and (D, H, W) bool, the voxels that a frame reached.

    Raises:
        MedEnhanceError: input-unsuitable without calibration, or for poses that are metres apart.
    """
    if image_to_probe is None:
        message = "The size of the sequence's pixels is not known: tracked sequences store it in their calibration."
        raise MedEnhanceError("input-unsuitable", message, _CALIBRATION_HINT)
    to_world = sweep.probe_to_world @ image_to_probe
    axes = _sweep_axes(to_world[len(to_world) // 2])
    height, width = sweep.frames.shape[1:]
    corners = np.array([[c, r, 0, 1] for c in (0, width - 1) for r in (0, height - 1)], float).T
    placed = (axes.T @ (to_world @ corners)[:, :3]).transpose(1, 0, 2).reshape(3, -1)
    low, high = placed.min(axis=1), placed.max(axis=1)
    shape = tuple((np.ceil((high - low) / spacing_mm).astype(int) + 1)[::-1].tolist())
    if np.prod(shape) > _MAX_VOXELS:
        message = f"The sweep spans {'x'.join(f'{v:.0f}' for v in high - low)} mm; that is no back."
        raise MedEnhanceError("input-unsuitable", message, "Check the poses and the calibration.")
    total, count = np.zeros(int(np.prod(shape))), np.zeros(int(np.prod(shape)))
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([columns.ravel(), rows.ravel(), np.zeros(columns.size), np.ones(columns.size)])
    for frame, pose in zip(sweep.frames, to_world, strict=True):
        i, j, k = np.round((axes.T @ (pose @ pixels)[:3] - low[:, None]) / spacing_mm).astype(np.int64)
        index = (k * shape[1] + j) * shape[2] + i
        total += np.bincount(index, frame.ravel().astype(np.float64), len(total))
        count += np.bincount(index, minlength=len(count))
    x, y, z = (float(v) for v in axes @ low)
    grid = Grid((spacing_mm,) * 3, (x, y, z), tuple(axes.ravel().tolist()))
    array = (total / np.maximum(count, 1)).reshape(shape).astype(np.float32)
    return Volume(array, grid), (count > 0).reshape(shape)


def _pose(fields: dict[str, str]) -> np.ndarray | None:
    """(4, 4) probe to reference where a reference was tracked, else probe to tracker; None when it is not valid."""
    probe = _matrix(fields, "ProbeToTracker")
    if "ReferenceToTrackerTransform" not in fields:
        return probe
    reference = _matrix(fields, "ReferenceToTracker")
    return None if probe is None or reference is None else np.asarray(np.linalg.inv(reference) @ probe)


def _matrix(fields: dict[str, str], name: str) -> np.ndarray | None:
    if fields.get(f"{name}TransformStatus", "OK") != "OK" or fields.get("ImageStatus", "OK") != "OK":
        return None
    try:
        matrix = np.array([float(word) for word in fields[f"{name}Transform"].split()]).reshape(4, 4)
    except (KeyError, ValueError):
        return None
    return matrix if np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) > 1e-6 else None


def _sweep_axes(middle: np.ndarray) -> np.ndarray:
    """(3, 3), columns: along the rows of a frame, across it, and away from the probe, at right angles."""
    lateral = middle[:3, 0] / np.linalg.norm(middle[:3, 0])
    away = middle[:3, 1] - (middle[:3, 1] @ lateral) * lateral
    away /= np.linalg.norm(away)
    return np.stack([lateral, np.cross(away, lateral), away], axis=1)
