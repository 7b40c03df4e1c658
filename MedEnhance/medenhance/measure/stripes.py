"""How much structured noise a coronal projection has: the edge measure of the patches and the dashes themselves.

The edge measure g of a patch is that of DA-GAN (paper section 2.1): the mean absolute vertical response of an edge
detector, which the authors' later code fixes as OpenCV's 5 x 5 Sobel of grey / 255. A ramp of 1 grey level a row has
g = 128 / 255. A patch is corrupted from g = 4 and clean up to g = 2; between, it is used for neither.

Dashes are found by a vertical black-hat (specification of spine ultrasound, section 2): pixels that a closing over 7
rows lifts by more than 50 grey levels. On the one public projection that finds dashes 2, 5 and 15 px long (median, 75th
and 95th percentile), as the specification states them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_closing, binary_erosion, binary_fill_holes, correlate1d, grey_closing

CORRUPTED_FROM = 4.0
CLEAN_UP_TO = 2.0
# Patches of the authors' code: side, step and the border that is left out, px.
PATCH_PX, STRIDE_PX, BORDER_PX = 128, 64, 120
_SMOOTHING = np.array([1, 4, 6, 4, 1], np.float32)
_DERIVATIVE = np.array([-1, -2, 0, 2, 1], np.float32)
_DASH_ROWS, _DASH_GREY = 7, 50.0
# Gaps of the scan that are closed before its holes are filled, and the rim where a jagged border is no dash, px.
_CLOSED_PX, _RIM_PX = 6, 6


@dataclass(frozen=True)
class StripeStatistics:
    """Structured noise of one projection.

    Attributes:
        num_patches: Patches measured.
        num_corrupted: Patches with g of 4 or more.
        num_clean: Patches with g of 2 or less.
        edge_median: Median of g.
        edge_p95: 95th percentile of g.
        edge_max: Largest g.
        dash_share: Dash pixels of all pixels inside the scan, 0 to 1.
        empty_share: Dash pixels of value 0 of all pixels inside the scan: voxels that no frame filled.
        dash_height_px: 50th and 95th percentile of the dashes' vertical extent.
        dash_width_px: 50th, 75th and 95th percentile of the dashes' run length along a row; NaN without dashes.
    """

    num_patches: int
    num_corrupted: int
    num_clean: int
    edge_median: float
    edge_p95: float
    edge_max: float
    dash_share: float
    empty_share: float
    dash_height_px: tuple[float, float]
    dash_width_px: tuple[float, float, float]


def stripe_statistics(image: np.ndarray) -> StripeStatistics:
    """Measure a projection at its native scale.

    Args:
        image: (R, C), grey 0 to 255, 0 outside the scan; at least 368 x 368 px for one patch.

    Raises:
        ValueError: The image is too small for a patch.
    """
    edges = patch_edge_measures(image)
    if not edges.size:
        raise ValueError(f"an image of {image.shape} holds no patch of {PATCH_PX} px inside {BORDER_PX} px of border")
    scan = scan_area(image)
    dashes = dash_mask(image) & binary_erosion(scan, iterations=_RIM_PX)
    inside = max(int(scan.sum()), 1)
    heights, widths = run_lengths(dashes.T), run_lengths(dashes)
    return StripeStatistics(
        num_patches=edges.size,
        num_corrupted=int((edges >= CORRUPTED_FROM).sum()),
        num_clean=int((edges <= CLEAN_UP_TO).sum()),
        edge_median=float(np.median(edges)),
        edge_p95=float(np.percentile(edges, 95)),
        edge_max=float(edges.max()),
        dash_share=float(dashes.sum() / inside),
        empty_share=float((dashes & (image == 0)).sum() / inside),
        dash_height_px=(_percentile(heights, 50), _percentile(heights, 95)),
        dash_width_px=(_percentile(widths, 50), _percentile(widths, 75), _percentile(widths, 95)),
    )


def edge_measure(patch: np.ndarray) -> float:
    """g of a patch, (h, w) grey 0 to 255; DA-GAN eq 1 with the 5 x 5 Sobel, borders mirrored as OpenCV does."""
    grey = np.asarray(patch, np.float32) / np.float32(255)
    response = correlate1d(correlate1d(grey, _DERIVATIVE, 0, mode="mirror"), _SMOOTHING, 1, mode="mirror")
    return float(np.abs(response).mean())


def patch_edge_measures(
    image: np.ndarray, patch_px: int = PATCH_PX, stride_px: int = STRIDE_PX, border_px: int = BORDER_PX
) -> np.ndarray:
    """(rows, columns) float: g of every patch of a grid over (R, C) grey 0 to 255."""
    rows, columns = (range(border_px, n - border_px - patch_px + 1, stride_px) for n in image.shape)
    values = [[edge_measure(image[r : r + patch_px, c : c + patch_px]) for c in columns] for r in rows]
    return np.array(values, float).reshape(len(rows), len(columns))


def dash_mask(image: np.ndarray) -> np.ndarray:
    """(R, C) bool: pixels of dark dashes, by the black-hat; (R, C) grey 0 to 255."""
    grey = np.asarray(image, np.float32)
    return np.asarray(grey_closing(grey, (_DASH_ROWS, 1)) - grey > _DASH_GREY)


def scan_area(image: np.ndarray) -> np.ndarray:
    """(R, C) bool: where the probe went, the gaps between its frames included; (R, C) grey, 0 outside."""
    pad = _CLOSED_PX + 1
    seen = np.pad(np.asarray(image) > 0, pad)
    filled = binary_fill_holes(binary_closing(seen, iterations=_CLOSED_PX))
    return np.asarray(filled)[pad:-pad, pad:-pad]


def run_lengths(mask: np.ndarray) -> np.ndarray:
    """(n,) int: lengths of the runs of True along the rows of (R, C) bool."""
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    return np.asarray(np.argwhere(steps == -1)[:, 1] - np.argwhere(steps == 1)[:, 1])


def _percentile(values: np.ndarray, percent: float) -> float:
    return float(np.percentile(values, percent)) if values.size else float("nan")
