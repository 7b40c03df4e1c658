"""How Models Genesis spoils an image that a network then has to restore (Zhou et al., MICCAI 2019, section 2).

Written from the paper; the authors' code has a non-commercial licence and was not used. The paper's cubes are slices
here, as in the thesis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_CURVE_POINTS = 200  # of the Bezier curve; the window has 80 HU, so finer steps than the noise


@dataclass(frozen=True)
class Genesis:
    """How often each of the four is done; the defaults are the paper's.

    Attributes:
        intensity: A random monotonic curve on the values.
        shuffle: Pixels of small windows change places.
        painting: Parts are painted over with noise ...
        outer: ... and this share of the times all but those parts.
        windows: Number of shuffled windows.
        largest_window: Share of the image's side that a shuffled window has at most.
        window_hu: Values within are changed; what lies beyond is clipped first.
    """

    intensity: float = 0.9
    shuffle: float = 0.5
    painting: float = 0.9
    outer: float = 0.8
    windows: int = 200
    largest_window: float = 0.1
    window_hu: tuple[float, float] = (0.0, 80.0)


def spoiled(slices: Tensor, config: Genesis, rng: np.random.Generator) -> Tensor:
    """(K, S, S) HU -> the same, spoiled, HU; all slices alike."""
    low, high = config.window_hu
    image = ((slices.numpy() - low) / (high - low)).clip(0.0, 1.0).astype(np.float32)
    if rng.random() < config.intensity:
        image = _curved(image, rng)
    if rng.random() < config.shuffle:
        image = _shuffled(image, config, rng)
    if rng.random() < config.painting:
        image = _painted_outside(image, rng) if rng.random() < config.outer else _painted_inside(image, rng)
    return torch.from_numpy(image * np.float32(high - low) + np.float32(low))


def _curved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Through a cubic Bezier curve from (0, 0) to (1, 1), or from (0, 1) to (1, 0)."""
    points = np.array([[0.0, 0.0], rng.random(2), rng.random(2), [1.0, 1.0]])
    t = np.linspace(0.0, 1.0, _CURVE_POINTS)[:, None]
    x, y = ((1 - t) ** 3 * points[0] + 3 * (1 - t) ** 2 * t * points[1] + 3 * (1 - t) * t**2 * points[2]
            + t**3 * points[3]).T  # fmt: skip
    falling = rng.random() < 0.5
    return np.interp(image, np.sort(x), np.sort(y)[::-1] if falling else np.sort(y)).astype(np.float32)


def _shuffled(image: np.ndarray, config: Genesis, rng: np.random.Generator) -> np.ndarray:
    image, side = image.copy(), image.shape[-1]
    most = max(int(config.largest_window * side), 2)
    for _ in range(config.windows):
        height, width = rng.integers(1, most, size=2, endpoint=True)
        row, column = rng.integers(side - height + 1), rng.integers(side - width + 1)
        window = image[:, row : row + height, column : column + width]
        order = rng.permutation(height * width)
        image[:, row : row + height, column : column + width] = window.reshape(len(image), -1)[:, order].reshape(
            window.shape
        )
    return image


def _painted_inside(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to five blocks of a sixth to a third of the side become noise."""
    image = image.copy()
    for rows, columns in _blocks(image.shape[-1], (1 / 6, 1 / 3), rng):
        image[:, rows, columns] = rng.random((rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32)
    return image


def _painted_outside(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """All but up to five blocks of three to four sevenths of the side become noise."""
    side = image.shape[-1]
    painted = np.broadcast_to(rng.random((side, side), dtype=np.float32), image.shape).copy()
    for rows, columns in _blocks(side, (3 / 7, 4 / 7), rng):
        painted[:, rows, columns] = image[:, rows, columns]
    return painted


def _blocks(side: int, shares: tuple[float, float], rng: np.random.Generator) -> list[tuple[slice, slice]]:
    blocks = []
    for _ in range(int(rng.integers(1, 6))):
        height, width = (max(int(side * rng.uniform(*shares)), 1) for _ in range(2))
        row, column = int(rng.integers(side - height + 1)), int(rng.integers(side - width + 1))
        blocks.append((slice(row, row + height), slice(column, column + width)))
    return blocks
