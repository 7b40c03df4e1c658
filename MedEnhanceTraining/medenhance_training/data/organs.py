"""Soft organs, lungs and vessels as layers of a phantom; sizes in mm, places as shares of the cavity."""

from __future__ import annotations

import numpy as np

from medenhance_training.data.phantoms import Layer
from medenhance_training.data.shapes import Common, Ellipsoid, HalfSpace, Point, Tube

FAT_HU, MUSCLE_HU, WATER_HU, GAS_HU = -100.0, 55.0, 5.0, -985.0
# Above every plane that is rendered: makes a cylinder of an ellipsoid.
TALL_MM = 400.0


def liver(rng: np.random.Generator, wide: float, deep: float, contrast: float) -> list[Layer]:
    hu = 52 + 60 * contrast + rng.uniform(-8, 8)
    right = Ellipsoid((-0.46 * wide, -0.05 * deep, 0), (0.50 * wide, 0.78 * deep, 90), 0.12, 2.3, waves(rng, 0.03))
    left = Ellipsoid((-0.02 * wide, -0.52 * deep, 8), (0.42 * wide, 0.30 * deep, 60), 0.15, 2.0, waves(rng, 0.05))
    layers = [Layer(solid, hu, 4.0, "coarse") for solid in (right, left)]
    vein = hu + rng.uniform(5, 25) + 60 * contrast
    layers += tree(rng, (-0.20 * wide, 0.05 * deep, 0), right.centre, 0.42 * wide, 4.5, vein)
    gall = Ellipsoid((-0.22 * wide, -0.30 * deep, 0), (13, 20, 25), 0.3)
    if rng.random() < 0.6:
        layers += [Layer(gall.scaled(1.5), 40), Layer(gall, rng.uniform(2, 15))]
    return layers + lesions(rng, right, hu, int(rng.integers(0, 6)))


def lesions(rng: np.random.Generator, organ: Ellipsoid, hu: float, count: int) -> list[Layer]:
    """Low-contrast inserts of a few to some tens of HU, both signs."""
    layers = []
    for _ in range(count):
        turn, out = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.75)
        x = organ.centre[0] + out * organ.semi_axes[0] * np.cos(turn)
        y = organ.centre[1] + out * organ.semi_axes[1] * np.sin(turn)
        change = rng.choice([-1, -1, 1]) * rng.uniform(8, 55)
        layers.append(Layer(blob(rng, (x, y, rng.uniform(-10, 10)), rng.uniform(2, 14)), hu + change, 2.0))
    return layers


def spleen_and_stomach(rng: np.random.Generator, wide: float, deep: float, contrast: float) -> list[Layer]:
    spleen = Ellipsoid((0.70 * wide, 0.18 * deep, 0), (0.20 * wide, 0.42 * deep, 55), -0.35, waves=waves(rng, 0.05))
    pancreas = Ellipsoid((0.08 * wide, 0.02 * deep, 0), (0.30 * wide, 9, 25), -0.25, waves=waves(rng, 0.12))
    return [
        Layer(spleen, 50 + 70 * contrast, 3.5, "coarse"),
        *stomach(rng, (0.40 * wide, -0.42 * deep, 0), (0.28 * wide, 0.30 * deep, 50)),
        Layer(pancreas, 40 + 50 * contrast, 9),
    ]


def stomach(rng: np.random.Generator, centre: Point, semi_axes: Point) -> list[Layer]:
    """Its wall, its contents and the gas above their level."""
    wall = Ellipsoid(centre, semi_axes, 0.3, waves=waves(rng, 0.06))
    inside = wall.scaled(-rng.uniform(3, 6))
    gas = Common((inside, HalfSpace(centre[1] - rng.uniform(-5, 12))))
    return [Layer(wall, rng.uniform(45, 75), 3), Layer(inside, rng.uniform(5, 40), 8), Layer(gas, GAS_HU)]


