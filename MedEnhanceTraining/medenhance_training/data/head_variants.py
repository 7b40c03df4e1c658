"""Variants of framed head CT slices that are as true as themselves (papers/004 B, implementation details)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_AIR_HU = -1000.0
_BONE_HU = 120.0
_TISSUE_HU = -200.0  # below it is air
_CENTRE_HU = 40.0  # middle of the paper's window, about which contrast changes


@dataclass(frozen=True)
class HeadVariants:
    """What may be drawn; the defaults are those of the 2022 code, in HU (specification, 1.2).

    Attributes:
        share: Probability of each of them.
        shift: Half range of a shift, share of the image's side.
        scale: Half range of a change of size.
        rotation_deg: Half range of a rotation.
        mirror: Left and right change places in half of the draws.
        flip: Front and back, likewise (2024).
        offset_hu: Half range of an added value: brightness, and the paper's intensity shift.
        contrast: Half range of a change of contrast about 40 HU.
        noise_hu: Standard deviation of added noise, from 0 to this.
        blur_px: Standard deviation of a blur, from 0 to this.
        glow_hu: Brightening beside bone, from 0 to this at its border: beam hardening and scatter that are left. It
            reaches 1 to 6 pixels far, and one side of the head may have more of it than the other.
        thicken: Share that a slice takes of each of its neighbours, from 0 to this: a scan with thicker slices.
        part_share: Probability that of a whole scan a few slices are seen alone, as in a study of one slice.
    """

    share: float = 0.5
    shift: float = 0.0625
    scale: float = 0.1
    rotation_deg: float = 15.0
    mirror: bool = True
    flip: bool = False
    offset_hu: float = 8.0
    contrast: float = 0.1
    noise_hu: float = 5.7
    blur_px: float = 0.8
    glow_hu: float = 0.0
    thicken: float = 0.0
    part_share: float = 0.0


@dataclass(frozen=True)
class Glow:
    """Brightening beside bone.

    Attributes:
        hu: At a straight border of bone, the mean around the head.
        reach_px: Standard deviation of its fall.
        lean: How much more of it one side has, as a share.
        angle: Of that side, radians.
    """

    hu: float
    reach_px: float
    lean: float
    angle: float


@dataclass(frozen=True)
class HeadVariant:
    """One drawn variant; all slices of a scan share it. Its parts are explained in `HeadVariants`."""

    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    rotation_deg: float = 0.0
    mirror: bool = False
    flip: bool = False
    offset_hu: float = 0.0
    contrast: float = 1.0
    noise_hu: float = 0.0
    blur_px: float = 0.0
    glow: Glow | None = None
    thicken: float = 0.0

    @property
    def moves(self) -> bool:
        """Whether pixels change their places by more than mirroring."""
        return self.shift != (0.0, 0.0) or self.scale != 1.0 or self.rotation_deg != 0.0


def drawn_variant(within: HeadVariants, rng: np.random.Generator) -> HeadVariant:
    """A variant; the same state of `rng` gives the same."""
    chance = rng.random(7) < within.share
    signed = 2.0 * rng.random(6) - 1.0
    positive = rng.random(2)
    # Recipes without them draw what they always drew.
    glow = _drawn_glow(within, rng) if within.glow_hu else None
    thick, much = rng.random(2).tolist() if within.thicken else (1.0, 0.0)
    return HeadVariant(
        shift=(float(signed[0] * within.shift), float(signed[1] * within.shift)) if chance[0] else (0.0, 0.0),
        scale=1.0 + float(signed[2] * within.scale) if chance[0] else 1.0,
        rotation_deg=float(signed[3] * within.rotation_deg) if chance[0] else 0.0,
        mirror=bool(within.mirror and chance[1]),
        flip=bool(within.flip and chance[2]),
        offset_hu=float(signed[4] * within.offset_hu) if chance[3] else 0.0,
        contrast=1.0 + float(signed[5] * within.contrast) if chance[4] else 1.0,
        noise_hu=float(positive[0] * within.noise_hu) if chance[5] else 0.0,
        blur_px=float(positive[1] * within.blur_px) if chance[6] else 0.0,
        glow=glow,
        thicken=much * within.thicken if thick < within.share else 0.0,
    )


def _drawn_glow(within: HeadVariants, rng: np.random.Generator) -> Glow | None:
    chance, strength, reach, lean, angle = rng.random(5).tolist()
    if chance >= within.share:
        return None
    return Glow(strength * within.glow_hu, 1.0 + 5.0 * reach, lean, 2.0 * math.pi * angle)


def thickened(slices: np.ndarray, share: float) -> np.ndarray:
    """(K + 2, S, S) -> (K, S, S) float32: each slice with so much of the one below and of the one above it."""
    own = slices[1:-1].astype(np.float32)
    if not share:
        return own
    return own + share * (slices[:-2].astype(np.float32) + slices[2:].astype(np.float32) - 2.0 * own)


def varied(hu: np.ndarray, share: np.ndarray, variant: HeadVariant, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Apply a variant.

    Args:
        hu: (K, S, S) slices, HU.
        share: (M, S, S) blood of some slices of the same place, 0 to 1.
        variant: What to do.
        rng: For the noise.

    Returns:
        The slices and the blood, float32.
    """
    images, blood = (torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for array in (hu, share))
    together = torch.cat([images - _AIR_HU, blood])  # what comes in from outside is 0: air, and no blood
    for wanted, axis in ((variant.mirror, 2), (variant.flip, 1)):
        together = together.flip(axis) if wanted else together
    if variant.moves:
        together = _moved(together, variant)
    images, blood = together[: len(images)] + _AIR_HU, together[len(images) :]
    return _toned(images, variant, rng), blood


