"""Acceptance checks of pixels, slices, gaps and tilt of a head CT."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medenhance.head_ct.report import Check
from medenhance.head_ct.slice_geometry import SliceGeometry
from medenhance.manifest import AcceptedInput
from medenhance.volume import Volume

# Series thinner than this are averaged; what remains is 2.5 to 6 mm, as head scans are read (spec section 8).
THIN_MM = 2.5
_THICK_MM, _TOO_THICK_MM = 6.0, 10.5
_COARSE_PIXEL_MM = 1.0  # above, a rim of blood of 2 mm is two pixels wide
_FEW_SLICES = 10
# Two slices of 5 mm missing: a bleed of 15 mm, 2 mL, could lie in between unseen.
_WIDEST_GAP_MM = 16.0
_MISSING_FROM = 1.5  # of the usual gap around it
_NEIGHBOURS = 2  # gaps on either side that say what is usual
_TILT_DEG = 0.5
_MAX_TILT_DEG = 35.0  # no gantry tilts further: something else is wrong with the positions


def slice_checks(volume: Volume, geometry: SliceGeometry, accepted: AcceptedInput) -> tuple[Check, ...]:
    """The checks of a volume in the patient's axes."""
    if not volume.grid.spacing_known:
        message = "The file states no voxel size: areas and volumes cannot be known."
        return (Check("voxel size", "refused", message),)
    return (_pixels(geometry, accepted), _slices(geometry, volume), *_gaps(geometry), _tilt(geometry))


def _pixels(geometry: SliceGeometry, accepted: AcceptedInput) -> Check:
    (rows, columns), (low, high) = geometry.pixel_mm, accepted.spacing_mm
    size = f"Pixels of {rows:.3g} x {columns:.3g} mm"
    if not low <= min(rows, columns) <= max(rows, columns) <= high:
        return Check("voxel size", "refused", f"{size}: the model takes {low:g} to {high:g} mm.")
    if max(rows, columns) > _COARSE_PIXEL_MM:
        return Check("voxel size", "warning", f"{size} are coarse: small bleeds may be missed.")
    return Check("voxel size", "passed", f"{size}.")


def _slices(geometry: SliceGeometry, volume: Volume) -> Check:
    count, thickness = len(volume.array), float(np.median(geometry.thickness_mm))
    text = f"{count} slices, {thickness:.3g} mm apart"
    if count == 1:
        message = (
            f"There is one slice: it alone is judged, and volumes are its area times {thickness:.3g} mm, the "
            "thickness that it states."
        )
        return Check("slices", "warning", message)
    if thickness > _TOO_THICK_MM:
        return Check("slices", "refused", f"{text}: too thick, most small bleeds would be missed.")
    if count * thickness / max(thickness, THIN_MM) < _FEW_SLICES:
        return Check("slices", "warning", f"{text}: few for a head. What is not there was not judged.")
    if thickness > _THICK_MM:
        return Check("slices", "warning", f"{text}: thicker than {_THICK_MM:g} mm, small bleeds may be missed.")
    if thickness < THIN_MM:
        return Check("slices", "warning", f"{text}: thin; slabs of about 5 mm are judged.")
    return Check("slices", "passed", f"{text}.")


def _gaps(geometry: SliceGeometry) -> Iterator[Check]:
    gaps = geometry.gaps_mm
    if gaps.size == 0:
        return
    missing = [k for k, gap in enumerate(gaps) if gap > _MISSING_FROM * _usual(gaps, k)]
    if gaps.max() > _WIDEST_GAP_MM:
        k = int(gaps.argmax())
        message = f"Nothing was scanned over {gaps[k]:.3g} mm between slices {k + 1} and {k + 2} from the foot."
        yield Check("gaps", "refused", message)
    elif missing:
        places = ", ".join(f"{k + 1} and {k + 2}" for k in missing[:5]) + (" ..." if len(missing) > 5 else "")
        message = f"Slices seem to be missing between {places} from the foot: volumes bridge the gaps."
        yield Check("gaps", "warning", message)
    elif gaps.max() - gaps.min() > 0.05 * float(np.median(gaps)):
        message = (
            f"The slices lie {gaps.min():.3g} to {gaps.max():.3g} mm apart: each counts with its own thickness, half "
            "way to its neighbours."
        )
        yield Check("gaps", "warning", message)
    else:
        yield Check("gaps", "passed", "Even, none missing.")


def _usual(gaps: np.ndarray, k: int) -> float:
    return float(np.median(gaps[max(0, k - _NEIGHBOURS) : k + _NEIGHBOURS + 1]))


def _tilt(geometry: SliceGeometry) -> Check:
    tilt = geometry.tilt_deg
    if tilt > _MAX_TILT_DEG:
        return Check("tilt", "refused", f"The slices are sheared by {tilt:.0f} degrees, more than a gantry tilts.")
    if tilt > _TILT_DEG:
        message = f"The gantry was tilted by {tilt:.1f} degrees: distances are taken along the slices' normal."
        return Check("tilt", "warning", message)
    return Check("tilt", "passed", "None.")
