"""Low-contrast detectability: how well a model observer sees a known signal in the noise of a phantom scan.

Two observers: the non-prewhitening one (NPW), calculated from the task transfer function and the noise power
(AAPM TG-233; ICRU 87), and the channelized Hotelling observer (CHO), trained and tested on images.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial

import numpy as np
from scipy.special import comb, j1
from scipy.stats import rankdata

from medenhance.measure.noise_power import NoisePower
from medenhance.measure.task_transfer import TaskTransfer

MIN_IMAGES_PER_CHANNEL = 4
_FREQUENCIES = 4096


@dataclass(frozen=True)
class DiskTask:
    """See a disk in a uniform background.

    Attributes:
        radius_mm: Of the disk.
        contrast_hu: Disk minus background.
    """

    radius_mm: float
    contrast_hu: float

    def spectrum(self, frequency: np.ndarray) -> np.ndarray:
        """Fourier transform of the disk at frequencies in mm^-1: HU mm^2."""
        x = 2.0 * np.pi * self.radius_mm * np.asarray(frequency, dtype=np.float64)
        # 2 J1(x) / x tends to 1 at 0.
        jinc = np.divide(2.0 * j1(x), x, out=np.ones_like(x), where=x > 1e-9)
        return np.asarray(self.contrast_hu * np.pi * self.radius_mm**2 * jinc)


@dataclass(frozen=True)
class Observer:
    """How well a trained observer did on images that it had not seen.

    Attributes:
        auc: Area under the ROC curve.
        detectability: d' of the scores: difference of their means over their pooled SD.
        num_images: Pairs of images with and without the signal that it was tested on.
    """

    auc: float
    detectability: float
    num_images: int


def npw_detectability(task: DiskTask, transfer: TaskTransfer, noise: NoisePower) -> float:
    """d' of the non-prewhitening observer.

    d'^2 = [integral |W|^2 TTF^2]^2 / integral |W|^2 TTF^2 NPS over the frequency plane, W the task's spectrum
    (AAPM TG-233), with the radially averaged TTF and NPS.

    Args:
        task: What is to be seen.
        transfer: Measured at a similar contrast.
        noise: In mm^-1.

    Raises:
        ValueError: The noise power is in pixels, or there is no noise.
    """
    if noise.unit != "mm^-1":
        raise ValueError(
            f"detectability needs the noise power in mm^-1, not in {noise.unit}: the pixel size is unknown"
        )
    end = min(transfer.frequency[-1], noise.frequency[-1])
    f = (np.arange(_FREQUENCIES) + 0.5) * end / _FREQUENCIES
    signal = (task.spectrum(f) * np.interp(f, transfer.frequency, transfer.transfer)) ** 2
    power = np.interp(f, noise.frequency, noise.power)
    ring = 2.0 * np.pi * f * end / _FREQUENCIES
    blurred = float(np.sum(signal * power * ring))
    if not blurred > 0:
        raise ValueError("detectability is not defined without noise")
    return float(np.sum(signal * ring) / np.sqrt(blurred))


def laguerre_gauss_channels(side_px: int, width_px: float, num_channels: int) -> np.ndarray:
    """Rotationally symmetric channels for a signal in the centre (Gallas and Barrett, JOSA A 2003).

    u_n(r) = sqrt(2) / a exp(-pi r^2 / a^2) L_n(2 pi r^2 / a^2), L_n the Laguerre polynomial.

    Args:
        side_px: Rows and columns of the images.
        width_px: a, in pixels; two thirds of the signal's diameter in LCD_CT.
        num_channels: How many.

    Returns:
        (num_channels, side, side).
    """
    axis = np.arange(side_px) - (side_px - 1) / 2
    squared = (axis[:, None] ** 2 + axis[None, :] ** 2) / width_px**2
    envelope = np.sqrt(2.0) / width_px * np.exp(-np.pi * squared)
    return np.stack([envelope * _laguerre(n, 2.0 * np.pi * squared) for n in range(num_channels)])


def hotelling_template(present: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """(C,) S^-1 dv: mean difference of the channel outputs, whitened by the mean of their two covariances.

    Args:
        present: (N, C) channel outputs of images with the signal.
        absent: (M, C) of images without.
    """
    covariance = 0.5 * (np.cov(present, rowvar=False) + np.cov(absent, rowvar=False))
    difference = present.mean(axis=0) - absent.mean(axis=0)
    return np.asarray(np.linalg.solve(np.atleast_2d(covariance), difference))


def channelized_hotelling(present: np.ndarray, absent: np.ndarray, channels: np.ndarray) -> Observer:
    """Train on every other image, test on the rest, then the other way round, and average.

    Args:
        present: (N, S, S), HU, with the signal in the centre.
        absent: (N, S, S), HU, without.
        channels: (C, S, S).

    Raises:
        ValueError: Too few images to estimate the channels' covariance.
    """
    needed = 2 * MIN_IMAGES_PER_CHANNEL * len(channels)
    if min(len(present), len(absent)) < needed:
        found = min(len(present), len(absent))
        raise ValueError(f"{len(channels)} channels need {needed} images with and without the signal, not {found}")
    matrix = channels.reshape(len(channels), -1)
    v_present, v_absent = (x.reshape(len(x), -1).astype(np.float64) @ matrix.T for x in (present, absent))
    halves = [_trained_and_tested(v_present, v_absent, part) for part in (0, 1)]
    return Observer(
        auc=float(np.mean([auc for auc, _ in halves])),
        detectability=float(np.mean([d for _, d in halves])),
        num_images=min(len(present), len(absent)),
    )


def area_under_roc(present: np.ndarray, absent: np.ndarray) -> float:
    """The chance that a score with the signal exceeds one without (Mann-Whitney), ties counting half."""
    ranks = rankdata(np.concatenate([present, absent]))
    excess = ranks[: len(present)].sum() - len(present) * (len(present) + 1) / 2
    return float(excess / (len(present) * len(absent)))


def _trained_and_tested(v_present: np.ndarray, v_absent: np.ndarray, part: int) -> tuple[float, float]:
    template = hotelling_template(v_present[part::2], v_absent[part::2])
    present, absent = (v[1 - part :: 2] @ template for v in (v_present, v_absent))
    pooled = np.sqrt(0.5 * (present.var(ddof=1) + absent.var(ddof=1)))
    return area_under_roc(present, absent), float((present.mean() - absent.mean()) / pooled)


def _laguerre(n: int, x: np.ndarray) -> np.ndarray:
    terms = [(-1.0) ** k * comb(n, k, exact=True) / factorial(k) * x**k for k in range(n + 1)]
    return np.asarray(sum(terms[1:], terms[0]))
