"""Small slices with everything that an evaluation looks for: two tissues, air, structure, and noise of known SD."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from medenhance_training.evaluate import Pair

SIZE = 160


def truth(seed: int = 0) -> np.ndarray:
    """(160, 160) float32, HU: a soft-tissue ellipse with a fat rim and vessels, in air."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    radius = np.hypot(rows / 66, columns / 74)
    image = np.where(radius < 1, -100.0, -1000.0)
    image[radius < 0.8] = 50.0
    for _ in range(60):
        at, size = rng.uniform(-45, 45, 2), rng.uniform(1.5, 4)
        image[np.hypot(rows - at[0], columns - at[1]) < size] = 170.0
    return gaussian_filter(image, 0.7).astype(np.float32)


def noise(seed: int, sd_hu: float) -> np.ndarray:
    return np.random.default_rng([seed, 9]).normal(0, sd_hu, (SIZE, SIZE)).astype(np.float32)


def pair(
    seed: int = 0, sd_hu: float = 30.0, subset: str = "patients, 25% dose, soft kernel", index: int = 0, place: int = 0
) -> Pair:
    """A noisy slice and the truth; `place` is the anatomy, `seed` the noise."""
    normal = truth(place)
    return Pair(subset, "ellipse", index, (normal + noise(seed, sd_hu))[None], normal[None], 0.8, "soft")
