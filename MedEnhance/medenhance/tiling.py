"""Cutting a slice into overlapping tiles and blending what comes back: pure functions over (H, W)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Tile:
    """The half-open rectangle [top, bottom) x [left, right) of a slice."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def index(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """First positions of the tiles that cover `length`, the last one flush with the end.

    Every two neighbours share at least `overlap` positions; a tile as long as the axis, or longer, starts once at 0.
    """
    if not 0 <= overlap < tile:
        raise ValueError(f"overlap {overlap} must lie in [0, tile={tile})")
    if tile >= length:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(k * (length - tile) / (count - 1)) for k in range(count)]


def tiles(height: int, width: int, tile: int, overlap: int) -> Iterator[Tile]:
    """Tiles that cover an image of `height` x `width`, row by row."""
    for top in starts(height, tile, overlap):
        for left in starts(width, tile, overlap):
            yield Tile(top, min(top + tile, height), left, min(left + tile, width))


def ramp(length: int, overlap: int) -> Tensor:
    """(length,) weights that rise over `overlap` positions, stay at 1 and fall again; positive everywhere."""
    position = torch.arange(1, length + 1, dtype=torch.float32)
    edge = torch.minimum(position, position.flip(0))
    return (edge / (overlap + 1)).clamp(max=1.0)


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Extend (N, C, H, W) at the bottom and right, mirrored, until H and W are multiples of `multiple`."""
    height, width = x.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    if bottom == 0 and right == 0:
        return x
    # Mirroring needs fewer new rows than there are old ones; a sliver of an image repeats its edge instead.
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(x, (0, right, 0, bottom), mode=mode)


def blend_tiles(image: Tensor, function: Callable[[Tensor], Tensor], *, tile: int | None, overlap: int) -> Tensor:
    """Apply `function` to overlapping tiles of `image` and blend the results.

    Args:
        image: (N, C, H, W).
        function: (N, C, h, w) -> (N, C', h, w). It should return a *change* that is zero where nothing happens:
            blending divides by the sum of weights, which returns zero exactly but other constants only to rounding.
        tile: Edge length of a tile, pixels; None applies `function` once to the whole image.
        overlap: Least number of pixels that neighbouring tiles share.

    Returns:
        (N, C', H, W), float32.
    """
    height, width = image.shape[-2:]
    if tile is None or (tile >= height and tile >= width):
        return function(image)
    total: Tensor | None = None
    weights = torch.zeros((height, width), dtype=torch.float32, device=image.device)
    for part in tiles(height, width, tile, overlap):
        weight = torch.outer(ramp(part.bottom - part.top, overlap), ramp(part.right - part.left, overlap))
        weight = weight.to(image.device)
        rows, columns = part.index
        output = function(image[..., rows, columns])
        if total is None:
            total = output.new_zeros((*output.shape[:2], height, width), dtype=torch.float32)
        total[..., rows, columns] += weight * output
        weights[rows, columns] += weight
    assert total is not None  # there is at least one tile
    return total / weights
