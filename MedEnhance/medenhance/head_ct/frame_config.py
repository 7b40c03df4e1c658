"""Size and scale of the slices that a network for head CT sees: a part of its configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameConfig:
    """Size and scale of the slices that a network sees.

    Attributes:
        size_px: Rows and columns.
        pixel_mm: Side of a pixel; the frame is then centred on the head. None takes the whole image, whatever its
            scale, as the paper does.
    """

    size_px: int = 256
    pixel_mm: float | None = None
