"""Variants of a pair of patches that are as true as the pair itself.

The parameters are drawn first (`draw`), then applied without any further randomness (`Augmentation.apply`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate1d, rotate

# Pixels that a patch needs round it so that its rim is filtered from real neighbours.
MARGIN_PX = 3


@dataclass(frozen=True)
class AugmentRange:
    """What `draw` draws from.

    Attributes:
        flip_and_turn: Whether the eight orientations of a square are drawn (the patient's arms and table then come
            from every side, which noise and anatomy do not mind).
        turn_share: Probability of a turn by one, two or three quarters; None makes the four turns equally likely.
        flip_share: Probability of a mirror image; None makes it one half.
        tilt_share: Probability of a turn by any angle up to `tilt_deg`.
        tilt_deg: The largest such angle, either way. It interpolates between pixels, which smooths the noise.
        blur_share: Probability of a smoother or sharper reconstruction of the anatomy.
        sharpness: Range of `Augmentation.sharpness`.
        width_px: Range of `Augmentation.width_px`.
    """

    flip_and_turn: bool = True
    turn_share: float | None = None
    flip_share: float | None = None
    tilt_share: float = 0.0
    tilt_deg: float = 15.0
    blur_share: float = 0.5
    sharpness: tuple[float, float] = (-0.8, 0.5)
    width_px: tuple[float, float] = (0.5, 1.0)


@dataclass(frozen=True)
class Augmentation:
    """One drawn variant.

    Attributes:
        turns: Quarter turns, 0 to 3.
        flip: Whether the columns are mirrored before.
        sharpness: Share of the fine detail that is added (above 0) or taken away (below 0); 0 leaves the image alone.
        width_px: Standard deviation of the Gaussian that separates the fine detail.
        tilt_deg: Angle by which the image is turned besides, about its centre; its rim is continued to the outside.
    """

    turns: int = 0
    flip: bool = False
    sharpness: float = 0.0
    width_px: float = 0.7
    tilt_deg: float = 0.0

    def orient(self, image: np.ndarray) -> np.ndarray:
        """(H, W) -> (H, W) or (W, H): the image mirrored and turned."""
        upright = np.rot90(image[:, ::-1] if self.flip else image, self.turns)
        if self.tilt_deg == 0.0:
            return upright
        return np.asarray(rotate(upright, self.tilt_deg, reshape=False, order=1, mode="nearest"))

    def rekernel(self, image: np.ndarray) -> np.ndarray:
        """(H, W) HU -> (H - 6, W - 6) HU: as a smoother or sharper kernel shows it, without the margin.

        The filter's gain at frequency 0 is 1, so the mean HU of an area stays.
        """
        inner = image[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
        if self.sharpness == 0.0:
            return inner
        taps = _gaussian(self.width_px)
        smooth = correlate1d(correlate1d(image, taps, axis=0), taps, axis=1)[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
        return inner + np.float32(self.sharpness) * (inner - smooth)


def draw(rng: np.random.Generator, within: AugmentRange) -> Augmentation:
    """Draw a variant; as many draws whatever comes out of one range, so that what follows stays in step."""
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    blur, sharpness, width = rng.random(), rng.uniform(*within.sharpness), rng.uniform(*within.width_px)
    if within.turn_share is not None:
        quarters, chosen = int(rng.integers(1, 4)), rng.random()
        turns = quarters if chosen < within.turn_share else 0
    if within.flip_share is not None:
        flip = bool(rng.random() < within.flip_share)
    return Augmentation(
        turns=turns if within.flip_and_turn else 0,
        flip=flip and within.flip_and_turn,
        sharpness=sharpness if blur < within.blur_share else 0.0,
        width_px=width,
        tilt_deg=_tilt(rng, within),
    )


def _tilt(rng: np.random.Generator, within: AugmentRange) -> float:
    """Degrees; nothing is drawn where there is no tilt, so that streams of such recipes are what they were."""
    if within.tilt_share == 0.0:
        return 0.0
    chosen, angle = rng.random(), rng.uniform(-within.tilt_deg, within.tilt_deg)
    return float(angle) if chosen < within.tilt_share else 0.0


def _gaussian(width_px: float) -> np.ndarray:
    """(7,) float32, sum 1."""
    taps = np.exp(-0.5 * (np.arange(-MARGIN_PX, MARGIN_PX + 1) / width_px) ** 2)
    return (taps / taps.sum()).astype(np.float32)
