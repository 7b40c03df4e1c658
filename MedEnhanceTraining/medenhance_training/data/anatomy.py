"""Random bodies: an abdomen, a chest, a head and a pair of thighs, as layers of a phantom.

Shapes, places and CT numbers are textbook values (contrast-enhanced or not), drawn round their means, so that a network
sees edges of every contrast in noise that it never saw before. They resemble anatomy; they do not model it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medenhance_training.data.organs import (
    FAT_HU,
    MUSCLE_HU,
    TALL_MM,
    airways,
    blob,
    bowel,
    great_vessels,
    heart,
    kidney,
    liver,
    lung,
    spleen_and_stomach,
    stomach,
    tree,
    vessel,
    waves,
)
from medenhance_training.data.phantoms import Layer, Phantom
from medenhance_training.data.shapes import Ellipsoid, Tube
from medenhance_training.data.skeleton import bone, ribs, spine, table, trunk


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
    layers, cavity = trunk(rng, wide, deep, rng.uniform(6, 26), FAT_HU - 5)
    inner_wide, inner_deep = cavity.semi_axes[:2]
    layers += liver(rng, inner_wide, inner_deep, contrast)
    layers += bowel(rng, inner_wide, inner_deep)
    layers += spleen_and_stomach(rng, inner_wide, inner_deep, contrast)
    for side in (-1, 1):
        layers += kidney(rng, side * inner_wide * rng.uniform(0.42, 0.5), inner_deep * rng.uniform(0.38, 0.5), contrast)
    spine_y = min(0.72 * inner_deep, deep - 56)
    layers += great_vessels(rng, spine_y - 31, contrast)
    layers += spine(rng, spine_y) + ribs(rng, cavity) + table(rng, deep)
    return layers


def chest(rng: np.random.Generator) -> list[Layer]:
    """The chest at the height of the heart: lungs with their vessels, heart, aorta, airways, spine, ribs."""
    wide, deep = rng.uniform(150, 190), rng.uniform(100, 130)
    contrast = rng.uniform(0, 1)
    layers, cavity = trunk(rng, wide, deep, rng.uniform(5, 20), FAT_HU + 10)
    inner_wide, inner_deep = cavity.semi_axes[:2]
    for side in (-1, 1):
        layers += lung(rng, side, inner_wide, inner_deep)
    layers += heart(rng, inner_wide, inner_deep, contrast)
    spine_y = min(0.80 * inner_deep, deep - 56)
    layers += great_vessels(rng, spine_y - 31, contrast) + airways(rng, inner_deep)
    layers += spine(rng, spine_y) + ribs(rng, cavity, 14)
    sternum = Ellipsoid((rng.uniform(-3, 3), -cavity.semi_axes[1] - 4, 0), (22, 6, TALL_MM))
    return layers + bone(rng, sternum, 1.5) + table(rng, deep)


def diaphragm(rng: np.random.Generator) -> list[Layer]:
    """The chest at the height of the diaphragm: lung round the domes of liver and spleen, stomach, the heart's base."""
    deep, contrast = 118.0, 0.55
    layers, cavity = trunk(rng, 165.0, deep, 12.0, FAT_HU + 10)
    wide, long = cavity.semi_axes[:2]
    for side in (-1, 1):
        layers += lung(rng, side, wide, long)
    dome = Ellipsoid((-0.47 * wide, -0.08 * long, -62), (0.56 * wide, 0.92 * long, 90), 0.1, waves=waves(rng, 0.03))
    layers.append(Layer(dome, 105, 4.0, "coarse"))
    layers += tree(rng, (-0.12 * wide, 0.12 * long, -4), dome.centre, 0.62 * long, 4.5, 165.0)
    for x, y, z, radius_mm, hu in ((-0.55, -0.25, 9, 9, 70), (-0.40, 0.18, 3, 5, 78), (-0.66, 0.05, -6, 7, 88)):
        layers.append(Layer(blob(rng, (x * wide, y * long, z), radius_mm), hu, 2.0))
    layers.append(Layer(Ellipsoid((0.52 * wide, -0.02 * long, -62), (0.46 * wide, 0.82 * long, 80)), FAT_HU, 8))
    spleen = Ellipsoid((0.62 * wide, 0.28 * long, -20), (0.21 * wide, 0.26 * long, 45), -0.5)
    layers.append(Layer(spleen, 115, 3.5, "coarse"))
    layers += stomach(rng, (0.46 * wide, -0.22 * long, -15), (0.22 * wide, 0.24 * long, 50))
    base = Ellipsoid((0.10 * wide, -0.50 * long, 35), (0.34 * wide, 0.36 * long, 52), 0.3)
    layers += [Layer(base.scaled(4), FAT_HU + 10, 8), Layer(base, 85, 4), Layer(base.scaled(-14), 190)]
    spine_y = deep - 56
    layers += great_vessels(rng, spine_y - 31, contrast) + spine(rng, spine_y)
    return layers + ribs(rng, cavity, 14) + table(rng, deep)


