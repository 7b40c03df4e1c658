"""An endless stream of spine patches and crops whose randomness follows from its position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import rotate

from medenhance.errors import MedEnhanceError
from medenhance_training.data.spine_bank import Projection
from medenhance_training.data.spine_patches import Place, SplitPatches

_TRIES = 4
_LEAST_SCAN = 0.2


@dataclass(frozen=True)
class SpineVariants:
    """Variants of a patch that are as true as itself.

    Attributes:
        mirror: Left and right change places in half of the draws.
        turn: Patches, not crops, are turned by 180 degrees in half of them; a quarter turn would put dashes upright.
        rotation_deg: Both are rotated by up to so many degrees. It blurs dashes of one row, so 0 leaves them alone.
        gain: Range of a factor on the grey, drawn for each.
    """

    mirror: bool = True
    turn: bool = True
    rotation_deg: float = 0.0
    gain: tuple[float, float] = (1.0, 1.0)


class Variant(NamedTuple):
    """One drawn variant; its parts are explained in `SpineVariants`."""

    mirror: bool
    turn: bool
    rotation_deg: float
    gain: float

    def of(self, image: np.ndarray, *, is_label: bool = False) -> np.ndarray:
        """(H, W) -> (H, W); labels keep their values."""
        image = image[:, ::-1] if self.mirror else image
        image = image[::-1, ::-1] if self.turn else image
        if self.rotation_deg:
            image = rotate(image, self.rotation_deg, reshape=False, order=0 if is_label else 1, mode="nearest")
        return image if is_label or self.gain == 1.0 else np.clip(image * np.float32(self.gain), 0, 255)


@dataclass(frozen=True)
class SpineStream:
    """Draws batches of corrupted patches, clean patches that belong to others, and larger crops with labels.

    Sample k depends on (seed, k) alone. A global batch at position s is samples s to s + batch - 1, of which rank r of
    w takes the r-th of w shares; every `crop_every`-th sample also brings a crop.

    Attributes:
        projections: What is drawn from.
        patches: Where its patches are; None where a method needs crops alone.
        patch: Side of a patch, px.
        crop: Rows and columns of a crop, px.
        batch: Size of the global batch.
        seed: Of the stream.
        rank, world_size: This process of all.
        crop_every: Samples for each crop.
        variants: Variants to draw.
    """

    projections: Sequence[Projection]
    patches: SplitPatches | None
    patch: int
    crop: tuple[int, int]
    batch: int
    seed: int
    rank: int = 0
    world_size: int = 1
    crop_every: int = 1
    variants: SpineVariants = SpineVariants()

    def __post_init__(self) -> None:
        if self.batch % (self.world_size * self.crop_every):
            raise MedEnhanceError(
                "bad-option",
                f"a batch of {self.batch} gives no whole number of crops to each of {self.world_size} processes.",
                f"Choose a multiple of {self.world_size * self.crop_every}, one crop for {self.crop_every} samples.",
            )
        smallest = [min(one.noisy.shape[axis] for one in self.projections) for axis in (0, 1)]
        if smallest[0] < self.crop[0] or smallest[1] < self.crop[1]:
            message = f"a crop of {self.crop} px does not fit into a projection of {tuple(smallest)} px."
            raise MedEnhanceError("bad-option", message, "Set smaller --data.crop.")

    def batch_at(self, samples_seen: int) -> dict[str, torch.Tensor]:
        """This rank's share of the batch that follows ``samples_seen`` samples.

        Returns:
            "corrupted", "twin" (the same without structured noise), "clean": (n, 1, P, P) float32 grey, and their
            "corrupted_labels" and "clean_labels", (n, P, P) int64; "image", "image_twin": (m, 1, h, w) and "labels":
            (m, h, w) of the crops, m = n / crop_every.
        """
        share = self.batch // self.world_size
        first = samples_seen + self.rank * share
        found: dict[str, list[np.ndarray]] = {}
        for position in range(first, first + share):
            for name, image in self.sample(position).items():
                found.setdefault(name, []).append(image)
        return {name: _tensor(name, images) for name, images in found.items()}

    def sample(self, position: int) -> dict[str, np.ndarray]:
        """What the sample at a position of the stream brings, by the names of `batch_at`, (H, W) each."""
        rng = np.random.default_rng([self.seed, position])
        found: dict[str, np.ndarray] = {}
        if self.patches is not None:
            found |= self._patch(rng, self.patches.corrupted, ("corrupted", "twin", "corrupted_labels"))
            found |= self._patch(rng, self.patches.clean, ("clean", None, "clean_labels"))
        if position % self.crop_every == 0:
            found |= self._crop(rng)
        return found

    def _patch(
        self, rng: np.random.Generator, places: list[Place], names: tuple[str, str | None, str]
    ) -> dict[str, np.ndarray]:
        place = places[rng.integers(len(places))]
        window = slice(place.row, place.row + self.patch), slice(place.column, place.column + self.patch)
        return _cut(self.projections[place.projection], window, self._draw(rng, self.variants.turn), names)

    def _crop(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A crop that shows some of the scan, when a few tries find one."""
        height, width = self.crop
        for _ in range(_TRIES):
            one = self.projections[int(rng.integers(len(self.projections)))]
            row, column = (int(rng.integers(n - side + 1)) for n, side in zip(one.noisy.shape, self.crop, strict=True))
            window = slice(row, row + height), slice(column, column + width)
            if one.scan[window].mean() >= _LEAST_SCAN:
                break
        return _cut(one, window, self._draw(rng, turn=False), ("image", "image_twin", "labels"))

    def _draw(self, rng: np.random.Generator, turn: bool) -> Variant:
        mirror, turned, angle, gain = rng.random(4)
        within = self.variants
        return Variant(
            mirror=bool(mirror < 0.5 and within.mirror),
            turn=bool(turned < 0.5 and turn),
            rotation_deg=float((2 * angle - 1) * within.rotation_deg),
            gain=float(within.gain[0] + (within.gain[1] - within.gain[0]) * gain),
        )


def _cut(
    one: Projection, window: tuple[slice, slice], variant: Variant, names: tuple[str, str | None, str]
) -> dict[str, np.ndarray]:
    noisy, twin, labels = names
    found = {noisy: variant.of(one.noisy[window]), labels: variant.of(one.labels[window], is_label=True)}
    if twin is not None:
        found[twin] = variant.of(one.clean[window])
    return found


def _tensor(name: str, images: list[np.ndarray]) -> torch.Tensor:
    stacked = torch.from_numpy(np.stack(images))
    return stacked.long() if name.endswith("labels") else stacked.float()[:, None]
