"""The measures of structured noise, on images whose answer is known and on the one public projection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from medenhance.measure.stripes import (
    dash_mask,
    edge_measure,
    patch_edge_measures,
    run_lengths,
    scan_area,
    stripe_statistics,
)


def convolved(patch: np.ndarray) -> float:
    """g by the definition: the 5 x 5 Sobel written out, borders mirrored without repeating the edge."""
    smoothing, derivative = np.array([1, 4, 6, 4, 1.0]), np.array([-1, -2, 0, 2, 1.0])
    padded = np.pad(patch / 255, 2, mode="reflect")
    kernel = np.outer(derivative, smoothing)
    rows, columns = patch.shape
    response = [[(padded[r : r + 5, c : c + 5] * kernel).sum() for c in range(columns)] for r in range(rows)]
    return float(np.abs(response).mean())


def test_the_edge_measure_is_the_sobel_response_written_out():
    patch = np.random.default_rng(0).uniform(0, 255, (9, 11))
    assert edge_measure(patch) == pytest.approx(convolved(patch), rel=1e-5)


def test_a_ramp_of_one_grey_level_a_row_measures_128_over_255():
    ramp = np.repeat(np.arange(256.0)[:, None], 16, 1)
    # Two rows at each border see the ramp turn round in the mirror.
    assert edge_measure(ramp) == pytest.approx(128 / 255, rel=0.02)
    assert edge_measure(ramp.T) == 0, "an edge across the columns is no vertical variation"


def test_patches_lie_inside_the_border_and_overlap_by_half():
    image = np.zeros((2574, 640), np.uint8)
    image[:120], image[-120:] = 255, 255
    edges = patch_edge_measures(image)
    assert edges.shape == (35, 5)
    assert edges.max() == 0, "the border is left out"


def striped(height: int, lengths: tuple[int, ...]) -> np.ndarray:
    """Tissue of grey 180 with black bars of a height, one of each length, 20 rows apart."""
    image = np.zeros((500, 420), np.uint8)
    image[20:480, 20:400] = 180
    for number, length in enumerate(lengths):
        image[150 + 20 * number : 150 + 20 * number + height, 150 : 150 + length] = 0
    return image


def test_dashes_are_measured_as_they_were_drawn():
    stripes = stripe_statistics(striped(1, (2, 2, 5, 15)))
    assert stripes.dash_width_px == pytest.approx((3.5, 7.5, 13.5))
    assert stripes.dash_height_px == (1, 1)
    assert stripes.dash_share == pytest.approx(24 / (460 * 380))
    assert stripes.empty_share == stripes.dash_share


def test_a_shadow_is_no_dash_and_an_image_without_dashes_has_no_width():
    stripes = stripe_statistics(striped(8, (60,)))
    assert stripes.dash_share == 0
    assert np.isnan(stripes.dash_width_px).all()


def test_black_gaps_belong_to_the_scan_and_the_background_does_not():
    image = striped(3, (30, 40))
    np.testing.assert_array_equal(scan_area(image), np.pad(np.ones((460, 380), bool), 20))


def test_run_lengths_reach_to_the_border():
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    assert run_lengths(mask).tolist() == [2, 1, 4]


def test_an_image_too_small_for_a_patch_is_refused():
    with pytest.raises(ValueError, match="no patch"):
        stripe_statistics(np.zeros((367, 640), np.uint8))


def test_the_public_projection_measures_as_the_specification_says(shared_data: Path):
    """Specification of spine ultrasound, sections 1.2 and 5.3."""
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(shared_data / "spine_us" / "vpi_coronal_demo" / "demo.png")))
    stripes = stripe_statistics(image)
    assert (stripes.num_patches, stripes.num_corrupted, stripes.num_clean) == (175, 5, 150)
    assert stripes.edge_median == pytest.approx(1.46, abs=0.005)
    assert stripes.edge_p95 == pytest.approx(2.66, abs=0.005)
    assert stripes.edge_max == pytest.approx(4.70, abs=0.005)
    assert stripes.dash_share == pytest.approx(0.010, abs=0.002)
    assert stripes.dash_width_px == pytest.approx((2, 5, 15), abs=0.5)
    assert stripes.dash_height_px[0] == 1
    assert dash_mask(image).mean() < 0.02
