"""Tissues and homogeneous regions are found by what is there, not by the noise on it; bias too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from medenhance.measure.bias import TileMeans, pooled_bias, tile_means
from medenhance.measure.noise import patch_noise_sd
from medenhance.measure.tissue import AIR, BONE, FAT, LUNG, SOFT, TISSUES, TissueMap, map_tissues, valid_pixels

FLESH_HU, FAT_HU, LUNG_HU, BONE_HU, AIR_HU = 15.0, -100.0, -850.0, 700.0, -1000.0


def _noise(shape: tuple[int, int], sd: float, seed: int = 0, grain_px: float = 0.6) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), grain_px)
    return (sd * noise / noise.std()).astype(np.float32)


def _body(side: int = 256) -> np.ndarray:
    """A round body with a rim of fat, two lungs and a spine, in air, with the softness of a scanner."""
    y, x = (np.indices((side, side)) - side / 2) / (side / 2)
    image = np.full((side, side), AIR_HU, dtype=np.float32)
    image[np.hypot(x, y) < 0.9] = FAT_HU
    image[np.hypot(x, y) < 0.75] = FLESH_HU
    image[np.hypot(np.abs(x) - 0.35, y + 0.1) < 0.25] = LUNG_HU
    image[np.hypot(x, y - 0.45) < 0.15] = BONE_HU
    return gaussian_filter(image, 0.8)


def _map(image: np.ndarray, padding_below: float | None = None) -> TissueMap:
    return map_tissues(image, valid_pixels(image, image, padding_below))


def _bias(difference: np.ndarray, mask: np.ndarray) -> float:
    found = pooled_bias([tile_means(difference, mask)])
    assert found is not None
    return found.mean_hu


def test_thresholding_the_noisy_slice_shows_a_bias_that_is_not_there_and_our_mask_does_not() -> None:
    truth = np.full((384, 384), FLESH_HU, dtype=np.float32)
    noisy = truth + _noise(truth.shape, 40.0)
    removed_exactly = truth - noisy
    naive = _bias(removed_exactly, (noisy > 0.0) & (noisy < 200.0))
    ours = _bias(removed_exactly, _map(noisy).interior(SOFT))
    assert abs(removed_exactly.mean()) < 0.1
    assert abs(naive) > 5.0
    assert abs(ours) < 0.1


def test_every_tissue_of_a_body_is_found_in_its_place_and_no_rim_is_taken_for_another() -> None:
    truth = _body()
    tissues = _map(truth + _noise(truth.shape, 20.0))
    for tissue, hu in ((AIR, AIR_HU), (LUNG, LUNG_HU), (FAT, FAT_HU), (SOFT, FLESH_HU), (BONE, BONE_HU)):
        inside = tissues.interior(tissue)
        assert inside.sum() > 500
        # The scanner's softness reaches in by a hundredth of the step; a rim would be off by hundreds.
        assert np.abs(truth[inside] - hu).max() < 10.0


def test_a_blanket_in_the_air_is_not_lung() -> None:
    truth = _body()
    truth[4:20, 60:200] = LUNG_HU
    inside = _map(truth + _noise(truth.shape, 10.0)).interior(LUNG)
    assert inside.any()
    assert not inside[:40].any()


def test_homogeneous_regions_lie_wholly_in_their_tissue_and_never_overlap() -> None:
    truth = _body()
    found = _map(truth + _noise(truth.shape, 20.0)).homogeneous_regions(10, 30)
    for tissue in TISSUES:
        cover = np.zeros(truth.shape, dtype=int)
        for region in found[tissue.name]:
            region.of(cover)[...] += 1
            assert np.all((region.of(truth) > tissue.lo_hu) & (region.of(truth) < tissue.hi_hu))
        assert cover.max() == 1
        assert len(found[tissue.name]) <= 30


def test_regions_keep_away_from_structure() -> None:
    truth = np.full((200, 200), 60.0, dtype=np.float32)
    truth[:, 100:] += 40.0 * np.sin(np.arange(100) / 3.0)  # vessels, all within the range of soft tissue
    found = _map(truth + _noise(truth.shape, 10.0)).homogeneous_regions(16, 30)["soft"]
    assert len(found) >= 10
    assert all(r.column + r.side_px <= 102 for r in found)


def test_quiet_places_are_not_preferred() -> None:
    """Noise is lower near the skin: a choice by least variation would report the periphery's noise."""
    sd = np.linspace(10.0, 40.0, 256)[None, :]
    image = 40.0 + sd * _noise((256, 256), 1.0)
    found = _map(image.astype(np.float32)).homogeneous_regions(16, 40)["soft"]
    measured = np.median(patch_noise_sd(np.stack([r.of(image) for r in found])))
    assert measured == pytest.approx(25.0, rel=0.15)