def kidney(rng: np.random.Generator, x: float, y: float, contrast: float) -> list[Layer]:
    outer = Ellipsoid((x, y, rng.uniform(-5, 5)), (24, 29, 55), float(np.sign(x)) * 0.5, waves=waves(rng, 0.05))
    inner, sinus = outer.scaled(-7), Ellipsoid((x - np.sign(x) * 7, y, 0), (10, 11, 20))
    layers = [Layer(outer, 34 + 150 * contrast, 4), Layer(inner, 32 + 90 * contrast, 12), Layer(sinus, -80, 10)]
    if rng.random() < 0.4:
        layers.append(Layer(blob(rng, (x + 12 * np.sign(x), y + 12, 0), rng.uniform(4, 12)), WATER_HU))
    if rng.random() < 0.2:
        layers.append(Layer(blob(rng, (x - 4, y, 0), rng.uniform(1, 3)), 700))
    return layers


def bowel(rng: np.random.Generator, wide: float, deep: float) -> list[Layer]:
    layers: list[Layer] = []
    for _ in range(rng.integers(5, 12)):
        centre = (rng.uniform(-0.05, 0.70) * wide, rng.uniform(-0.80, 0.35) * deep, rng.uniform(-20, 20))
        loop = Ellipsoid(
            centre,
            (rng.uniform(9, 22), rng.uniform(8, 15), rng.uniform(15, 60)),
            rng.uniform(0, 3),
            2.0,
            waves(rng, 0.08),
        )
        inside = loop.scaled(-rng.uniform(2, 3.5))
        layers += [Layer(loop, rng.uniform(40, 90), 5), Layer(inside, rng.uniform(5, 45), 10)]
        if rng.random() < 0.45:
            layers.append(Layer(Common((inside, HalfSpace(centre[1] + rng.uniform(-6, 6)))), GAS_HU))
    for _ in range(rng.integers(6, 16)):
        start = (rng.uniform(-0.1, 0.7) * wide, rng.uniform(-0.7, 0.3) * deep, rng.uniform(-15, 15))
        layers += vessel(rng, start, rng.uniform(0.8, 2.2), rng.uniform(40, 160))
    return layers


def great_vessels(rng: np.random.Generator, y: float, contrast: float) -> list[Layer]:
    aorta = Ellipsoid((rng.uniform(4, 14), y + 4, 0), (11, 11, TALL_MM), waves=waves(rng, 0.02))
    cava = Ellipsoid((-rng.uniform(14, 22), y, 0), (12, 9, TALL_MM), 0.3)
    layers = [Layer(aorta, 48), Layer(aorta.scaled(-1.2), 42 + 260 * contrast), Layer(cava, 40 + 120 * contrast)]
    for _ in range(rng.integers(0, 4)):
        turn, height = rng.uniform(0, 2 * np.pi), rng.uniform(-8, 8)
        place = (aorta.centre[0] + 10.5 * np.cos(turn), aorta.centre[1] + 10.5 * np.sin(turn), height)
        layers.append(Layer(blob(rng, place, rng.uniform(0.8, 2.2)), rng.uniform(300, 1000)))
    return layers


def lung(rng: np.random.Generator, side: int, wide: float, deep: float) -> list[Layer]:
    centre = (side * 0.52 * wide, 0.04 * deep, 0.0)
    lung = Ellipsoid(centre, (0.43 * wide, 0.86 * deep, 200), side * 0.08, 2.4, waves(rng, 0.02))
    layers = [Layer(lung.scaled(1.2), 30), Layer(lung, rng.uniform(-890, -820), 18, "medium")]
    hilum = (side * 0.22 * wide, 0.05 * deep, 0.0)
    for aim in np.linspace(-0.75, 0.75, 5) * deep:
        towards = (centre[0], aim, 0.0)
        layers += tree(rng, hilum, towards, rng.uniform(0.55, 0.95) * deep, rng.uniform(2.2, 4.5), rng.uniform(20, 60))
    for _ in range(rng.integers(0, 4)):
        turn, out = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.7)
        place = (centre[0] + 0.4 * out * wide * np.cos(turn), 0.8 * out * deep * np.sin(turn), rng.uniform(-6, 6))
        layers.append(Layer(blob(rng, place, rng.uniform(1.5, 8)), float(rng.choice([-650, 20, 60]))))
    for _ in range(rng.integers(20, 50)):
        turn, out = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.9) ** 0.5
        place = (centre[0] + 0.4 * out * wide * np.cos(turn), 0.8 * out * deep * np.sin(turn), rng.uniform(-15, 15))
        layers += vessel(rng, place, rng.uniform(0.4, 1.3), rng.uniform(-100, 60))
    fissure = Tube(
        (centre[0] - 0.4 * wide, rng.uniform(-20, 10), -30), (centre[0] + 0.4 * wide, rng.uniform(0, 40), 30), 0.4
    )
    return [*layers, Layer(Common((fissure, lung.scaled(-1))), -650)]


