"""Residual structure index: how much anatomy is in what a denoiser removed.

Noise that was removed knows nothing of the anatomy; a blurred edge or a weakened vessel leaves its shape in the
residual (input minus output). In small windows that hold structure, the residual is correlated with the structure of
the output at two scales and with that of the input at one; the best squared correlation is the share of the window's
removed energy that follows the anatomy. The index is the mean share over windows, in [0, 1]: near 0 for noise, 0.1 when
a tenth of what was removed near structures is anatomy. Windows count equally, so a few strong edges do not decide, and
each is normalised by its own energy, so that noise that is stronger in one place than in another is not structure.

Two things would be mistaken for structure and are taken out. The noise in a template is correlated with the noise that
was removed: that covariance is measured in flat tissue nearby and subtracted. A squared correlation of independent
signals is positive by chance: the same figure for structure matched with a residual from elsewhere is subtracted.

The idea of testing the residual against the structure of the output is that of sFRC (Kc et al., arXiv 2603.04673) and
of the structure index of AntiHalluciNet; the estimator is this project's own. Detail too faint to be seen above the
noise of the input leaves no trace to compare with, so the index is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

from medenhance.measure.tissue import AIR, TissueMap

_CELL_PX = 5
_WINDOW_CELLS = 3
_OUTPUT_BANDS_PX = ((0.7, 1.6), (1.4, 3.2))  # sigmas of differences of Gaussians
_INPUT_BAND_PX = (1.4, 3.2)
_GRAIN_BAND_PX = (0.0, 0.7)
_DETECTION_BAND_PX = (1.5, 4.0)
_DETECTION_RATIO = 9.0  # structure is three times the amplitude of noise
_FLAT_SHARE = 35.0  # per cent of the windows, those with the least structure
_NEARBY_CELLS = 5.0
_AIR_MARGIN_PX = 4
_SHIFTS_CELLS = ((8, 0), (-8, 0), (0, 8), (0, -8), (11, 11), (-11, 11))


@dataclass(frozen=True)
class StructureShare:
    """What one slice adds to the index.

    Attributes:
        matched: Sum over windows with structure of the share of removed energy that follows the structure beneath.
        chance: The same sum with residuals from elsewhere.
        removed_sd_hu: (N,) SD of the residual in each of the N windows with structure.
    """

    matched: float
    chance: float
    removed_sd_hu: np.ndarray

    @property
    def windows(self) -> int:
        """How many windows with structure there are."""
        return len(self.removed_sd_hu)


@dataclass(frozen=True)
class ResidualStructure:
    """How much anatomy is in what was removed.

    Attributes:
        index: Share of the removed energy that follows the anatomy, in [0, 1].
        amplitude_hu: Root of that share times the median SD of what was removed: how strong the removed anatomy is.
    """

    index: float
    amplitude_hu: float


@dataclass(frozen=True)
class _Template:
    """Structure that the residual is matched with.

    Attributes:
        image: (H, W), HU.
        of_input: Whether it is the structure of the input. Then the removed noise itself is in it, which is stronger
            where the noise is; and only structure that was taken away counts.
    """

    image: np.ndarray
    of_input: bool = False

    def excess(self, covariance: np.ndarray, flat: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """What a covariance with the residual has beyond that of noise alone, as flat windows nearby have it."""
        expected = _from_flat(covariance, flat)
        if self.of_input:
            expected = expected * noise / np.maximum(_from_flat(noise, flat), 1e-12)
        return self.counted(covariance - expected)

    def counted(self, covariance: np.ndarray) -> np.ndarray:
        """The part of a covariance that counts."""
        return np.maximum(covariance, 0.0) if self.of_input else covariance


def structure_share(before: np.ndarray, after: np.ndarray, tissues: TissueMap) -> StructureShare:
    """Compare the residual of one slice with the structure of its output.

    Args:
        before: (H, W), HU, finite.
        after: (H, W), HU, finite.
        tissues: Of `before`.
    """
    body = tissues.valid & ~binary_dilation(tissues.reference < AIR.hi_hu, iterations=_AIR_MARGIN_PX)
    usable = _window_sum(body) > (1.0 - 1e-6) * (_CELL_PX * _WINDOW_CELLS) ** 2
    energy = _window_variance(_band(before, _DETECTION_BAND_PX))
    if usable.sum() < 4:
        return StructureShare(0.0, 0.0, np.empty(0))
    flat = usable & (energy <= np.percentile(energy[usable], _FLAT_SHARE))
    structured = usable & (energy > _DETECTION_RATIO * _from_flat(energy, flat))
    residual = before - after
    if not residual.any():
        return StructureShare(0.0, 0.0, np.zeros(int(structured.sum())))
    # A network with a window passes the rest through: nothing was removed there, so there is nothing to judge.
    variance = _window_variance(residual)
    structured &= variance > 0
    templates = [_Template(_band(after, band)) for band in _OUTPUT_BANDS_PX]
    templates.append(_Template(_band(before, _INPUT_BAND_PX), of_input=True))
    matched, chance = _shares(residual, templates, flat, structured)
    return StructureShare(matched, chance, np.sqrt(variance[structured]))


def residual_structure(shares: list[StructureShare], min_windows: int = 30) -> ResidualStructure | None:
    """Join the slices of a study; None when fewer than `min_windows` windows hold structure."""
    windows = sum(s.windows for s in shares)
    if windows < min_windows:
        return None
    matched = sum(s.matched for s in shares) / windows
    chance = sum(s.chance for s in shares) / windows
    index = float(np.clip((matched - chance) / max(1.0 - chance, 1e-6), 0.0, 1.0))
    removed_sd = float(np.median(np.concatenate([s.removed_sd_hu for s in shares])))
    return ResidualStructure(index, float(np.sqrt(index)) * removed_sd)


def _shares(
    residual: np.ndarray, templates: list[_Template], flat: np.ndarray, structured: np.ndarray
) -> tuple[float, float]:
    """Sums over `structured` of the best template's share: in place, and by chance."""
    matched = np.zeros(flat.shape)
    chance = np.zeros((len(_SHIFTS_CELLS), *flat.shape))
    variance = _window_variance(residual)
    noise = _window_variance(_band(residual, _GRAIN_BAND_PX))
    for template in templates:
        power = _window_variance(template.image)
        anatomy = power - _from_flat(power, flat)
        # Below half, the template is mostly noise.
        seen = anatomy > 0.5 * power
        covariance = _window_covariance(residual, template.image)
        excess = template.excess(covariance, flat, noise)
        matched = np.maximum(matched, np.where(seen, excess**2 / np.maximum(anatomy * variance, 1e-12), 0.0))
        for n, shift in enumerate(_SHIFTS_CELLS):
            elsewhere = np.roll(residual, [s * _CELL_PX for s in shift], (0, 1))
            excess = template.counted(_window_covariance(elsewhere, template.image))
            share = excess**2 / np.maximum(anatomy * np.roll(variance, shift, (0, 1)), 1e-12)
            chance[n] = np.maximum(chance[n], np.where(seen, share, 0.0))
    return float(np.minimum(matched, 1.0)[structured].sum()), _mean_chance(chance, flat, structured)


