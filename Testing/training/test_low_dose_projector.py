"""The projector against closed forms, and its two directions against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medenhance_training.data.projector import Geometry, filtered_backprojection, project


def disk(size: int, radius: float, x: float, y: float, samples: int = 4) -> np.ndarray:
    """(size, size): a disk of value 1 with anti-aliased rim, its centre (x, y) off pixel size // 2."""
    fine = (np.arange(size * samples) + 0.5) / samples - 0.5 - size // 2
    inside = np.hypot(fine[None] - x, fine[:, None] - y) < radius
    return inside.reshape(size, samples, size, samples).mean(axis=(1, 3)).astype(np.float32)


def chords(geometry: Geometry, radius: float, x: float, y: float) -> np.ndarray:
    """Line integrals of that disk: 2 sqrt(r^2 - d^2) at distance d of the ray from its centre."""
    angles = geometry.angles[:, None]
    distance = geometry.offsets_px[None] - (x * np.cos(angles) + y * np.sin(angles))
    return 2.0 * np.sqrt(np.clip(radius**2 - distance**2, 0.0, None))


@pytest.mark.parametrize("size", [96, 97])
def test_the_projection_of_a_disk_is_its_chord(size: int) -> None:
    geometry = Geometry(size, num_angles=60)
    expected = chords(geometry, 20.3, 11.0, -7.5)
    away_from_the_rim = np.abs(np.gradient(expected, axis=1)) < 2.0
    difference = project(disk(size, 20.3, 11.0, -7.5), geometry) - expected
    assert np.abs(difference[away_from_the_rim]).max() < 0.03 * 40.6
    assert np.sqrt(np.mean(difference**2)) < 0.012 * 40.6


@settings(max_examples=10, deadline=None)
@given(x=st.floats(-12, 12), y=st.floats(-12, 12), radius=st.floats(6, 20))
def test_every_view_holds_the_whole_mass(x: float, y: float, radius: float) -> None:
    geometry = Geometry(80, num_angles=24)
    image = disk(80, radius, x, y)
    np.testing.assert_allclose(project(image, geometry).sum(axis=1), image.sum(), rtol=2e-3)


@pytest.mark.parametrize("refine", [1, 2])
def test_reconstructing_a_projection_gives_the_image_back(refine: int) -> None:
    geometry = Geometry(96, num_angles=180, refine=refine)
    image = disk(96, 30.0, 5.0, -3.0)
    flat = np.ones(geometry.frequencies_px.size)
    reconstruction = filtered_backprojection(chords(geometry, 30.0, 5.0, -3.0), flat, geometry)
    inside = disk(96, 26.0, 5.0, -3.0) == 1
    assert abs(reconstruction[inside].mean() - 1.0) < 2e-3
    assert np.sqrt(np.mean((reconstruction - image)[inside] ** 2)) < 0.02


def test_a_gain_filters_the_image() -> None:
    geometry = Geometry(96, num_angles=180)
    sinogram = project(disk(96, 30.0, 0.0, 0.0), geometry)
    low_pass = np.exp(-((geometry.frequencies_px / 0.05) ** 2))
    smooth = filtered_backprojection(sinogram, low_pass, geometry)
    spectrum = np.fft.fft2(filtered_backprojection(sinogram, np.ones_like(low_pass), geometry))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(96), np.fft.fftfreq(96)))
    expected = np.fft.ifft2(spectrum * np.exp(-((frequency / 0.05) ** 2))).real
    np.testing.assert_allclose(smooth[24:72, 24:72], expected[24:72, 24:72], atol=5e-3)
