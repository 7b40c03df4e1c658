"""Maps between physical units and network units, shared by training and inference.

Physical units are Hounsfield units for CT and grey levels for ultrasound; names say HU where either is meant.

A map never decides alone what happens to a voxel: `weight` says how much of the network's change a voxel receives, so
that voxels outside a network's window pass through unchanged and the change fades out towards the window's edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from medenhance.errors import MedEnhanceError


class IntensityMap(Protocol):
    """Physical units <-> network units."""

    @property
    def clip_hu(self) -> tuple[float, float]:
        """The range that the network can see, HU."""

    @property
    def unit_hu(self) -> float:
        """HU per network unit: a difference of 1 in network units is this many HU."""

    def forward(self, hu: Tensor) -> Tensor:
        """HU, any shape -> network units; values outside `clip_hu` are clipped."""

    def inverse(self, x: Tensor) -> Tensor:
        """Network units, any shape -> HU."""

    def weight(self, hu: Tensor) -> Tensor:
        """Share in [0, 1] of the network's change that a voxel of this value receives."""


@dataclass(frozen=True)
class Scale:
    """Linear map over the full CT range; `center_hu` becomes 0.

    Centring soft tissue on zero keeps bf16, whose steps grow with magnitude, finest where they matter most.
    """

    center_hu: float = 0.0
    scale_hu: float = 1000.0
    clip_hu: tuple[float, float] = (-1024.0, 3071.0)

    @property
    def unit_hu(self) -> float:
        return self.scale_hu

    def forward(self, hu: Tensor) -> Tensor:
        return (hu.clamp(*self.clip_hu) - self.center_hu) / self.scale_hu

    def inverse(self, x: Tensor) -> Tensor:
        return x * self.scale_hu + self.center_hu

    def weight(self, hu: Tensor) -> Tensor:
        low, high = self.clip_hu
        return ((hu >= low) & (hu <= high)).to(hu.dtype)


@dataclass(frozen=True)
class Window:
    """A display window mapped to [0, 1], as the published windowed denoisers use it.

    Attributes:
        lo_hu, hi_hu: The window's edges.
        fade: Share of the window's width, at either edge, over which the change fades in from zero (no seam).
    """

    lo_hu: float = -160.0
    hi_hu: float = 240.0
    fade: float = 0.05

    @property
    def clip_hu(self) -> tuple[float, float]:
        return self.lo_hu, self.hi_hu

    @property
    def unit_hu(self) -> float:
        return self.hi_hu - self.lo_hu

    def forward(self, hu: Tensor) -> Tensor:
        return (hu.clamp(self.lo_hu, self.hi_hu) - self.lo_hu) / self.unit_hu

    def inverse(self, x: Tensor) -> Tensor:
        return x * self.unit_hu + self.lo_hu

    def weight(self, hu: Tensor) -> Tensor:
        depth = torch.minimum(hu - self.lo_hu, self.hi_hu - hu) / (self.fade * self.unit_hu)
        t = depth.clamp(0.0, 1.0)
        return t * t * (3.0 - 2.0 * t)


@dataclass(frozen=True)
class Grey:
    """8-bit grey values to mean 0 and SD 1; mean and SD are those of the authors' data (spec section 1.2).

    Attributes:
        mean, sd: Grey levels.
    """

    mean: float = 75.99
    sd: float = 84.15

    @property
    def clip_hu(self) -> tuple[float, float]:
        return 0.0, 255.0

    @property
    def unit_hu(self) -> float:
        return self.sd

    def forward(self, hu: Tensor) -> Tensor:
        return (hu.clamp(*self.clip_hu) - self.mean) / self.sd

    def inverse(self, x: Tensor) -> Tensor:
        return x * self.sd + self.mean

    def weight(self, hu: Tensor) -> Tensor:
        low, high = self.clip_hu
        return ((hu >= low) & (hu <= high)).to(hu.dtype)


KINDS: dict[str, type[Scale] | type[Window] | type[Grey]] = {"scale": Scale, "window": Window, "grey": Grey}


def intensity_map(spec: Mapping[str, Any]) -> IntensityMap:
    """The map that a manifest entry or a recipe describes, e.g. ``{"kind": "window", "lo_hu": -160, "hi_hu": 240}``.

    Raises:
        MedEnhanceError: `spec` names no known kind, an unknown field, or an empty range.
    """
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()}
    kind = fields.pop("kind", None)
    if kind not in KINDS:
        raise MedEnhanceError("model-invalid", f"unknown intensity map {kind!r}.", f"Known: {', '.join(KINDS)}.")
    try:
        mapping = KINDS[kind](**fields)
    except TypeError as error:
        raise MedEnhanceError("model-invalid", f"intensity map {dict(spec)}: {error}.") from error
    low, high = mapping.clip_hu
    if not (low < high and mapping.unit_hu > 0):
        raise MedEnhanceError("model-invalid", f"intensity map {dict(spec)} spans no range.")
    return mapping