def _mean_chance(chance: np.ndarray, flat: np.ndarray, structured: np.ndarray) -> float:
    """Only residuals that come from flat tissue: those from other structures are no noise."""
    pairs = [structured & np.roll(flat, shift, (0, 1)) for shift in _SHIFTS_CELLS]
    count = sum(int(p.sum()) for p in pairs)
    if count == 0:
        return 0.0
    total = sum(float(np.minimum(c, 1.0)[p].sum()) for c, p in zip(chance, pairs, strict=True))
    return total / count * int(structured.sum())


def _band(image: np.ndarray, sigmas_px: tuple[float, float]) -> np.ndarray:
    fine, coarse = (gaussian_filter(image, s, truncate=3.0) for s in sigmas_px)
    return np.asarray(fine - coarse)


def _window_sum(image: np.ndarray) -> np.ndarray:
    """Sums over 15 x 15 pixels at steps of 5: (H // 5 - 2, W // 5 - 2)."""
    rows, columns = (n // _CELL_PX for n in image.shape)
    if min(rows, columns) < _WINDOW_CELLS:
        return np.zeros((0, 0))
    cropped = image[: rows * _CELL_PX, : columns * _CELL_PX]
    bands = cropped.reshape(rows, _CELL_PX, -1).sum(axis=1, dtype=np.float64)
    cells = sum(bands[:, i::_CELL_PX] for i in range(_CELL_PX))
    sums = np.lib.stride_tricks.sliding_window_view(cells, (_WINDOW_CELLS, _WINDOW_CELLS))
    return np.asarray(sums.sum(axis=(2, 3)))


def _window_covariance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    count = (_CELL_PX * _WINDOW_CELLS) ** 2
    return np.asarray(_window_sum(x * y) / count - _window_sum(x) * _window_sum(y) / count**2)


def _window_variance(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(_window_covariance(x, x), 0.0))


def _from_flat(values: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """What `values` are in flat windows nearby, carried to every window."""
    weight = gaussian_filter(flat.astype(np.float64), _NEARBY_CELLS, truncate=4.0)
    carried = gaussian_filter(np.where(flat, values, 0.0), _NEARBY_CELLS, truncate=4.0)
    overall = float(values[flat].mean()) if flat.any() else 0.0
    # Far from any flat window the mean of the slice stands in.
    return np.asarray((carried + 1e-3 * overall) / (weight + 1e-3))
