"""Numerics on the coarse grid of smooth things and the fine grid of voxels: noise, enlargement, soft edges, levels.

The coarse grid has half the rows and columns of the fine one and the same planes; coarse pixel (i, j) covers fine
pixels (2i, 2j) to (2i+1, 2j+1).
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfftn, rfftn
from scipy.ndimage import map_coordinates


def enlarged(coarse: np.ndarray) -> np.ndarray:
    """(P, 2R, 2C) float32 from (P, R, C) by linear interpolation; both grids share their outer border."""
    planes, rows, columns = coarse.shape
    tall = np.empty((planes, 2 * rows, columns), np.float32)
    wide = np.empty((planes, 2 * rows, 2 * columns), np.float32)
    quarter = np.diff(coarse, axis=1) * np.float32(0.25)
    tall[:, 0], tall[:, -1] = coarse[:, 0], coarse[:, -1]
    np.subtract(coarse[:, 1:], quarter, out=tall[:, 2::2])
    np.add(coarse[:, :-1], quarter, out=tall[:, 1:-1:2])
    quarter = np.diff(tall, axis=2) * np.float32(0.25)
    wide[:, :, 0], wide[:, :, -1] = tall[:, :, 0], tall[:, :, -1]
    np.subtract(tall[:, :, 1:], quarter, out=wide[:, :, 2::2])
    np.add(tall[:, :, :-1], quarter, out=wide[:, :, 1:-1:2])
    return wide


def smooth_noise(
    shape: tuple[int, ...], step_mm: tuple[float, float, float], wavelength_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """(P, R, C) float32 of mean 0 and standard deviation 1 with no detail finer than about the wavelength.

    It is drawn on a lattice of a third of the wavelength and interpolated: the cost follows the detail.
    """
    factor = [max(step / (wavelength_mm / 3.0), 1e-6) for step in step_mm]
    lattice = [max(4, int(np.ceil(n * f)) + 3) for n, f in zip(shape, factor, strict=True)]
    coarse = rng.standard_normal(lattice).astype(np.float32)
    for axis in range(3):
        coarse = (coarse + np.roll(coarse, 1, axis)) * np.float32(np.sqrt(0.5))
    field = coarse
    for axis, (n, f) in enumerate(zip(shape, factor, strict=True)):
        field = np.moveaxis(np.tensordot(_linear_weights(n, f, field.shape[axis]), field, (1, axis)), 0, axis)
    return np.ascontiguousarray(field / np.float32(max(float(field.std()), 1e-6)))


def _linear_weights(size: int, factor: float, num_coarse: int) -> np.ndarray:
    """(size, num_coarse) float32: quadratic B-spline weights of every place, which leave no kinks."""
    place = np.arange(size) * factor + 1.0
    near = np.rint(place).astype(int)
    t = place - near
    weights = np.zeros((size, num_coarse), np.float32)
    for offset, weight in ((-1, 0.5 * (0.5 - t) ** 2), (0, 0.75 - t**2), (1, 0.5 * (0.5 + t) ** 2)):
        np.add.at(weights, (np.arange(size), np.clip(near + offset, 0, num_coarse - 1)), weight)
    return weights


class BandNoise:
    """A random field of one wavelength in space, periodic; its zero set is a labyrinth of sheets, as sulci are.

    Args:
        wavelength_mm: Of the field; neighbouring sheets lie half of it apart.
        rng: Source.
    """

    PERIOD_CELLS = 64

    def __init__(self, wavelength_mm: float, rng: np.random.Generator) -> None:
        n = self.PERIOD_CELLS
        # Seven cells a wavelength: linear interpolation then shows no facets.
        self.cell_mm = wavelength_mm / 7.0
        frequency = np.sqrt(
            np.fft.fftfreq(n)[:, None, None] ** 2 + np.fft.fftfreq(n)[:, None] ** 2 + np.fft.rfftfreq(n) ** 2
        )
        band = np.exp(-(((frequency * 7.0 - 1.0) / 0.35) ** 2)).astype(np.float32)
        field = irfftn(rfftn(rng.standard_normal((n, n, n)).astype(np.float32)) * band, (n, n, n))
        self.values = np.asarray(field / field.std(), np.float32)
        # A unit Gaussian field of wave number k has a gradient of rms k (isotropic: k / sqrt(3) an axis).
        self.distance_mm = wavelength_mm / (2.0 * np.pi)

    def at(self, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """float32 values at places in mm, all of one shape."""
        scale = np.float32(1.0 / self.cell_mm)
        places = np.stack([z, y, x]).astype(np.float32) * scale
        return np.asarray(map_coordinates(self.values, places, order=1, mode="grid-wrap", output=np.float32))


def inside(distance_mm: np.ndarray, width_mm: float) -> np.ndarray:
    """Share of a voxel of that width on the negative side of a border at a signed distance, 0 to 1."""
    return np.clip(np.float32(0.5) - distance_mm * np.float32(1.0 / width_mm), 0.0, 1.0)


def sheet(distance_mm: np.ndarray, half_width_mm: np.ndarray | float, width_mm: float) -> np.ndarray:
    """Share of a voxel of that width in a sheet whose middle lies at a distance of 0 or more."""
    half = np.float32(width_mm / 2.0)
    upper = np.minimum(half_width_mm, distance_mm + half)
    lower = np.maximum(np.negative(half_width_mm), distance_mm - half)
    return np.clip((upper - lower) * np.float32(1.0 / width_mm), 0.0, 1.0).astype(np.float32, copy=False)


def level_for_volume(field: np.ndarray, voxel_ml: np.ndarray, volume_ml: float) -> float:
    """The level below which the field's voxels hold a volume; the highest finite one if they never do.

    Args:
        field: Any shape; infinite where nothing may be.
        voxel_ml: Of the same shape: what each voxel adds.
        volume_ml: To reach.
    """
    allowed = np.isfinite(field) & (voxel_ml > 0)
    values, volumes = field[allowed], voxel_ml[allowed]
    if not values.size:
        return float("-inf")
    order = np.argsort(values)
    total = np.cumsum(volumes[order], dtype=np.float64)
    return float(values[order[min(int(np.searchsorted(total, volume_ml)), values.size - 1)]])


def rounded_ellipsoid(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> np.ndarray:
    """Signed distance to an ellipsoid, mm, good near its surface (below 0 inside)."""
    a, b, c = ((q - np.float32(m)) * np.float32(1.0 / r) for q, m, r in zip((x, y, z), centre, radii, strict=True))
    k0 = np.sqrt(a * a + b * b + c * c)
    a, b, c = (q * np.float32(1.0 / r) for q, r in zip((a, b, c), radii, strict=True))
    k1 = np.sqrt(a * a + b * b + c * c)
    return k0 * (k0 - 1.0) / np.maximum(k1, np.float32(1e-6))
