"""Noise SD and noise power spectrum against noise of known spectrum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medenhance.measure.noise import detrended, patch_noise_sd
from medenhance.measure.noise_power import measure_noise_power, noise_power_spectrum, radial_average

Power = Callable[[np.ndarray], np.ndarray]


def _patches(num: int, side: int, spacing: tuple[float, float], power: Power, seed: int = 0) -> np.ndarray:
    """Noise whose NPS(f) is `power`, cut from a larger field so that its edges do not match."""
    rng = np.random.default_rng(seed)
    big = 2 * side
    radius = np.hypot(np.fft.fftfreq(big, spacing[0])[None, :], np.fft.fftfreq(big, spacing[1])[:, None])
    shape = np.sqrt(power(radius) / (spacing[0] * spacing[1]))
    fields = np.fft.ifft2(np.fft.fft2(rng.normal(size=(num, big, big))) * shape).real
    return fields[:, :side, :side]


@given(a=st.floats(-50, 50), b=st.floats(-50, 50), c=st.floats(-50, 50), side=st.sampled_from([7, 16, 33]))
@settings(max_examples=20, deadline=None)
def test_a_second_order_surface_is_no_noise(a: float, b: float, c: float, side: int) -> None:
    y, x = np.mgrid[:side, :side] / side
    surface = 30.0 + a * x + b * x * y + c * y * y
    assert np.abs(detrended(surface[None])).max() < 1e-9
    assert patch_noise_sd((30.0 + a * x + b * y)[None])[0] < 1e-9


@pytest.mark.parametrize("side", [7, 10, 16, 24])
def test_the_sd_of_white_noise_is_found_under_a_gradient(side: int) -> None:
    rng = np.random.default_rng(1)
    patches = rng.normal(0.0, 20.0, (800, side, side)) + np.arange(side)[None, None, :] * 5.0
    assert np.mean(patch_noise_sd(patches)) == pytest.approx(20.0, rel=0.03)


def test_a_vessel_in_a_patch_hardly_counts() -> None:
    patches = np.random.default_rng(2).normal(0.0, 20.0, (200, 16, 16))
    clean = np.median(patch_noise_sd(patches))
    patches[:, 6:9, 4:9] += 400.0
    assert patches.std() > 4 * clean
    assert np.median(patch_noise_sd(patches)) < 1.2 * clean


@given(dx=st.floats(0.3, 2.0), dy=st.floats(0.3, 2.0), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_the_integral_of_the_spectrum_is_the_variance(dx: float, dy: float, seed: int) -> None:
    patches = np.random.default_rng(seed).normal(0.0, 12.0, (6, 32, 32))
    spectrum = noise_power_spectrum(patches, (dx, dy))
    integral = spectrum.sum() / (32 * dx) / (32 * dy)
    assert integral == pytest.approx(np.mean(detrended(patches) ** 2), rel=1e-9)


def test_white_noise_is_flat_at_variance_times_pixel_area() -> None:
    patches = np.random.default_rng(3).normal(0.0, 10.0, (400, 32, 32))
    frequency, power = radial_average(noise_power_spectrum(patches, (0.7, 0.9)), (0.7, 0.9))
    assert frequency[-1] <= 0.5 / 0.9 + 0.5 / (32 * 0.7)
    assert power[2:] == pytest.approx(100.0 * 0.7 * 0.9, rel=0.05)


def _expected_in_a_patch(side: int, spacing: tuple[float, float], power: Power) -> np.ndarray:
    """What a periodogram of side x side pixels shows of a spectrum: its autocovariance under a triangle (Bartlett)."""
    big = 8 * side
    radius = np.hypot(np.fft.fftfreq(big, spacing[0])[None, :], np.fft.fftfreq(big, spacing[1])[:, None])
    covariance = np.fft.ifft2(power(radius)).real
    lag = np.arange(-side + 1, side)
    triangle = 1.0 - np.abs(lag) / side
    seen = covariance[np.ix_(lag, lag)] * np.outer(triangle, triangle)
    wave = np.exp(-2j * np.pi * np.outer(np.arange(side), lag) / side)
    return (wave @ seen @ wave.T).real


@pytest.mark.parametrize(("side", "spacing"), [(32, (0.7, 0.7)), (64, (0.5, 0.8))])
def test_a_known_spectrum_is_recovered_with_its_peak_and_sd(side: int, spacing: tuple[float, float]) -> None:
    def power(f: np.ndarray) -> np.ndarray:
        return 500.0 * np.exp(-(((f - 0.3) / 0.1) ** 2))

    found = measure_noise_power(_patches(300, side, spacing, power), spacing)
    frequency, expected = radial_average(_expected_in_a_patch(side, spacing, power), spacing)
    assert found.frequency == pytest.approx(frequency)
    assert found.power[1:] == pytest.approx(expected[1:], rel=0.06, abs=2.0)
    assert found.peak_frequency == pytest.approx(0.3, abs=1.0 / (side * spacing[0]))
    assert found.mean_frequency == pytest.approx(np.sum(frequency * expected) / expected.sum(), abs=0.005)
    fine = np.linspace(0, 2.0, 4001)
    assert found.noise_sd_hu**2 == pytest.approx(np.sum(2 * np.pi * fine * power(fine)) * fine[1], rel=0.05)
    assert (found.num_regions, found.side_px, found.unit) == (300, side, "mm^-1")


def test_without_a_pixel_size_frequencies_are_per_pixel() -> None:
    found = measure_noise_power(np.random.default_rng(4).normal(size=(4, 32, 32)), None)
    assert found.unit == "px^-1"
    assert found.frequency[-1] == pytest.approx(0.5, abs=0.02)


def test_patches_without_noise_have_no_power() -> None:
    found = measure_noise_power(np.full((2, 32, 32), 7.0), (1.0, 1.0))
    assert max(found.power) < 1e-20
    assert found.mean_frequency == pytest.approx(0.0, abs=1.0)
