"""Phantoms with the look of a body, whose CT numbers are known everywhere.

A phantom is a list of layers painted one over the other. Edges are anti-aliased by the share of a pixel that a solid
covers, and slices may be averaged over their thickness. Two renderings of one phantom are equal bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from medenhance_training.data.shapes import Solid

AIR_HU = -1000.0
# Grain of tissue texture: standard deviation of its Gaussian correlation, mm.
GRAINS_MM = {"fine": 0.6, "medium": 1.8, "coarse": 5.0}


@dataclass(frozen=True)
class Layer:
    """A solid painted over what is below it.

    Attributes:
        solid: Where.
        hu: Its CT number.
        texture_hu: Standard deviation of its texture.
        grain: Key of `GRAINS_MM`.
    """

    solid: Solid
    hu: float
    texture_hu: float = 0.0
    grain: str = "medium"


@dataclass(frozen=True)
class Phantom:
    """Layers, from the bottom up.

    Attributes:
        layers: What is painted.
        seed: Seed of the textures.
    """

    layers: tuple[Layer, ...]
    seed: int

    def render(
        self,
        shape: tuple[int, int, int],
        spacing_mm: float,
        slice_step_mm: float = 3.0,
        slice_mm: float = 0.0,
    ) -> np.ndarray:
        """Paint slices.

        Args:
            shape: (D, H, W); the middle slice lies at z = 0 and the middle pixel at x = y = 0.
            spacing_mm: Pixel spacing.
            slice_step_mm: Distance of slices.
            slice_mm: Thickness over which a slice is averaged; 0 for a plane.

        Returns:
            (D, H, W) float32, HU.
        """
        heights = (np.arange(shape[0]) - (shape[0] - 1) / 2) * slice_step_mm
        textures = _textures(shape, spacing_mm, slice_step_mm, self.seed)
        within = np.zeros(1) if slice_mm == 0 else (np.arange(5) - 2) / 5 * slice_mm
        volume = np.zeros(shape, np.float32)
        for k, height in enumerate(heights):
            grain = {name: field[k] for name, field in textures.items()}
            for z in height + within:
                volume[k] += self._plane(shape[1:], spacing_mm, float(z), grain) / np.float32(within.size)
        return volume

    def _plane(
        self, shape: tuple[int, int], spacing_mm: float, z: float, textures: dict[str, np.ndarray]
    ) -> np.ndarray:
        image = np.full(shape, AIR_HU, np.float32)
        y, x = ((np.arange(n) - (n - 1) / 2) * spacing_mm for n in shape)
        for layer in self.layers:
            window = _window(layer.solid, x, y, z, spacing_mm)
            if window is not None:
                _paint(image, layer, window, x, y, z, spacing_mm, textures[layer.grain])
        return image


def _paint(
    image: np.ndarray,
    layer: Layer,
    window: tuple[slice, slice],
    x: np.ndarray,
    y: np.ndarray,
    z: float,
    spacing_mm: float,
    texture: np.ndarray,
) -> None:
    distance = layer.solid.distance(x[None, window[1]], y[window[0], None], z)
    covered = np.clip(0.5 - distance / spacing_mm, 0.0, 1.0).astype(np.float32)
    value = np.float32(layer.hu) + np.float32(layer.texture_hu) * texture[window]
    image[window] += covered * (value - image[window])


def _window(solid: Solid, x: np.ndarray, y: np.ndarray, z: float, spacing_mm: float) -> tuple[slice, slice] | None:
    """Rows and columns that the solid may touch."""
    bounds = solid.bounds(z)
    if bounds is None:
        return None
    columns = slice(*np.searchsorted(x, [bounds[0] - spacing_mm, bounds[1] + spacing_mm]).tolist())
    rows = slice(*np.searchsorted(y, [bounds[2] - spacing_mm, bounds[3] + spacing_mm]).tolist())
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def _textures(shape: tuple[int, int, int], spacing_mm: float, slice_step_mm: float, seed: int) -> dict[str, np.ndarray]:
    """For each grain a (D, H, W) float32 Gaussian random field of standard deviation 1."""
    rng = np.random.default_rng([seed, 1])
    fields = {}
    for grain, size_mm in GRAINS_MM.items():
        white = rng.standard_normal(shape, dtype=np.float32)
        sigma = (size_mm / slice_step_mm, size_mm / spacing_mm, size_mm / spacing_mm)
        smooth = gaussian_filter(white, sigma, mode="wrap")
        fields[grain] = smooth / max(float(smooth.std()), 1e-6)
    return fields
