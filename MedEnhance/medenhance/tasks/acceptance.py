"""Whether a volume is something that a model works on, in words that a radiologist understands."""

from __future__ import annotations

from medenhance.errors import MedEnhanceError
from medenhance.manifest import AcceptedInput
from medenhance.volume import Volume


def check_accepted(volume: Volume, accepted: AcceptedInput) -> None:
    """Refuse a volume that a model was not made for.

    Args:
        volume: In physical units.
        accepted: What the model's manifest entry accepts.

    Raises:
        MedEnhanceError: Another modality, values or a voxel size that the model does not take.
    """
    check_modality(volume, accepted.modality)
    _check_spacing(volume, accepted)
    low, high = value_range(volume)
    if low < accepted.value_range[0] or high > accepted.value_range[1]:
        limits = f"{accepted.value_range[0]:g} to {accepted.value_range[1]:g}"
        message = f"the values run from {low:g} to {high:g}; this model takes {limits}."
        raise MedEnhanceError("input-unsuitable", message, "Check the study's rescale slope and intercept.")


def check_modality(volume: Volume, modality: str) -> None:
    """Refuse another modality, and grey values or labels where a file states none and CT numbers are needed.

    Raises:
        MedEnhanceError: It is something else.
    """
    if volume.modality not in (None, modality):
        message = f"this study is {volume.modality}, not {modality}."
        raise MedEnhanceError("input-unsuitable", message, f"Choose a {modality} series.")
    if volume.modality is None and modality == "CT":
        low, high = value_range(volume)
        if low >= 0 and high <= 255:
            message = f"the values run from {low:g} to {high:g}: these are grey values or labels, not CT numbers (HU)."
            raise MedEnhanceError("input-unsuitable", message, "Give the CT volume in HU, where air is near -1000.")


def value_range(volume: Volume) -> tuple[float, float]:
    """Smallest and largest value, found slice by slice."""
    return min(float(plane.min()) for plane in volume.array), max(float(plane.max()) for plane in volume.array)


def _check_spacing(volume: Volume, accepted: AcceptedInput) -> None:
    if not volume.grid.spacing_known:
        return
    *in_plane, between = volume.grid.spacing_mm
    rows = [("pixel spacing", size, accepted.spacing_mm) for size in in_plane]
    if len(volume.array) > 1:
        rows.append(("distance between slices", between, accepted.slice_spacing_mm))
    for name, size, (low, high) in rows:
        if not low <= size <= high:
            message = f"the {name} is {size:g} mm; this model takes {low:g} to {high:g} mm."
            raise MedEnhanceError("input-unsuitable", message, "Choose another model, or resample the study.")
