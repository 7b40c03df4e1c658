"""Image quality against scikit-image and against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from medenhance.measure.image_quality import psnr, rmse_hu, ssim, windowed

WINDOW = (-160.0, 240.0)


def _pair(seed: int, shape: tuple[int, ...] = (37, 52)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    reference = rng.normal(40.0, 150.0, shape).astype(np.float32)
    return reference + rng.normal(0.0, 20.0, shape).astype(np.float32), reference


@given(seed=st.integers(0, 10_000), rows=st.integers(11, 40), columns=st.integers(11, 40))
@settings(max_examples=15, deadline=None)
def test_ssim_is_that_of_scikit_image_on_its_valid_region(seed: int, rows: int, columns: int) -> None:
    image, reference = _pair(seed, (rows, columns))
    expected = structural_similarity(
        windowed(image, WINDOW),
        windowed(reference, WINDOW),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
    )
    assert ssim(image, reference, WINDOW) == pytest.approx(expected, abs=1e-9)


def test_psnr_is_that_of_scikit_image() -> None:
    image, reference = _pair(1)
    expected = peak_signal_noise_ratio(windowed(reference, WINDOW), windowed(image, WINDOW), data_range=1.0)
    assert psnr(image, reference, WINDOW) == pytest.approx(expected, abs=1e-5)


def test_an_error_of_a_tenth_of_the_window_has_20_db_and_its_own_rmse() -> None:
    reference = np.full((4, 5), 10.0)
    assert psnr(reference + 40.0, reference, WINDOW) == pytest.approx(20.0, abs=1e-6)
    assert rmse_hu(reference + 40.0, reference, WINDOW) == pytest.approx(40.0)


def test_what_lies_outside_the_window_does_not_count() -> None:
    reference = np.array([[-1000.0, 0.0], [500.0, 100.0]])
    image = np.array([[-300.0, 0.0], [3000.0, 100.0]])
    assert rmse_hu(image, reference, WINDOW) == 0.0
    assert psnr(image, reference, WINDOW) == pytest.approx(100.0)


def test_a_stack_has_the_mean_of_its_slices() -> None:
    image, reference = _pair(2, (3, 20, 24))
    for measure in (psnr, ssim, rmse_hu):
        slices = [measure(image[k], reference[k], WINDOW) for k in range(3)]
        assert measure(image, reference, WINDOW) == pytest.approx(np.mean(slices))


def test_identical_images_are_wholly_similar() -> None:
    image, _ = _pair(3)
    assert ssim(image, image, WINDOW) == pytest.approx(1.0)


@pytest.mark.parametrize(("shape", "other"), [((4, 4), (4, 5)), ((4,), (4,)), ((0, 4, 4), (0, 4, 4))])
def test_images_that_do_not_fit_are_refused(shape: tuple[int, ...], other: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="of one shape"):
        psnr(np.zeros(shape), np.zeros(other), WINDOW)


def test_an_empty_window_and_an_image_below_the_kernel_are_refused() -> None:
    with pytest.raises(ValueError, match="from 240 to -160"):
        windowed(np.zeros((2, 2)), (240, -160))
    with pytest.raises(ValueError, match="10 x 30"):
        ssim(np.zeros((10, 30)), np.zeros((10, 30)), WINDOW)
