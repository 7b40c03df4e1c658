"""What removes structured noise where there is no network: fills, filters, a notch (specification, section 2).

A fill touches dashes alone, which it finds itself by a vertical black-hat; a filter touches everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, grey_closing, median_filter
from skimage.restoration import denoise_nl_means, inpaint_biharmonic

# Black-hat of the specification: 7 rows, more than 30 grey levels, dilated over 3 rows.
_HAT_ROWS, _HAT_GREY, _GROWN_ROWS = 7, 30.0, 3
_SRAD_STEPS, _SRAD_RATE = 20, 0.05


@dataclass(frozen=True)
class Fill:
    """A classical method.

    Attributes:
        title: As in a table.
        run: (R, C) uint8 grey -> (R, C) float32 grey.
    """

    title: str
    run: Callable[[np.ndarray], np.ndarray]

    def restore(self, image: np.ndarray) -> np.ndarray:
        """(R, C) uint8 -> (R, C) uint8; pixels outside the scan are the caller's to keep."""
        return np.clip(np.rint(self.run(image)), 0, 255).astype(np.uint8)


def found_dashes(image: np.ndarray) -> np.ndarray:
    """(R, C) bool: dark dashes and one row about them."""
    grey = image.astype(np.float32)
    hat = grey_closing(grey, (_HAT_ROWS, 1)) - grey
    return np.asarray(binary_dilation(hat > _HAT_GREY, np.ones((_GROWN_ROWS, 1), bool)))


def linear_fill(image: np.ndarray) -> np.ndarray:
    """Dashes by linear interpolation along their columns."""
    grey, holes = image.astype(np.float32), found_dashes(image)
    rows = np.arange(len(grey))[:, None]
    above = np.maximum.accumulate(np.where(holes, -1, rows), axis=0)
    below = np.minimum.accumulate(np.where(holes, len(grey), rows)[::-1], axis=0)[::-1]
    last = len(grey) - 1
    upper = np.take_along_axis(grey, np.where(above < 0, np.minimum(below, last), above), axis=0)
    lower = np.take_along_axis(grey, np.where(below > last, np.maximum(above, 0), below), axis=0)
    share = (rows - above) / np.maximum(below - above, 1)
    return np.where(holes, upper + share.astype(np.float32) * (lower - upper), grey)


def biharmonic_fill(image: np.ndarray) -> np.ndarray:
    """Dashes by biharmonic inpainting, region by region."""
    filled = inpaint_biharmonic(image.astype(np.float64), found_dashes(image), split_into_regions=True)
    return np.asarray(filled, np.float32)


def closing(image: np.ndarray) -> np.ndarray:
    """Grey closing over 5 rows."""
    return np.asarray(grey_closing(image.astype(np.float32), (5, 1)))


def median(image: np.ndarray) -> np.ndarray:
    """Median over 5 x 5 pixels."""
    return np.asarray(median_filter(image.astype(np.float32), 5))


def non_local_means(image: np.ndarray) -> np.ndarray:
    """Non-local means, patches of 5 in a window of 13, strength 10 grey levels."""
    found = denoise_nl_means(image.astype(np.float32), 5, 6, h=10.0, fast_mode=True, channel_axis=None)
    return np.asarray(found, np.float32)


def srad(image: np.ndarray) -> np.ndarray:
    """Speckle reducing anisotropic diffusion (Yu and Acton, IEEE TIP 2002), 20 steps."""
    grey = image.astype(np.float32) + 1.0
    for step in range(_SRAD_STEPS):
        # Speckle's own coefficient of variation decays as diffusion goes on (their eq. 37).
        own = np.float32(np.exp(-_SRAD_RATE * step))
        north, south, west, east = (_shifted(grey, axis, by) - grey for axis in (0, 1) for by in (1, -1))
        gradient = (north**2 + south**2 + west**2 + east**2) / grey**2
        laplacian = (north + south + west + east) / grey
        variation = (0.5 * gradient - laplacian**2 / 16) / (1 + 0.25 * laplacian) ** 2
        share = 1 / (1 + (variation - own**2) / (own**2 * (1 + own**2)))
        share = np.clip(share, 0, 1)
        flow = _shifted(share, 0, -1) * south + share * north + _shifted(share, 1, -1) * east + share * west
        grey = grey + np.float32(_SRAD_RATE) * flow
    return grey - 1.0


def notch(image: np.ndarray) -> np.ndarray:
    """Takes out what is level along the rows: a dip in the spectrum about the vertical frequency axis."""
    grey = image.astype(np.float32)
    smooth = gaussian_filter(grey, 8.0)
    spectrum = np.fft.rfft2(grey - smooth)
    horizontal = np.fft.rfftfreq(grey.shape[1])[None, :]
    # Lines longer than 50 px across lie within 0.01 cycles a pixel of the axis.
    spectrum *= 1 - np.exp(-0.5 * (horizontal / 0.01) ** 2)
    return np.asarray(smooth + np.fft.irfft2(spectrum, grey.shape), np.float32)


def _shifted(x: np.ndarray, axis: int, by: int) -> np.ndarray:
    """The neighbour before (by 1) or after (by -1); the border is its own neighbour."""
    padded = np.pad(x, [(1, 1) if a == axis else (0, 0) for a in range(2)], mode="edge")
    start = 0 if by == 1 else 2
    window = [slice(None), slice(None)]
    window[axis] = slice(start, start + x.shape[axis])
    return np.asarray(padded[tuple(window)])


FILLS = (
    Fill("linear fill of black-hat dashes", linear_fill),
    Fill("biharmonic inpainting of black-hat dashes", biharmonic_fill),
    Fill("closing, 5 rows", closing),
    Fill("median, 5 x 5", median),
    Fill("SRAD", srad),
    Fill("non-local means", non_local_means),
    Fill("notch", notch),
)
