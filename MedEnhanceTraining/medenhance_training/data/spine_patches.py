"""Patch splitting of DA-GAN (papers/001, section 2.1): corrupted patches, clean patches, and those used for neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.ndimage import correlate1d

from medenhance.errors import MedEnhanceError
from medenhance.measure.stripes import BORDER_PX, CLEAN_UP_TO, CORRUPTED_FROM, STRIDE_PX
from medenhance_training.data.spine_bank import Projection

_SMOOTHING = np.array([1, 4, 6, 4, 1], np.float32)
_DERIVATIVE = np.array([-1, -2, 0, 2, 1], np.float32)


@dataclass(frozen=True)
class Splitting:
    """How patches are sorted by their edge measure g.

    Attributes:
        mode: "fixed" compares with the thresholds, which belong to native scale; "quantile" takes the given shares of
            all patches, for other scales and scanners.
        corrupted_from: Least g of a corrupted patch, "fixed".
        clean_up_to: Largest g of a clean one, "fixed".
        corrupted_share: Share of the patches, from the largest g down, "quantile".
        clean_share: Share from the smallest up, "quantile".
        corrupted_least: A corrupted patch has at least this g, whatever the share.
        stride: Distance of patches, px.
        border: Rim of the image that is left out, px.
        least_scan: A patch lies in the scan by at least this share: the border's own edge must not decide.
    """

    mode: Literal["fixed", "quantile"] = "fixed"
    corrupted_from: float = CORRUPTED_FROM
    clean_up_to: float = CLEAN_UP_TO
    corrupted_share: float = 0.05
    clean_share: float = 0.6
    corrupted_least: float = 0.5
    stride: int = STRIDE_PX
    border: int = BORDER_PX
    least_scan: float = 0.6


class Place(NamedTuple):
    """A patch: number of its projection, first row, first column."""

    projection: int
    row: int
    column: int


class SplitPatches(NamedTuple):
    """The two domains."""

    corrupted: list[Place]
    clean: list[Place]


def split_patches(found: Sequence[Projection], patch: int, splitting: Splitting) -> SplitPatches:
    """Sort the patches of all projections.

    Args:
        found: The projections.
        patch: Side of a patch, px.
        splitting: How.

    Raises:
        MedEnhanceError: One of the domains is empty.
    """
    places, measures = [], []
    for number, one in enumerate(found):
        edges, inside = edge_response(one.noisy), one.scan.astype(np.float32)
        for row in range(splitting.border, one.noisy.shape[0] - splitting.border - patch + 1, splitting.stride):
            for column in range(splitting.border, one.noisy.shape[1] - splitting.border - patch + 1, splitting.stride):
                window = slice(row, row + patch), slice(column, column + patch)
                if inside[window].mean() >= splitting.least_scan:
                    places.append(Place(number, row, column))
                    measures.append(float(edges[window].mean()))
    g = np.array(measures)
    low, high = _thresholds(g, splitting)
    split = SplitPatches(
        [place for place, value in zip(places, g, strict=True) if value >= high],
        [place for place, value in zip(places, g, strict=True) if value <= low],
    )
    if not split.corrupted or not split.clean:
        raise MedEnhanceError(
            "input-unsuitable",
            f"of {len(places)} patches {len(split.corrupted)} are corrupted (g >= {high:.2f}) and {len(split.clean)} "
            f"clean (g <= {low:.2f}); both are needed.",
            "Use more subjects or stronger stripes, or split with --data.splitting.mode quantile.",
        )
    return split


def edge_response(image: np.ndarray) -> np.ndarray:
    """(R, C) float32: absolute vertical 5 x 5 Sobel response of grey / 255; its mean over a patch is g (eq. 1)."""
    grey = np.asarray(image, np.float32) / np.float32(255)
    return np.abs(correlate1d(correlate1d(grey, _DERIVATIVE, 0, mode="mirror"), _SMOOTHING, 1, mode="mirror"))


def _thresholds(g: np.ndarray, splitting: Splitting) -> tuple[float, float]:
    if splitting.mode == "fixed" or not g.size:
        return splitting.clean_up_to, splitting.corrupted_from
    low, high = np.quantile(g, [splitting.clean_share, 1 - splitting.corrupted_share]).tolist()
    return low, max(high, splitting.corrupted_least)