def head(rng: np.random.Generator) -> list[Layer]:
    """A head above the eyes: skull, brain, ventricles, falx."""
    wide, deep = rng.uniform(68, 80), rng.uniform(85, 98)
    scalp = Ellipsoid((0, 0, 0), (wide, deep, TALL_MM), power=2.2)
    skull, brain = scalp.scaled(-rng.uniform(4, 7)), scalp.scaled(-rng.uniform(11, 14))
    layers = [Layer(scalp, 20), Layer(scalp.scaled(-2), FAT_HU, 6), *bone(rng, skull, 2.0)]
    layers += [Layer(brain, 10), Layer(brain.scaled(-2), 37, 1.5), Layer(brain.scaled(-7), 31, 2.0, "coarse")]
    layers += [Layer(Tube((0, -deep, 0), (0, deep, 0), 1.0), 50)]
    for side in (-1, 1):
        horn = Ellipsoid((side * 12, -10, 0), (6, 24, 30), side * 0.25, waves=waves(rng, 0.1))
        nucleus = Ellipsoid((side * 24, 2, 0), (8, 18, 25), side * -0.2)
        layers += [Layer(horn, 8), Layer(nucleus, 38, 1.5)]
    for _ in range(rng.integers(0, 4)):
        lesion = blob(rng, (rng.uniform(-45, 45), rng.uniform(-55, 55), 0), rng.uniform(2, 14))
        layers.append(Layer(lesion, float(rng.choice([15, 24, 45, 68]))))
    return layers


def thighs(rng: np.random.Generator) -> list[Layer]:
    """Two thighs: skin, fat, muscles in their fascia, vessels and the shaft of the femur."""
    layers: list[Layer] = []
    radius = rng.uniform(60, 85)
    for side in (-1, 1):
        centre = (side * (radius + rng.uniform(1, 8)), rng.uniform(-5, 5), 0.0)
        skin = Ellipsoid(centre, (radius, radius * rng.uniform(0.95, 1.15), TALL_MM), waves=waves(rng, 0.02))
        layers += [Layer(skin, 30), Layer(skin.scaled(-2), FAT_HU, 7), Layer(skin.scaled(-rng.uniform(8, 20)), -60, 15)]
        for turn in np.linspace(0, 2 * np.pi, 7)[:-1] + rng.uniform(0, 1):
            place = (centre[0] + 0.42 * radius * np.cos(turn), centre[1] + 0.42 * radius * np.sin(turn), 0.0)
            muscle = Ellipsoid(place, (0.33 * radius, 0.2 * radius, TALL_MM), turn + np.pi / 2, waves=waves(rng, 0.06))
            layers.append(Layer(muscle, MUSCLE_HU + rng.uniform(-8, 12), 7, "medium"))
        layers += vessel(rng, (centre[0] - side * 20, centre[1] - 15, 0.0), 4.0, rng.uniform(40, 300))
        layers += bone(rng, Ellipsoid(centre, (14, 13, TALL_MM)), 4.5, marrow_hu=-60)
    return layers
