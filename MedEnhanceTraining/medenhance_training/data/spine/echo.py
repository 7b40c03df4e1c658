"""Mean echo of a subject at every depth below the skin: textured tissue, bone surfaces and soft shadows.

Everything is in grey levels after log compression, on a grid of about 0.8 mm (the beam is no sharper) in coordinates
of the skin: plane d is the surface d mm below it. The volume is these planes with speckle; a fast projection is their
mean over a slab. Both call `Echo.plane`, so bones, texture and shadows agree exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter

from medenhance_training.data.spine.bones import Blob, Bone, pixel_centres, window
from medenhance_training.data.spine.config import Habitus
from medenhance_training.data.spine.fields import enlarge, smooth_field, smooth_line
from medenhance_training.data.spine.posture import Posture

GRID_MM = 0.8
# Tissue is made of blotches (muscle bundles) and grain; planes this far apart are independent.
_TEXTURE_STEP_MM = 8.0
_BLOTCH_MM, _GRAIN_MM = (4.5, 3.0), (0.9, 1.0)
_BLOTCH_GREY, _GRAIN_GREY = 23.0, 15.0
# Regions of the back that echo more and less than others; with them grey spreads as far as in the public image.
_REGION_MM, _REGION_GREY = (11.0, 8.0), 44.0
_TISSUE_GREY = 210.0
_TEXTURES = ((_BLOTCH_MM, _BLOTCH_GREY), (_GRAIN_MM, _GRAIN_GREY), (_REGION_MM, _REGION_GREY))
# A shadow's upper edge, a bone surface's echo (Gaussian of this sd) and the rim of a bone's outline.
_EDGE_MM, _SURFACE_MM, _SURFACE_GREY, _RIM_MM = 1.5, 0.9, 45.0, 1.6
# Shadows are incomplete, by patches and by streaks along the probe: size across and along the rows, and strength of
# each. Found so that grey varies inside of a bone's outline as it does in the public image.
_PATCHES_MM, _PATCHES, _STREAKS_MM, _STREAKS = (4.5, 4.5), 0.32, (1.1, 5.0), 0.13
_SHADOW_STREAM = 1000
_SPINOUS_DEPTH_MM, _REFERENCE_LAMINA_MM = 15.0, 31.0


@dataclass(frozen=True)
class Midline:
    """The shadow of the spinous processes: continuous, as in reality, but of changing strength and width.

    Attributes:
        opacity: (r, c) float32, 0 to 1.
        depth_mm: Of its upper edge.
    """

    opacity: np.ndarray
    depth_mm: float


@dataclass(frozen=True)
class Echo:
    """A subject as ultrasound sees it.

    Attributes:
        shape: Of the grid.
        grid_mm: Its spacing, rows and columns alike.
        habitus: Body type.
        bones: Those that are present.
        midline: Shadow of the spinous processes.
        brightness: (r, c) float32 grey: changes that all depths share.
        fade: (r, c) float32, 0 to 1: contact of the probe, lost at both ends of a scan.
        seed: Of the texture.
    """

    shape: tuple[int, int]
    grid_mm: float
    habitus: Habitus
    bones: tuple[Bone, ...]
    midline: Midline
    brightness: np.ndarray
    fade: np.ndarray
    seed: tuple[int, ...]

    def plane(self, depth_mm: float) -> np.ndarray:
        """(r, c) float32 grey, 0 to 255: the mean echo on the surface so far below the skin."""
        habitus = self.habitus
        lost = habitus.attenuation * (depth_mm - habitus.lamina_mm)
        tissue = (_TISSUE_GREY + self.brightness) * habitus.gain - lost + self._texture(depth_mm)
        passed = 1 - self.midline.opacity * np.float32(_step((depth_mm - self.midline.depth_mm) / _EDGE_MM))
        surface = np.zeros(self.shape, np.float32)
        for where, cover, blob, opacity in self._covers:
            below = (depth_mm - blob.depth_mm) / _EDGE_MM
            passed[where] *= 1 - np.float32(opacity * _step(below)) * cover
            glint = np.exp(-0.5 * ((depth_mm - blob.depth_mm) / _SURFACE_MM) ** 2)
            surface[where] += np.float32(_SURFACE_GREY * glint) * cover
        return np.clip((tissue * passed + surface * passed) * self.fade, 0, 255).astype(np.float32)

    @cached_property
    def _covers(self) -> list[tuple[tuple[slice, slice], np.ndarray, Blob, float]]:
        """For each blob: its window, how much of each place it covers (soft at the rim), itself and its opacity."""
        covers = []
        softness = _RIM_MM + self.habitus.blur_mm
        rng = np.random.default_rng([*self.seed, _SHADOW_STREAM])
        patchy = _patchy(self.shape, self.grid_mm, rng)
        for bone in self.bones:
            for blob in bone.blobs:
                where = window(blob, self.shape, self.grid_mm, 2 * softness)
                x, y = (pixel_centres(span, self.grid_mm) for span in reversed(where))
                outside_mm = (blob.radius(x[None], y[:, None]) - 1) * min(blob.half_width_mm, blob.half_height_mm)
                cover = _step(-outside_mm / (softness / 2)).astype(np.float32) * patchy[where]
                covers.append((where, cover, blob, bone.opacity))
        return covers

    def _texture(self, depth_mm: float) -> np.ndarray:
        """(r, c) float32 grey, standard deviation the same at every depth: independent planes, blended between."""
        first = int(np.floor(depth_mm / _TEXTURE_STEP_MM))
        share = depth_mm / _TEXTURE_STEP_MM - first
        norm = np.float32(np.hypot(share, 1 - share))
        upper, lower = self._texture_plane(first), self._texture_plane(first + 1)
        return (upper * np.float32(1 - share) + lower * np.float32(share)) / norm

    def _texture_plane(self, number: int) -> np.ndarray:
        if number not in self._texture_planes:
            rng = np.random.default_rng([*self.seed, max(number, 0)])
            field = np.zeros(self.shape, np.float32)
            for sizes_mm, grey in _TEXTURES:
                sigma = tuple(size / self.grid_mm for size in sizes_mm)
                field += np.float32(grey) * smooth_field(self.shape, (sigma[0], sigma[1]), rng)
            self._texture_planes[number] = field
        return self._texture_planes[number]

    @cached_property
    def _texture_planes(self) -> dict[int, np.ndarray]:
        return {}


def draw_echo(
    posture: Posture,
    bones: tuple[Bone, ...],
    habitus: Habitus,
    scan_rows_mm: tuple[float, float],
    grid: tuple[tuple[int, int], float],
    seed: tuple[int, ...],
) -> Echo:
    """A subject's echo.

    Args:
        posture: Where its spine is.
        bones: All bones; those that are missing are left out.
        habitus: Body type.
        scan_rows_mm: Where the scan begins and ends.
        grid: Shape and spacing in mm.
        seed: Of everything that is drawn here.
    """
    rng = np.random.default_rng([*seed, 0])
    shape, grid_mm = grid
    rows_mm, columns_mm = (pixel_centres(slice(0, n), grid_mm) for n in shape)
    return Echo(
        shape, grid_mm, habitus, tuple(bone for bone in bones if bone.present),
        _draw_midline(posture, habitus, rows_mm, columns_mm, rng),
        _brightness(posture, rows_mm, columns_mm, rng), _fade(rows_mm, shape, scan_rows_mm, rng), (*seed, 1),
    )  # fmt: skip


def grid_of(shape: tuple[int, int], pixel_mm: float) -> tuple[tuple[int, int], float, int]:
    """Shape and spacing of the echo's grid over a projection, and how many pixels its spacing is."""
    step = max(1, round(GRID_MM / pixel_mm))
    rows, columns = (-(-n // step) + 1 for n in shape)
    return (rows, columns), step * pixel_mm, step


def skin_depth(shape: tuple[int, int], pixel_mm: float, rng: np.random.Generator) -> np.ndarray:
    """(R, C) float32 mm: the skin below the volume's first plane; a back's hollows and its roundness to the sides."""
    (rows, columns), grid_mm, step = grid_of(shape, pixel_mm)
    across = np.linspace(-1, 1, columns, dtype=np.float32)[None]
    hollow = smooth_line(rows, 60 / grid_mm, rng)[:, None] * 1.5
    small = smooth_field((rows, columns), (15 / grid_mm, 15 / grid_mm), rng) * 0.4
    return np.clip(enlarge(6.0 + hollow + 2.0 * across**2 + small, shape, (step, step)), 1.0, 12.0)


def _draw_midline(
    posture: Posture, habitus: Habitus, rows_mm: np.ndarray, columns_mm: np.ndarray, rng: np.random.Generator
) -> Midline:
    """39 px (7.8 mm) wide in the thorax, wider and darker in the loins, with a beat at every spinous process."""
    level = posture.level_index_at(rows_mm)
    lumbar = _step((level - 10.5) * 2)
    count, grid_mm = rows_mm.size, float(rows_mm[1] - rows_mm[0])
    half_mm = (3.9 + 1.0 * lumbar) * np.exp(0.15 * smooth_line(count, 6 / grid_mm, rng))
    beat = 0.06 * np.cos(2 * np.pi * (level + 0.2))
    strength = 0.72 + 0.14 * lumbar + beat + 0.13 * smooth_line(count, 9 / grid_mm, rng)
    strength = np.clip(strength * habitus.shadow_strength / 0.80, 0.1, 0.97)
    centre = posture.midline_at(rows_mm) + 0.8 * smooth_line(count, 12 / grid_mm, rng)
    away = np.abs(columns_mm[None] - centre[:, None]) - half_mm[:, None]
    narrow = strength[:, None] * _step(-away / (0.6 + 0.5 * habitus.blur_mm))
    # The lumbar spine's own broad, faint shadow.
    broad = (
        0.55 * lumbar[:, None] * np.exp(-0.5 * ((columns_mm[None] - centre[:, None]) / (3.5 * half_mm[:, None])) ** 2)
    )
    return Midline(
        (1 - (1 - narrow) * (1 - broad)).astype(np.float32),
        _SPINOUS_DEPTH_MM * habitus.lamina_mm / _REFERENCE_LAMINA_MM,
    )


def _patchy(shape: tuple[int, int], grid_mm: float, rng: np.random.Generator) -> np.ndarray:
    """(r, c) float32, 0 to 1.1: how much of a shadow is there."""
    patchy = np.full(shape, 0.92, np.float32)
    for sizes_mm, strength in ((_PATCHES_MM, _PATCHES), (_STREAKS_MM, _STREAKS)):
        patchy += np.float32(strength) * smooth_field(shape, (sizes_mm[0] / grid_mm, sizes_mm[1] / grid_mm), rng)
    return np.clip(patchy, 0.0, 1.1)


def _brightness(posture: Posture, rows_mm: np.ndarray, columns_mm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(r, c) float32 grey: slow changes along the scan, darker loins, and bright muscle beside the midline."""
    count, grid_mm = rows_mm.size, float(rows_mm[1] - rows_mm[0])
    along = 18 * smooth_line(count, 30 / grid_mm, rng) - 15 * _step((posture.level_index_at(rows_mm) - 12.5) * 1.5)
    away = np.abs(columns_mm[None] - posture.midline_at(rows_mm)[:, None])
    muscle = 22 * np.exp(-0.5 * ((away - 12) / 6) ** 2)
    return (along[:, None] + muscle).astype(np.float32)


def _fade(
    rows_mm: np.ndarray, shape: tuple[int, int], scan_rows_mm: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """(r, c) float32: contact lost over the last centimetres at the bottom and somewhat at the top, unevenly."""
    grid_mm = float(rows_mm[1] - rows_mm[0])
    uneven = 6 * smooth_field(shape, (10 / grid_mm, 15 / grid_mm), rng)
    top, bottom = rng.uniform(0.3, 0.8), rng.uniform(0.0, 0.35)
    length = rng.uniform(7, 18)
    from_top = (rows_mm[:, None] - scan_rows_mm[0] - 8 + uneven) / 4
    from_bottom = (scan_rows_mm[1] - rows_mm[:, None] - 2 * length + uneven) / length
    fade = (top + (1 - top) * _step(from_top)) * (bottom + (1 - bottom) * _step(from_bottom))
    return gaussian_filter(fade.astype(np.float32), 1.5)


def _step(x: np.ndarray | float) -> np.ndarray:
    """Logistic step from 0 to 1."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))