@pytest.mark.parametrize("grain_px", [0.3, 0.6])
def test_choosing_homogeneous_regions_does_not_understate_the_noise(grain_px: float) -> None:
    image = 40.0 + _noise((320, 320), 25.0, grain_px=grain_px)
    found = _map(image).homogeneous_regions(24, 40)["soft"]
    measured = np.median(patch_noise_sd(np.stack([r.of(image) for r in found])))
    assert measured == pytest.approx(25.0, rel=0.05)


@pytest.mark.parametrize("padding", [-2000.0, -1024.0])
def test_padding_is_never_touched(padding: float) -> None:
    truth = _body()
    image = truth + _noise(truth.shape, 20.0)
    outside = np.hypot(*(np.indices(image.shape) - 127.5)) > 80
    image[outside] = padding
    tissues = _map(image, padding_below=padding)
    for tissue in TISSUES:
        assert not (tissues.interior(tissue) & outside).any()
    for side in (10, 16, 32):
        for regions in tissues.homogeneous_regions(side, 40).values():
            assert not any(r.of(outside).any() for r in regions)


def test_what_padding_holds_does_not_reach_what_is_measured() -> None:
    image = 40.0 + _noise((160, 160), 20.0)
    outside = np.hypot(*(np.indices(image.shape) - 79.5)) > 70
    low, high = (map_tissues(np.where(outside, np.float32(v), image), ~outside) for v in (-3000.0, 3000.0))
    assert low.valid.sum() > 8000
    assert np.abs(low.reference - high.reference)[low.valid].max() < 0.01


def test_noise_cut_off_at_the_padding_value_is_no_padding() -> None:
    air = np.maximum(_noise((64, 64), 30.0) - 1000.0, -1024.0)
    assert np.mean(air == -1024.0) > 0.1
    assert valid_pixels(air, air, -1024.0).all()


def test_pixels_that_are_no_number_in_either_image_are_not_valid() -> None:
    before, after = np.zeros((2, 3)), np.zeros((2, 3))
    before[0, 0], after[1, 2] = np.nan, np.inf
    expected = [[False, True, True], [True, True, False]]
    assert valid_pixels(before, after, None).tolist() == expected


def test_painted_areas_without_grain_hold_no_noise_to_measure() -> None:
    assert _map(np.full((64, 64), 40.0, dtype=np.float32)).homogeneous_regions(16, 9)["soft"] == []


def test_an_image_smaller_than_a_region_has_none() -> None:
    assert not any(_map(_noise((9, 30), 5.0)).homogeneous_regions(10, 5).values())


def test_the_standard_error_of_a_bias_is_the_scatter_of_repeated_measurements() -> None:
    mask = np.hypot(*(np.indices((160, 160)) - 80)) < 70
    differences = [3.0 + _noise((200, 160), 30.0, seed=n, grain_px=1.5)[:160] for n in range(60)]
    found = [pooled_bias([tile_means(d, mask)]) for d in differences]
    means = [f.mean_hu for f in found if f]
    errors = [f.standard_error_hu for f in found if f]
    assert np.mean(means) == pytest.approx(3.0, abs=0.2)
    assert np.mean(errors) == pytest.approx(np.std(means, ddof=1), rel=0.3)


def test_tiles_are_weighted_by_their_pixels() -> None:
    found = pooled_bias(
        [TileMeans(np.array([1.0, 2.0]), np.array([100, 200])), TileMeans(np.array([4.0]), np.array([100]))]
    )
    assert found is not None
    assert found.mean_hu == pytest.approx(2.25)
    assert found.pixels == 400


def test_too_little_tissue_has_no_bias() -> None:
    assert pooled_bias([]) is None
    assert pooled_bias([TileMeans(np.array([1.0, 2.0]), np.array([256, 256]))]) is None
