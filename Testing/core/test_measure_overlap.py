"""Overlap of masks and MS-SSIM, against values computed by hand and an independent definition."""

from __future__ import annotations

import numpy as np
import pytest

from medenhance.measure.image_quality import ms_ssim, ssim
from medenhance.measure.overlap import Overlap, overlap

GREY = (0.0, 255.0)


def test_overlap_by_hand():
    ours = np.array([[1, 1, 1, 0]], bool)
    theirs = np.array([[0, 1, 1, 1]], bool)
    assert overlap(ours, theirs) == Overlap(dice=4 / 6, jaccard=2 / 4, accuracy=2 / 3)


def test_accuracy_is_recall_and_not_the_share_of_right_pixels():
    everything = np.ones((4, 4), bool)
    corner = np.zeros((4, 4), bool)
    corner[0, 0] = True
    found = overlap(everything, corner)
    assert found is not None
    assert (found.accuracy, found.jaccard) == (1.0, 1 / 16)


def test_two_empty_masks_say_nothing_and_one_empty_mask_says_zero():
    empty, full = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    assert overlap(empty, empty) is None
    assert overlap(full, empty) == overlap(empty, full) == Overlap(0.0, 0.0, 0.0)


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        overlap(np.zeros((2, 2), bool), np.zeros((2, 3), bool))


def test_ms_ssim_of_an_image_with_itself_is_1_and_falls_with_noise():
    rng = np.random.default_rng(0)
    image = rng.uniform(50, 200, (180, 200))
    values = [ms_ssim(image + sd * rng.normal(size=image.shape), image, GREY) for sd in (0, 10, 40)]
    assert values[0] == pytest.approx(1.0)
    assert values[0] > values[1] > values[2] > 0


def test_ms_ssim_takes_luminance_from_the_coarsest_scale_alone():
    image = np.full((176, 176), 100.0)
    brighter = np.full((176, 176), 120.0)
    # Constant images agree in contrast and structure; what is left is luminance to its exponent.
    assert ms_ssim(brighter, image, GREY) == pytest.approx(ssim(brighter, image, GREY) ** 0.1333, rel=1e-6)


def test_ms_ssim_forgives_fine_noise_that_ssim_does_not():
    rng = np.random.default_rng(1)
    rows = np.linspace(0, 40, 256)[:, None]
    image = 120 + 60 * np.sin(rows) * np.cos(rows.T)
    noisy = image + 15 * rng.normal(size=image.shape)
    assert ms_ssim(noisy, image, GREY) > ssim(noisy, image, GREY) + 0.1


def test_ms_ssim_needs_room_for_five_scales():
    with pytest.raises(ValueError, match="176 x 176"):
        ms_ssim(np.zeros((175, 300)), np.zeros((175, 300)), GREY)
