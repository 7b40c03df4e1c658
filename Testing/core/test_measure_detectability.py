"""Observers against closed forms, against image space, and against the trend that dose must show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import eval_laguerre
from scipy.stats import norm

from medenhance.measure.detectability import (
    DiskTask,
    area_under_roc,
    channelized_hotelling,
    hotelling_template,
    laguerre_gauss_channels,
    npw_detectability,
)
from medenhance.measure.noise_power import NoisePower
from medenhance.measure.task_transfer import TaskTransfer

FREQUENCY = np.linspace(0.0, 1.0, 1001)


def _transfer(sigma_mm: float) -> TaskTransfer:
    values = np.exp(-2.0 * (np.pi * sigma_mm * FREQUENCY) ** 2)
    return TaskTransfer(tuple(FREQUENCY), tuple(values), None, None, 10.0, 100.0)


def _power(values: np.ndarray, unit: str = "mm^-1") -> NoisePower:
    return NoisePower(tuple(FREQUENCY), tuple(values), unit, 0.0, 0.0, 1.0, 20, 32)


def test_npw_in_white_noise_is_the_energy_of_the_blurred_disk_over_the_noise_power() -> None:
    step = 0.05
    axis = np.arange(-12.0, 12.0, step)
    disk = gaussian_filter(10.0 * (np.hypot(axis[:, None], axis[None, :]) < 4.0), 0.8 / step)
    expected = np.sqrt(np.sum(disk**2) * step**2 / 50.0)
    found = npw_detectability(DiskTask(4.0, 10.0), _transfer(0.8), _power(np.full(FREQUENCY.size, 50.0)))
    assert found == pytest.approx(expected, rel=2e-3)


def test_npw_of_a_tiny_disk_in_coloured_noise_has_a_closed_form() -> None:
    """A point of weight A: |W| = A; TTF and NPS Gaussian: all integrals over the plane are pi / exponent."""
    sigma, radius, power, width = 0.8, 0.02, 50.0, 0.4
    blur = 4.0 * np.pi**2 * sigma**2
    weight = 10.0 * np.pi * radius**2
    expected = weight * np.sqrt(np.pi) / blur * np.sqrt((blur + 1.0 / width**2) / power)
    noise = _power(power * np.exp(-((FREQUENCY / width) ** 2)))
    assert npw_detectability(DiskTask(radius, 10.0), _transfer(sigma), noise) == pytest.approx(expected, rel=1e-3)


def test_npw_is_proportional_to_contrast_and_falls_with_the_root_of_the_noise() -> None:
    white = np.full(FREQUENCY.size, 50.0)
    one = npw_detectability(DiskTask(4.0, 10.0), _transfer(0.8), _power(white))
    assert npw_detectability(DiskTask(4.0, -20.0), _transfer(0.8), _power(4.0 * white)) == pytest.approx(one)


def test_npw_needs_noise_in_physical_units() -> None:
    with pytest.raises(ValueError, match="px"):
        npw_detectability(DiskTask(4.0, 10.0), _transfer(0.8), _power(np.ones(FREQUENCY.size), "px^-1"))
    with pytest.raises(ValueError, match="without noise"):
        npw_detectability(DiskTask(4.0, 10.0), _transfer(0.8), _power(np.zeros(FREQUENCY.size)))


def test_laguerre_gauss_channels_are_those_of_the_formula_and_orthonormal() -> None:
    channels = laguerre_gauss_channels(81, 20.0, 5)
    r2 = 13.0**2 + 4.0**2
    expected = [np.sqrt(2) / 20 * np.exp(-np.pi * r2 / 400) * eval_laguerre(n, 2 * np.pi * r2 / 400) for n in range(5)]
    assert channels[:, 40 + 13, 40 - 4] == pytest.approx(expected)
    flat = channels.reshape(5, -1)
    assert flat @ flat.T == pytest.approx(np.eye(5), abs=1e-3)


def test_the_hotelling_template_is_the_whitened_mean_difference() -> None:
    rng = np.random.default_rng(0)
    spread = np.array([[2.0, 0.0], [1.5, 0.5]])
    absent = rng.normal(size=(40_000, 2)) @ spread.T
    present = rng.normal(size=(40_000, 2)) @ spread.T + [1.0, -0.5]
    expected = np.linalg.solve(spread @ spread.T, [1.0, -0.5])
    assert hotelling_template(present, absent) == pytest.approx(expected, rel=0.03)


def test_hotelling_on_held_out_white_noise_reaches_the_channels_own_limit() -> None:
    side, sd, num = 31, 10.0, 600
    squared = (np.arange(side) - 15)[:, None] ** 2 + (np.arange(side) - 15)[None, :] ** 2
    signal = 4.0 * np.exp(-squared / 18.0)
    channels = laguerre_gauss_channels(side, 9.0, 5)
    matrix = channels.reshape(5, -1)
    difference = matrix @ signal.ravel()
    limit = np.sqrt(difference @ np.linalg.solve(sd**2 * matrix @ matrix.T, difference))
    rng = np.random.default_rng(1)
    absent = rng.normal(0.0, sd, (num, side, side))
    found = channelized_hotelling(rng.normal(0.0, sd, (num, side, side)) + signal, absent, channels)
    assert found.detectability == pytest.approx(limit, abs=0.15)
    assert found.auc == pytest.approx(norm.cdf(limit / np.sqrt(2.0)), abs=0.02)
    assert found.num_images == num


def test_without_a_signal_held_out_images_show_no_skill() -> None:
    rng = np.random.default_rng(2)
    present, absent = rng.normal(size=(2, 400, 21, 21))
    found = channelized_hotelling(present, absent, laguerre_gauss_channels(21, 8.0, 5))
    assert found.auc == pytest.approx(0.5, abs=0.05)
    assert found.detectability == pytest.approx(0.0, abs=0.15)


def test_too_few_images_are_refused() -> None:
    images = np.zeros((39, 21, 21))
    with pytest.raises(ValueError, match="need 40 images"):
        channelized_hotelling(images, images, laguerre_gauss_channels(21, 8.0, 5))


def test_the_area_under_the_curve_counts_ties_as_half() -> None:
    assert area_under_roc(np.array([2.0, 3.0]), np.array([1.0, 0.0])) == 1.0
    assert area_under_roc(np.array([1.0, 2.0]), np.array([1.0, 3.0])) == pytest.approx(0.375)


def test_a_low_contrast_disk_is_seen_better_at_higher_dose(shared_data: Path) -> None:
    """Noise from simulated scans of a phantom at three doses, the signal added."""
    side, radius = 19, 3.5
    inside = np.hypot(*(np.indices((side, side)) - 9)) < radius
    signal = gaussian_filter(np.where(inside, 14.0, 0.0), 0.8)
    channels = laguerre_gauss_channels(side, 4.0 / 3.0 * radius, 5)
    found = []
    for dose in ("010", "055", "100"):
        folder = shared_data / "ct_lowdose" / "lcd_phantom_simulated" / "fbp" / f"dose_{dose}" / "signal_absent"
        scans = [np.fromfile(file, "<i2").reshape(256, 256) - 1000.0 for file in sorted(folder.glob("*.raw"))]
        # Half the squares get the signal, the others do not; all lie within the phantom.
        squares = [s[r : r + side, c : c + side] for s in scans for r in range(60, 180, 13) for c in range(60, 180, 13)]
        present, absent = np.stack(squares[::2]) + signal, np.stack(squares[1::2])
        found.append(channelized_hotelling(present, absent, channels))
    assert [f.auc for f in found] == sorted(f.auc for f in found)
    assert found[2].detectability > 1.5 * found[0].detectability > 0.0
