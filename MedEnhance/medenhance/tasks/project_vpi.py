"""Volume projection imaging: from an ultrasound volume or a tracked sweep of the back to coronal images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medenhance.atomic_output import publish_folder, staged
from medenhance.errors import MedEnhanceError
from medenhance.image_files import image_format, read_image
from medenhance.progress import Progress, Silent, checkpoint
from medenhance.spine.back_volume import BackVolume, resampled, turned
from medenhance.spine.dicom_input import is_dicom_input, read_dicom_volume
from medenhance.spine.pictures import PICTURES, states_spacing
from medenhance.spine.projection import ProjectionSet
from medenhance.spine.projection_files import write_projections
from medenhance.spine.roi import read_roi
from medenhance.spine.slabs import DEFAULT_THICKNESS_MM, Blend, project
from medenhance.spine.tracked import is_sequence, read_calibration, read_sweep, reconstruct

_MM_A_VOXEL = 0.5


@dataclass(frozen=True)
class ProjectionRequest:
    """A volume to project and where the images go.

    Attributes:
        input: Volume (.nrrd, .mha, .mhd, .nii, DICOM) or tracked sequence (.igs.mha, .seq.nrrd ...).
        output: A new or empty folder.
        axes: What the columns, rows and slices of the volume run to, such as "RIA"; None takes the file's directions
            for the patient's.
        roi: Slicer's region of interest (.mrk.json) whose axes are the patient's; instead of `axes`.
        image_to_probe: PLUS configuration or 16 numbers; a tracked sequence needs it.
        depths_mm: Five depths below the skin; scaled to the body by default.
        thickness_mm: Of a slab.
        blend: Mean or maximum of a slab.
        trust_axes: Take the orientation as it is, whatever the echoes say.
        series: SeriesInstanceUID, when a DICOM folder holds several.
    """

    input: Path
    output: Path
    axes: str | None = None
    roi: Path | None = None
    image_to_probe: Path | None = None
    depths_mm: tuple[float, ...] | None = None
    thickness_mm: float = DEFAULT_THICKNESS_MM
    blend: Blend = "mean"
    trust_axes: bool = False
    series: str | None = None


def project_vpi(request: ProjectionRequest, progress: Progress | None = None) -> ProjectionSet:
    """Project a volume and write the projections, all of them or nothing.

    Raises:
        MedEnhanceError: Anything that a user can do something about; then nothing was written.
    """
    progress = progress or Silent()
    if request.axes is not None and request.roi is not None:
        raise MedEnhanceError("bad-option", "Both axes and a region of interest are given.", "Give one of them.")
    check_new_folder(request.output)
    checkpoint(progress, "read", 0.0)
    back = read_back(request, progress)
    checkpoint(progress, "project", 0.0)
    found = project(back, request.depths_mm, request.thickness_mm, request.blend, trust_axes=request.trust_axes)
    for note in found.notes:
        progress.warn(note)
    checkpoint(progress, "write", 0.0)
    with staged(request.output) as stage:
        folder = stage / request.output.name
        folder.mkdir()
        write_projections(found, folder, request.input.name)
        publish_folder(folder, request.output)
    progress.update("write", 1.0)
    return found


def read_back(request: ProjectionRequest, progress: Progress) -> BackVolume:
    """Read the volume of a request, or reconstruct it from a sweep, and turn it to face its back."""
    path = request.input
    if not path.exists():
        raise MedEnhanceError("input-missing", f"There is nothing at {path}.", "Give a volume or a tracked sequence.")
    filled = None
    if is_sequence(path):
        sweep = read_sweep(path)
        calibration = None if request.image_to_probe is None else read_calibration(request.image_to_probe)
        if request.axes is None and request.roi is None and calibration is not None:
            message = "A tracked sweep does not say which way the patient lies."
            hint = "Give --axes: what image columns, the sweep's J axis and depth run to, RIA or LSA."
            raise MedEnhanceError("bad-option", message, hint)
        if sweep.num_left_out:
            progress.warn(f"{sweep.num_left_out} frames without a valid pose were left out.")
        volume, filled = reconstruct(sweep, calibration, _MM_A_VOXEL)
    elif is_dicom_input(path):
        has_axes = request.axes is not None or request.roi is not None
        volume = read_dicom_volume(path, request.series, has_axes=has_axes, progress=progress)
    else:
        _refuse_no_volume(path)
        volume = read_image(path)
    if request.roi is not None:
        return resampled(volume, read_roi(request.roi))
    return turned(volume, request.axes, filled)


def check_new_folder(folder: Path) -> None:
    """Refuse an output folder that is a file or not empty."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        what = "is a file" if folder.is_file() else "is not empty"
        raise MedEnhanceError("output-refused", f"The output folder {folder} {what}.", "Choose a new or empty folder.")


def _refuse_no_volume(path: Path) -> None:
    if path.suffix.lower() in PICTURES:
        message = f"{path.name} is one projection, not a volume: there is no other depth in it."
        raise MedEnhanceError("input-unsuitable", message, "Give the reconstructed volume.")
    if image_format(path) is None:
        message = f"{path.name} is no volume of a kind that is read."
        raise MedEnhanceError("input-unsuitable", message, "Give .nrrd, .mha, .mhd, .nii, .nii.gz or DICOM.")
    if path.suffix.lower() in (".nrrd", ".mha") and not states_spacing(path):
        message = f"{path.name} states no spacing in mm; depths and angles would be wrong."
        raise MedEnhanceError("input-unsuitable", message, "Export the volume with its spacing.")
