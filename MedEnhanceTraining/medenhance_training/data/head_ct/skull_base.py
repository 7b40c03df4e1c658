"""The face and the skull base, painted outside the cavity: bones, air cells, sinuses, orbits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medenhance_training.data.head_ct.fields import enlarged, inside, rounded_ellipsoid
from medenhance_training.data.head_ct.skull import Skull

AIR_HU, FAT_HU = -1000.0, -95.0
# Above this nothing of the base or the face reaches.
_TOP_MM = 40.0

Place = tuple[float, float, float]


@dataclass(frozen=True)
class Ball:
    """An ellipsoid on both sides: centre (|x|, y, z) and radii in mm, HU or the name of a texture."""

    centre: Place
    radii: Place
    filling: float | str


@dataclass(frozen=True)
class Bar:
    """A rounded bar on both sides between two places, with a radius at each end."""

    start: Place
    end: Place
    radii: tuple[float, float]
    filling: float | str


# From deep to superficial. Places and sizes are ours, of an adult's order.
BONES: tuple[Ball | Bar, ...] = (
    # The middle of the base (sphenoid, clivus), petrous bone, mastoid.
    Ball((0.0, -2.0, -20.0), (17.0, 24.0, 14.0), "spongy"),
    Bar((14.0, 8.0, -20.0), (58.0, 34.0, -20.0), (7.5, 7.5), "dense"),
    Ball((54.0, 36.0, -32.0), (12.0, 14.0, 16.0), "spongy"),
    # Zygomatic arch, side wall of the orbit, jaw, teeth with the hard palate.
    Bar((46.0, -62.0, -38.0), (66.0, -20.0, -32.0), (3.0, 3.0), 900.0),
    Bar((47.0, -58.0, -40.0), (47.0, -56.0, -8.0), (4.0, 4.0), 900.0),
    Bar((50.0, -4.0, -34.0), (50.0, -12.0, -80.0), (5.5, 5.5), "spongy"),
    Ball((0.0, -62.0, -72.0), (28.0, 26.0, 12.0), "dense"),
)
ORBITS: tuple[Ball | Bar, ...] = (
    Bar((32.0, -78.0, -17.0), (16.0, -34.0, -13.0), (17.5, 8.5), 700.0),
    Bar((32.0, -78.0, -17.0), (16.0, -34.0, -13.0), (15.0, 6.0), FAT_HU),
    # Optic nerve, four muscles, eyeball with its wall and lens.
    Bar((32.0, -72.0, -17.0), (14.0, -34.0, -13.0), (1.8, 1.8), 35.0),
    Bar((42.0, -70.0, -17.0), (19.0, -38.0, -13.0), (1.8, 1.8), 50.0),
    Bar((23.0, -70.0, -17.0), (15.2, -38.0, -13.0), (1.8, 1.8), 50.0),
    Bar((32.0, -70.0, -8.0), (17.0, -38.0, -11.2), (1.8, 1.8), 50.0),
    Bar((32.0, -70.0, -26.0), (17.0, -38.0, -14.8), (1.8, 1.8), 50.0),
    Ball((32.0, -82.0, -17.0), (12.3, 12.3, 12.3), 45.0),
    Ball((32.0, -82.0, -17.0), (11.0, 11.0, 11.0), 10.0),
    Ball((32.0, -91.0, -17.0), (4.5, 2.0, 4.5), 90.0),
)
CAVES: tuple[Ball | Bar, ...] = (
    # Mastoid cells, ear canal, ethmoid cells, sphenoid sinus.
    Ball((55.0, 36.0, -30.0), (9.0, 12.0, 13.0), "mastoid"),
    Bar((60.0, 16.0, -28.0), (78.0, 18.0, -30.0), (3.0, 3.0), AIR_HU),
    Ball((6.0, -44.0, -20.0), (9.0, 18.0, 15.0), "ethmoid"),
    Ball((6.0, -12.0, -17.0), (7.0, 11.0, 8.0), "sphenoid"),
    # Maxillary sinus with its wall, nose, throat.
    Ball((28.0, -54.0, -52.0), (15.0, 17.0, 15.0), 800.0),
    Ball((28.0, -54.0, -52.0), (13.5, 15.5, 13.5), "maxillary"),
    Ball((6.0, -62.0, -48.0), (8.0, 34.0, 16.0), "nose"),
    Ball((0.0, -18.0, -62.0), (13.0, 9.0, 20.0), AIR_HU),
)


@dataclass(frozen=True)
class _Canvas:
    hu: np.ndarray
    side: np.ndarray
    y: np.ndarray
    z: np.ndarray
    depth: np.ndarray
    width_mm: float
    textures: dict[str, np.ndarray | float]

    def draw(self, shape: Ball | Bar) -> None:
        low, high = _heights(shape)
        planes = np.flatnonzero((self.z.max(axis=(1, 2)) > low) & (self.z.min(axis=(1, 2)) < high))
        if planes.size:
            near = slice(int(planes[0]), int(planes[-1]) + 1)
            self.paint(_distance(shape, self.side[near], self.y[near], self.z[near]), shape.filling, near.start)

    def paint(self, distance: np.ndarray, filling: float | str, first: int) -> None:
        """Paint where a distance on planes from the first one on is below 0, but not inside the cavity."""
        distance = np.maximum(distance, self.depth[first : first + len(distance)] + 0.5)
        box = _box(distance < self.width_mm)
        if box is None:
            return
        d, r, c = box
        share = enlarged(inside(distance[box], self.width_mm))
        here = slice(first + d.start, first + d.stop)
        fine = here, slice(2 * r.start, 2 * r.stop), slice(2 * c.start, 2 * c.stop)
        value = self.textures[filling] if isinstance(filling, str) else filling
        filled = enlarged(value[here, r, c]) if isinstance(value, np.ndarray) else np.float32(value)
        self.hu[fine] += (filled - self.hu[fine]) * share


def paint_base(
    hu: np.ndarray, coordinates: tuple[np.ndarray, np.ndarray, np.ndarray], skull: Skull,
    clumps: np.ndarray, grain: np.ndarray, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Paint into the fine image (P, 2R, 2C) in place, where the scan reaches low enough.

    Args:
        hu: HU.
        coordinates: Head coordinates, coarse.
        skull: Whose cavity stays free.
        clumps, grain: Coarse and fine noise of standard deviation 1.
        rng: Source.
    """
    x, y, z = coordinates
    planes = np.flatnonzero((z < _TOP_MM).any(axis=(1, 2)))
    if not planes.size:
        return
    low = slice(int(planes[0]), int(planes[-1]) + 1)
    x, y, z, clumps, grain = (a[low] for a in (x, y, z, clumps, grain))
    width = 2.0 * abs(float(x[0, 0, 1] - x[0, 0, 0]))
    side = np.abs(x) + 0.8 * grain
    canvas = _Canvas(hu[low], side, y, z, skull.depth[low], width, _textures(clumps, grain, rng))
    for shape in BONES:
        canvas.draw(shape)
    # Atlas and dens.
    canvas.paint(np.maximum(np.abs(np.hypot(x, y - 30.0) - 22.0) - 5.0, np.abs(z + 58.0) - 9.0), "spongy", 0)
    canvas.paint(np.maximum(np.hypot(x, y - 14.0) - 5.5, z + 50.0), "spongy", 0)
    for shape in ORBITS + CAVES:
        canvas.draw(shape)
    size = rng.uniform(0.0, 1.3)
    if size > 0.4:
        canvas.draw(Ball((9.0, -88.0, 8.0), (13.0 * size, 4.5, 13.0 * size), AIR_HU))


