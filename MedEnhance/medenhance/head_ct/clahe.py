"""Contrast-limited adaptive histogram equalisation of CT slices (Zuiderveld 1994), as OpenCV computes it.

The paper names the method without its settings; the released code has a clip limit of 2 on 8 x 8 tiles of an 8-bit
image (specification, 1.2), which are the defaults.
"""

from __future__ import annotations

import numpy as np

_GREYS = 256


def equalised_hu(
    hu: np.ndarray, window_hu: tuple[float, float], clip_limit: float = 2.0, tiles: tuple[int, int] = (8, 8)
) -> np.ndarray:
    """Equalise each slice inside a window.

    Args:
        hu: (D, H, W) HU.
        window_hu: Lower and upper edge; values beyond are clipped.
        clip_limit: Most pixels of one grey, relative to equal shares.
        tiles: Rows and columns of tiles.

    Returns:
        (D, H, W) float32: the equalised grey as the HU that the window shows in that grey.
    """
    low, high = window_hu
    grey = np.rint((np.clip(hu, low, high) - low) * ((_GREYS - 1) / (high - low))).astype(np.uint8)
    equal = np.stack([equalised(one, clip_limit, tiles) for one in grey])
    return (low + equal.astype(np.float32) * np.float32((high - low) / (_GREYS - 1))).astype(np.float32)


def equalised(grey: np.ndarray, clip_limit: float = 2.0, tiles: tuple[int, int] = (8, 8)) -> np.ndarray:
    """(H, W) uint8 -> (H, W) uint8."""
    rest = [count - n % count for n, count in zip(grey.shape, tiles, strict=True)]
    divides = all(r == count for r, count in zip(rest, tiles, strict=True))
    # Where one axis does not divide into tiles OpenCV pads the other too, by as many pixels as it has tiles.
    padded = grey if divides else np.pad(grey, [(0, rest[0]), (0, rest[1])], mode="reflect")
    tile = padded.shape[0] // tiles[0], padded.shape[1] // tiles[1]
    curves = _curves(padded, tile, tiles, clip_limit)
    return _interpolated(grey, curves, tile)


def _curves(padded: np.ndarray, tile: tuple[int, int], tiles: tuple[int, int], clip_limit: float) -> np.ndarray:
    """(rows, columns, 256) float32: the new grey of each grey in each tile."""
    area = tile[0] * tile[1]
    parts = padded.reshape(tiles[0], tile[0], tiles[1], tile[1]).transpose(0, 2, 1, 3).reshape(-1, area)
    most = max(int(clip_limit * area / _GREYS), 1)
    curves = np.empty((len(parts), _GREYS), np.float32)
    for curve, part in zip(curves, parts, strict=True):
        counts = _clipped(np.bincount(part, minlength=_GREYS), most)
        curve[...] = np.clip(np.rint(np.cumsum(counts) * np.float32((_GREYS - 1) / area)), 0, _GREYS - 1)
    return curves.reshape(*tiles, _GREYS)


def _clipped(counts: np.ndarray, most: int) -> np.ndarray:
    """Counts of at most about `most`; what was cut off is spread over all greys, the remainder at even steps."""
    excess = int(np.maximum(counts - most, 0).sum())
    share, remainder = divmod(excess, _GREYS)
    counts = np.minimum(counts, most) + share
    if remainder:
        step = max(_GREYS // remainder, 1)
        counts[: step * remainder : step] += 1
    return counts


def _interpolated(grey: np.ndarray, curves: np.ndarray, tile: tuple[int, int]) -> np.ndarray:
    """Each pixel's new grey, bilinear between the curves of the four tiles around it."""
    (top, bottom, down), (left, right, across) = (
        _between(n, side, count) for n, side, count in zip(grey.shape, tile, curves.shape[:2], strict=True)
    )
    down, across = down[:, None], across[None]

    def of(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        found: np.ndarray = curves[rows[:, None], columns[None], grey]
        return found

    upper = of(top, left) * (1 - across) + of(top, right) * across
    lower = of(bottom, left) * (1 - across) + of(bottom, right) * across
    return np.asarray(np.rint(upper * (1 - down) + lower * down), dtype=np.uint8)


def _between(n: int, side: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of n pixels the tile before it, the tile after it, and how far it has gone from one to the other."""
    place = np.arange(n, dtype=np.float32) / np.float32(side) - np.float32(0.5)
    before = np.floor(place).astype(int)
    share = (place - before).astype(np.float32)
    return np.clip(before, 0, count - 1), np.clip(before + 1, 0, count - 1), share