def _moved(images: Tensor, variant: HeadVariant) -> Tensor:
    angle = math.radians(variant.rotation_deg)
    cos, sin = math.cos(angle) / variant.scale, math.sin(angle) / variant.scale
    matrix = torch.tensor([[cos, -sin, 2 * variant.shift[0]], [sin, cos, 2 * variant.shift[1]]])
    grid = F.affine_grid(matrix[None], [1, *images.shape], align_corners=False)
    return F.grid_sample(images[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]


def _toned(images: Tensor, variant: HeadVariant, rng: np.random.Generator) -> Tensor:
    if variant.glow is not None:
        images = images + _glow(images, variant.glow)
    if variant.blur_px > 0.1:  # below that, neighbouring pixels get less than a millionth
        images = _blurred(images, variant.blur_px, 2)
    if variant.noise_hu > 0.0:
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        images = images + variant.noise_hu * torch.randn(images.shape, generator=generator)
    if variant.contrast != 1.0 or variant.offset_hu != 0.0:
        images = (images - _CENTRE_HU) * variant.contrast + (_CENTRE_HU + variant.offset_hu)
    return images


def _glow(images: Tensor, glow: Glow) -> Tensor:
    bone = images > _BONE_HU
    # Half of a straight border's blur lies on either side: twice of it is 1 there.
    near = 2.0 * _blurred(bone.float(), glow.reach_px, math.ceil(3.0 * glow.reach_px))
    rows, columns = (torch.arange(n) - (n - 1) / 2 for n in images.shape[1:])
    x, y = columns[None, :], rows[:, None]
    aside = (x * math.cos(glow.angle) + y * math.sin(glow.angle)) / torch.hypot(x, y).clamp(min=1.0)
    return glow.hu * (1.0 + glow.lean * aside) * near * (~bone & (images > _TISSUE_HU))


def _blurred(images: Tensor, sigma_px: float, reach: int) -> Tensor:
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma_px) ** 2)
    taps = taps / taps.sum()
    padded = F.pad(images[:, None], (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))[:, 0]
