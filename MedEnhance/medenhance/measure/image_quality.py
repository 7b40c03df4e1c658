"""How near an image is to a known reference: PSNR, SSIM and RMSE in a declared CT window.

The window is part of every figure: one real quarter-dose slice has 20 dB in [-160, 240] HU and 38 dB in
[-1024, 3072] HU. Values are clipped to the window and scaled to [0, 1] first, as the low-dose CT literature does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

Window = tuple[float, float]

_SSIM_SIGMA = 1.5
_SSIM_RADIUS = 5  # 11 x 11 pixels
_C1, _C2 = 0.01**2, 0.03**2
_SCALE_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # from the finest scale to the coarsest
_MSE_FLOOR = 1e-10  # identical images have 100 dB, not infinity


def windowed(image: np.ndarray, window_hu: Window) -> np.ndarray:
    """Clip HU to a window and scale it to [0, 1], in float64.

    Raises:
        ValueError: The window is empty.
    """
    lo, hi = window_hu
    if not hi > lo:
        raise ValueError(f"a window runs from a lower to a higher HU value, not from {lo} to {hi}")
    return (np.clip(image.astype(np.float64), lo, hi) - lo) / (hi - lo)


def psnr(image: np.ndarray, reference: np.ndarray, window_hu: Window) -> float:
    """Peak signal-to-noise ratio in dB, data range 1; a stack gives the mean over its slices.

    Args:
        image: (H, W) or (D, H, W), HU.
        reference: Same shape, HU.
        window_hu: Lower and upper HU value of the window.
    """
    return _mean_over_slices(_slice_psnr, image, reference, window_hu)


def rmse_hu(image: np.ndarray, reference: np.ndarray, window_hu: Window) -> float:
    """Root mean square error in HU of the windowed images; a stack gives the mean over its slices.

    Args:
        image: (H, W) or (D, H, W), HU.
        reference: Same shape, HU.
        window_hu: Lower and upper HU value of the window.
    """
    width_hu = window_hu[1] - window_hu[0]
    return width_hu * _mean_over_slices(lambda x, y: float(np.sqrt(_mse(x, y))), image, reference, window_hu)


def ssim(image: np.ndarray, reference: np.ndarray, window_hu: Window) -> float:
    """Structural similarity (Wang 2004, eq. 13), data range 1; a stack gives the mean over its slices.

    Gaussian weights of sigma 1.5 on 11 x 11 pixels, biased local covariance, C1 = 0.01^2, C2 = 0.03^2, averaged over
    the pixels whose 11 x 11 neighbourhood lies inside the image.

    Args:
        image: (H, W) or (D, H, W), HU, at least 11 x 11 pixels.
        reference: Same shape, HU.
        window_hu: Lower and upper HU value of the window.
    """
    if min(image.shape[-2:]) < 2 * _SSIM_RADIUS + 1:
        raise ValueError(f"SSIM needs at least 11 x 11 pixels, not {image.shape[-2]} x {image.shape[-1]}")
    return _mean_over_slices(_slice_ssim, image, reference, window_hu)


def ms_ssim(image: np.ndarray, reference: np.ndarray, window_hu: Window) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003, eq. 7); a stack gives the mean over slices.

    Contrast and structure at five scales, halved by the mean of 2 x 2 pixels, luminance at the coarsest; the exponents
    are the published ones. A negative contrast term counts as 0.

    Args:
        image: (H, W) or (D, H, W), HU or grey, at least 176 x 176 pixels.
        reference: Same shape.
        window_hu: Lower and upper value of the window.
    """
    least = (2 * _SSIM_RADIUS + 1) * 2 ** (len(_SCALE_EXPONENTS) - 1)
    if min(image.shape[-2:]) < least:
        raise ValueError(f"MS-SSIM needs at least {least} x {least} pixels, not {image.shape[-2]} x {image.shape[-1]}")
    return _mean_over_slices(_slice_ms_ssim, image, reference, window_hu)


def _mean_over_slices(
    measure: Callable[[np.ndarray, np.ndarray], float], image: np.ndarray, reference: np.ndarray, window_hu: Window
) -> float:
    if image.shape != reference.shape or image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(
            f"two non-empty images or stacks of one shape are compared, not {image.shape} and {reference.shape}"
        )
    images, references = (x.reshape(-1, *x.shape[-2:]) for x in (image, reference))
    values = [measure(windowed(x, window_hu), windowed(y, window_hu)) for x, y in zip(images, references, strict=True)]
    return float(np.mean(values))


def _mse(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean((x - y) ** 2))


def _slice_psnr(x: np.ndarray, y: np.ndarray) -> float:
    return float(-10.0 * np.log10(_mse(x, y) + _MSE_FLOOR))


def _slice_ssim(x: np.ndarray, y: np.ndarray) -> float:
    luminance, structure = _ssim_parts(x, y)
    return float(np.mean(luminance * structure))


def _slice_ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    product = 1.0
    for scale, exponent in enumerate(_SCALE_EXPONENTS):
        luminance, structure = _ssim_parts(x, y)
        last = scale == len(_SCALE_EXPONENTS) - 1
        product *= max(float(np.mean(luminance * structure if last else structure)), 0.0) ** exponent
        x, y = _halved(x), _halved(y)
    return product


def _halved(x: np.ndarray) -> np.ndarray:
    rows, columns = (n // 2 for n in x.shape)
    return np.asarray(x[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3)))


def _ssim_parts(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps of the luminance term, and of the contrast and structure term."""
    mean_x, mean_y = _local_mean(x), _local_mean(y)
    var_x = _local_mean(x * x) - mean_x**2
    var_y = _local_mean(y * y) - mean_y**2
    cov = _local_mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return luminance, (2 * cov + _C2) / (var_x + var_y + _C2)


def _local_mean(x: np.ndarray) -> np.ndarray:
    r = _SSIM_RADIUS
    return np.asarray(gaussian_filter(x, _SSIM_SIGMA, radius=r)[r:-r, r:-r])