def heart(rng: np.random.Generator, wide: float, deep: float, contrast: float) -> list[Layer]:
    centre = (0.14 * wide, -0.22 * deep, 0.0)
    sac = Ellipsoid(centre, (0.40 * wide, 0.50 * deep, 70), 0.5, waves=waves(rng, 0.03))
    layers = [Layer(sac, FAT_HU + 10, 8), Layer(sac.scaled(-4), 50 + 60 * contrast, 4)]
    for dx, dy, size in ((0.18, -0.05, 0.15), (-0.10, -0.12, 0.15), (0.05, 0.20, 0.13), (-0.20, 0.10, 0.12)):
        place = (centre[0] + dx * wide, centre[1] + dy * deep, 0.0)
        chamber = Ellipsoid(place, (size * wide, size * 1.3 * deep, 30), rng.uniform(0, 3), waves=waves(rng, 0.08))
        layers.append(Layer(chamber, 42 + rng.uniform(0.5, 1.2) * 220 * contrast))
    return layers


def airways(rng: np.random.Generator, deep: float) -> list[Layer]:
    layers: list[Layer] = []
    for side in (-1, 1):
        bronchus = Ellipsoid((side * rng.uniform(18, 26), 0.18 * deep, 0), (7, 6, TALL_MM), side * 0.4)
        layers += [Layer(bronchus.scaled(1.5), 35), Layer(bronchus, GAS_HU)]
    return layers


def tree(
    rng: np.random.Generator, root: Point, towards: Point, length_mm: float, radius_mm: float, hu: float
) -> list[Layer]:
    """A vessel that branches on its way from the root: every branch ends in two thinner ones."""
    layers: list[Layer] = []
    heading = np.arctan2(towards[1] - root[1], towards[0] - root[0]) + rng.uniform(-0.25, 0.25)
    branches = [(np.asarray(root, float), heading, length_mm * 0.32, radius_mm)]
    while branches:
        start, heading, length, radius = branches.pop()
        step = length * np.array([np.cos(heading), np.sin(heading), rng.uniform(-0.3, 0.3)])
        layers.append(Layer(Tube(point(start), point(start + step), radius), hu))
        if radius > 0.7:
            for turn in (rng.uniform(0.15, 0.7), -rng.uniform(0.15, 0.7)):
                branches.append((start + step, heading + turn, length * rng.uniform(0.7, 0.9), radius * 0.72))
    return layers


def vessel(rng: np.random.Generator, start: Point, radius_mm: float, hu: float) -> list[Layer]:
    step = rng.uniform(-1, 1, 3) * (25, 25, 30)
    return [Layer(Tube(start, point(np.asarray(start) + step), radius_mm), hu)]


def blob(rng: np.random.Generator, centre: Point, radius_mm: float) -> Ellipsoid:
    a, b, c = radius_mm * rng.uniform(0.75, 1.25, 3)
    return Ellipsoid(centre, (float(a), float(b), float(c)), rng.uniform(0, 3), 2.0, waves(rng, 0.06))


def waves(rng: np.random.Generator, size: float) -> tuple[tuple[int, float, float], ...]:
    return tuple((k, size * rng.uniform(0.3, 1.0), rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5))


def point(values: np.ndarray) -> Point:
    x, y, z = (float(v) for v in values)
    return x, y, z
