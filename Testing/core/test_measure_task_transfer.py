"""The task transfer function against disks whose blur is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from medenhance.measure.task_transfer import Insert, TaskTransfer, find_centre, measure_task_transfer

Spacing = tuple[float, float]


def _disk(
    side: int, centre: tuple[float, float], radius_mm: float, blur_mm: float, spacing: Spacing, contrast: float = 100.0
) -> np.ndarray:
    """Point samples of a disk under a Gaussian blur, drawn eight times finer."""
    fine = 8
    axis = (np.arange(side * fine) - fine // 2) / fine
    x, y = (axis - centre[1]) * spacing[0], (axis - centre[0]) * spacing[1]
    disk = np.where(np.hypot(x[None, :], y[:, None]) < radius_mm, np.float32(contrast), np.float32(0.0))
    blurred = gaussian_filter(disk, (blur_mm / spacing[1] * fine, blur_mm / spacing[0] * fine))
    return blurred[fine // 2 :: fine, fine // 2 :: fine]


@pytest.mark.parametrize(
    ("spacing", "blur_mm"),
    [((0.7, 0.7), 0.6), ((0.7, 0.5), 0.6), ((0.5, 0.5), 1.0), ((0.6, 0.6), 0.45)],
    ids=["square", "oblong", "soft", "sharp"],
)
def test_a_gaussian_blur_has_its_own_transfer(spacing: Spacing, blur_mm: float) -> None:
    image = 40.0 + _disk(110, (54.3, 52.8), 10.0, blur_mm, spacing)
    found = measure_task_transfer(image[None], Insert("disk", 55.0, 52.0, 10.0), spacing)
    frequency = np.array(found.frequency)
    assert found.transfer == pytest.approx(np.exp(-2.0 * (np.pi * blur_mm * frequency) ** 2), abs=0.003)
    assert found.f50 == pytest.approx(np.sqrt(np.log(2.0) / 2.0) / np.pi / blur_mm, rel=0.01)
    assert found.f10 == pytest.approx(np.sqrt(np.log(10.0) / 2.0) / np.pi / blur_mm, rel=0.01)
    assert found.contrast_hu == pytest.approx(100.0, abs=0.1)


def test_a_dark_insert_has_the_transfer_of_a_bright_one() -> None:
    insert = Insert("disk", 40.0, 40.0, 8.0)
    bright, dark = (
        measure_task_transfer(_disk(80, (40.2, 39.9), 8.0, 0.7, (0.6, 0.6), contrast)[None], insert, (0.6, 0.6))
        for contrast in (50.0, -50.0)
    )
    assert bright.transfer == pytest.approx(dark.transfer, abs=1e-6)
    assert bright.contrast_hu == pytest.approx(-dark.contrast_hu, rel=1e-6)


def test_repeated_noisy_scans_average_to_the_transfer_and_their_contrast_to_noise_grows() -> None:
    clean = _disk(100, (50.4, 49.7), 10.0, 0.8, (0.7, 0.7))
    scans = clean + np.random.default_rng(0).normal(0.0, 20.0, (64, *clean.shape))
    insert = Insert("disk", 50.0, 50.0, 10.0)
    found = measure_task_transfer(scans, insert, (0.7, 0.7))
    assert found.f50 == pytest.approx(np.sqrt(np.log(2.0) / 2.0) / np.pi / 0.8, rel=0.05)
    assert found.contrast_to_noise == pytest.approx(100.0 / 20.0 * 8.0, rel=0.1)
    assert measure_task_transfer(scans[:4], insert, (0.7, 0.7)).contrast_to_noise == pytest.approx(10.0, rel=0.1)


def test_a_sharp_edge_does_not_fall_to_a_tenth_below_the_nyquist_frequency() -> None:
    image = _disk(80, (39.6, 40.3), 8.0, 0.1, (0.6, 0.6))
    found = measure_task_transfer(image[None], Insert("disk", 40.0, 40.0, 8.0), (0.6, 0.6))
    assert found.f10 is None
    assert found.frequency[-1] <= 0.5 / 0.6


def test_the_centre_is_found_to_a_fiftieth_of_a_pixel() -> None:
    image = _disk(90, (44.37, 46.81), 9.0, 0.6, (0.7, 0.5))
    found = find_centre(image, Insert("disk", 43.0, 48.0, 9.0), (0.7, 0.5))
    assert found == pytest.approx((44.37, 46.81), abs=0.02)


def test_noise_does_not_carry_the_centre_away() -> None:
    insert = Insert("unseen", 40.0, 41.0, 4.0)
    for seed in range(20):
        row, column = find_centre(np.random.default_rng(seed).normal(size=(80, 80)), insert, (1.0, 1.0))
        assert np.hypot(row - 40.0, column - 41.0) <= 2.0
    assert find_centre(np.zeros((80, 80)), insert, (1.0, 1.0)) == (40.0, 41.0)


@pytest.mark.parametrize("centre", [(15.0, 40.0), (40.0, 66.0)])
def test_an_insert_at_the_border_is_refused(centre: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="too near the border"):
        measure_task_transfer(np.zeros((1, 80, 80)), Insert("rim", *centre, 8.0), (1.0, 1.0))


def test_the_result_is_plain_numbers() -> None:
    found = measure_task_transfer(_disk(60, (30, 30), 6.0, 0.6, (0.7, 0.7))[None], Insert("d", 30, 30, 6.0), (0.7, 0.7))
    assert isinstance(found, TaskTransfer)
    assert all(type(v) is float for v in (*found.frequency, *found.transfer, found.f50, found.contrast_to_noise))
