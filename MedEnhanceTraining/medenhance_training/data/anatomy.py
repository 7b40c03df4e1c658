"""Random bodies: an abdomen, a chest, a head and a pair of thighs, as layers of a phantom.

Shapes, places and CT numbers are textbook values (contrast-enhanced or not), drawn round their means, so that a network
sees edges of every contrast in noise that it never saw before. They resemble anatomy; they do not model it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medenhance_training.data.phantoms import Layer, Phantom
from medenhance_training.data.shapes import Common, Ellipsoid, HalfSpace, Point, Tube

FAT_HU, MUSCLE_HU, WATER_HU, GAS_HU = -100.0, 55.0, 5.0, -985.0
# Above every plane that is rendered: makes a cylinder of an ellipsoid.
_TALL_MM = 400.0


def random_phantom(seed: int) -> Phantom:
    """A body part with this seed; the abdomen and the chest come more often."""
    rng = np.random.default_rng([seed, 0])
    parts: tuple[Callable[[np.random.Generator], list[Layer]], ...] = (abdomen, chest, abdomen, chest, head, thighs)
    layers = parts[rng.integers(len(parts))](rng)
    return Phantom(tuple(layers), seed)


def abdomen(rng: np.random.Generator) -> list[Layer]:
    """The upper abdomen: liver, spleen, kidneys, stomach, bowel, great vessels, spine and ribs."""
    wide, deep = rng.uniform(140, 185), rng.uniform(95, 128)
    contrast = rng.uniform(0, 1)
    layers, cavity = _trunk(rng, wide, deep, rng.uniform(6, 26), FAT_HU - 5)
    inner_wide, inner_deep = cavity.semi_axes[:2]
    layers += _liver(rng, inner_wide, inner_deep, contrast)
    layers += _bowel(rng, inner_wide, inner_deep)
    layers += _spleen_and_stomach(rng, inner_wide, inner_deep, contrast)
    for side in (-1, 1):
        layers += _kidney(
            rng, side * inner_wide * rng.uniform(0.42, 0.5), inner_deep * rng.uniform(0.38, 0.5), contrast
        )
    layers += _great_vessels(rng, inner_deep * 0.30, contrast)
    layers += _spine(rng, inner_deep * 0.72) + _ribs(rng, cavity) + _table(rng, deep)
    return layers


def chest(rng: np.random.Generator) -> list[Layer]:
    """The chest at the height of the heart: lungs with their vessels, heart, aorta, airways, spine, ribs."""
    wide, deep = rng.uniform(150, 190), rng.uniform(100, 130)
    contrast = rng.uniform(0, 1)
    layers, cavity = _trunk(rng, wide, deep, rng.uniform(5, 20), FAT_HU + 10)
    inner_wide, inner_deep = cavity.semi_axes[:2]
    for side in (-1, 1):
        layers += _lung(rng, side, inner_wide, inner_deep)
    layers += _heart(rng, inner_wide, inner_deep, contrast)
    layers += _great_vessels(rng, inner_deep * 0.42, contrast) + _airways(rng, inner_deep)
    layers += _spine(rng, inner_deep * 0.80) + _ribs(rng, cavity, 14)
    sternum = Ellipsoid((rng.uniform(-3, 3), -cavity.semi_axes[1] - 4, 0), (22, 6, _TALL_MM))
    return layers + _bone(rng, sternum, 1.5) + _table(rng, deep)


def head(rng: np.random.Generator) -> list[Layer]:
    """A head above the eyes: skull, brain, ventricles, falx."""
    wide, deep = rng.uniform(68, 80), rng.uniform(85, 98)
    scalp = Ellipsoid((0, 0, 0), (wide, deep, _TALL_MM), power=2.2)
    skull, brain = scalp.scaled(-rng.uniform(4, 7)), scalp.scaled(-rng.uniform(11, 14))
    layers = [Layer(scalp, 20), Layer(scalp.scaled(-2), FAT_HU, 6), *_bone(rng, skull, 2.0)]
    layers += [Layer(brain, 10), Layer(brain.scaled(-2), 37, 1.5), Layer(brain.scaled(-7), 31, 2.0, "coarse")]
    layers += [Layer(Tube((0, -deep, 0), (0, deep, 0), 1.0), 50)]
    for side in (-1, 1):
        horn = Ellipsoid((side * 12, -10, 0), (6, 24, 30), side * 0.25, waves=_waves(rng, 0.1))
        nucleus = Ellipsoid((side * 24, 2, 0), (8, 18, 25), side * -0.2)
        layers += [Layer(horn, 8), Layer(nucleus, 38, 1.5)]
    for _ in range(rng.integers(0, 4)):
        lesion = _blob(rng, (rng.uniform(-45, 45), rng.uniform(-55, 55), 0), rng.uniform(2, 14))
        layers.append(Layer(lesion, float(rng.choice([15, 24, 45, 68]))))
    return layers


def thighs(rng: np.random.Generator) -> list[Layer]:
    """Two thighs: skin, fat, muscles in their fascia, vessels and the shaft of the femur."""
    layers: list[Layer] = []
    radius = rng.uniform(60, 85)
    for side in (-1, 1):
        centre = (side * (radius + rng.uniform(1, 8)), rng.uniform(-5, 5), 0.0)
        skin = Ellipsoid(centre, (radius, radius * rng.uniform(0.95, 1.15), _TALL_MM), waves=_waves(rng, 0.02))
        layers += [Layer(skin, 30), Layer(skin.scaled(-2), FAT_HU, 7), Layer(skin.scaled(-rng.uniform(8, 20)), -60, 15)]
        for turn in np.linspace(0, 2 * np.pi, 7)[:-1] + rng.uniform(0, 1):
            place = (centre[0] + 0.42 * radius * np.cos(turn), centre[1] + 0.42 * radius * np.sin(turn), 0.0)
            muscle = Ellipsoid(
                place, (0.33 * radius, 0.2 * radius, _TALL_MM), turn + np.pi / 2, waves=_waves(rng, 0.06)
            )
            layers.append(Layer(muscle, MUSCLE_HU + rng.uniform(-8, 12), 7, "medium"))
        layers += _vessel(rng, (centre[0] - side * 20, centre[1] - 15, 0.0), 4.0, rng.uniform(40, 300))
        layers += _bone(rng, Ellipsoid(centre, (14, 13, _TALL_MM)), 4.5, marrow_hu=-60)
    return layers


def _trunk(
    rng: np.random.Generator, wide: float, deep: float, fat_mm: float, cavity_hu: float
) -> tuple[list[Layer], Ellipsoid]:
    """Skin, subcutaneous fat, the muscles of the wall and the fat inside them; and the cavity."""
    skin = Ellipsoid((0, 0, 0), (wide, deep, _TALL_MM), power=rng.uniform(2.1, 2.6), waves=_waves(rng, 0.015))
    wall = skin.scaled(-2.5 - fat_mm)
    cavity = wall.scaled(-rng.uniform(9, 14))
    layers = [Layer(skin, 30), Layer(skin.scaled(-2.5), FAT_HU, 7), Layer(wall, MUSCLE_HU, 7)]
    layers.append(Layer(wall.scaled(-4.0), -70, 12))
    layers.append(Layer(wall.scaled(-5.5), MUSCLE_HU - 3, 7))
    layers.append(Layer(cavity, cavity_hu, 9))
    for side in (-1, 1):
        psoas = Ellipsoid((side * 30, cavity.semi_axes[1] * 0.62, 0), (14, 18, _TALL_MM), side * 0.3)
        back = Ellipsoid(
            (side * 34, cavity.semi_axes[1] * 1.0, 0), (30, 19, _TALL_MM), side * 0.15, waves=_waves(rng, 0.04)
        )
        layers += [Layer(psoas, MUSCLE_HU, 6), Layer(back, MUSCLE_HU - 4, 10)]
    return layers, cavity


def _liver(rng: np.random.Generator, wide: float, deep: float, contrast: float) -> list[Layer]:
    hu = 52 + 60 * contrast + rng.uniform(-8, 8)
    right = Ellipsoid((-0.46 * wide, -0.05 * deep, 0), (0.50 * wide, 0.78 * deep, 90), 0.12, 2.3, _waves(rng, 0.03))
    left = Ellipsoid((-0.02 * wide, -0.52 * deep, 8), (0.42 * wide, 0.30 * deep, 60), 0.15, 2.0, _waves(rng, 0.05))
    layers = [Layer(solid, hu, 4.0, "coarse") for solid in (right, left)]
    vein = hu + rng.uniform(5, 25) + 60 * contrast
    layers += _tree(rng, (-0.20 * wide, 0.05 * deep, 0), right.centre, 0.42 * wide, 4.5, vein)
    gall = Ellipsoid((-0.22 * wide, -0.30 * deep, 0), (13, 20, 25), 0.3)
    if rng.random() < 0.6:
        layers += [Layer(gall.scaled(1.5), 40), Layer(gall, rng.uniform(2, 15))]
    return layers + _lesions(rng, right, hu, rng.integers(0, 6))


def _lesions(rng: np.random.Generator, organ: Ellipsoid, hu: float, count: int) -> list[Layer]:
    """Low-contrast inserts of a few to some tens of HU, both signs."""
    layers = []
    for _ in range(count):
        turn, out = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.75)
        x = organ.centre[0] + out * organ.semi_axes[0] * np.cos(turn)
        y = organ.centre[1] + out * organ.semi_axes[1] * np.sin(turn)
        change = rng.choice([-1, -1, 1]) * rng.uniform(8, 55)
        layers.append(Layer(_blob(rng, (x, y, rng.uniform(-10, 10)), rng.uniform(2, 14)), hu + change, 2.0))
    return layers


def _spleen_and_stomach(rng: np.random.Generator, wide: float, deep: float, contrast: float) -> list[Layer]:
    spleen = Ellipsoid((0.70 * wide, 0.18 * deep, 0), (0.20 * wide, 0.42 * deep, 55), -0.35, waves=_waves(rng, 0.05))
    stomach = Ellipsoid((0.40 * wide, -0.42 * deep, 0), (0.28 * wide, 0.30 * deep, 50), 0.3, waves=_waves(rng, 0.06))
    inside = stomach.scaled(-rng.uniform(3, 6))
    gas = Common((inside, HalfSpace(stomach.centre[1] - rng.uniform(-5, 12))))
    pancreas = Ellipsoid((0.08 * wide, 0.02 * deep, 0), (0.30 * wide, 9, 25), -0.25, waves=_waves(rng, 0.12))
    return [
        Layer(spleen, 50 + 70 * contrast, 3.5, "coarse"),
        Layer(stomach, 45 + 25 * contrast, 3),
        Layer(inside, rng.uniform(5, 40), 8),
        Layer(gas, GAS_HU),
        Layer(pancreas, 40 + 50 * contrast, 9),
    ]


def _kidney(rng: np.random.Generator, x: float, y: float, contrast: float) -> list[Layer]:
    outer = Ellipsoid((x, y, rng.uniform(-5, 5)), (24, 29, 55), float(np.sign(x)) * 0.5, waves=_waves(rng, 0.05))
    inner, sinus = outer.scaled(-7), Ellipsoid((x - np.sign(x) * 7, y, 0), (10, 11, 20))
    layers = [Layer(outer, 34 + 150 * contrast, 4), Layer(inner, 32 + 90 * contrast, 12), Layer(sinus, -80, 10)]
    if rng.random() < 0.4:
        layers.append(Layer(_blob(rng, (x + 12 * np.sign(x), y + 12, 0), rng.uniform(4, 12)), WATER_HU))
    if rng.random() < 0.2:
        layers.append(Layer(_blob(rng, (x - 4, y, 0), rng.uniform(1, 3)), 700))
    return layers


def _bowel(rng: np.random.Generator, wide: float, deep: float) -> list[Layer]:
    layers: list[Layer] = []
    for _ in range(rng.integers(5, 12)):
        centre = (rng.uniform(-0.05, 0.70) * wide, rng.uniform(-0.80, 0.35) * deep, rng.uniform(-20, 20))
        loop = Ellipsoid(
            centre,
            (rng.uniform(9, 22), rng.uniform(8, 15), rng.uniform(15, 60)),
            rng.uniform(0, 3),
            2.0,
            _waves(rng, 0.08),
        )
        inside = loop.scaled(-rng.uniform(2, 3.5))
        layers += [Layer(loop, rng.uniform(40, 90), 5), Layer(inside, rng.uniform(5, 45), 10)]
        if rng.random() < 0.45:
            layers.append(Layer(Common((inside, HalfSpace(centre[1] + rng.uniform(-6, 6)))), GAS_HU))
    for _ in range(rng.integers(6, 16)):
        start = (rng.uniform(-0.1, 0.7) * wide, rng.uniform(-0.7, 0.3) * deep, rng.uniform(-15, 15))
        layers += _vessel(rng, start, rng.uniform(0.8, 2.2), rng.uniform(40, 160))
    return layers


def _great_vessels(rng: np.random.Generator, y: float, contrast: float) -> list[Layer]:
    aorta = Ellipsoid((rng.uniform(4, 14), y + 4, 0), (11, 11, _TALL_MM), waves=_waves(rng, 0.02))
    cava = Ellipsoid((-rng.uniform(14, 22), y, 0), (12, 9, _TALL_MM), 0.3)
    layers = [Layer(aorta, 48), Layer(aorta.scaled(-1.2), 42 + 260 * contrast), Layer(cava, 40 + 120 * contrast)]
    for _ in range(rng.integers(0, 4)):
        turn, height = rng.uniform(0, 2 * np.pi), rng.uniform(-8, 8)
        place = (aorta.centre[0] + 10.5 * np.cos(turn), aorta.centre[1] + 10.5 * np.sin(turn), height)
        layers.append(Layer(_blob(rng, place, rng.uniform(0.8, 2.2)), rng.uniform(300, 1000)))
    return layers


def _lung(rng: np.random.Generator, side: int, wide: float, deep: float) -> list[Layer]:
    centre = (side * 0.52 * wide, 0.04 * deep, 0.0)
    lung = Ellipsoid(centre, (0.43 * wide, 0.86 * deep, 200), side * 0.08, 2.4, _waves(rng, 0.02))
    layers = [Layer(lung.scaled(1.2), 30), Layer(lung, rng.uniform(-890, -820), 18, "medium")]
    hilum = (side * 0.22 * wide, 0.05 * deep, 0.0)
    for aim in np.linspace(-0.75, 0.75, 5) * deep:
        towards = (centre[0], aim, 0.0)
        layers += _tree(rng, hilum, towards, rng.uniform(0.55, 0.95) * deep, rng.uniform(2.2, 4.5), rng.uniform(20, 60))
    for _ in range(rng.integers(0, 4)):
        turn, out = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.7)
        place = (centre[0] + 0.4 * out * wide * np.cos(turn), 0.8 * out * deep * np.sin(turn), rng.uniform(-6, 6))
        layers.append(Layer(_blob(rng, place, rng.uniform(1.5, 8)), float(rng.choice([-650, 20, 60]))))
    fissure = Tube(
        (centre[0] - 0.4 * wide, rng.uniform(-20, 10), -30), (centre[0] + 0.4 * wide, rng.uniform(0, 40), 30), 0.4
    )
    return [*layers, Layer(Common((fissure, lung.scaled(-1))), -650)]


def _heart(rng: np.random.Generator, wide: float, deep: float, contrast: float) -> list[Layer]:
    centre = (0.14 * wide, -0.22 * deep, 0.0)
    sac = Ellipsoid(centre, (0.40 * wide, 0.50 * deep, 70), 0.5, waves=_waves(rng, 0.03))
    layers = [Layer(sac, FAT_HU + 10, 8), Layer(sac.scaled(-4), 50 + 60 * contrast, 4)]
    for dx, dy, size in ((0.18, -0.05, 0.15), (-0.10, -0.12, 0.15), (0.05, 0.20, 0.13), (-0.20, 0.10, 0.12)):
        place = (centre[0] + dx * wide, centre[1] + dy * deep, 0.0)
        chamber = Ellipsoid(place, (size * wide, size * 1.3 * deep, 30), rng.uniform(0, 3), waves=_waves(rng, 0.08))
        layers.append(Layer(chamber, 42 + rng.uniform(0.5, 1.2) * 220 * contrast))
    return layers


def _airways(rng: np.random.Generator, deep: float) -> list[Layer]:
    layers: list[Layer] = []
    for side in (-1, 1):
        bronchus = Ellipsoid((side * rng.uniform(18, 26), 0.18 * deep, 0), (7, 6, _TALL_MM), side * 0.4)
        layers += [Layer(bronchus.scaled(1.5), 35), Layer(bronchus, GAS_HU)]
    return layers


def _spine(rng: np.random.Generator, y: float) -> list[Layer]:
    """A vertebra with its arch and processes; its disc is left to other slices."""
    body = Ellipsoid(
        (0, y, 0), (rng.uniform(18, 23), rng.uniform(14, 18), _TALL_MM), power=2.4, waves=_waves(rng, 0.03)
    )
    behind = y + body.semi_axes[1]
    layers = _bone(rng, body, 1.2)
    for side in (-1, 1):
        layers += _bone(rng, Ellipsoid((side * 13, behind + 8, 0), (5, 10, _TALL_MM), side * -0.3), 1.2)
        layers += _bone(rng, Ellipsoid((side * 27, behind + 10, 0), (14, 4.5, _TALL_MM), side * 0.35), 1.0)
    layers += _bone(rng, Ellipsoid((0, behind + 28, 0), (4, 14, _TALL_MM)), 1.0)
    canal = Ellipsoid((0, behind + 9, 0), (9.5, 8, _TALL_MM))
    return [*layers, Layer(canal, -40, 5), Layer(canal.scaled(-2), 12), Layer(canal.scaled(-4.5), 38)]


def _ribs(rng: np.random.Generator, cavity: Ellipsoid, count: int = 10) -> list[Layer]:
    layers: list[Layer] = []
    wide, deep = cavity.semi_axes[0] + 5, cavity.semi_axes[1] + 5
    for turn in np.linspace(-0.35, np.pi + 0.35, count) + rng.uniform(-0.05, 0.05, count):
        cosine, sine = np.cos(turn), np.sin(turn)
        out = (abs(cosine) ** cavity.power + abs(sine) ** cavity.power) ** (-1 / cavity.power)
        place = (out * wide * cosine, out * deep * sine * rng.uniform(0.97, 1.0), 0.0)
        along = float(np.arctan2(deep * cosine, -wide * sine))
        rib = Ellipsoid(place, (rng.uniform(6, 13), rng.uniform(3.2, 4.5), _TALL_MM), along + rng.uniform(-0.1, 0.1))
        layers += _bone(rng, rib, 1.0)
    return layers


def _bone(rng: np.random.Generator, outer: Ellipsoid, shell_mm: float, marrow_hu: float | None = None) -> list[Layer]:
    """A dense shell round spongy bone."""
    marrow = rng.uniform(120, 260) if marrow_hu is None else marrow_hu
    return [Layer(outer, rng.uniform(650, 1200), 40, "fine"), Layer(outer.scaled(-shell_mm), marrow, 45, "fine")]


def _table(rng: np.random.Generator, deep: float) -> list[Layer]:
    """The table under the patient: a thin curved shell with foam inside."""
    outer = Ellipsoid((0, deep - 165, 0), (230, 175, _TALL_MM))
    below = HalfSpace(deep + rng.uniform(1, 4) - 30, front=False)
    shell = Common((outer.scaled(16), below), (outer.scaled(14),))
    top = Common((outer.scaled(1.5), below), (outer,))
    return [Layer(top, rng.uniform(-250, -50)), Layer(shell, rng.uniform(-250, -50))]


def _tree(
    rng: np.random.Generator, root: Point, towards: Point, length_mm: float, radius_mm: float, hu: float
) -> list[Layer]:
    """A vessel that branches on its way from the root: every branch ends in two thinner ones."""
    layers: list[Layer] = []
    heading = np.arctan2(towards[1] - root[1], towards[0] - root[0]) + rng.uniform(-0.25, 0.25)
    branches = [(np.asarray(root, float), heading, length_mm * 0.32, radius_mm)]
    while branches:
        start, heading, length, radius = branches.pop()
        step = length * np.array([np.cos(heading), np.sin(heading), rng.uniform(-0.3, 0.3)])
        layers.append(Layer(Tube(_point(start), _point(start + step), radius), hu))
        if radius > 0.7:
            for turn in (rng.uniform(0.15, 0.7), -rng.uniform(0.15, 0.7)):
                branches.append((start + step, heading + turn, length * rng.uniform(0.7, 0.9), radius * 0.72))
    return layers


def _vessel(rng: np.random.Generator, start: Point, radius_mm: float, hu: float) -> list[Layer]:
    step = rng.uniform(-1, 1, 3) * (25, 25, 30)
    return [Layer(Tube(start, _point(np.asarray(start) + step), radius_mm), hu)]


def _blob(rng: np.random.Generator, centre: Point, radius_mm: float) -> Ellipsoid:
    a, b, c = radius_mm * rng.uniform(0.75, 1.25, 3)
    return Ellipsoid(centre, (float(a), float(b), float(c)), rng.uniform(0, 3), 2.0, _waves(rng, 0.06))


def _waves(rng: np.random.Generator, size: float) -> tuple[tuple[int, float, float], ...]:
    return tuple((k, size * rng.uniform(0.3, 1.0), rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5))


def _point(values: np.ndarray) -> Point:
    x, y, z = (float(v) for v in values)
    return x, y, z
