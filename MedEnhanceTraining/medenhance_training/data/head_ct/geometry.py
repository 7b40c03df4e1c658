"""Where slices, their sub-planes and pixels lie in the head.

Head coordinates are mm from a point between the sella and the midbrain: x to the patient's left, y to the back, z to
the vertex. The inner table's vertex lies at about z = 88, the foramen magnum at -45, the eyes at -22.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from medenhance.volume import Grid
from medenhance_training.data.head_ct.config import HeadConfig
from medenhance_training.data.head_ct.subject import Subject

# Sub-planes a slice: 5 mm become 1.7 mm, about the width of a sulcus.
NUM_SUB_PLANES = 3
# Head coordinates inside which a head lies, in-plane and with its turn: what is computed on fine grids.
_HALF_WIDTH_MM, _FRONT_MM, _BACK_MM = 88.0, 122.0, 112.0


@dataclass(frozen=True)
class Scan:
    """The slices of a scan and the window of their pixels that may hold the head.

    Attributes:
        grid: Of the slices.
        num_slices: D.
        size_px: H = W.
        pixel_mm: Side of a pixel.
        slab_mm: (D,) thickness of each slice.
        turn: (3, 3), from LPS to head coordinates, after `centre_mm` is taken away.
        centre_mm: LPS of the head's origin.
        window: First and past-last row, first and past-last column of the fine grid, each even.
    """

    grid: Grid
    num_slices: int
    size_px: int
    pixel_mm: float
    slab_mm: np.ndarray
    turn: np.ndarray
    centre_mm: np.ndarray
    window: tuple[int, int, int, int]

    @property
    def fine_shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns of the fine grid."""
        r0, r1, c0, c1 = self.window
        return self.num_slices * NUM_SUB_PLANES, r1 - r0, c1 - c0

    @property
    def coarse_shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns of the coarse grid."""
        planes, rows, columns = self.fine_shape
        return planes, rows // 2, columns // 2

    @property
    def coarse_step_mm(self) -> tuple[float, float, float]:
        """Distance of coarse voxels."""
        return float(self.slab_mm.mean()) / NUM_SUB_PLANES, 2 * self.pixel_mm, 2 * self.pixel_mm

    @property
    def voxel_ml(self) -> np.ndarray:
        """(P, 1, 1) float32: volume of a fine voxel of each plane."""
        return np.repeat(self.slice_ml / np.float32(NUM_SUB_PLANES), NUM_SUB_PLANES, axis=0)

    @property
    def slice_ml(self) -> np.ndarray:
        """(D, 1, 1) float32: volume of a voxel of each slice; tilted slices lie closer than their step on the table."""
        steps = self.slab_mm * np.cos(np.radians(self.grid.shear_deg))
        return (steps * self.pixel_mm**2 / 1000.0).astype(np.float32)[:, None, None]

    def coordinates(self, step: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y, z of the head, (P, R, C) float32 each, on the coarse (step 2) or the fine grid (step 1)."""
        matrix = np.reshape(self.grid.direction, (3, 3))
        positions = self.grid.slice_positions(self.num_slices)
        offsets = (np.arange(NUM_SUB_PLANES) + 0.5) / NUM_SUB_PLANES - 0.5
        along = offsets * self.slab_mm[:, None]
        planes = (positions[:, None, :] + along[..., None] * self.grid.slice_normal).reshape(-1, 3)
        r0, r1, c0, c1 = self.window
        rows = (np.arange(r0, r1, step) + (step - 1) / 2) * self.pixel_mm
        columns = (np.arange(c0, c1, step) + (step - 1) / 2) * self.pixel_mm
        origin = (planes - self.centre_mm) @ self.turn.T
        row_axis, column_axis = self.turn @ matrix[:, 1], self.turn @ matrix[:, 0]
        x, y, z = (
            origin[:, None, None, k] + (rows * row_axis[k])[:, None] + (columns * column_axis[k])[None, :]
            for k in range(3)
        )
        return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)

    def to_lps(self, head_mm: np.ndarray) -> tuple[float, float, float]:
        """LPS of a place in the head."""
        x, y, z = (self.turn.T @ np.asarray(head_mm) + self.centre_mm).tolist()
        return x, y, z


def draw_scan(config: HeadConfig, subject: Subject, rng: np.random.Generator) -> Scan:
    """Tilt, turn, coverage and spacing of a scan."""
    size = config.size_px
    pixel = rng.uniform(*config.field_mm) / size
    tilt = np.radians(rng.uniform(*config.tilt_deg) * (rng.random() < 0.7))
    turn = Rotation.from_euler("zyx", rng.normal(0, config.turn_deg / 2, 3).clip(-18, 18), degrees=True).as_matrix()
    # The rows go back and, under tilt, down: DICOM's tilted series keep the table's axis as slice axis.
    rows_axis = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    bottom = rng.choice([rng.uniform(-80, -58), rng.uniform(-60, -45), rng.uniform(-50, -34)], p=[0.3, 0.5, 0.2])
    steps, slabs = _slices(config, bottom, subject.top_mm + rng.uniform(-14.0, 4.0), rng)
    middle = np.array([rng.uniform(-5, 5), rng.uniform(-8, 8), 0.0])
    corner = np.array([-1.0, 0.0, 0.0]) * (size - 1) / 2 * pixel - rows_axis * (size - 1) / 2 * pixel
    origins = corner + np.stack([np.zeros_like(steps), np.zeros_like(steps), steps], axis=1)
    direction = np.stack([[1.0, 0.0, 0.0], rows_axis, [0.0, 0.0, 1.0]], axis=1)
    gaps = np.diff(steps)
    unequal = bool(np.ptp(gaps) > 1e-6)
    grid = Grid(
        spacing_mm=(pixel, pixel, float(gaps.mean())), origin_mm=tuple(origins[0].tolist()),
        direction=tuple(direction.ravel().tolist()),
        slice_origins_mm=tuple(tuple(o) for o in origins.tolist()) if unequal else None,
    )  # fmt: skip
    return Scan(grid, len(steps), size, pixel, slabs, turn, middle, _window(size, pixel, middle))


def _slices(config: HeadConfig, bottom: float, top: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Table positions (D,) in mm and thicknesses (D,)."""
    lower = rng.uniform(*config.slice_mm)
    upper = lower * (rng.uniform(1.3, 1.8) if rng.random() < config.unequal_gaps else 1.0)
    steps, slabs = [bottom], [lower]
    while steps[-1] < top:
        # Thicker above the skull base, where bone does less harm.
        slabs.append(lower if steps[-1] < 0 else upper)
        steps.append(steps[-1] + slabs[-1])
    return np.array(steps), np.array(slabs)


def _window(size: int, pixel: float, centre_mm: np.ndarray) -> tuple[int, int, int, int]:
    def pixels(low_mm: float, high_mm: float) -> tuple[int, int]:
        first = int(np.clip((low_mm / pixel + size / 2) // 2 * 2, 0, size - 2))
        last = int(np.clip(-((-(high_mm / pixel + size / 2)) // 2) * 2, first + 2, size))
        return first, last

    rows = pixels(centre_mm[1] - _FRONT_MM, centre_mm[1] + _BACK_MM)
    columns = pixels(centre_mm[0] - _HALF_WIDTH_MM, centre_mm[0] + _HALF_WIDTH_MM)
    return (*rows, *columns)
