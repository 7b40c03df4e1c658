"""The wall of the trunk, bones and the table as layers of a phantom."""

from __future__ import annotations

import numpy as np

from medenhance_training.data.organs import FAT_HU, MUSCLE_HU, TALL_MM, waves
from medenhance_training.data.phantoms import Layer
from medenhance_training.data.shapes import Common, Ellipsoid, HalfSpace


def trunk(
    rng: np.random.Generator, wide: float, deep: float, fat_mm: float, cavity_hu: float
) -> tuple[list[Layer], Ellipsoid]:
    """Skin, subcutaneous fat, the muscles of the wall and the fat inside them; and the cavity."""
    skin = Ellipsoid((0, 0, 0), (wide, deep, TALL_MM), power=rng.uniform(2.1, 2.6), waves=waves(rng, 0.015))
    wall = skin.scaled(-2.5 - fat_mm)
    cavity = wall.scaled(-rng.uniform(9, 14))
    layers = [Layer(skin, 30), Layer(skin.scaled(-2.5), FAT_HU, 7), Layer(wall, MUSCLE_HU, 7)]
    layers.append(Layer(wall.scaled(-4.0), -70, 12))
    layers.append(Layer(wall.scaled(-5.5), MUSCLE_HU - 3, 7))
    layers.append(Layer(cavity, cavity_hu, 9))
    for side in (-1, 1):
        psoas = Ellipsoid((side * 30, cavity.semi_axes[1] * 0.62, 0), (14, 18, TALL_MM), side * 0.3)
        back = Ellipsoid(
            (side * 34, cavity.semi_axes[1] * 1.0, 0), (30, 19, TALL_MM), side * 0.15, waves=waves(rng, 0.04)
        )
        layers += [Layer(psoas, MUSCLE_HU, 6), Layer(back, MUSCLE_HU - 4, 10)]
    return layers, cavity


def spine(rng: np.random.Generator, y: float) -> list[Layer]:
    """A vertebra with its arch and processes, whose tip lies about 50 mm behind ``y``."""
    body = Ellipsoid((0, y, 0), (rng.uniform(18, 23), rng.uniform(14, 17), TALL_MM), power=2.4, waves=waves(rng, 0.03))
    behind = y + body.semi_axes[1]
    layers = bone(rng, body, 1.2)
    for side in (-1, 1):
        layers += bone(rng, Ellipsoid((side * 13, behind + 8, 0), (5, 10, TALL_MM), side * -0.3), 1.2)
        layers += bone(rng, Ellipsoid((side * 27, behind + 10, 0), (14, 4.5, TALL_MM), side * 0.35), 1.0)
    layers += bone(rng, Ellipsoid((0, behind + 23, 0), (4, 10, TALL_MM)), 1.0)
    canal = Ellipsoid((0, behind + 9, 0), (9.5, 8, TALL_MM))
    return [*layers, Layer(canal, -40, 5), Layer(canal.scaled(-2), 12), Layer(canal.scaled(-4.5), 38)]


def ribs(rng: np.random.Generator, cavity: Ellipsoid, count: int = 10) -> list[Layer]:
    layers: list[Layer] = []
    wide, deep = cavity.semi_axes[0] + 5, cavity.semi_axes[1] + 5
    for turn in np.linspace(-0.35, np.pi + 0.35, count) + rng.uniform(-0.05, 0.05, count):
        cosine, sine = np.cos(turn), np.sin(turn)
        out = (abs(cosine) ** cavity.power + abs(sine) ** cavity.power) ** (-1 / cavity.power)
        place = (out * wide * cosine, out * deep * sine * rng.uniform(0.97, 1.0), 0.0)
        along = float(np.arctan2(deep * cosine, -wide * sine))
        rib = Ellipsoid(place, (rng.uniform(6, 13), rng.uniform(3.2, 4.5), TALL_MM), along + rng.uniform(-0.1, 0.1))
        layers += bone(rng, rib, 1.0)
    return layers


def bone(rng: np.random.Generator, outer: Ellipsoid, shell_mm: float, marrow_hu: float | None = None) -> list[Layer]:
    """A dense shell round spongy bone."""
    marrow = rng.uniform(120, 260) if marrow_hu is None else marrow_hu
    return [Layer(outer, rng.uniform(650, 1200), 40, "fine"), Layer(outer.scaled(-shell_mm), marrow, 45, "fine")]


def table(rng: np.random.Generator, deep: float) -> list[Layer]:
    """The table under the patient: a thin curved shell with foam inside."""
    outer = Ellipsoid((0, deep - 165, 0), (230, 175, TALL_MM))
    below = HalfSpace(deep + rng.uniform(1, 4) - 30, front=False)
    shell = Common((outer.scaled(16), below), (outer.scaled(14),))
    top = Common((outer.scaled(1.5), below), (outer,))
    return [Layer(top, rng.uniform(-250, -50)), Layer(shell, rng.uniform(-250, -50))]