def _textures(clumps: np.ndarray, grain: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray | float]:
    """HU of what is uneven; a sinus or the mastoid holds fluid now and then."""
    cells = np.where(grain > rng.uniform(-0.8, 0.3), np.float32(-900.0), np.float32(500.0))
    full = (30.0 + 200.0 * (grain > 0.8)).astype(np.float32)
    return {
        "spongy": (700.0 + 250.0 * grain).astype(np.float32),
        "dense": (1300.0 + 250.0 * clumps).astype(np.float32),
        "mastoid": cells if rng.random() < 0.85 else full,
        "ethmoid": np.where(np.abs(grain) < 0.25, 250.0, -800.0).astype(np.float32),
        "nose": np.where(np.abs(clumps) < 0.4, 45.0, -950.0).astype(np.float32),
        "sphenoid": AIR_HU if rng.random() < 0.9 else 25.0,
        "maxillary": AIR_HU if rng.random() < 0.8 else 20.0,
    }


def _heights(shape: Ball | Bar) -> tuple[float, float]:
    """Lowest and highest z that a shape may touch, with a margin for its soft edge."""
    if isinstance(shape, Ball):
        return shape.centre[2] - shape.radii[2] - 4.0, shape.centre[2] + shape.radii[2] + 4.0
    reach = max(shape.radii) + 4.0
    return min(shape.start[2], shape.end[2]) - reach, max(shape.start[2], shape.end[2]) + reach


def _distance(shape: Ball | Bar, side: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    if isinstance(shape, Ball):
        return rounded_ellipsoid(side, y, z, shape.centre, shape.radii)
    dx, dy, dz = (e - s for s, e in zip(shape.start, shape.end, strict=True))
    px, py, pz = side - shape.start[0], y - shape.start[1], z - shape.start[2]
    t = np.clip((px * dx + py * dy + pz * dz) * (1.0 / (dx * dx + dy * dy + dz * dz)), 0.0, 1.0)
    radii = shape.radii[0] + (shape.radii[1] - shape.radii[0]) * t
    return np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2 + (pz - t * dz) ** 2) - radii


def _box(near: np.ndarray) -> tuple[slice, slice, slice] | None:
    """The smallest box of the true voxels, one voxel wider in-plane."""
    d, r, c = (np.flatnonzero(near.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    if not d.size:
        return None
    return (
        slice(int(d[0]), int(d[-1]) + 1),
        slice(max(0, int(r[0]) - 1), min(near.shape[1], int(r[-1]) + 2)),
        slice(max(0, int(c[0]) - 1), min(near.shape[2], int(c[-1]) + 2)),
    )
