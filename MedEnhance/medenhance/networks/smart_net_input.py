"""What SMART-Net sees of a head CT: frame, contrast, windows, neighbouring slices.

The first two are prepared outside of the network (`medenhance.head_ct`), in training as in use; the rest is its first
layer, so that weights and preparation cannot part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from medenhance.head_ct.frame_config import FrameConfig
from medenhance.networks.brain_level import levelled

_FLAT = 1e-6  # a slice of one value has no range to stretch


@dataclass(frozen=True)
class HeadInput:
    """How a scan becomes the input of a network; the defaults are the paper's.

    Attributes:
        frame: Size and scale of the slices.
        clahe: Contrast-limited adaptive histogram equalisation of the first window, slice by slice.
        windows_hu: Each gives one image, its lower edge 0 and its upper edge 1.
        scale: "unit" leaves it so (paper); "min-max" stretches each slice to [0, 1] (2022); "centred" then takes it to
            [-1, 1] (2024).
        neighbours: Slices below and above that are seen beside each slice; 0 as published.
        levelled: Brain is brought to one level and the bright rim beside the skull taken away (`brain_level`); not
            published.
        mirrored: A scan is also seen with left and right exchanged, and what is said of both is averaged; not
            published. Only in use: training mirrors at random.
        unshuffle: Folds the image into unshuffle**2 channels of 1/unshuffle its size; 1 as published.
    """

    frame: FrameConfig = field(default_factory=FrameConfig)
    clahe: bool = True
    windows_hu: tuple[tuple[float, float], ...] = ((0.0, 80.0),)
    scale: Literal["unit", "min-max", "centred"] = "unit"
    neighbours: int = 0
    levelled: bool = False
    mirrored: bool = False
    unshuffle: int = 1

    def __post_init__(self) -> None:
        if not self.windows_hu or (self.clahe and len(self.windows_hu) > 1):
            raise ValueError(f"equalisation works in one window, not in {len(self.windows_hu)}")

    @property
    def slices(self) -> int:
        """Slices that the network sees at once."""
        return 2 * self.neighbours + 1

    @property
    def channels(self) -> int:
        """Channels of what `folded` returns."""
        return self.slices * len(self.windows_hu) * self.unshuffle**2


def windowed(hu: Tensor, config: HeadInput) -> Tensor:
    """(N, K, H, W) HU -> (N, K x windows, H, W) float32: all slices in the first window, then in the next."""
    hu = levelled(hu) if config.levelled else hu
    images = torch.cat([((hu - low) / (high - low)).clamp(0.0, 1.0) for low, high in config.windows_hu], dim=1)
    if config.scale == "unit":
        return images
    least, most = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    stretched = (images - least) / (most - least).clamp(min=_FLAT)
    return stretched if config.scale == "min-max" else 2.0 * stretched - 1.0


def folded(images: Tensor, config: HeadInput) -> Tensor:
    """(N, C, H, W) -> (N, C x unshuffle**2, H / unshuffle, W / unshuffle)."""
    return F.pixel_unshuffle(images, config.unshuffle) if config.unshuffle > 1 else images


def middle(images: Tensor, config: HeadInput) -> Tensor:
    """The slice itself in each window, without its neighbours: (N, K x windows, H, W) -> (N, windows, H, W)."""
    return images[:, config.neighbours :: config.slices]


def with_neighbours(slices: Tensor, first: Tensor, last: Tensor, config: HeadInput) -> Tensor:
    """Put the slices around each slice beside it; beyond the end of its scan, the last one again.

    Args:
        slices: (N, H, W), the real slices of all scans one after the other, HU.
        first, last: (N,) index of the first and the last slice of the scan that each belongs to.

    Returns:
        (N, 2 x neighbours + 1, H, W).
    """
    here = torch.arange(len(slices), device=slices.device)
    steps = range(-config.neighbours, config.neighbours + 1)
    return torch.stack([slices[(here + step).clamp(first, last)] for step in steps], dim=1)
