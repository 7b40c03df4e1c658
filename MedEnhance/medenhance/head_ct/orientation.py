"""A head CT with its axes in the order of the patient: slices foot to head, rows front to back, columns right to left.

Only axes are exchanged and turned round; no voxel value is touched, so everything found on the turned volume holds for
the study's own grid exactly, whatever way its axes run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from medenhance.errors import MedEnhanceError
from medenhance.head_ct.frame import canonical_axes
from medenhance.volume import Grid, Vector, Volume

# An axis that runs more than this away from the patient's axis belongs to no orthogonal scan of a head: gantries tilt
# up to 30 degrees, heads are turned by less.
MAX_TURN_DEG = 40.0


@dataclass(frozen=True)
class Turned:
    """A volume in the patient's axes, and how it came there.

    Attributes:
        volume: Slices foot to head, rows front to back, columns from the patient's right to left.
        axes: For each axis of `volume` the axis of the study's own array.
        flipped: Whether that axis runs the other way.
    """

    volume: Volume
    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def back(self, array: np.ndarray) -> np.ndarray:
        """(D, H, W) in the axes of `volume`, as the study's own array has them."""
        straight = array[_flip(self.flipped)]
        return np.ascontiguousarray(straight.transpose(np.argsort(self.axes)))

    def own_index(self, slice_from_foot: int) -> int:
        """Index along the study's own slice axis of a slice counted from the foot."""
        return len(self.volume.array) - 1 - slice_from_foot if self.flipped[0] else slice_from_foot


def turned(volume: Volume) -> Turned:
    """The volume in the patient's axes.

    Raises:
        MedEnhanceError: input-unsuitable: the axes lie too far from the patient's.
    """
    direction = np.reshape(volume.grid.direction, (3, 3))
    axes, flipped = canonical_axes(direction)
    _refuse_oblique(np.array([direction[2 - n, 2 - axis] for n, axis in enumerate(axes)]))
    if axes[0] != 0 and volume.grid.slice_origins_mm is not None:
        message = "the slices are not axial and do not lie at equal steps."
        raise MedEnhanceError("input-unsuitable", message, "Give the axial series.")
    array = np.ascontiguousarray(volume.array.transpose(axes)[_flip(flipped)])
    grid = _turned_grid(volume.grid, volume.array.shape, axes, flipped)
    return Turned(replace(volume, array=array, grid=grid), axes, flipped)


def _flip(flipped: tuple[bool, bool, bool]) -> tuple[slice, slice, slice]:
    one, two, three = (slice(None, None, -1 if flip else 1) for flip in flipped)
    return one, two, three


def _turned_grid(grid: Grid, shape: tuple[int, ...], axes: tuple[int, ...], flipped: tuple[bool, bool, bool]) -> Grid:
    """The grid of the turned array."""
    # Axis n of an array is column 2 - n of the direction.
    old = np.stack([np.reshape(grid.direction, (3, 3))[:, 2 - axis] for axis in axes], axis=1)
    spacing = np.array([grid.spacing_mm[2 - axis] for axis in axes])
    begins = np.array([shape[axis] - 1 if flip else 0 for axis, flip in zip(axes, flipped, strict=True)])
    shifts = old * spacing * begins  # (3, 3): where the new first voxel lies along each axis
    in_plane = shifts[:, 1] + shifts[:, 2]
    origins = None
    if grid.slice_origins_mm is not None:
        moved = np.asarray(grid.slice_origins_mm) + in_plane
        origins = tuple(_vector(point) for point in (moved[::-1] if flipped[0] else moved))
    direction = old * np.where(flipped, -1.0, 1.0)
    origin = np.asarray(grid.origin_mm) + in_plane + shifts[:, 0]
    return Grid(
        spacing_mm=_vector(spacing[::-1]),
        origin_mm=origins[0] if origins is not None else _vector(origin),
        direction=tuple(direction[:, ::-1].ravel().tolist()),
        slice_origins_mm=origins,
        spacing_known=grid.spacing_known,
    )


def _refuse_oblique(cosines: np.ndarray) -> None:
    angle = float(np.degrees(np.arccos(np.clip(np.abs(cosines).min(), 0.0, 1.0))))
    if angle > MAX_TURN_DEG:
        message = f"an axis of the volume runs {angle:.0f} degrees away from the patient's axes."
        raise MedEnhanceError("input-unsuitable", message, "Give the axial series, not an oblique reformat.")


def _vector(values: np.ndarray) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
