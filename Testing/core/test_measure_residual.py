"""The residual structure index is near 0 for noise, grows with lost anatomy, and is not fooled by uneven noise."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from medenhance.measure.residual import ResidualStructure, StructureShare, residual_structure, structure_share
from medenhance.measure.tissue import map_tissues


def _noise(shape: tuple[int, int], sd: float, seed: int = 0, grain_px: float = 0.7) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), grain_px)
    return (sd * noise / noise.std()).astype(np.float32)


def _anatomy(side: int = 320) -> np.ndarray:
    """Organs, vessels and bones at many sizes and contrasts in a quiet background."""
    rng = np.random.default_rng(5)
    rows, columns = np.indices((side, side), dtype=np.float32)
    image = np.full((side, side), 40.0, dtype=np.float32)
    for _ in range(90):
        (row, column), radius = rng.uniform(20, side - 20, 2), rng.uniform(2, 14)
        image[np.hypot(rows - row, columns - column) < radius] += rng.choice([-90.0, 40.0, 80.0, 300.0])
    image[: side // 4] = 40.0
    return gaussian_filter(image, 0.7)


TRUTH = _anatomy()
NOISE = _noise(TRUTH.shape, 30.0)
NOISY = TRUTH + NOISE


def _measure(before: np.ndarray, after: np.ndarray) -> ResidualStructure:
    tissues = map_tissues(before, np.ones(before.shape, dtype=bool))
    found = residual_structure([structure_share(before, after, tissues)])
    assert found is not None
    return found


def _index(before: np.ndarray, after: np.ndarray) -> float:
    return _measure(before, after).index


def test_noise_has_no_anatomy() -> None:
    assert _index(NOISY, TRUTH) < 0.01


@pytest.mark.parametrize("grain_px", [0.3, 0.7, 1.5])
def test_noise_has_no_anatomy_whatever_its_texture(grain_px: float) -> None:
    assert _index(TRUTH + _noise(TRUTH.shape, 30.0, grain_px=grain_px), TRUTH) < 0.02


def test_noise_that_is_stronger_in_dense_structures_has_no_anatomy() -> None:
    uneven = NOISE * np.where(gaussian_filter(TRUTH, 2.0) > 100.0, 2.0, 1.0) * np.linspace(0.5, 1.5, TRUTH.shape[1])
    noisy = (TRUTH + uneven).astype(np.float32)
    assert _index(noisy, TRUTH) < 0.03 < 0.15 * _index(noisy, gaussian_filter(noisy, 1.0))


@pytest.mark.parametrize("strength", [0.3, 0.7])
def test_noise_that_was_left_in_the_output_is_not_taken_for_anatomy(strength: float) -> None:
    assert _index(NOISY, NOISY - strength * NOISE) < 0.02


def test_the_index_grows_as_the_output_is_blurred() -> None:
    indices = [_index(NOISY, gaussian_filter(NOISY, s)) for s in (0.5, 0.8, 1.2, 2.0, 3.0, 4.0)]
    assert all(b > a + 0.01 for a, b in pairwise(indices))
    assert indices[0] > 0.03


def test_the_index_grows_with_the_share_of_anatomy_that_was_removed() -> None:
    detail = TRUTH - gaussian_filter(TRUTH, 2.0)
    indices = [_index(NOISY, TRUTH - share * detail) for share in (0.0, 0.1, 0.2, 0.4, 0.8)]
    assert indices == sorted(indices)
    assert indices[-1] > 10 * max(indices[0], 0.01)


def test_anatomy_that_is_wholly_gone_counts_although_nothing_is_left_to_compare_with() -> None:
    assert _index(NOISY, np.full_like(NOISY, 40.0)) > 0.3


def test_the_amplitude_is_that_of_the_anatomy_removed() -> None:
    """Where all that was removed is anatomy, the index is nearly 1 and the amplitude is the residual's own."""
    detail = 0.5 * (TRUTH - gaussian_filter(TRUTH, 1.5))
    found = _measure(TRUTH + _noise(TRUTH.shape, 2.0), TRUTH + _noise(TRUTH.shape, 2.0) - detail)
    assert found.index > 0.8
    assert 2.0 < found.amplitude_hu < 40.0


def test_an_untouched_slice_lost_nothing() -> None:
    assert _measure(NOISY, NOISY) == ResidualStructure(0.0, 0.0)


def test_what_a_windowed_network_passes_through_is_not_judged() -> None:
    blurred = gaussian_filter(NOISY, 1.5)
    half = NOISY.copy()
    half[:, :160] = blurred[:, :160]
    assert _index(NOISY, half) == pytest.approx(_index(NOISY[:, :160], blurred[:, :160]), rel=0.25)


def test_a_study_without_structure_cannot_be_judged() -> None:
    flat = 40.0 + NOISE
    tissues = map_tissues(flat, np.ones(flat.shape, dtype=bool))
    assert residual_structure([structure_share(flat, gaussian_filter(flat, 1.0), tissues)]) is None


def test_a_slice_of_air_and_a_tiny_slice_add_nothing() -> None:
    for shape in ((64, 64), (12, 12), (5, 40)):
        air = np.full(shape, -1000.0, dtype=np.float32)
        share = structure_share(air, air + 1.0, map_tissues(air, np.ones(shape, dtype=bool)))
        assert (share.matched, share.chance, share.windows) == (0.0, 0.0, 0)


def test_slices_count_by_their_windows() -> None:
    shares = [StructureShare(12.0, 4.0, np.full(40, 10.0)), StructureShare(0.0, 0.0, np.full(120, 10.0))]
    found = residual_structure(shares)
    assert found is not None
    assert found.index == pytest.approx((12 / 160 - 4 / 160) / (1 - 4 / 160))
    assert found.amplitude_hu == pytest.approx(10.0 * np.sqrt(found.index))


def test_on_a_real_pair_the_true_noise_has_none_and_filters_are_in_the_order_of_what_they_lose(
    shared_data: Path,
) -> None:
    nl_means = pytest.importorskip("skimage.restoration").denoise_nl_means
    folder = shared_data / "ct_lowdose" / "sfrc_L506_slice32_pair"
    quarter, full = (
        np.fromfile(folder / f"L506_{dose}_512x512_uint16le_HUplus1024.raw", "<u2").reshape(512, 512)[80:432, 40:472]
        - np.float32(1024.0)
        for dose in ("QD", "FD")
    )
    means = nl_means(quarter, patch_size=5, patch_distance=6, h=80.0, fast_mode=True).astype(np.float32)
    true_noise = _index(quarter, full)
    assert true_noise < 0.005
    assert 0.005 < _index(quarter, means) < _index(quarter, gaussian_filter(quarter, 1.0)) - 0.05
    assert _index(quarter, gaussian_filter(full, 1.0)) > 0.1
